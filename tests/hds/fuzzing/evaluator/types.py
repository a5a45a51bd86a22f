"""Types, promotion, common types and the layout of objects (sections 4.1, 4.3, 9.4)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from .errors import Rejected


@dataclass(frozen=True)
class Integer:
    bits: int
    signed: bool
    is_bool: bool = False

    @property
    def size(self) -> int:
        return self.bits // 8

    @property
    def low(self) -> int:
        return -(1 << (self.bits - 1)) if self.signed else 0

    @property
    def high(self) -> int:
        return 1 if self.is_bool else (1 << (self.bits - self.signed)) - 1

    def wrap(self, number: int) -> int:
        """The low bits of a number, read as this type."""
        number %= 1 << self.bits
        return number - (1 << self.bits) if self.signed and number >> (self.bits - 1) else number


@dataclass(frozen=True)
class Float:
    bits: int

    @property
    def size(self) -> int:
        return self.bits // 8


@dataclass(frozen=True)
class Void:
    size: int = 0


@dataclass(frozen=True)
class Pointer:
    target: Type
    size: int = 8


@dataclass(frozen=True)
class Array:
    element: Type
    count: int

    @property
    def size(self) -> int:
        return self.element.size * self.count

    @property
    def base(self) -> Type:
        """The innermost element type."""
        return self.element.base if isinstance(self.element, Array) else self.element


@dataclass(eq=False)
class Struct:
    """`members` is None until the struct is complete: name -> (type, offset)."""

    tag: str
    members: dict[str, tuple[Type, int]] | None = None
    size: int = 0
    alignment: int = 1
    names: list[str] = field(default_factory=list)

    def complete(self, members: list[tuple[str, Type]]) -> None:
        self.members = {}
        for name, kind in members:
            self.size = round_up(self.size, alignment(kind))
            self.members[name] = (kind, self.size)
            self.size += kind.size
            self.alignment = max(self.alignment, alignment(kind))
        self.size = max(1, round_up(self.size, self.alignment))


Type = Integer | Float | Void | Pointer | Array | Struct
Scalar = Integer | Float | Pointer

BOOL = Integer(8, False, True)
I8, U8 = Integer(8, True), Integer(8, False)
I16, U16 = Integer(16, True), Integer(16, False)
I32, U32 = Integer(32, True), Integer(32, False)
I64, U64 = Integer(64, True), Integer(64, False)
F32, F64 = Float(32), Float(64)
VOID = Void()


def round_up(number: int, multiple: int) -> int:
    return (number + multiple - 1) // multiple * multiple


def alignment(kind: Type) -> int:
    if isinstance(kind, Array):
        return alignment(kind.element)
    return kind.alignment if isinstance(kind, Struct) else kind.size


def from_words(words: tuple[str, ...]) -> Type:
    """The type of a row of the table in 4.1. Raises Rejected(E080)."""
    left = sorted(words)
    for word, kind in (("void", VOID), ("bool", BOOL), ("float", F32), ("double", F64)):
        if left == [word]:
            return kind
    signs = [word for word in left if word in ("signed", "unsigned")]
    rest = tuple(word for word in left if word not in signs)
    widths = {
        ("char",): 8,
        ("short",): 16,
        ("int", "short"): 16,
        ("int",): 32,
        (): 32,
        ("long",): 64,
        ("int", "long"): 64,
        ("long", "long"): 64,
        ("int", "long", "long"): 64,
    }
    if rest not in widths or len(signs) > 1:
        raise Rejected("E080")
    return Integer(widths[rest], signs != ["unsigned"])


def is_complete(kind: Type) -> bool:
    if isinstance(kind, Array):
        return is_complete(kind.base)
    return not isinstance(kind, Void) and not (isinstance(kind, Struct) and kind.members is None)


def promoted(kind: Type) -> Integer | Float:
    """Section 4.3; a struct is no scalar (E095)."""
    if isinstance(kind, Pointer):
        return U64
    if isinstance(kind, Integer):
        return I32 if kind.bits < 32 else kind
    if isinstance(kind, Float):
        return kind
    raise Rejected("E063" if isinstance(kind, Void) else "E095")


def common(left: Type, right: Type) -> Integer | Float:
    """The five rules of 4.3."""
    x, y = promoted(left), promoted(right)
    if isinstance(x, Float) or isinstance(y, Float):
        return F64 if F64 in (x, y) else F32
    if x.signed == y.signed:
        return x if x.bits >= y.bits else y
    unsigned, signed = (y, x) if x.signed else (x, y)
    return unsigned if unsigned.bits >= signed.bits else signed


def base_elements(kind: Type, offset: int = 0) -> Iterator[tuple[int, Scalar]]:
    """The scalars that an object consists of, in storage order, with their offsets (9.5)."""
    if isinstance(kind, Array):
        for number in range(kind.count):
            yield from base_elements(kind.element, offset + number * kind.element.size)
    elif isinstance(kind, Struct):
        for member, place in (kind.members or {}).values():
            yield from base_elements(member, offset + place)
    elif not isinstance(kind, Void):
        yield offset, kind
