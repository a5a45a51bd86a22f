"""Messages as raw records: compiled code leaves the values, Python makes the text after the run.

A record is a cell with the number of its format and a cell for each argument. Formats are numbered process-wide, so
that the records of several programs can stand in one ring; number 0 is `print`. Only messages that cannot stop the run
wait: those with text arguments, or that may become too long, are rendered where they are printed.
"""

from __future__ import annotations

import ctypes
import mmap
import threading
from collections.abc import Callable

from vm import formatting
from vm.native.context import RingHeader
from vm.native.layout import CELL
from vm.program import Program

RING_CELLS = 1 << 16
_MOST_ARGUMENTS = 256
_lock = threading.Lock()

# The most characters that a conversion makes without width and precision.
_WIDEST = {"d": 20, "i": 20, "u": 20, "x": 18, "X": 18, "o": 23, "p": 16, "c": 1, "C": 3, "f": 311, "e": 10, "g": 10}


def can_wait(form: formatting.Format, max_message: int) -> bool:
    """Whether a message of this format can neither read memory nor be too long, whatever its arguments are."""
    if len(form.conversions) > _MOST_ARGUMENTS:
        return False
    length = 1
    for piece in form.pieces:
        if isinstance(piece, bytes):
            length += len(piece)
        elif piece.letter in "sS":
            return False
        else:
            length += max(piece.width, _WIDEST[piece.letter] + (piece.precision or 6))
    return length <= max_message


def number_formats(program: Program) -> int:
    """The number of the program's first format; the others follow."""
    key = program.formats
    with _lock:
        if key not in _bases:
            _bases[key] = len(_formats)
            _formats.extend(_renderer(formatting.parse(text)) for text in key)
        return _bases[key]


# A format as the reader of records needs it: how many cells follow, what text they make, and the format as Python's own
# with a zero behind it, if it has one.
_Renderer = tuple[int, Callable[[tuple[int, ...]], bytes], bytes | None]


def _renderer(form: formatting.Format) -> _Renderer:
    template = _template(form)
    if template is not None:
        return len(form.conversions), template.__mod__, template + b"\0"
    return len(form.conversions), lambda values: formatting.render(form, values, _no_text, 1 << 62), None


def _template(form: formatting.Format) -> bytes | None:
    """The format as Python's own, if it has 64-bit numbers only: the frequent case, ten times as fast."""
    template, plain = b"", ("", 0, None)
    for piece in form.pieces:
        if isinstance(piece, bytes):
            if b"\0" in piece:
                return None
            template += piece.replace(b"%", b"%%")
        elif piece.letter in "uxXop" and piece.bits == 64 and (piece.flags, piece.width, piece.precision) == plain:
            template += {"p": b"%016X"}.get(piece.letter, b"%" + piece.letter.encode())
        else:
            return None
    return template


def _no_text(address: int, wide: bool, most: int) -> bytes:
    raise AssertionError("a message with text arguments never waits")


_formats: list[_Renderer] = [(1, lambda values: formatting.print_message(values[0]), None)]
_bases: dict[tuple[bytes, ...], int] = {}


class MessageRing:
    """The records of one workspace, oldest first. It is drained when it is full; nothing is ever overwritten."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, RING_CELLS * CELL)
        self._cells = (ctypes.c_uint64 * RING_CELLS).from_buffer(self._memory)
        self._header = RingHeader(used=0, capacity=RING_CELLS, records=ctypes.addressof(self._cells))
        self.address = ctypes.addressof(self._header)

    def drain(self, deliver: Callable[[bytes], None]) -> None:
        """Make the text of every record, in order, and forget the records."""
        for text in self.take():
            deliver(text)

    def take(self) -> list[bytes]:
        """The text of every record, in order; the records are forgotten."""
        used = self._header.used
        self._header.used = 0
        cells = self._cells[:used]
        texts: list[bytes] = []
        at = 0
        while at < used:
            count, render, template = _formats[cells[at]]
            end = at + 1 + count
            if template is not None and end < used and _alike(cells, at, 1 + count):
                del cells[at :: 1 + count]
                texts += (template * ((used - at) // (1 + count)) % tuple(cells[at:])).split(b"\0")[:-1]
                break
            texts.append(render(tuple(cells[at + 1 : end])))
            at = end
        return texts


def _alike(cells: list[int], at: int, size: int) -> bool:
    """Whether all records from here on have the format of the first: the frequent case, rendered in one piece."""
    if cells[at + size] != cells[at]:
        return False
    formats = cells[at::size]
    return formats.count(cells[at]) == len(formats)
