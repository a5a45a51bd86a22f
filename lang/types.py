"""The types of the language: sizes, promotion, common types (language.md section 4), and C struct layout (9.4).

`depth` counts how deep a type is made of others: it bounds every recursion over types, and the checker keeps it below
`max_nesting`. `scalars` counts what an initialiser list can set.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import ClassVar

import msgspec
from msgspec.structs import replace

_LONGEST_TAG = 64  # characters of a tag that messages show


class _Single:
    """A type that is made of no other."""

    depth: ClassVar[int] = 1
    scalars: ClassVar[int] = 1


class Integer(_Single, msgspec.Struct, frozen=True):
    """An integer type, `bool` included: size in bytes, signedness."""

    name: str
    size: int
    signed: bool

    def __str__(self) -> str:
        return self.name

    @property
    def bits(self) -> int:
        """Width in bits."""
        return 8 * self.size


class Float(_Single, msgspec.Struct, frozen=True):
    """`float` (4 bytes, binary32) or `double` (8 bytes, binary64)."""

    name: str
    size: int

    def __str__(self) -> str:
        return self.name


class Void(_Single, msgspec.Struct, frozen=True):
    """No value; for functions and pointers only."""

    size: int = 0

    def __str__(self) -> str:
        return "void"


@dataclass(frozen=True)
class Pointer:
    """An address of a `target`, unsigned 64 bits."""

    size: ClassVar[int] = 8
    scalars: ClassVar[int] = 1

    target: Type
    depth: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        # What a pointer's target has for members is no part of the pointer.
        object.__setattr__(self, "depth", 1 if isinstance(self.target, Struct) else self.target.depth + 1)

    def __str__(self) -> str:
        return f"{self.target}*" if isinstance(self.target, Pointer) else f"{self.target} *"


@dataclass(frozen=True)
class Array:
    """`count` elements without gaps; the element may be an array, too. `size` is that of the whole, in bytes."""

    element: Type
    count: int
    size: int = field(init=False, repr=False, compare=False)
    base: Type = field(init=False, repr=False, compare=False)  # the innermost element type
    depth: int = field(init=False, repr=False, compare=False)
    scalars: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        element = self.element
        object.__setattr__(self, "size", element.size * self.count)
        object.__setattr__(self, "base", element.base if isinstance(element, Array) else element)
        object.__setattr__(self, "depth", element.depth + 1)
        object.__setattr__(self, "scalars", element.scalars * self.count)

    def __str__(self) -> str:
        return f"{self.base}{_sizes(self, 'x')}"


class Member(msgspec.Struct, frozen=True):
    """A member of a struct: its offset in bytes."""

    name: str
    type: Type
    offset: int


class Struct(msgspec.Struct, eq=False):
    """A struct type; two are the same only if they are the same object. Incomplete until `complete` is called."""

    tag: str
    members: tuple[Member, ...] | None = None
    size: int = 0
    alignment: int = 1
    depth: int = 1
    scalars: int = 0
    _scalars_before: list[int] = msgspec.field(default_factory=list)  # of the object, in front of each member
    _by_name: dict[str, Member] = msgspec.field(default_factory=dict)

    def complete(self, members: list[tuple[str, Type]]) -> None:
        """Lay the members out as C does on a 64-bit system; an empty struct has size 1."""
        offset = 0
        laid: list[Member] = []
        for name, kind in members:
            align = alignment(kind)
            offset = -(-offset // align) * align
            laid.append(Member(name, kind, offset))
            offset += kind.size
            self.alignment = max(self.alignment, align)
        self.members = tuple(laid)
        self.size = max(1, -(-offset // self.alignment) * self.alignment)
        self._by_name = {member.name: member for member in laid}
        self.depth = 1 + max((member.type.depth for member in laid), default=0)
        *self._scalars_before, self.scalars = accumulate((member.type.scalars for member in laid), initial=0)

    def place(self, offsets: Sequence[int], size: int) -> None:
        """Let the members lie at these offsets in bytes instead, in an object of `size` bytes; they may overlap."""
        assert self.members is not None
        pairs = zip(self.members, offsets, strict=True)
        self.members = tuple(replace(member, offset=offset) for member, offset in pairs)
        self._by_name = {member.name: member for member in self.members}
        self.size = size

    def member(self, name: str) -> Member | None:
        """The member of that name."""
        return self._by_name.get(name)

    def member_with(self, number: int) -> tuple[Member, int]:
        """The member that scalar `number` (0 up to `scalars` - 1) of the object lies in, and its number there."""
        assert self.members is not None
        index = bisect_right(self._scalars_before, number) - 1
        return self.members[index], number - self._scalars_before[index]

    def __str__(self) -> str:
        shown = self.tag if len(self.tag) <= _LONGEST_TAG else f"{self.tag[:_LONGEST_TAG]}..."
        return f"struct {shown}"


Type = Integer | Float | Void | Pointer | Array | Struct

BOOL = Integer("bool", 1, False)
I8 = Integer("char", 1, True)
U8 = Integer("unsigned char", 1, False)
I16 = Integer("short", 2, True)
U16 = Integer("unsigned short", 2, False)
I32 = Integer("int", 4, True)
U32 = Integer("unsigned int", 4, False)
I64 = Integer("long", 8, True)
U64 = Integer("unsigned long", 8, False)
F32 = Float("float", 4)
F64 = Float("double", 8)
VOID = Void()

_SIZES = {"char": (I8, U8), "short": (I16, U16), "int": (I32, U32), "long": (I64, U64)}


def from_words(words: list[str]) -> Type | None:
    """The type that these type words spell in any order (language.md 4.1), or None (E080)."""
    rest = sorted(words)
    for alone, kind in (("bool", BOOL), ("float", F32), ("double", F64), ("void", VOID)):
        if alone in rest:
            return kind if len(rest) == 1 else None
    signs = [word for word in rest if word in ("signed", "unsigned")]
    sizes = [word for word in rest if word not in ("signed", "unsigned")]
    if len(signs) > 1:
        return None
    if "int" in sizes and len(sizes) > 1:
        sizes.remove("int")
    if sizes == ["long", "long"]:
        sizes = ["long"]
    if len(sizes) > 1 or (sizes == ["int"] and rest.count("int") > 1) or ("char" in sizes and "int" in rest):
        return None
    pair = _SIZES.get(sizes[0] if sizes else "int")
    return pair[signs == ["unsigned"]] if pair else None


def alignment(kind: Type) -> int:
    """Alignment in bytes."""
    if isinstance(kind, Struct):
        return kind.alignment
    return alignment(kind.base) if isinstance(kind, Array) else max(1, kind.size)


def is_scalar(kind: Type) -> bool:
    """Integer, floating point or pointer."""
    return isinstance(kind, Integer | Float | Pointer)


def is_complete(kind: Type) -> bool:
    """Whether objects of the type can exist."""
    if isinstance(kind, Array):
        return is_complete(kind.base)
    return not isinstance(kind, Void) and not (isinstance(kind, Struct) and kind.members is None)


def promote(kind: Type) -> Type:
    """Small integers become int, a pointer counts as U64 (language.md 4.3)."""
    if isinstance(kind, Pointer):
        return U64
    if isinstance(kind, Integer) and kind.size < 4:
        return I32
    return kind


def common(left: Type, right: Type) -> Type:
    """The common type of two scalar operands (language.md 4.3)."""
    a, b = promote(left), promote(right)
    if F64 in (a, b):
        return F64
    if F32 in (a, b):
        return F32
    assert isinstance(a, Integer)
    assert isinstance(b, Integer)
    if a.signed == b.signed:
        return a if a.size >= b.size else b
    unsigned, other = (b, a) if a.signed else (a, b)
    return unsigned if unsigned.size >= other.size else other


def same(left: Type, right: Type) -> bool:
    """Whether two types are one across the scripts of a session: structs by tag and layout (language.md 5.2)."""
    return _same(left, right, set())


def _same(left: Type, right: Type, proved: set[tuple[int, int]]) -> bool:
    """`proved`: the pairs of structs that were compared; a type may contain one struct any number of times."""
    if left == right:
        return True
    if isinstance(left, Pointer) and isinstance(right, Pointer):
        one, other = left.target, right.target
        if isinstance(one, Struct) and isinstance(other, Struct):
            return one.tag == other.tag
        return _same(one, other, proved)
    if isinstance(left, Array) and isinstance(right, Array):
        return left.count == right.count and _same(left.element, right.element, proved)
    if not isinstance(left, Struct) or not isinstance(right, Struct) or left.tag != right.tag:
        return False
    if (id(left), id(right)) in proved:
        return True
    proved.add((id(left), id(right)))
    ours, theirs = left.members, right.members
    if ours is None or theirs is None or len(ours) != len(theirs):
        return ours is theirs
    return all(
        a.name == b.name and a.offset == b.offset and _same(a.type, b.type, proved)
        for a, b in zip(ours, theirs, strict=True)
    )


def describe(kind: Type) -> str:
    """The canonical spelling of a type in a compiled program: structs with their layout, at their first mention."""
    return _describe(kind, set())


def _describe(kind: Type, told: set[Struct]) -> str:
    if isinstance(kind, Array):
        return f"{_describe(kind.base, told)}{_sizes(kind, 'd', inner_first=True)}"
    if isinstance(kind, Pointer):
        stars = 0
        while isinstance(kind, Pointer):
            kind, stars = kind.target, stars + 1
        return f"struct {kind.tag} {'*' * stars}" if isinstance(kind, Struct) else f"{kind} {'*' * stars}"
    if isinstance(kind, Struct):
        if kind.members is None or kind in told:
            return f"struct {kind.tag}"
        told.add(kind)
        inner = "; ".join(f"{_describe(m.type, told)} {m.name} @{m.offset}" for m in kind.members)
        return f"struct {kind.tag} {{{inner}}}"
    return str(kind)


def _sizes(kind: Array, form: str, *, inner_first: bool = False) -> str:
    """The sizes of an array, in brackets."""
    sizes: list[str] = []
    element: Type = kind
    while isinstance(element, Array):
        sizes.append(f"[{element.count:{form}}]")
        element = element.element
    return "".join(reversed(sizes) if inner_first else sizes)
