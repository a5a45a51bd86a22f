"""Syntax tree -> typed tree: statements, declarations and functions (language.md sections 5, 7, 8, 9).

Two walks: the first, silent one collects the signatures of all functions and the types of all declared globals, so that
both may be used before their text; the second one checks everything in textual order.
"""

from __future__ import annotations

from dataclasses import dataclass

from lang import syntax as s
from lang import typed as t
from lang.code import Code
from lang.diagnostics import Diagnostics, SilentDiagnostics
from lang.expressions import Expressions
from lang.flow import falls_through, report_unreachable
from lang.initialisers import Initialisers
from lang.names import Scope, ScriptNames, SessionNames, written_globals
from lang.operations import arithmetic, convert, integer, truth
from lang.places import Place
from lang.source import Span
from lang.symbols import SymbolTable
from lang.types import I64, U64, VOID, Array, Float, Pointer, Struct, Type, Void, is_scalar, same
from vm.limits import Limits


@dataclass(frozen=True)
class Checked:
    """What the checker found out: the typed program, and the type of every expression of the syntax tree."""

    program: t.TypedProgram
    types: dict[s.Expression, Type]
    declared: dict[s.Declarator, Type]
    low_addresses: dict[str, int]  # variables whose only value is a constant address
    names: ScriptNames


class Checker(Expressions, Initialisers):
    """Checks one script, or an expression `in_command` that has no names of its own."""

    def __init__(
        self,
        session: SessionNames,
        symbols: SymbolTable,
        diagnostics: Diagnostics,
        limits: Limits,
        *,
        in_command: bool = False,
    ) -> None:
        super().__init__(ScriptNames(session), diagnostics, symbols, limits, in_command=in_command)
        self.declared_types: dict[s.Declarator, Type] = {}
        self.values: dict[str, list[int | None]] = {}  # of plain assignments, by name

    def constant_values(self) -> dict[str, int]:
        """Names that are assigned once in the script, and that a constant."""
        return {name: found[0] for name, found in self.values.items() if len(found) == 1 and found[0] is not None}

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
        return Checked(program_typed, self.types, self.declared_types, self.constant_values(), self.names)

    # --- the first walk

    def _collect(self, program: s.Program) -> None:
        """Signatures, and declared globals; what is wrong in them is reported by the second walk."""
        loud, self.diagnostics = self.diagnostics, SilentDiagnostics()
        self.resolver.diagnostics = self.diagnostics
        for item in s.statements(program):
            match item:
                case s.FunctionDefinition():
                    if item.name in self.names.functions:
                        loud.add(Code.FUNCTION_AGAIN, f"the function `{item.name}` is defined already", item.name_span)
                    else:
                        self.names.functions[item.name] = self._signature(item)
                case s.Typedef():
                    self.typedef(item)
                case s.Declaration():
                    self._collect_declaration(item, loud)
        self.names.tags.clear()
        self.names.typedefs.clear()
        self.types.clear()
        self.scope = Scope()
        self.diagnostics = self.resolver.diagnostics = loud

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
                kind = self.declared_type(base, declarator)
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
        if count > self.limits.max_globals:
            message = f"{count} global variables; a session has at most {self.limits.max_globals} (limit max_globals)"
            self.report(Code.TOO_MANY_GLOBALS, message, program.span)
            self.report(Code.V023_GLOBALS, "HyperDbg v0.23 overruns its table of globals", program.span)
        size = sum(variable.type.size for variable in self.names.globals.values())
        if size > self.limits.max_global_bytes:
            limit = self.limits.max_global_bytes
            self.report(
                Code.TOO_MANY_GLOBALS, f"{size} bytes of globals; the limit max_global_bytes is {limit}", program.span
            )

    # --- statements

    def statements(self, items: tuple[s.Statement, ...]) -> tuple[t.Statement, ...]:
        """The statements of a block, in order."""
        result: list[t.Statement] = []
        for item in items:
            outer, self.temporaries = self.temporaries, []
            made = self.statement(item)
            if self.temporaries:
                made = [t.Group(item.span, tuple(made), tuple(self.temporaries))]
            self.temporaries = outer
            result += made
        return tuple(result)

    def statement(self, item: s.Statement) -> list[t.Statement]:
        """One statement."""
        match item:
            case s.Simple():
                return self.simple(item.expression, item.span)
            case s.Declaration():
                return self.declaration(item)
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
                self.typedef(item)
            case s.Include() if item.program is not None:
                return list(self.statements(item.program.items))
        return []

    def condition(self, node: s.Expression | None) -> t.Value | None:
        """A condition as a truth value; W019 for a constant one, except the plain 1 of an endless loop."""
        if node is None:
            return None
        value = truth(self.value(node))
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
            init = self.declaration(item.init)
        else:
            init = [made for part in item.init for made in self._grouped(part)]
        condition = self.condition(item.condition)
        body = self.statements(item.body.statements)
        step = tuple(made for part in item.step for made in self._grouped(part))
        return [*init, t.Loop(item.span, condition, body, step)]

    def _grouped(self, node: s.Expression) -> list[t.Statement]:
        return list(self.statements((s.Simple(node.span, node),)))

    def _return(self, item: s.Return) -> t.Statement:
        function = self.scope.function
        if function is None:
            if item.value is not None:
                self.value(item.value)
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
        value = self.value(item.value)
        if void:
            self.report(Code.VALUE_RETURNED_BY_VOID, f"`{function.name}` is void: it returns no value", item.value.span)
            return t.Leave(item.span, None)
        return t.Leave(item.span, self.assigned(value, function.result, item.value.span))

    def _function(self, item: s.FunctionDefinition) -> None:
        function = self.names.functions[item.name]
        if function.span != item.name_span:
            return  # a second definition, reported before
        self._check_signature(item)
        outer, self.scope = self.scope, Scope(function)
        for variable in function.parameters:
            self.scope.variables[variable.name] = variable
            self.scope.all.append(variable)
            self.scope.assigned.add(variable.name)
        function.body = self.statements(item.body.statements)
        self.scope = outer
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
                return self._assign(node, span)
            case s.Assign():
                return self._update(node.targets[0], node.operator[:-1], node.value, span)
            case s.Step():
                return self._update(node.target, node.operator[0], None, span)
            case s.Call():
                output = self.output_call(node)
                return [output if output is not None else t.Evaluate(span, self.any_value(node))]
        self.value(node)  # E042 was reported
        return []

    def target(self, node: s.Expression, reading: bool = False) -> Place:
        """A place that is written; W011 for a bare register."""
        place = self.place(node, reading)
        if isinstance(node, s.RegisterName) and node.bare:
            self.report(Code.BARE_REGISTER, f"this writes the register {node.name}", node.span, f"write `@{node.name}`")
        if isinstance(place.type, Array):
            self.report(
                Code.NO_PLACE, "an array cannot be assigned to", node.span, "assign its elements, or use memcpy"
            )
            return Place(U64, node.span, variable=t.Variable("", U64))
        return place

    def _assign(self, node: s.Assign, span: Span) -> list[t.Statement]:
        places = [self.target(target) for target in node.targets]
        if any(isinstance(place.type, Struct) for place in places) or self._is_struct(node.value):
            return self._assign_structs(places, node, span)
        statements: list[t.Statement] = []
        if len(places) > 1:
            for number, place in enumerate(places):
                before, places[number] = place.pinned(self.temporary)
                statements += before
        value = self.value(node.value)
        for target in node.targets:
            if isinstance(target, s.Name):
                self.values.setdefault(target.name, []).append(value.bits if isinstance(value, t.Constant) else None)
        statements += self.store_chain(places, value, span)
        for target in node.targets:
            self.mark_assigned(target)
        return statements

    def store_chain(self, places: list[Place], value: t.Value, span: Span) -> list[t.Statement]:
        """Stores from right to left, each place getting the converted value of the one to its right (7.2)."""
        statements: list[t.Statement] = []
        for number, place in enumerate(reversed(places)):
            value = self.assigned(value, place.type, span) if place.typed else convert(value, place.type)
            if number < len(places) - 1 and not isinstance(value, t.Constant):
                holder = self.temporary(place.type)
                statements.append(t.StoreVariable(span, holder, value))
                value = t.ReadVariable(place.type, value.span, holder)
            statements.append(place.store(value, span))
        return statements

    def _assign_structs(self, places: list[Place], node: s.Assign, span: Span) -> list[t.Statement]:
        source = self.struct_source(node.value)
        statements: list[t.Statement] = []
        for place in reversed(places):
            if source is None or place.type is not source.type or not isinstance(place.type, Struct):
                shown = source.type if source is not None else self.types.get(node.value, I64)
                self.report(Code.V023_STRUCT_NUMBER, "HyperDbg v0.23 accepts this, with another meaning", span)
                hint = "only structs of the same type can be assigned"
                self.report(Code.BAD_STRUCT_ASSIGNMENT, f"`{shown}` cannot be assigned to `{place.type}`", span, hint)
                return []
            statements.append(t.CopyObject(span, place.location(), source.location(), place.type.size))
            source = place
        return statements

    def struct_source(self, node: s.Expression) -> Place | None:
        """The struct object that an expression designates, or None when it is another value."""
        inner = s.strip(node)
        pointer = isinstance(inner, s.Unary) and inner.operator == "*"
        if pointer or isinstance(inner, s.Name | s.GlobalName | s.Index | s.Member):
            place = self.place(inner, reading=True)
            if isinstance(place.type, Struct):
                self.types[node] = place.type
                return place
            return None
        self.value(node)
        return None

    def _update(
        self, target: s.Expression, operator: str, operand: s.Expression | None, span: Span
    ) -> list[t.Statement]:
        """`place op= operand`, or a step of 1: the address once, the old value, the operand, the store (6.2)."""
        place = self.target(target, reading=True)
        before, place = place.pinned(self.temporary)
        if isinstance(place.type, Struct):
            self.report(Code.SCALAR_NEEDED, f"`{place.type}` is not a number", target.span)
            return []
        old = place.load()
        right = self.value(operand) if operand is not None else integer(1, I64, span)
        self.mark_assigned(target)
        if isinstance(place.type, Pointer):
            if operator not in "+-" or isinstance(right.type, Pointer | Float):
                self.report(
                    Code.BAD_OPERANDS,
                    f"a pointer has no `{operator}=` of this kind",
                    span,
                    "use += or -= with a number",
                )
                return []
            result = self.pointer_sum(operator, old, right, span)
        else:
            if (place.is_float or isinstance(right.type, Float)) and operator in ("%", "<<", ">>", "&", "|", "^"):
                self.report(Code.BAD_OPERANDS, f"`{operator}=` needs integers", span)
                return []
            if isinstance(right.type, Pointer) and place.is_float:
                self.report(Code.BAD_OPERANDS, "a pointer and a floating-point value cannot be combined", span)
                return []
            result = arithmetic(operator, old, right, span)
        return [*before, place.store(self.assigned(result, place.type, span), span)]

    # --- declarations

    def typedef(self, item: s.Typedef) -> None:
        """`typedef type name, ...;`."""
        base = self.resolver.base(item.type)
        for declarator in item.declarators:
            if declarator.sizes:
                self.report(Code.NO_SUCH_CONSTRUCT, "there are no typedefs of arrays", declarator.span)
            if declarator.initialiser is not None:
                self.report(Code.SYNTAX, "a typedef has no initialiser", declarator.initialiser.span)
            if declarator.name in self.names.typedefs:
                self.report(
                    Code.TYPEDEF_AGAIN, f"the typedef `{declarator.name}` is defined already", declarator.name_span
                )
            self.names.typedefs[declarator.name] = self.resolver.pointers(base, declarator.stars, declarator.span)

    def declared_type(self, base: Type, declarator: s.Declarator) -> Type:
        """The type of a declared object; an empty `[]` counts its initialisers."""
        count = None
        if declarator.sizes and declarator.sizes[0] is None and isinstance(declarator.initialiser, s.InitialiserList):
            inner = self.resolver.declared(base, _element_declarator(declarator))
            count = self.element_count(declarator.initialiser, inner)
        kind = self.resolver.declared(base, declarator, count)
        if isinstance(kind, Void):
            self.report(Code.V023_VOID, "HyperDbg v0.23 accepts a void variable", declarator.name_span)
        return self.resolver.object_type(kind, declarator)

    def declaration(self, item: s.Declaration) -> list[t.Statement]:
        """All declarators of a declaration, in order."""
        if isinstance(item.type, s.StructType) and not item.declarators and item.type.members is None:
            self.resolver.announce(item.type)
            return []
        base = self.resolver.base(item.type)
        statements: list[t.Statement] = []
        for declarator in item.declarators:
            statements += self._declarator(base, declarator)
        return statements

    def _declarator(self, base: Type, declarator: s.Declarator) -> list[t.Statement]:
        kind = self.declared_type(base, declarator)
        self.declared_types[declarator] = kind
        span = declarator.span
        if not declarator.is_global and declarator.name not in self.scope.variables:
            # The initialiser may mention it; only where the name has an older meaning, that one holds up to the `;`.
            self.scope.declare(declarator.name, kind).in_memory = not is_scalar(kind)
        if not is_scalar(kind):
            for target in declarator.chain:
                self.report(Code.NO_PLACE, "only scalars can be initialised in a chain", target.span)
            return self._declare_object(kind, declarator)
        if isinstance(declarator.initialiser, s.InitialiserList):
            self.report(
                Code.MISPLACED_LIST, f"`{declarator.name}` is a scalar: it takes one value without braces", span
            )
            self.silent_list(declarator.initialiser)
            self.declare(declarator.name, declarator.is_global, kind, declarator.name_span)
            return []
        statements: list[t.Statement] = []
        chain = [self._chained(target, base, statements) for target in declarator.chain]
        if declarator.initialiser is None:
            value: t.Value = integer(0, kind, span)
        elif self._is_struct(declarator.initialiser):
            source = self.struct_source(declarator.initialiser)
            shown = source.type if source is not None else "a struct"
            self.report(Code.BAD_STRUCT_ASSIGNMENT, f"`{shown}` cannot be assigned to `{kind}`", span)
            value = integer(0, kind, span)
        else:
            value = self.value(declarator.initialiser)
        place = self.declare(declarator.name, declarator.is_global, kind, declarator.name_span)
        for target in declarator.chain:
            self.mark_assigned(target)
        return [*statements, *self.store_chain([place, *chain], value, span)]

    def _chained(self, target: s.Expression, base: Type, statements: list[t.Statement]) -> Place:
        """A further place of `T v = p = e`: a plain name is declared with type T, too."""
        if isinstance(target, s.Name | s.GlobalName):
            return self.declare(target.name, isinstance(target, s.GlobalName), base, target.span)
        before, place = self.target(target).pinned(self.temporary)
        statements += before
        return place

    def declare(self, name: str, is_global: bool, kind: Type, span: Span) -> Place:
        """The place of a declared name; declaring it again with another type makes a new variable (5.1)."""
        if is_global:
            variable = self.names.global_variable(name)
            self.names.assigned.add(name)
            # Where the global has another type, E070 was reported: what follows fits the declaration.
            if is_scalar(kind):
                return Place(kind, span, global_variable=variable)
            address = t.AddressOfGlobal(U64, span, variable)
            return Place(kind, span, global_variable=variable, address=address)
        if name in self.names.functions and self.scope.function is None:
            self.report(Code.FUNCTION_AS_VARIABLE, f"`{name}` is a function", span)
        local = self.scope.variables.get(name)
        if local is not None and not same(local.type, kind):
            code = (
                Code.V023_ARRAY_AGAIN
                if isinstance(kind, Array) and isinstance(local.type, Array)
                else Code.V023_DECLARED_AGAIN
            )
            self.report(Code.DECLARED_AGAIN, f"`{name}` had type `{local.type}`; this is a new variable", span)
            self.report(code, "HyperDbg v0.23 keeps the same storage", span)
            local = None
        if local is None or local.type != kind:
            local = self.scope.declare(name, kind)
        local.typed = True
        self.scope.assigned.add(name)
        if is_scalar(kind):
            return Place(kind, span, variable=local)
        local.in_memory = True
        return Place(kind, span, variable=local, address=t.AddressOfVariable(U64, span, local))

    def _declare_object(self, kind: Type, declarator: s.Declarator) -> list[t.Statement]:
        """An array or a struct: set to zero, then initialised (9.5)."""
        initialiser, span = declarator.initialiser, declarator.span
        if isinstance(initialiser, s.Expression):
            source = self.struct_source(initialiser)
            place = self.declare(declarator.name, declarator.is_global, kind, declarator.name_span)
            if isinstance(kind, Array):
                self.report(Code.MISPLACED_LIST, "an array takes a list in braces", initialiser.span, "{ ... }")
                return []
            if source is None or source.type is not kind:
                shown = source.type if source is not None else self.types.get(initialiser, I64)
                self.report(Code.BAD_STRUCT_ASSIGNMENT, f"`{shown}` cannot be assigned to `{kind}`", initialiser.span)
                return []
            return [t.CopyObject(span, place.location(), source.location(), kind.size)]
        if initialiser is None:
            place = self.declare(declarator.name, declarator.is_global, kind, declarator.name_span)
            return [t.ZeroObject(span, place.location(), kind.size)]
        values = self.list_values(initialiser, kind)
        place = self.declare(declarator.name, declarator.is_global, kind, declarator.name_span)
        return self.initialise(place, values, span)


def _element_declarator(declarator: s.Declarator) -> s.Declarator:
    """The declarator of an element of an array."""
    return s.Declarator(
        declarator.span, declarator.name, False, declarator.name_span, declarator.stars, declarator.sizes[1:]
    )
