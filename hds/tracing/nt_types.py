"""The types of Windows' arguments, a function each: how a word of a call is shown."""

from __future__ import annotations

from collections.abc import Callable

from hds.tracing.views import Decoder, View, address, flags, hexadecimal, members, quoted, signed, with_path
from machine.kernel.nt import status_name

_LOW = 0xFFFF_FFFF
_CURRENT = {-1: "NtCurrentProcess()", -2: "NtCurrentThread()"}
_ACCESS = {
    0x8000_0000: "GENERIC_READ", 0x4000_0000: "GENERIC_WRITE", 0x2000_0000: "GENERIC_EXECUTE",
    0x1000_0000: "GENERIC_ALL", 0x200_0000: "MAXIMUM_ALLOWED", 0x10_0000: "SYNCHRONIZE", 0x8_0000: "WRITE_OWNER",
    0x4_0000: "WRITE_DAC", 0x2_0000: "READ_CONTROL", 0x1_0000: "DELETE",
}  # fmt: skip
_NAME, _BUFFER = 0x10, 8  # of OBJECT_ATTRIBUTES; of UNICODE_STRING


def _unicode(view: View, word: int) -> str:
    size, buffer = view.integer(word, 2), view.integer(word + _BUFFER, 8)
    if size is None or buffer is None:
        return address(word)
    data = view.exactly(buffer, size) if size else b""
    if data is None:
        return address(word)
    text = data.decode("utf-16-le", "replace").encode("ascii", "backslashreplace")
    return quoted(text, 4096).replace("\\\\", "\\")


def _attributes(view: View, word: int) -> str:
    name = view.integer(word + _NAME, 8)
    if name is None:
        return address(word)
    return members((("Name", _unicode(view, name)),)) if name else "{}"


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


def _at(view: View, word: int, show: Callable[[View, int], str] = lambda view, word: hexadecimal(word)) -> str:
    found = view.integer(word, 8)
    return address(word) if found is None else f"{address(word)} -> {show(view, found)}"


def _data(view: View, word: int, place: str) -> str:
    size = view.words[int(place)] & _LOW
    data = view.exactly(word, min(size, view.longest)) if size else b""
    return address(word) if data is None else quoted(data, view.longest, is_whole=size <= view.longest)


TYPES: dict[str, Decoder] = {
    "hex": lambda view, word, _: hexadecimal(word),
    "int": lambda view, word, _: str(signed(word, 32)),
    "uint": lambda view, word, _: str(word & _LOW),
    "ptr": lambda view, word, _: address(word),
    "handle": lambda view, word, _: _handle(view, word),
    "handle_at": lambda view, word, _: f"OUT {_at(view, word, _handle)}",
    "word_at": lambda view, word, _: _at(view, word),
    "access": lambda view, word, _: flags(_ACCESS, word & _LOW),
    "status": lambda view, word, _: status_name(word & _LOW),
    "attributes": lambda view, word, _: _attributes(view, word),
    "unicode": lambda view, word, _: _unicode(view, word),
    "io_status": lambda view, word, _: _io_status(view, word),
    "data": _data,
}
