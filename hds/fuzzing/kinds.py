"""The types that generated programs use, and how they are written."""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec


class Scalar(msgspec.Struct, frozen=True):
    """An integer or floating-point type by one of its spellings; an empty spelling is an untyped variable."""

    spelling: str
    size: int
    is_float: bool = False


class PointerTo(msgspec.Struct, frozen=True):
    """A pointer; `guest` tells that it holds an address of guest memory, which may be shown."""

    target: Kind
    guest: bool = False


class ArrayOf(msgspec.Struct, frozen=True):
    """An array of one or more dimensions."""

    element: Kind
    counts: tuple[int, ...]


@dataclass(frozen=True)
class StructOf:
    """A struct with its members by name; `spelling` is `struct Tag` or a typedef name."""

    spelling: str
    members: tuple[tuple[str, Kind], ...] = field(compare=False)


Kind = Scalar | PointerTo | ArrayOf | StructOf

UNTYPED = Scalar("", 8)
INTEGERS: tuple[Scalar, ...] = (
    Scalar("int", 4), Scalar("char", 1), Scalar("unsigned char", 1), Scalar("short", 2), Scalar("unsigned short", 2),
    Scalar("unsigned int", 4), Scalar("long", 8), Scalar("unsigned long", 8), Scalar("long long", 8),
    Scalar("unsigned long long", 8), Scalar("signed char", 1), Scalar("short int", 2), Scalar("int unsigned", 4),
    Scalar("unsigned", 4), Scalar("bool", 1), Scalar("long int unsigned", 8),
)  # fmt: skip
FLOATS: tuple[Scalar, ...] = (Scalar("double", 8, True), Scalar("float", 4, True))
SCALARS: tuple[Scalar, ...] = INTEGERS + FLOATS


def number(value: int) -> str:
    """A literal that never looks like a word."""
    return f"0x{value:x}"


def declared(kind: Kind, name: str) -> str:
    """A declaration without its semicolon."""
    stars = ""
    while isinstance(kind, PointerTo):
        stars += "*"
        kind = kind.target
    sizes = ""
    if isinstance(kind, ArrayOf):
        sizes = "".join(f"[{number(count)}]" for count in kind.counts)
        kind = kind.element
        while isinstance(kind, PointerTo):
            stars += "*"
            kind = kind.target
    assert not isinstance(kind, ArrayOf)
    return f"{kind.spelling} {stars}{name}{sizes}".lstrip()
