"""How a type of argument is declared; types of words that say all themselves: numbers, values, flags, descriptors."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, lru_cache
from typing import TypeVar

from hds.tracing.linux.structures import file_mode, open_flags, signal_name
from hds.tracing.views import (
    Decoder,
    View,
    address,
    flags,
    hexadecimal,
    named,
    octal,
    signed,
    with_path,
)
from machine.kernel.linux import constants

TYPES: dict[str, Decoder] = {}
LOW = 0xFFFF_FFFF
_AT_FDCWD = -100
_KEPT = 1024  # values of flags that are known as texts
_AnyDecoder = TypeVar("_AnyDecoder", bound=Decoder)
_Show = TypeVar("_Show", bound=Callable[[View, int], "str | None"])


def typed(*names: str) -> Callable[[_AnyDecoder], _AnyDecoder]:
    """The function shows words of the types of these names, which stand with a table or a length."""

    def add(decoder: _AnyDecoder) -> _AnyDecoder:
        TYPES.update(dict.fromkeys(names, decoder))
        return decoder

    return add


def plain(name: str) -> Callable[[_Show], _Show]:
    """The function shows words of the type of this name, which stands alone."""

    def add(show: _Show) -> _Show:
        TYPES[name] = lambda view, word, _: show(view, word)
        return show

    return add


def length(view: View, place: str) -> int:
    """A length: of argument N, of the number that argument pN points to, or the result (r)."""
    if place == "r":
        return max(view.result or 0, 0)
    if place.startswith("p"):
        return view.integer(view.words[int(place[1:])], 4) or 0
    return view.words[int(place)]


@plain("int")
def _int(view: View, word: int) -> str:
    return str(signed(word, 32))


@plain("uint")
def _uint(view: View, word: int) -> str:
    return str(word & LOW)


@plain("long")
def _long(view: View, word: int) -> str:
    return str(signed(word))


@plain("size")
def _size(view: View, word: int) -> str:
    return str(word)


@plain("hex")
def _hex(view: View, word: int) -> str:
    return hexadecimal(word)


@plain("ptr")
def _ptr(view: View, word: int) -> str:
    return address(word)


@plain("id")
def _id(view: View, word: int) -> str:
    return str(signed(word, 32)) if word & LOW == LOW else str(word & LOW)


@plain("key")
def _key(view: View, word: int) -> str:
    return "IPC_PRIVATE" if word & LOW == 0 else hexadecimal(word & LOW)


@plain("mode")
def _mode(view: View, word: int) -> str:
    return octal(word & 0xFFFF)


@plain("filemode")
def _filemode(view: View, word: int) -> str:
    return file_mode(word & LOW)


@plain("device")
def _device(view: View, word: int) -> str:
    return f"makedev({hexadecimal(word >> 8 & 0xFFF)}, {hexadecimal(word & 0xFF)})"


@plain("openmode")
def _openmode(view: View, word: int) -> str | None:
    """It stands behind the flags, and is there where a file may be made (O_CREAT, O_TMPFILE)."""
    given = view.words[2 if view.name == "openat" else 1]
    return octal(word & 0o7777) if given & 0o20000100 else None


@plain("fd")
def descriptor(view: View, word: int) -> str:
    """A descriptor, and where it leads if that is wanted."""
    number = signed(word, 32)
    return with_path(str(number), view.file_at(number) if view.file_at is not None and number >= 0 else None)


@plain("dirfd")
def _dirfd(view: View, word: int) -> str:
    if signed(word, 32) != _AT_FDCWD:
        return descriptor(view, word)
    return with_path("AT_FDCWD", view.file_at(_AT_FDCWD) if view.file_at is not None else None)


@typed("flags")
def _flags(view: View, word: int, table: str) -> str:
    return _shown_flags(word, table)


@lru_cache(_KEPT)
def _shown_flags(word: int, table: str) -> str:
    rule = _FLAG_RULES.get(table)
    return flags(constants(table), word & LOW, remark(table)) if rule is None else rule(word)


@typed("enum")
def _enum(view: View, word: int, table: str) -> str:
    word &= LOW
    names = constants(table)
    if signed(word, 32) < 0 and signed(word, 32) in names:
        return names[signed(word, 32)]
    return named(names, word, remark(table))


@cache
def remark(table: str) -> str:
    """What is said beside a value of this table that has no name: CLOCK_???."""
    names = list(constants(table).values())
    first = names[0] if names else ""
    while not all(name.startswith(first) for name in names):
        first = first[:-1]
    return f"{first[: first.rfind('_') + 1]}???" if "_" in first else ""


def _map_flags(word: int) -> str:
    kind = {0: "MAP_FILE", 1: "MAP_SHARED", 2: "MAP_PRIVATE", 3: "MAP_SHARED_VALIDATE"}.get(word & 0xF)
    rest = {bits: name for bits, name in constants("map").items() if bits > 0xF}
    first = kind or f"{hexadecimal(word & 0xF)} /* MAP_??? */"
    return first if not word & LOW & ~0xF else f"{first}|{flags(rest, word & LOW & ~0xF)}"


def _socket_type(word: int) -> str:
    kind = named(constants("sock"), word & 0xF, "SOCK_???")
    return kind if not word & LOW & ~0xF else f"{kind}|{flags(constants('accept'), word & LOW & ~0xF)}"


def clone_flags(word: int) -> str:
    """Of clone: flags, and the signal in the lowest byte."""
    signal = word & 0xFF
    found = flags(constants("clone_flags"), word & ~0xFF) if word & ~0xFF else ""
    return "|".join(part for part in (found, signal_name(signal) if signal else "") if part) or "0"


def _futex_operation(word: int) -> str:
    name = named(constants("futex"), word & 0x7F, "FUTEX_???")
    if word & 0x80 and "???" not in name:
        name += "_PRIVATE"
    return name + ("|FUTEX_CLOCK_REALTIME" if word & 0x100 else "")


def _statx_flags(word: int) -> str:
    names = constants("statx")
    sync = names.get(word & 0x6000) or "AT_STATX_SYNC_TYPE"
    rest = word & LOW & ~0x6000
    return f"{sync}|{flags(names, rest)}" if rest else sync


_FLAG_RULES: dict[str, Callable[[int], str]] = {
    "open": open_flags,
    "map": _map_flags,
    "socket_type": _socket_type,
    "futex": _futex_operation,
    "statx": _statx_flags,
}


@plain("ipc_flags")
def _ipc_flags(view: View, word: int) -> str:
    found = flags(constants("ipc"), word & ~0o777 & LOW) if word & ~0o777 & LOW else ""
    return "|".join(part for part in (found, octal(word & 0o777)) if part)


@plain("signal")
def _signal(view: View, word: int) -> str:
    return signal_name(signed(word, 32))
