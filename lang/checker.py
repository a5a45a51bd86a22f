"""Syntax tree -> typed tree: statements, declarations and functions (language.md sections 5, 7, 8, 9).

Two walks: the first, silent one collects the signatures of all functions and the types of all declared globals, so that
both may be used before their text; the second one checks everything in textual order.
"""

from __future__ import annotations

import msgspec

from lang import syntax as s, typed as t
from lang.assignments import Assignments
from lang.checking import Context
from lang.code import Code
from lang.declarations import Declarations
from lang.diagnostics import Diagnostics, SilentDiagnostics
from lang.expressions import Expressions
from lang.flow import falls_through, report_unreachable
from lang.names import Scope, ScriptNames, written_globals
from lang.node_types import NodeTypes
from lang.operations import truth
from lang.references import DefinitionKind, NoReferences
from lang.source import Span
from lang.types import U64, VOID, Type, Void, is_scalar, same


class Checked(msgspec.Struct, frozen=True):
    """What the checker found out: the typed program, and the type of every expression of the syntax tree."""

    program: t.TypedProgram
    types: NodeTypes
    declared: dict[s.Declarator, Type]
    low_addresses: dict[str, int]  # variables whose only value is a constant address
    names: ScriptNames


def check(program: s.Program, context: Context) -> Checked:
    """Find out the types and meanings of a whole script.

    Before: the tree has no errors of syntax and placement. After: everything in the typed tree has its final type, and
    every conversion is explicit; with errors in `context.diagnostics` it is complete all the same, but not to be
    lowered. The tree is not changed.
    """
    return Checker(context).check(program)


class Checker:
    """The statements and functions of one script; its parts check the rest."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.report = context.report
        self.names = context.names
        self.expressions = Expressions(context)
        self.resolver = self.expressions.resolver
        self.assignments = Assignments(context, self.expressions)
        self.declarations = Declarations(context, self.expressions, self.assignments)

    def check(self, program: s.Program) -> Checked:
        """The typed tree of a program without syntax errors."""
        self.names.written = written_globals(program)
        self._collect(program)
        body = self.statements(program.items)
        main = t.FunctionEntity("main", VOID, (), body[0].span if body else program.span, body)
        report_unreachable(program, self.report)
        self._check_globals(program)
        functions = tuple(self.names.functions.values())
        program_typed = t.TypedProgram(main, functions, self.names.globals)
        return Checked(
            program_typed, self.context.types, self.declarations.types, self.assignments.single_constants(), self.names
        )

    # --- the first walk

    def _collect(self, program: s.Program) -> None:
        """Signatures, and declared globals; what is wrong in them is reported by the second walk."""
        loud, self.context.diagnostics = self.context.diagnostics, SilentDiagnostics()
        references, self.context.references = self.context.references, NoReferences()
        for item in s.statements(program):
            match item:
                case s.FunctionDefinition():
                    if item.name in self.names.functions:
                        loud.add(Code.FUNCTION_AGAIN, f"the function `{item.name}` is defined already", item.name_span)
                    else:
                        self.names.functions[item.name] = self._signature(item)
                case s.Typedef():
                    self.declarations.typedef(item)
                case s.Declaration():
                    self._collect_declaration(item, loud)
        self.names.tags.clear()
        self.names.typedefs.clear()
        self.context.scope = Scope()
        self.context.diagnostics, self.context.references = loud, references

    def _signature(self, item: s.FunctionDefinition) -> t.FunctionEntity:
        parameters: list[t.Variable] = []
        for parameter in item.parameters:
            kind: Type = U64
            if parameter.type is not None:
                kind = self.resolver.declared(self.resolver.base(parameter.type), parameter.declarator)
            variable = t.Variable(parameter.declarator.name, kind if is_scalar(kind) else U64)
            variable.typed = parameter.type is not None
            parameters.append(variable)
        result = self.resolver.pointers(self.resolver.base(item.type), item.stars, item.name_span)
        if not is_scalar(result) and not isinstance(result, Void):
            result = U64
        return t.FunctionEntity(item.name, result, tuple(parameters), item.name_span)

    def _collect_declaration(self, item: s.Declaration, loud: Diagnostics) -> None:
        if isinstance(item.type, s.StructType) and not item.declarators and item.type.members is None:
            self.resolver.announce(item.type)
            return
        base = self.resolver.base(item.type)
        for declarator in item.declarators:
            if declarator.is_global:
                kind = self.declarations.declared_type(base, declarator)
                self._declare_global(declarator.name, kind, declarator.name_span, loud)
            for target in declarator.chain:
                if isinstance(target, s.GlobalName):
                    self._declare_global(target.name, base, target.span, loud)

    def _declare_global(self, name: str, kind: Type, span: Span, loud: Diagnostics) -> None:
        """The type of a global for the script and the session; E070 for a second one."""
        before = self.names.declared.setdefault(name, kind)
        session = self.names.session.types.get(name)
        conflict = before if not same(before, kind) else None
        if session is not None and not same(session[0], kind):
            conflict = session[0]
        if conflict is not None:
            loud.add(Code.V023_GLOBAL_TYPE, "HyperDbg v0.23 lets the last declaration change the type", span)
            loud.add(Code.GLOBAL_TYPES, f"`.{name}` has type `{conflict}` in this session, not `{kind}`", span)

    def _check_globals(self, program: s.Program) -> None:
        """E120."""
        fresh = [name for name in self.names.globals if name not in self.names.session.types]
        count = len(self.names.session.types) + len(fresh)
        if count > self.context.limits.max_globals:
            message = (
                f"{count} global variables; a session has at most {self.context.limits.max_globals} (limit max_globals)"
            )
            self.report(Code.TOO_MANY_GLOBALS, message, program.span)
            self.report(Code.V023_GLOBALS, "HyperDbg v0.23 overruns its table of globals", program.span)
        size = sum(variable.type.size for variable in self.names.globals.values())
        if size > self.context.limits.max_global_bytes:
            limit = self.context.limits.max_global_bytes
            self.report(
                Code.TOO_MANY_GLOBALS, f"{size} bytes of globals; the limit max_global_bytes is {limit}", program.span
            )

    # --- statements

    def statements(self, items: tuple[s.Statement, ...]) -> tuple[t.Statement, ...]:
        """The statements of a block, in order."""
        result: list[t.Statement] = []
        for item in items:
            outer, self.context.temporaries = self.context.temporaries, []
            made = self.statement(item)
            if self.context.temporaries:
                made = [t.Group(item.span, tuple(made), tuple(self.context.temporaries))]
            self.context.temporaries = outer
            result += made
        return tuple(result)

    def statement(self, item: s.Statement) -> list[t.Statement]:
        """One statement."""
        match item:
            case s.Simple():
                return self.simple(item.expression, item.span)
            case s.Declaration():
                return self.declarations.declaration(item)
            case s.Block():
                return list(self.statements(item.statements))
            case s.If():
                return [self._if(item)]
            case s.While():
                condition = self.condition(item.condition)
                return [t.Loop(item.span, condition, self.statements(item.body.statements))]
            case s.DoWhile():
                body = self.statements(item.body.statements)
                return [t.Loop(item.span, self.condition(item.condition), body, test_first=False)]
            case s.For():
                return self._for(item)
            case s.Return():
                return [self._return(item)]
            case s.Break():
                return [t.LeaveLoop(item.span)]
            case s.Continue():
                return [t.NextRound(item.span)]
            case s.FunctionDefinition():
                self._function(item)
            case s.Typedef():
                self.declarations.typedef(item)
            case s.Include() if item.program is not None:
                return list(self.statements(item.program.items))
        return []

    def condition(self, node: s.Expression | None) -> t.Value | None:
        """A condition as a truth value; W019 for a constant one, except the plain 1 of an endless loop."""
        if node is None:
            return None
        value = truth(self.expressions.value(node))
        if isinstance(value, t.Constant):
            if isinstance(node, s.Number) and not node.text[0].isdigit():
                hint = f"it is the number 0x{node.value:x} here, not a variable"
                self.report(Code.CONSTANT_CONDITION, f"`{node.text}` looks like a variable", node.span, hint)
            elif not (isinstance(node, s.Number) and node.value == 1):
                what = "true" if value.bits else "false"
                self.report(Code.CONSTANT_CONDITION, f"this condition is always {what}", node.span)
        return value

    def _if(self, item: s.If) -> t.Statement:
        branches: list[tuple[t.Value, tuple[t.Statement, ...]]] = []
        for branch in item.branches:
            condition = self.condition(branch.condition)
            assert condition is not None
            branches.append((condition, self.statements(branch.body.statements)))
        otherwise = self.statements(item.otherwise.statements) if item.otherwise is not None else ()
        return t.Choose(item.span, tuple(branches), otherwise)

    def _for(self, item: s.For) -> list[t.Statement]:
        if isinstance(item.init, s.Declaration):
            init = self.declarations.declaration(item.init)
        else:
            init = [made for part in item.init for made in self._grouped(part)]
        condition = self.condition(item.condition)
        body = self.statements(item.body.statements)
        step = tuple(made for part in item.step for made in self._grouped(part))
        return [*init, t.Loop(item.span, condition, body, step)]

    def _grouped(self, node: s.Expression) -> list[t.Statement]:
        return list(self.statements((s.Simple(node.span, node),)))

    def _return(self, item: s.Return) -> t.Statement:
        function = self.context.scope.function
        if function is None:
            if item.value is not None:
                self.expressions.value(item.value)
                self.report(
                    Code.VALUE_RETURNED_BY_MAIN, "the main program returns no value", item.value.span, "write `return;`"
                )
            return t.Leave(item.span, None)
        void = isinstance(function.result, Void)
        if item.value is None:
            if not void:
                self.report(
                    Code.RETURN_WITHOUT_VALUE,
                    f"`{function.name}` returns `{function.result}`: a value is missing",
                    item.span,
                )
            return t.Leave(item.span, None)
        value = self.expressions.value(item.value)
        if void:
            self.report(Code.VALUE_RETURNED_BY_VOID, f"`{function.name}` is void: it returns no value", item.value.span)
            return t.Leave(item.span, None)
        return t.Leave(item.span, self.expressions.assigned(value, function.result, item.value.span))

    def _function(self, item: s.FunctionDefinition) -> None:
        function = self.names.functions[item.name]
        if function.span != item.name_span:
            return  # a second definition, reported before
        self._check_signature(item)
        outer, self.context.scope = self.context.scope, Scope(function)
        header = Span(item.span.file, item.span.start, item.body.span.start)
        self.context.references.define(
            item.name_span, DefinitionKind.FUNCTION, item.name, type=function.result, header=header
        )
        for variable, parameter in zip(function.parameters, item.parameters, strict=True):
            place = parameter.declarator.name_span
            self.context.references.define(place, DefinitionKind.PARAMETER, variable.name, variable, variable.type)
            self.context.scope.variables[variable.name] = variable
            self.context.scope.all.append(variable)
            self.context.scope.assigned.add(variable.name)
        function.body = self.statements(item.body.statements)
        self.context.scope = outer
        if not isinstance(function.result, Void) and falls_through(function.body):
            self.report(
                Code.END_REACHED, f"`{item.name}` can reach its end without `return`; it returns 0 then", item.name_span
            )
            self.report(Code.V023_NO_RETURN, "HyperDbg v0.23 returns the value of an earlier call here", item.name_span)

    def _check_signature(self, item: s.FunctionDefinition) -> None:
        """The errors of types, parameters and result that the silent walk passed over."""
        result = self.resolver.pointers(self.resolver.base(item.type), item.stars, item.name_span)
        if not is_scalar(result) and not isinstance(result, Void):
            message = f"`{item.name}` cannot return `{result}` by value"
            self.report(Code.SCALAR_NEEDED, message, item.type.span, "return a pointer")
        seen: set[str] = set()
        for parameter in item.parameters:
            name = parameter.declarator.name
            if name in seen:
                self.report(Code.NAME_AGAIN, f"there is a parameter `{name}` already", parameter.span)
            seen.add(name)
            if parameter.declarator.is_global:
                self.report(Code.SYNTAX, "a parameter has no dot", parameter.declarator.name_span)
            if parameter.declarator.initialiser is not None:
                self.report(Code.SYNTAX, "a parameter has no initialiser", parameter.declarator.span)
            if parameter.type is None:
                self.report(
                    Code.V023_PARAMETER_TYPE, "HyperDbg v0.23 wants a type in front of every parameter", parameter.span
                )
                continue
            kind = self.resolver.declared(self.resolver.base(parameter.type), parameter.declarator)
            if isinstance(kind, Void):
                self.report(Code.VOID_OBJECT, f"`{name}` cannot have type void", parameter.span)
            elif not is_scalar(kind):
                self.report(Code.SCALAR_NEEDED, f"`{kind}` cannot be passed by value", parameter.span, "pass a pointer")

    # --- simple statements

    def simple(self, node: s.Expression, span: Span) -> list[t.Statement]:
        """An assignment, a step or a call as a statement."""
        match node:
            case s.Assign() if node.operator == "=":
                return self.assignments.assign(node, span)
            case s.Assign():
                return self.assignments.update(node.targets[0], node.operator[:-1], node.value, span)
            case s.Step():
                return self.assignments.update(node.target, node.operator[0], None, span)
            case s.Call():
                output = self.expressions.builtins.statement(node)
                return [output if output is not None else t.Evaluate(span, self.expressions.any_value(node))]
        self.expressions.value(node)  # E042 was reported
        return []
