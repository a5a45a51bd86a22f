"""Initialiser lists: the values, inner braces removed, fill base elements and members in storage order (9.5)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from lang import syntax as s
from lang import typed as t
from lang.operations import add_offset
from lang.places import Place
from lang.source import Span
from lang.types import Array, Struct, Type


def leaf_count(kind: Type) -> int:
    """How many scalars an object consists of."""
    if isinstance(kind, Array):
        return kind.count * leaf_count(kind.element)
    if isinstance(kind, Struct):
        return sum(leaf_count(member.type) for member in kind.members or ())
    return 1


def leaf(kind: Type, number: int) -> tuple[int, Type]:
    """Offset in bytes and type of a scalar of an object, by its number in storage order."""
    offset = 0
    while True:
        if isinstance(kind, Array):
            index, number = divmod(number, leaf_count(kind.element))
            offset += index * kind.element.size
            kind = kind.element
        elif isinstance(kind, Struct):
            for member in kind.members or ():
                size = leaf_count(member.type)
                if number < size:
                    offset += member.offset
                    kind = member.type
                    break
                number -= size
        else:
            return offset, kind


def part_at(kind: Type, number: int) -> Type | None:
    """The largest row or member, inside an object, that starts at scalar `number`; None where none starts."""
    if isinstance(kind, Array):
        size = leaf_count(kind.element)
        return kind.element if size and number % size == 0 else part_at(kind.element, number % max(1, size))
    if isinstance(kind, Struct):
        for member in kind.members or ():
            size = leaf_count(member.type)
            if number < size:
                return member.type if number == 0 else part_at(member.type, number)
            number -= size
    return None


class Initialisers:
    """The methods for lists; `lang.checker.Checker` supplies the rest."""

    if TYPE_CHECKING:

        def report(self, code: str, message: str, span: Span, hint: str | None = None) -> None: ...
        def value(self, node: s.Expression) -> t.Value: ...
        def assigned(self, value: t.Value, kind: Type, span: Span) -> t.Value: ...
        def temporary(self, kind: Type) -> t.Variable: ...

    def element_count(self, node: s.InitialiserList, element: Type) -> int:
        """How many elements a list gives an array without a size."""
        return -(-sum(1 for _ in flat(node)) // max(1, leaf_count(element)))

    def silent_list(self, node: s.InitialiserList) -> None:
        """Check the values of a list that has no place to go."""
        for item in flat(node):
            self.value(item)

    def list_values(self, node: s.InitialiserList, kind: Type) -> list[tuple[int, t.Value]]:
        """Offset and converted value of every scalar that the list sets; E089 and W005."""
        room = leaf_count(kind)
        values: list[tuple[int, t.Value]] = []
        given = sum(1 for _ in flat(node))
        for number, item in enumerate(flat(node)):
            value = self.value(item)
            if number < room:
                offset, target = leaf(kind, number)
                values.append((offset, self.assigned(value, target, item.span)))
            elif number == room:
                if given == room + 1:
                    self.report("P064", "HyperDbg v0.23 accepts exactly one initialiser too many", item.span)
                self.report("E089", f"too many initialisers: `{kind}` takes {room}", item.span)
        self._check_groups(node, kind, 0)
        return values

    def _check_groups(self, node: s.InitialiserList, kind: Type, start: int) -> int:
        """W005: inner braces only group; the number of values behind `start` after the list."""
        at = start
        for item in node.items:
            if isinstance(item, s.InitialiserList):
                count = sum(1 for _ in flat(item))
                part = part_at(kind, at) if at < leaf_count(kind) else None
                if part is None or count != leaf_count(part):
                    message = "these braces only group: they do not have the values of the row or member they start"
                    self.report("W005", message, item.span, "give every value, or leave the inner braces out")
                at += count
            else:
                at += 1
        return at

    def initialise(self, place: Place, values: list[tuple[int, t.Value]], span: Span) -> list[t.Statement]:
        """Zero the object and store the values; through a copy unless all of them are constants."""
        size = place.type.size
        constant = all(isinstance(value, t.Constant | t.Literal) for _, value in values)
        holder = None if constant else self.temporary(place.type)
        if holder is not None:
            holder.in_memory = True
        target = place.location() if holder is None else t.AddressOfVariable(place.location().type, span, holder)
        statements: list[t.Statement] = [t.ZeroObject(span, target, size)]
        for offset, value in values:
            statements.append(t.StoreMemory(value.span, add_offset(target, offset), value, value.type.size))
        if holder is not None:
            statements.append(t.CopyObject(span, place.location(), target, size))
        return statements


def flat(node: s.InitialiserList) -> Iterator[s.Expression]:
    """The values of a list without its inner braces."""
    for item in node.items:
        if isinstance(item, s.InitialiserList):
            yield from flat(item)
        else:
            yield item
