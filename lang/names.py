"""Names: the scopes of one script, and what a session remembers of its globals (language.md section 5)."""

from __future__ import annotations

import msgspec

from lang import syntax as s
from lang.typed import FunctionEntity, GlobalVariable, Variable
from lang.types import U64, Struct, Type


class SessionNames(msgspec.Struct):
    """What outlives a script: the types of the session's globals, and which of them were assigned."""

    types: dict[str, tuple[Type, bool]] = msgspec.field(default_factory=dict)  # name: type, given by a declaration
    assigned: set[str] = msgspec.field(default_factory=set)


class Scope(msgspec.Struct):
    """The locals of one function, or of the main program; there is no block scope."""

    function: FunctionEntity | None = None
    variables: dict[str, Variable] = msgspec.field(default_factory=dict)
    assigned: set[str] = msgspec.field(default_factory=set)
    all: list[Variable] = msgspec.field(default_factory=list)

    def declare(self, name: str, kind: Type) -> Variable:
        """A new variable, which the name means from here on."""
        variable = Variable(name, kind)
        self.variables[name] = variable
        self.all.append(variable)
        return variable

    def lookup(self, name: str) -> Variable:
        """The variable of that name; the first mention makes an untyped one."""
        return self.variables.get(name) or self.declare(name, U64)


class ScriptNames(msgspec.Struct):
    """Tags, typedef names, functions and globals of one script."""

    session: SessionNames
    functions: dict[str, FunctionEntity] = msgspec.field(default_factory=dict)
    globals: dict[str, GlobalVariable] = msgspec.field(default_factory=dict)
    declared: dict[str, Type] = msgspec.field(default_factory=dict)  # globals that this script declares anywhere
    written: set[str] = msgspec.field(default_factory=set)  # globals that this script assigns somewhere
    assigned: set[str] = msgspec.field(default_factory=set)  # globals assigned so far, in program text
    tags: dict[str, Struct] = msgspec.field(default_factory=dict)
    typedefs: dict[str, Type] = msgspec.field(default_factory=dict)
    made: dict[int, Struct] = msgspec.field(default_factory=dict)  # struct types by the syntax node that defines them

    def global_variable(self, name: str) -> GlobalVariable:
        """The global of that name, with the type that the session or a declaration of this script gives it."""
        found = self.globals.get(name)
        if found is None:
            known = self.session.types.get(name)
            kind, typed = known or (self.declared.get(name, U64), name in self.declared)
            found = self.globals[name] = GlobalVariable(name, kind, typed)
        return found


_WRITING = frozenset((s.Assign, s.Step, s.Unary, s.Call, s.Declarator))


def written_globals(program: s.Program) -> set[str]:
    """The globals that a script assigns, steps, declares, or takes the address of, anywhere in its text."""
    found: set[str] = set()

    def written(node: s.Expression) -> None:
        while isinstance(node, s.Paren | s.Index | s.Member):
            node = node.inner if isinstance(node, s.Paren) else node.base
        if isinstance(node, s.GlobalName):
            found.add(node.name)

    for node in s.walk(program):
        if type(node) not in _WRITING:  # most
            continue
        match node:
            case s.Assign():
                for target in node.targets:
                    written(target)
            case s.Step():
                written(node.target)
            case s.Unary() if node.operator == "&":
                written(node.operand)
            case s.Call() if node.name in ("reference", "ref"):
                for argument in node.arguments:
                    written(argument)
            case s.Declarator():
                if node.is_global:
                    found.add(node.name)
                for target in node.chain:
                    written(target)
    return found
