"""Assignments and steps as statements: places, chains, whole structs, `op=` (language.md 6.2, 7.2, 9.4)."""

from __future__ import annotations

from lang import syntax as s, typed as t
from lang.checking import Context
from lang.code import Code
from lang.expressions import Expressions
from lang.operations import arithmetic, convert, integer
from lang.places import Place
from lang.source import Span
from lang.types import I64, U64, Array, Float, Pointer, Struct


class Assignments:
    """What writes to places. `constants` has, by name, the constants that locals are assigned (None: another value)."""

    def __init__(self, context: Context, expressions: Expressions) -> None:
        self.context = context
        self.report = context.report
        self.types = context.types
        self.expressions = expressions
        self.constants: dict[str, list[int | None]] = {}

    def single_constants(self) -> dict[str, int]:
        """Names that are assigned once in the script, and that a constant."""
        return {name: found[0] for name, found in self.constants.items() if len(found) == 1 and found[0] is not None}

    def target(self, node: s.Expression, reading: bool = False) -> Place:
        """A place that is written; W011 for a bare register."""
        place = self.expressions.place(node, reading)
        if isinstance(node, s.RegisterName) and node.bare:
            self.report(Code.BARE_REGISTER, f"this writes the register {node.name}", node.span, f"write `@{node.name}`")
        if isinstance(place.type, Array):
            self.report(
                Code.NO_PLACE, "an array cannot be assigned to", node.span, "assign its elements, or use memcpy"
            )
            return Place(U64, node.span, variable=t.Variable("", U64))
        return place

    def assign(self, node: s.Assign, span: Span) -> list[t.Statement]:
        places = [self.target(target) for target in node.targets]
        if any(isinstance(place.type, Struct) for place in places) or self.expressions.is_struct(node.value):
            return self._assign_structs(places, node, span)
        statements: list[t.Statement] = []
        if len(places) > 1:
            for number, place in enumerate(places):
                before, places[number] = place.pinned(self.context.temporary)
                statements += before
        value = self.expressions.value(node.value)
        for target in node.targets:
            if isinstance(target, s.Name):
                self.constants.setdefault(target.name, []).append(value.bits if isinstance(value, t.Constant) else None)
        statements += self.store_chain(places, value, span)
        for target in node.targets:
            self.context.mark_assigned(target)
        return statements

    def store_chain(self, places: list[Place], value: t.Value, span: Span) -> list[t.Statement]:
        """Stores from right to left, each place getting the converted value of the one to its right (7.2)."""
        statements: list[t.Statement] = []
        for number, place in enumerate(reversed(places)):
            value = self.expressions.assigned(value, place.type, span) if place.typed else convert(value, place.type)
            if number < len(places) - 1 and not isinstance(value, t.Constant):
                holder = self.context.temporary(place.type)
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
            place = self.expressions.place(inner, reading=True)
            if isinstance(place.type, Struct):
                self.types[node] = place.type
                return place
            return None
        self.expressions.value(node)
        return None

    def update(
        self, target: s.Expression, operator: str, operand: s.Expression | None, span: Span
    ) -> list[t.Statement]:
        """`place op= operand`, or a step of 1: the address once, the old value, the operand, the store (6.2)."""
        place = self.target(target, reading=True)
        before, place = place.pinned(self.context.temporary)
        if isinstance(place.type, Struct):
            self.report(Code.SCALAR_NEEDED, f"`{place.type}` is not a number", target.span)
            return []
        old = place.load()
        right = self.expressions.value(operand) if operand is not None else integer(1, I64, span)
        self.context.mark_assigned(target)
        if isinstance(place.type, Pointer):
            if operator not in "+-" or isinstance(right.type, Pointer | Float):
                self.report(
                    Code.BAD_OPERANDS,
                    f"a pointer has no `{operator}=` of this kind",
                    span,
                    "use += or -= with a number",
                )
                return []
            result = self.expressions.pointer_sum(operator, old, right, span)
        else:
            if (place.is_float or isinstance(right.type, Float)) and operator in ("%", "<<", ">>", "&", "|", "^"):
                self.report(Code.BAD_OPERANDS, f"`{operator}=` needs integers", span)
                return []
            if isinstance(right.type, Pointer) and place.is_float:
                self.report(Code.BAD_OPERANDS, "a pointer and a floating-point value cannot be combined", span)
                return []
            result = arithmetic(operator, old, right, span)
        return [*before, place.store(self.expressions.assigned(result, place.type, span), span)]
