"""What decoders of arguments are given, and the notation that both kernels' share: texts, flags, values with names."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import msgspec

from vm import late_pattern

LONGEST_TEXT = 32  # bytes of a text that are shown, unless `-s` says otherwise
MOST_ITEMS = 32  # of an array
LONGEST_PATH = 4096
_PAGE = 4096
_DELETED = b" (deleted)"  # behind a path to which nothing leads any more
_ESCAPES = {10: r"\n", 9: r"\t", 13: r"\r", 12: r"\f", 11: r"\v", 34: r"\"", 92: r"\\"}


class View(msgspec.Struct):
    """A call as decoders see it: its words, the memory of its process, its result once there is one.

    `read(address, size)` gives no more than is mapped. `longest` is how much of a text is shown. `file_at` says where a
    descriptor or a handle leads, where that is wanted: bytes of a path, or UTF-8 of a name of Windows.
    """

    name: str
    words: tuple[int, ...]
    read: Callable[[int, int], bytes]
    longest: int = LONGEST_TEXT
    result: int | None = None  # signed; None until the call is over
    failed: bool = False
    stack: int = 0  # rsp
    file_at: Callable[[int], bytes | None] | None = None

    def exactly(self, address: int, size: int) -> bytes | None:
        """All of these bytes, or None."""
        data = self.read(address, size) if address and size else b""
        return data if len(data) == size else None

    def integer(self, address: int, size: int, *, signed: bool = False) -> int | None:
        """A number in memory."""
        data = self.exactly(address, size)
        return None if data is None else int.from_bytes(data, "little", signed=signed)

    def until_zero(self, address: int, most: int) -> tuple[bytes, bool] | None:
        """The bytes up to a zero, and whether it came within `most`; None where the text is not all mapped."""
        found = b""
        while len(found) <= most:
            part = self.read(address + len(found), min(_PAGE - (address + len(found)) % _PAGE, most + 1 - len(found)))
            text, zero, _ = part.partition(b"\0")
            found += text
            if zero:
                return found, True
            if not part:
                return None
        return found[:most], False


Decoder = Callable[[View, int, str], "str | None"]  # the word, and what stands behind `=` or `@`; None: not shown


class Parameter(msgspec.Struct, frozen=True):
    """One argument of a prototype; `is_filled` says that the call does it, in part or as a whole (`is_output`).

    It is read when the call is over then; one that is output is an address where the call has failed.
    """

    type: str
    table: str
    is_filled: bool = False
    is_output: bool = False

    @classmethod
    def of(cls, word: str) -> Parameter:
        """A word of a prototype: `[> | +]TYPE[=TABLE | @LENGTH]`."""
        name = word.lstrip(">+")
        kind = name.replace("@", "=", 1).partition("=")
        return cls(kind[0], kind[2], word != name, word.startswith(">"))


class Prototype(msgspec.Struct, frozen=True):
    """The arguments of a call, and the type of its result (empty: a number)."""

    parameters: tuple[Parameter, ...]
    result: str = ""

    @classmethod
    def of(cls, text: str) -> Prototype:
        """A row of a table of prototypes."""
        arguments, _, result = text.partition("->")
        return cls(tuple(Parameter.of(word) for word in arguments.split()), result.strip())


def signed(word: int, bits: int = 64) -> int:
    """The low bits as a signed number."""
    word &= (1 << bits) - 1
    return word - (1 << bits) if word >> (bits - 1) else word


def address(word: int) -> str:
    """An address."""
    return f"0x{word:x}" if word else "NULL"


def hexadecimal(word: int) -> str:
    """As C's %#x."""
    return f"0x{word:x}" if word else "0"


def octal(mode: int) -> str:
    """The permissions of a file."""
    return f"0{mode:o}".zfill(3)


def quoted(data: bytes, longest: int, *, is_whole: bool = True, all_in_hexadecimal: bool = False) -> str:
    """Bytes as a text of C, cut; nothing in it is obeyed by a terminal."""
    shown = data[:longest]
    text = "".join(f"\\x{byte:02x}" for byte in shown) if all_in_hexadecimal else _IN_TEXTS(shown)
    return f'"{text}"' + ("" if is_whole and len(data) <= longest else "...")


def with_path(shown: str, path: bytes | None) -> str:
    """A descriptor, and where it leads; nothing in the path ends the line, or is obeyed by a terminal."""
    if path is None:
        return shown
    left = path.removesuffix(_DELETED)
    return f"{shown}<{_IN_PATHS(left)}>{'' if left == path else '(deleted)'}"


class _Escaping:
    """Bytes as characters that print; those without a short escape are octal, with three digits before another one."""

    _LONG = 0x100  # is added to a byte that needs three digits

    def __init__(self, besides: str = "") -> None:
        octal = [at for at in range(0x100) if at not in _ESCAPES and not (0x20 <= at < 0x7F and chr(at) not in besides)]
        self._table = _ESCAPES | {at: f"\\{at:o}" for at in octal}
        self._table |= {self._LONG + at: f"\\{at:03o}" for at in octal}
        self._before_digit = late_pattern(f"[{''.join(map(chr, octal))}](?=[0-7])")

    def __call__(self, data: bytes) -> str:
        text = self._before_digit.sub(lambda found: chr(ord(found[0]) + self._LONG), data.decode("latin-1"))
        return text.translate(self._table)


_IN_TEXTS, _IN_PATHS = _Escaping(), _Escaping("<>")


def flags(names: Mapping[int, str], word: int, unknown: str = "") -> str:
    """A set of bits; those of several bits come first where they stand first. `unknown` is a remark behind others."""
    if word == 0:
        return names.get(0, "0")
    found, left = [], word
    for bits, name in names.items():
        if bits and left & bits == bits:
            found.append(name)
            left &= ~bits
    if left and not found:
        return f"0x{left:x}" + (f" /* {unknown} */" if unknown else "")
    return "|".join((*found, *([f"0x{left:x}"] if left else [])))


def named(names: Mapping[int, str], word: int, unknown: str = "") -> str:
    """A value with a name."""
    name = names.get(word)
    if name is not None:
        return name
    return hexadecimal(word) + (f" /* {unknown} */" if unknown else "")


def members(rows: Iterable[tuple[str, str]], *, more: bool = False) -> str:
    """A structure; with `more` there is more in it than is shown."""
    return "{" + ", ".join((*(f"{name}={value}" for name, value in rows), *(["..."] if more else []))) + "}"


def listed(items: Iterable[str], *, more: bool = False) -> str:
    """An array."""
    return "[" + ", ".join((*items, *(["..."] if more else []))) + "]"
