"""The types of the language: sizes, promotion, common types (language.md section 4), and C struct layout (9.4)."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Integer:
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


@dataclass(frozen=True)
class Float:
    """`float` (4 bytes, binary32) or `double` (8 bytes, binary64)."""

    name: str
    size: int

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class Void:
    """No value; for functions and pointers only."""

    size: int = 0

    def __str__(self) -> str:
        return "void"


@dataclass(frozen=True)
class Pointer:
    """An address of a `target`, unsigned 64 bits."""

    target: Type

    @property
    def size(self) -> int:
        """Always 8 bytes."""
        return 8

    def __str__(self) -> str:
        return f"{self.target}*" if isinstance(self.target, Pointer) else f"{self.target} *"


@dataclass(frozen=True)
class Array:
    """`count` elements without gaps; the element may be an array, too."""

    element: Type
    count: int

    @property
    def size(self) -> int:
        """Bytes of the whole array."""
        return self.element.size * self.count

    @property
    def base(self) -> Type:
        """The innermost element type."""
        return self.element.base if isinstance(self.element, Array) else self.element

    def __str__(self) -> str:
        sizes = f"[{self.count:x}]"
        element: Type = self.element
        while isinstance(element, Array):
            sizes += f"[{element.count:x}]"
            element = element.element
        return f"{element}{sizes}"


@dataclass(frozen=True)
class Member:
    """A member of a struct: its offset in bytes."""

    name: str
    type: Type
    offset: int


@dataclass(eq=False)
class Struct:
    """A struct type; two are the same only if they are the same object. Incomplete until `complete` is called."""

    tag: str
    members: tuple[Member, ...] | None = None
    size: int = 0
    alignment: int = 1
    _by_name: dict[str, Member] = field(default_factory=dict)

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
        self._by_name = {member.name: member for member in laid}
        self.size = max(1, -(-offset // self.alignment) * self.alignment)

    def member(self, name: str) -> Member | None:
        """The member of that name."""
        return self._by_name.get(name)

    def __str__(self) -> str:
        return f"struct {self.tag}"


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


def describe(kind: Type) -> str:
    """The canonical spelling of a type across scripts: structs with their layout (globals of a session, 5.2)."""
    if isinstance(kind, Pointer):
        return str(kind)
    if isinstance(kind, Array):
        return f"{describe(kind.element)}[{kind.count}]"
    if isinstance(kind, Struct) and kind.members is not None:
        inner = "; ".join(f"{describe(m.type)} {m.name} @{m.offset}" for m in kind.members)
        return f"struct {kind.tag} {{{inner}}}"
    return str(kind)
