"""Declarations and typedefs: the types of declarators, and what sets an object's first value (language.md 5, 9.5)."""

from __future__ import annotations

from lang import syntax as s, typed as t
from lang.assignments import Assignments
from lang.checking import Context
from lang.code import Code
from lang.expressions import Expressions
from lang.initialisers import Initialisers
from lang.operations import integer
from lang.places import Place
from lang.references import DefinitionKind
from lang.source import Span
from lang.types import I64, U64, Array, Type, Void, is_scalar, same


class Declarations:
    """What declares names. `types` has the type of every declarator, for `lang.portability`."""

    def __init__(self, context: Context, expressions: Expressions, assignments: Assignments) -> None:
        self.context = context
        self.report = context.report
        self.names = context.names
        self.expressions = expressions
        self.resolver = expressions.resolver
        self.assignments = assignments
        self.initialisers = Initialisers(context, expressions)
        self.types: dict[s.Declarator, Type] = {}

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
            kind = self.resolver.pointers(base, declarator.stars, declarator.span)
            self.context.references.define(declarator.name_span, DefinitionKind.TYPEDEF, declarator.name, type=kind)
            self.names.typedefs[declarator.name] = kind

    def declared_type(self, base: Type, declarator: s.Declarator) -> Type:
        """The type of a declared object; an empty `[]` counts its initialisers."""
        count = None
        if declarator.sizes and declarator.sizes[0] is None and isinstance(declarator.initialiser, s.InitialiserList):
            inner = self.resolver.declared(base, _element_declarator(declarator))
            count = self.initialisers.element_count(declarator.initialiser, inner)
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
        self.types[declarator] = kind
        span = declarator.span
        if not declarator.is_global and declarator.name not in self.context.scope.variables:
            # The initialiser may mention it; only where the name has an older meaning, that one holds up to the `;`.
            self.context.scope.declare(declarator.name, kind).in_memory = not is_scalar(kind)
        if not is_scalar(kind):
            for target in declarator.chain:
                self.report(Code.NO_PLACE, "only scalars can be initialised in a chain", target.span)
            return self._declare_object(kind, declarator)
        if isinstance(declarator.initialiser, s.InitialiserList):
            self.report(
                Code.MISPLACED_LIST, f"`{declarator.name}` is a scalar: it takes one value without braces", span
            )
            self.initialisers.silent_list(declarator.initialiser)
            self.declare(declarator.name, declarator.is_global, kind, declarator.name_span)
            return []
        statements: list[t.Statement] = []
        chain = [self._chained(target, base, statements) for target in declarator.chain]
        if declarator.initialiser is None:
            value: t.Value = integer(0, kind, span)
        elif self.expressions.is_struct(declarator.initialiser):
            source = self.assignments.struct_source(declarator.initialiser)
            shown = source.type if source is not None else "a struct"
            self.report(Code.BAD_STRUCT_ASSIGNMENT, f"`{shown}` cannot be assigned to `{kind}`", span)
            value = integer(0, kind, span)
        else:
            value = self.expressions.value(declarator.initialiser)
        place = self.declare(declarator.name, declarator.is_global, kind, declarator.name_span)
        for target in declarator.chain:
            self.context.mark_assigned(target)
        return [*statements, *self.assignments.store_chain([place, *chain], value, span)]

    def _chained(self, target: s.Expression, base: Type, statements: list[t.Statement]) -> Place:
        """A further place of `T v = p = e`: a plain name is declared with type T, too."""
        if isinstance(target, s.Name | s.GlobalName):
            return self.declare(target.name, isinstance(target, s.GlobalName), base, target.span)
        before, place = self.assignments.target(target).pinned(self.context.temporary)
        statements += before
        return place

    def declare(self, name: str, is_global: bool, kind: Type, span: Span) -> Place:
        """The place of a declared name; declaring it again with another type makes a new variable (5.1)."""
        if is_global:
            variable = self.names.global_variable(name)
            self.names.assigned.add(name)
            self.context.references.define(span, DefinitionKind.GLOBAL, name, type=kind)
            # Where the global has another type, E070 was reported: what follows fits the declaration.
            if is_scalar(kind):
                return Place(kind, span, global_variable=variable)
            address = t.AddressOfGlobal(U64, span, variable)
            return Place(kind, span, global_variable=variable, address=address)
        if name in self.names.functions and self.context.scope.function is None:
            self.report(Code.FUNCTION_AS_VARIABLE, f"`{name}` is a function", span)
        local = self.context.scope.variables.get(name)
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
            local = self.context.scope.declare(name, kind)
        local.typed = True
        self.context.references.define(span, DefinitionKind.VARIABLE, name, local, kind)
        self.context.scope.assigned.add(name)
        if is_scalar(kind):
            return Place(kind, span, variable=local)
        local.in_memory = True
        return Place(kind, span, variable=local, address=t.AddressOfVariable(U64, span, local))

    def _declare_object(self, kind: Type, declarator: s.Declarator) -> list[t.Statement]:
        """An array or a struct: set to zero, then initialised (9.5)."""
        initialiser, span = declarator.initialiser, declarator.span
        if isinstance(initialiser, s.Expression):
            source = self.assignments.struct_source(initialiser)
            place = self.declare(declarator.name, declarator.is_global, kind, declarator.name_span)
            if isinstance(kind, Array):
                self.report(Code.MISPLACED_LIST, "an array takes a list in braces", initialiser.span, "{ ... }")
                return []
            if source is None or source.type is not kind:
                shown = source.type if source is not None else self.context.types.get(initialiser, I64)
                self.report(Code.BAD_STRUCT_ASSIGNMENT, f"`{shown}` cannot be assigned to `{kind}`", initialiser.span)
                return []
            return [t.CopyObject(span, place.location(), source.location(), kind.size)]
        if initialiser is None:
            place = self.declare(declarator.name, declarator.is_global, kind, declarator.name_span)
            return [t.ZeroObject(span, place.location(), kind.size)]
        values = self.initialisers.list_values(initialiser, kind)
        place = self.declare(declarator.name, declarator.is_global, kind, declarator.name_span)
        return self.initialisers.initialise(place, values, span)


def _element_declarator(declarator: s.Declarator) -> s.Declarator:
    """The declarator of an element of an array."""
    return s.Declarator(
        declarator.span, declarator.name, False, declarator.name_span, declarator.stars, declarator.sizes[1:]
    )
