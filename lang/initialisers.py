"""Initialiser lists: the values, inner braces removed, fill base elements and members in storage order (9.5)."""

from __future__ import annotations

from lang import syntax as s, typed as t
from lang.checking import Context
from lang.code import Code
from lang.expressions import Expressions
from lang.operations import add_offset
from lang.places import Place
from lang.source import Span
from lang.types import Array, Struct, Type


def leaf(kind: Type, number: int) -> tuple[int, Type]:
    """Offset in bytes and type of a scalar of an object, by its number in storage order."""
    offset = 0
    while isinstance(kind, Array | Struct):
        if isinstance(kind, Array):
            index, number = divmod(number, kind.element.scalars)
            offset += index * kind.element.size
            kind = kind.element
        else:
            member, number = kind.member_with(number)
            offset += member.offset
            kind = member.type
    return offset, kind


def part_at(kind: Type, number: int) -> Type | None:
    """The largest row or member, inside an object, that starts at scalar `number`; None where none starts."""
    while isinstance(kind, Array | Struct) and number < kind.scalars:
        if isinstance(kind, Array):
            number %= kind.element.scalars
            kind = kind.element
        else:
            member, number = kind.member_with(number)
            kind = member.type
        if number == 0:
            return kind
    return None


class Initialisers:
    """The typing of lists of initialisers."""

    def __init__(self, context: Context, expressions: Expressions) -> None:
        self.report = context.report
        self.temporary = context.temporary
        self.expressions = expressions

    def element_count(self, node: s.InitialiserList, element: Type) -> int:
        """How many elements a list gives an array without a size."""
        return -(-sum(1 for _ in s.values(node)) // max(1, element.scalars))

    def silent_list(self, node: s.InitialiserList) -> None:
        """Check the values of a list that has no place to go."""
        for item in s.values(node):
            self.expressions.value(item)

    def list_values(self, node: s.InitialiserList, kind: Type) -> list[tuple[int, t.Value]]:
        """Offset and converted value of every scalar that the list sets; E089 and W005."""
        room = kind.scalars
        values: list[tuple[int, t.Value]] = []
        items = list(s.values(node))
        for number, item in enumerate(items):
            value = self.expressions.value(item)
            if number < room:
                offset, target = leaf(kind, number)
                values.append((offset, self.expressions.assigned(value, target, item.span)))
            elif number == room:
                if len(items) == room + 1:
                    self.report(
                        Code.V023_INITIALISER, "HyperDbg v0.23 accepts exactly one initialiser too many", item.span
                    )
                self.report(Code.TOO_MANY_INITIALISERS, f"too many initialisers: `{kind}` takes {room}", item.span)
        self._check_groups(node, kind)
        return values

    def _check_groups(self, node: s.InitialiserList, kind: Type) -> None:
        """W005: inner braces only group."""
        at = 0
        for item in node.items:
            if isinstance(item, s.InitialiserList):
                count = sum(1 for _ in s.values(item))
                part = part_at(kind, at)
                if part is None or count != part.scalars:
                    message = "these braces only group: they do not have the values of the row or member they start"
                    self.report(
                        Code.GROUPING_BRACES, message, item.span, "give every value, or leave the inner braces out"
                    )
                at += count
            else:
                at += 1

    def initialise(self, place: Place, values: list[tuple[int, t.Value]], span: Span) -> list[t.Statement]:
        """Zero the object and store the values; through a copy unless all of them are constants. Empties `values`."""
        size = place.type.size
        constant = all(isinstance(value, t.Constant | t.Literal) for _, value in values)
        holder = None if constant else self.temporary(place.type)
        if holder is not None:
            holder.in_memory = True
        target = place.location() if holder is None else t.AddressOfVariable(place.location().type, span, holder)
        statements: list[t.Statement] = [t.ZeroObject(span, target, size)]
        values.reverse()
        while values:  # a value is let go as soon as it has its statement
            offset, value = values.pop()
            statements.append(t.StoreMemory(value.span, add_offset(target, offset), value, value.type.size))
        if holder is not None:
            statements.append(t.CopyObject(span, place.location(), target, size))
        return statements
