"""The types of Windows' arguments, a function each: how a word of a call is shown."""

from __future__ import annotations

import struct
from collections.abc import Callable

from hds.tracing.views import (
    LONGEST_PATH,
    MOST_ITEMS,
    Decoder,
    View,
    address,
    flags,
    hexadecimal,
    listed,
    members,
    named,
    quoted,
    signed,
    with_path,
)
from machine.kernel.nt import nt_constants, status_name

_LOW = 0xFFFF_FFFF
_CURRENT = {-1: "NtCurrentProcess()", -2: "NtCurrentThread()"}
_BUFFER = 8  # of UNICODE_STRING
_ATTRIBUTES = struct.Struct("<I4xQQI")  # OBJECT_ATTRIBUTES: length, root, name, attributes
_TEXTS, _NUMBERS = ("REG_SZ", "REG_EXPAND_SZ", "REG_LINK", "REG_MULTI_SZ"), ("REG_DWORD", "REG_QWORD")
_FULL, _PARTIAL = 1, 2  # KEY_VALUE_INFORMATION_CLASS


def _text(data: bytes, longest: int) -> str:
    text = data.decode("utf-16-le", "replace").encode("ascii", "backslashreplace")
    return quoted(text, longest).replace("\\\\", "\\")


def _unicode(view: View, word: int) -> str:
    size, buffer = view.integer(word, 2), view.integer(word + _BUFFER, 8)
    if size is None or buffer is None:
        return address(word)
    data = view.exactly(buffer, min(size, 2 * LONGEST_PATH)) if size else b""
    return address(word) if data is None else _text(data, LONGEST_PATH)


def _attributes(view: View, word: int) -> str:
    data = view.exactly(word, _ATTRIBUTES.size)
    if data is None:
        return address(word)
    _, root, name, bits = _ATTRIBUTES.unpack(data)
    rows = [("RootDirectory", _handle(view, root))] if root else []
    rows += [("Name", _unicode(view, name))] if name else []
    return members([*rows, ("Attributes", flags(nt_constants("object"), bits))] if bits else rows)


def _io_status(view: View, word: int) -> str:
    status, information = view.integer(word, 4), view.integer(word + 8, 8)
    if status is None or information is None:
        return address(word)
    return members((("Status", status_name(status)), ("Information", str(information))))


def _handle(view: View, word: int) -> str:
    shown = _CURRENT.get(signed(word))
    if shown is not None or view.file_at is None:
        return shown or hexadecimal(word)
    return with_path(hexadecimal(word), view.file_at(word)).replace("\\\\", "\\")


def _handles(view: View, word: int, place: str) -> str:
    count = view.words[int(place)] & _LOW
    data = view.exactly(word, 8 * min(count, MOST_ITEMS)) if count else None
    if data is None:
        return address(word)
    return listed((_handle(view, each) for (each,) in struct.iter_unpack("<Q", data)), more=count > MOST_ITEMS)


def _at(view: View, word: int, show: Callable[[View, int], str] = lambda view, word: hexadecimal(word)) -> str:
    found = view.integer(word, 8)
    return address(word) if found is None else f"{address(word)} -> {show(view, found)}"


def _number_at(size: int, *, is_signed: bool = False) -> Decoder:
    def show(view: View, word: int, _: str) -> str:
        found = view.integer(word, size, signed=is_signed)
        return address(word) if found is None else f"[{found}]"

    return show


def _flags_at(view: View, word: int, table: str) -> str:
    found = view.integer(word, 4)
    return address(word) if found is None else f"[{flags(nt_constants(table), found)}]"


def _data(view: View, word: int, place: str) -> str:
    """Bytes, of which argument N says the number, or the IO_STATUS_BLOCK to which argument iN points."""
    if place.startswith("i"):
        size = view.integer(view.words[int(place[1:])] + 8, 8) or 0
    else:
        size = view.words[int(place)] & _LOW
    return _bytes(view, word, size)


def _bytes(view: View, word: int, size: int) -> str:
    data = view.exactly(word, min(size, view.longest)) if size and word else b""
    return address(word) if data is None or not word else quoted(data, view.longest, is_whole=size <= view.longest)


def _value(view: View, word: int, place: str) -> str:
    """The data of a value of the registry, whose type is the argument before."""
    size, kind = view.words[int(place)] & _LOW, view.words[int(place) - 2] & _LOW
    return _registry_data(view, kind, word, size)


def _registry_data(view: View, kind: int, word: int, size: int) -> str:
    name = nt_constants("reg").get(kind)
    if name in _NUMBERS and size in (4, 8):
        found = view.integer(word, size)
        return address(word) if found is None else hexadecimal(found)
    if name not in _TEXTS:
        return _bytes(view, word, size)
    data = view.exactly(word, min(size, 2 * view.longest)) if size else b""
    if data is None:
        return address(word)
    return _text(data, view.longest) + ("..." if size > 2 * view.longest else "")


def _key_value(view: View, word: int, _: str) -> str:
    """KEY_VALUE_FULL_INFORMATION and KEY_VALUE_PARTIAL_INFORMATION: type and data."""
    head = view.exactly(word, 16)
    given = view.words[2] & _LOW
    if head is None or view.result != 0 or given not in (_FULL, _PARTIAL):
        return address(word)
    _, kind, first, second = struct.unpack("<IIII", head)
    at, size = (word + first, second) if given == _FULL else (word + 12, first)
    return members((("Type", named(nt_constants("reg"), kind)), ("Data", _registry_data(view, kind, at, size))))


TYPES: dict[str, Decoder] = {
    "hex": lambda view, word, _: hexadecimal(word),
    "ulong": lambda view, word, _: hexadecimal(word & _LOW),
    "size": lambda view, word, _: str(word),
    "int": lambda view, word, _: str(signed(word, 32)),
    "uint": lambda view, word, _: str(word & _LOW),
    "boolean": lambda view, word, _: "TRUE" if word & 0xFF else "FALSE",
    "ptr": lambda view, word, _: address(word),
    "handle": lambda view, word, _: _handle(view, word),
    "handle_at": lambda view, word, _: f"OUT {_at(view, word, _handle)}",
    "handles": _handles,
    "word_at": lambda view, word, _: _at(view, word),
    "large": _number_at(8, is_signed=True),
    "uint_at": _number_at(4),
    "int_at": _number_at(4, is_signed=True),
    "flags": lambda view, word, table: flags(nt_constants(table), word & _LOW),
    "flags_at": _flags_at,
    "enum": lambda view, word, table: named(nt_constants(table), word & _LOW),
    "status": lambda view, word, _: status_name(word & _LOW),
    "attributes": lambda view, word, _: _attributes(view, word),
    "unicode": lambda view, word, _: _unicode(view, word),
    "io_status": lambda view, word, _: _io_status(view, word),
    "data": _data,
    "value": _value,
    "key_value": _key_value,
}
