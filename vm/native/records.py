"""Messages as raw records: compiled code leaves values and copies of texts, Python makes the message after the run.

A record is a cell with the number of its format, a cell for each argument, and the bytes of its texts, each in cells of
its own; the argument's cell says how many bytes they are. Formats are numbered process-wide, so that the records of
several programs can stand in one ring. Only messages that cannot stop the run wait: one that may
become too long is rendered where it is printed, and so is one whose texts compiled code cannot reach.
"""

from __future__ import annotations

import ctypes
import threading
from collections import deque
from collections.abc import Callable
from typing import Any

import msgspec

from vm import formatting
from vm.host_memory import private_memory
from vm.native.context import RingHeader
from vm.native.layout import CELL
from vm.program import Program
from vm.semantics import sign_extend, signed

RING_CELLS = 1 << 16
PRINT = 0  # the number of the format of `print`
_MOST_ARGUMENTS = 256
_MOST_TEXT = RING_CELLS  # bytes of one message's texts: an eighth of the ring
_lock = threading.Lock()

# The most bytes that a conversion makes without width and precision; of texts, what comes besides their own bytes.
_WIDEST = {
    "d": 20, "i": 20, "u": 20, "x": 18, "X": 18, "o": 23, "p": 16, "c": 1, "C": 3, "f": 311, "e": 10, "g": 10,
    "s": 0, "S": 0,
}  # fmt: skip


class Text(msgspec.Struct, frozen=True):
    """An argument of a format that is a text: at most `most` units of it are printed."""

    argument: int
    is_wide: bool
    most: int


class Waiting(msgspec.Struct, frozen=True):
    """How the messages of a format wait: with these texts, which may make `room` bytes of the message in all."""

    texts: tuple[Text, ...]
    room: int


def waiting(form: formatting.Format, max_message: int) -> Waiting | None:
    """How messages of this format wait. None where one could be too long, whatever its texts are."""
    room = max_message - 1
    for piece in form.pieces:
        if isinstance(piece, bytes):
            room -= len(piece)
        elif max(piece.width, piece.precision or 0) >= max_message:
            return None
        elif piece.letter in "sS":
            room -= piece.width
        else:
            room -= max(piece.width, _WIDEST[piece.letter] + (piece.precision or 6))
    if room < 0 or len(form.conversions) > _MOST_ARGUMENTS:
        return None
    return Waiting(_texts(form, max_message), min(room, _MOST_TEXT))


def _texts(form: formatting.Format, max_message: int) -> tuple[Text, ...]:
    return tuple(
        Text(place, piece.letter == "S", max_message if piece.precision is None else min(piece.precision, max_message))
        for place, piece in enumerate(form.conversions)
        if piece.letter in "sS"
    )


def number_formats(program: Program) -> int:
    """The number of the program's first format; the others follow."""
    key = program.formats
    with _lock:
        if key not in _bases:
            _bases[key] = len(_formats)
            _formats.extend(_Reader.of(formatting.parse(text)) for text in key)
        return _bases[key]


_Argument = Any  # a number, or the bytes of a text


class _Reader(msgspec.Struct, frozen=True):
    """A format as the reader of records needs it.

    `texts` are the places of the arguments that are texts. `template` is the format as Python's own, if it has nothing
    but what Python prints alike: the frequent case, ten times as fast. Some arguments (`changes`) are changed for it.
    """

    form: formatting.Format
    arguments: int
    texts: tuple[int, ...]
    template: bytes | None
    changes: tuple[tuple[int, Callable[[_Argument], _Argument]], ...]

    @classmethod
    def of(cls, form: formatting.Format) -> _Reader:
        rows = tuple(enumerate(form.conversions))
        texts = tuple(place for place, piece in rows if piece.letter in "sS")
        changes = ((place, _change(piece)) for place, piece in rows)
        changed = tuple((place, change) for place, change in changes if change is not None)
        return cls(form, len(rows), texts, _template(form), changed)

    def message(self, values: list[_Argument]) -> bytes:
        """The message of these arguments."""
        if self.template is None:
            numbers = [place if place in self.texts else value for place, value in enumerate(values)]
            return formatting.render(self.form, numbers, lambda place, wide, most: values[place], 1 << 62)
        for place, change in self.changes:
            values[place] = change(values[place])
        return self.template % tuple(values)

    def messages_of_numbers(self, cells: list[int]) -> list[bytes]:
        """The messages of records without texts that all have this format, made in one piece."""
        assert self.template is not None
        size = 1 + self.arguments
        count = len(cells) // size
        for place, change in self.changes:
            cells[1 + place :: size] = map(change, cells[1 + place :: size])
        del cells[::size]
        return ((self.template + b"\0") * count % tuple(cells)).split(b"\0")[:-1]


def _template(form: formatting.Format) -> bytes | None:
    template = b""
    for piece in form.pieces:
        if isinstance(piece, bytes):
            if b"\0" in piece:
                return None
            template += piece.replace(b"%", b"%%")
        elif (piece.flags, piece.width, piece.precision) == ("", 0, None) and piece.letter in _ALIKE:
            template += _ALIKE[piece.letter]
        else:
            return None
    return template


# Conversions that Python prints as C does, as it spells them. Texts come without a zero.
_ALIKE = {
    "d": b"%d", "i": b"%d", "u": b"%d", "x": b"%x", "X": b"%X", "o": b"%o", "p": b"%016X", "s": b"%s", "S": b"%s",
}  # fmt: skip


def _change(piece: formatting.Conversion) -> Callable[[_Argument], _Argument] | None:
    """What Python's own conversion needs to be done to an argument, a 64-bit pattern or the bytes of a text, before."""
    if piece.letter == "S":
        return formatting.decode_wide
    if piece.letter in "di":
        return lambda value: signed(sign_extend(value, piece.bits))
    if piece.bits < 64:
        return lambda value: value & ((1 << piece.bits) - 1)
    return None


_formats: list[_Reader] = [_Reader.of(formatting.parse(b"%llx\n"))]  # PRINT
_bases: dict[tuple[bytes, ...], int] = {}


class MessageRing:
    """The records of one workspace, oldest first. It is drained when it is full; nothing is ever overwritten."""

    def __init__(self, cells: int = RING_CELLS) -> None:
        self._memory = private_memory(cells * CELL)
        self._cells = (ctypes.c_uint64 * cells).from_buffer(self._memory)
        self._header = RingHeader(used=0, capacity=cells, records=ctypes.addressof(self._cells))
        self._undelivered: deque[bytes] = deque()  # messages without a record: what received one before them raised
        self.address = ctypes.addressof(self._header)

    def drain(self, deliver: Callable[[bytes], None]) -> None:
        """Deliver the message of every record, in order. Where that raises, the later ones are the next drain's."""
        self._undelivered.extend(self._read())
        while self._undelivered:
            deliver(self._undelivered.popleft())

    def take(self) -> list[bytes]:
        """The message of every record, in order; the records are forgotten."""
        if not self._header.used and not self._undelivered:
            return []
        messages = [*self._undelivered, *self._read()]
        self._undelivered.clear()
        return messages

    def _read(self) -> list[bytes]:
        return self._read_with_ends()[0]

    def _read_with_ends(self) -> tuple[list[bytes], list[int]]:
        """The messages of all records, and the cells of the ring up to the end of each; the records are forgotten."""
        used = self._header.used
        self._header.used = 0
        cells: list[int] = self._cells[:used]
        messages: list[bytes] = []
        ends: list[int] = []
        at = 0
        while at < used:
            reader = _formats[cells[at]]
            size = 1 + reader.arguments
            if not reader.texts and reader.template is not None and _alike(cells, at, size):
                ends += range(at + size, used + 1, size)
                return messages + reader.messages_of_numbers(cells[at:]), ends
            values: list[_Argument] = cells[at + 1 : at + size]
            at += size
            for place in reader.texts:
                end = at * CELL + values[place]
                values[place] = self._memory[at * CELL : end]
                at = -(-end // CELL)
            messages.append(reader.message(values))
            ends.append(at)
        return messages, ends


def _alike(cells: list[int], at: int, size: int) -> bool:
    """Whether all records from here on have the format of the first: the frequent case, rendered in one piece."""
    if at + size >= len(cells) or cells[at + size] != cells[at]:
        return False
    formats = cells[at::size]
    return formats.count(cells[at]) == len(formats)
