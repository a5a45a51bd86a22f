"""What a script declares: tags, typedef names, globals, functions (sections 5.2, 7.3, 8, 9.4, 9.6)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from lang import syntax as s

from .errors import Rejected, Unspecified
from .types import U64, VOID, Array, Pointer, Struct, Type, base_elements, from_words, is_complete

LARGEST_OBJECT = 1 << 24  # an implementation has a limit somewhere


@dataclass
class Variable:
    """A variable of a scope; `index` is its place in the frame. A redeclaration with another type is another one."""

    index: int
    kind: Type


@dataclass
class Scope:
    """The names of one function, or of the main program, as far as the text has been read."""

    result: Type | None = None  # None: the main program
    names: dict[str, Variable] = field(default_factory=dict)
    variables: list[Variable] = field(default_factory=list)

    def declare(self, name: str, kind: Type) -> Variable:
        known = self.names.get(name)
        if known is not None and known.kind == kind:
            return known
        variable = Variable(len(self.variables), kind)
        self.variables.append(variable)
        self.names[name] = variable
        return variable

    def lookup(self, name: str) -> Variable:
        return self.names.get(name) or self.declare(name, U64)


@dataclass
class Signature:
    result: Type
    parameters: list[tuple[str, Type]]
    node: s.FunctionDefinition


def walk(items: tuple[s.Statement, ...]) -> Iterator[s.Statement]:
    """All statements in textual order."""
    for item in items:
        yield item
        match item:
            case s.Block():
                yield from walk(item.statements)
            case s.Include():
                yield from walk(item.program.items if item.program else ())
            case s.If():
                for branch in item.branches:
                    yield from walk(branch.body.statements)
                yield from walk(item.otherwise.statements if item.otherwise else ())
            case s.For():
                if isinstance(item.init, s.Declaration):
                    yield item.init
                yield from walk(item.body.statements)
            case s.While() | s.DoWhile() | s.FunctionDefinition():
                yield from walk(item.body.statements)


class Declarations:
    """The declarations of one script. `constant` evaluates an array size, None for what is no constant integer."""

    def __init__(self, constant: Callable[[s.Expression], int | None]) -> None:
        self.constant = constant
        self.tags: dict[str, Struct] = {}
        self.typedefs: dict[str, Type] = {}
        self.made: dict[int, Struct] = {}  # by the node that defines the struct
        self.globals: dict[str, Type] = {}
        self.functions: dict[str, Signature] = {}

    def collect(self, program: s.Program) -> None:
        """Functions, globals and struct types hold for the whole script, wherever they stand."""
        for item in walk(program.items):
            self.read(item)
        # The script itself is read in textual order again: a tag is unknown before its definition.
        self.tags, self.typedefs = {}, {}

    def read(self, item: s.Statement) -> None:
        match item:
            case s.Typedef():
                self.typedef(item)
            case s.FunctionDefinition():
                self.signature(item)
            case s.Declaration():
                self.announce(item)
                base = self.base(item.type)
                for declarator in item.declarators:
                    if declarator.is_global:
                        self.global_variable(declarator.name, self.declared(base, declarator))
                    for target in declarator.chain:
                        if isinstance(target, s.GlobalName):
                            self.global_variable(target.name, base)

    def global_variable(self, name: str, kind: Type) -> None:
        if self.globals.setdefault(name, kind) != kind:
            raise Rejected("E070")

    def announce(self, item: s.Declaration) -> None:
        """`struct Tag;`."""
        if not item.declarators and isinstance(item.type, s.StructType) and item.type.members is None:
            self.tags.setdefault(item.type.tag, Struct(item.type.tag))

    def typedef(self, item: s.Typedef) -> None:
        base = self.base(item.type)
        for declarator in item.declarators:
            if declarator.sizes:
                raise Rejected("E037")
            if declarator.name in self.typedefs:
                raise Rejected("E086")
            self.typedefs[declarator.name] = self.starred(base, declarator.stars)

    def signature(self, item: s.FunctionDefinition) -> None:
        if item.name in self.functions:
            raise Rejected("E062")
        result = self.starred(self.base(item.type), item.stars)
        if isinstance(result, Struct):
            raise Rejected("E095")
        parameters: list[tuple[str, Type]] = []
        for parameter in item.parameters:
            if parameter.declarator.is_global:
                raise Rejected("E030")
            kind: Type = U64
            if parameter.type is not None:
                kind = self.starred(self.base(parameter.type), parameter.declarator.stars)
            if kind == VOID:
                raise Rejected("E098")
            if isinstance(kind, Struct) or parameter.declarator.sizes:
                raise Rejected("E095")
            if parameter.declarator.name in [name for name, _ in parameters]:
                raise Rejected("E083")
            parameters.append((parameter.declarator.name, kind))
        self.functions[item.name] = Signature(result, parameters, item)

    def base(self, kind: s.TypeSyntax) -> Type:
        """The type in front of the declarators."""
        if isinstance(kind, s.WordType):
            return from_words(kind.words)
        if isinstance(kind, s.NamedType):
            if kind.name not in self.typedefs:
                raise Rejected("E080")
            return self.typedefs[kind.name]
        if kind.members is None:
            if kind.tag not in self.tags:
                raise Rejected("E081")
            return self.tags[kind.tag]
        return self.define(kind, kind.members)

    def define(self, kind: s.StructType, lines: tuple[s.MemberLine, ...]) -> Struct:
        known = self.tags.get(kind.tag) if kind.tag else None
        if known is not None and known.members is not None and known is not self.made.get(id(kind)):
            raise Rejected("E082")
        if id(kind) in self.made:
            if kind.tag:
                self.tags[kind.tag] = self.made[id(kind)]
            return self.made[id(kind)]
        struct = self.made[id(kind)] = known or Struct(kind.tag)
        if kind.tag:
            self.tags[kind.tag] = struct
        members: list[tuple[str, Type]] = []
        for line in lines:
            base = self.base(line.type)
            for declarator in line.declarators:
                if declarator.is_global or declarator.initialiser is not None:
                    raise Rejected("E030")
                if declarator.name in [name for name, _ in members]:
                    raise Rejected("E083")
                members.append((declarator.name, self.declared(base, declarator)))
        struct.complete(members)
        return struct

    @staticmethod
    def starred(base: Type, stars: int) -> Type:
        for _ in range(stars):
            base = Pointer(base)
        return base

    def declared(self, base: Type, declarator: s.Declarator) -> Type:
        """The type of an object. Raises Rejected(E087, E088, E098)."""
        kind = self.starred(base, declarator.stars)
        if kind == VOID:
            raise Rejected("E098")
        if not is_complete(kind):
            raise Rejected("E087")
        for position in reversed(range(len(declarator.sizes))):
            kind = Array(kind, self.array_size(declarator, position, kind))
        if kind.size > LARGEST_OBJECT:
            raise Unspecified("an object of many megabytes")
        return kind

    def array_size(self, declarator: s.Declarator, position: int, element: Type) -> int:
        size = declarator.sizes[position]
        if size is None:
            if position or not isinstance(declarator.initialiser, s.InitialiserList):
                raise Rejected("E088")
            given = sum(1 for _ in flat(declarator.initialiser))
            each = max(1, sum(1 for _ in base_elements(element)))
            return max(1, -(-given // each))
        count = self.constant(size)
        if count is None or count < 1:
            raise Rejected("E088")
        return count

    def type_name(self, name: s.TypeName) -> Type:
        return self.starred(self.base(name.type), name.stars)


def flat(items: s.InitialiserList) -> Iterator[s.Expression]:
    """The values of a list, inner braces removed (9.5)."""
    for item in items.items:
        if isinstance(item, s.InitialiserList):
            yield from flat(item)
        else:
            yield item
