"""System calls that machine code answers without Python: how they are described, and the cells that it works on.

A kernel names such calls (`Kernel.quick_calls`), a description each; `machine.native.quick_calls` makes machine code of
a description. What is said here of a file is kept here only - its position is this cell, for Python too - so nothing
has to be brought up to date. Whatever a cell does not cover is Python's, with nothing done of it; a process whose calls
need a policy (signals that wait, a tracer, filters, several threads) is not open.
"""

from __future__ import annotations

import ctypes
import struct
from collections import deque
from collections.abc import Callable, Iterator
from enum import IntEnum
from typing import TypeAlias

import msgspec

from vm import private_memory
from vm.native import CELL, U64, Address, cells

DESCRIPTORS = 64  # with smaller numbers
MOST_BYTES = 1 << 20  # of a call
_KEPT_BYTES = 1 << 16  # of output, with the heads of its rows
_ROW = struct.Struct("<QQ")


class Reads(IntEnum):
    """Where a read gets its bytes."""

    BY_PYTHON = 0
    NOTHING = 1  # there are none
    ZEROS = 2
    HOST = 3  # `descriptor` of the host has them
    MEMORY = 4  # `content` has them


class Writes(IntEnum):
    """What a write does."""

    BY_PYTHON = 0
    SWALLOWS = 1  # nobody looks at the bytes
    KEEPS = 2  # the bytes are put into the KeptOutput of the machine, as of `descriptor`
    MEMORY = 3  # they become those of `content`


class Seeks(IntEnum):
    """What becomes of the position."""

    BY_PYTHON = 0
    STAYS = 1  # it is always 0
    MOVES = 2


@cells
class FileCells(ctypes.Structure):
    """An open file."""

    reads: U64
    writes: U64
    seeks: U64
    position: U64
    descriptor: U64  # of the host; the number of a standard stream
    content: Address  # of a ContentCells
    appends: U64  # writes begin at the end


@cells
class OutputCells(ctypes.Structure):
    """What processes have written to standard streams that nobody has been told of: a row for each write.

    A row is the number of the stream, how many bytes, and these, filled up to whole cells.
    """

    used: U64  # bytes of all rows
    capacity: U64  # 0 where nothing is kept
    rows: Address
    collected: Address  # of cells that are 0 unless messages wait that come before what is written now
    sent: Address


@cells
class ContentCells(ctypes.Structure):
    """The bytes of a file; no address: Python has them. Behind the last is room for more, which is zeros."""

    start: Address
    size: U64
    capacity: U64  # with that room
    left: Address  # of the bytes that files may still get, a signed word
    modified: U64  # as clocks of the calendar say it, in ns
    changed: U64


@cells
class CallerCells(ctypes.Structure):
    """The thread of a process whose calls are answered."""

    is_open: U64  # 0: Python answers all of them
    files: Address  # of addresses of FileCells, by descriptor; 0: Python
    work: Address  # of the bytes that may still be moved (machine.memory.work)
    per_call: U64  # of them
    user_end: U64  # where no buffer may end behind
    epoch: U64  # what a clock of the calendar said when the machine began, in ns
    process: U64  # ids
    thread: U64
    user: U64
    group: U64
    waiting: Address  # of how many words somebody waits at
    output: Address  # of the OutputCells
    limits_files: U64  # they have a largest size for it


class Gives(msgspec.Struct, frozen=True):
    """The result is a field of the CallerCells."""

    field: str


class ReadsFile(msgspec.Struct, frozen=True):
    """read(2): descriptor, buffer, size; at the position, or at the offset that is the fourth argument."""

    at_offset: bool = False


class WritesFile(msgspec.Struct, frozen=True):
    """write(2): descriptor, buffer, size; `at_offset` as of `ReadsFile`."""

    at_offset: bool = False


class SeeksFile(msgspec.Struct, frozen=True):
    """lseek(2): descriptor, offset, whence (0: from the start, 1: from the position)."""


class TellsTime(msgspec.Struct, frozen=True):
    """Seconds and the rest, in units of so many ns, to the buffer that argument `buffer` names.

    Of the clock that the first argument names, if it is one of these numbers: of the calendar, since the start. Without
    any it is the calendar, and argument 1, for a time zone, is 0.
    """

    buffer: int
    unit: int
    calendar: tuple[int, ...] = ()
    elapsed: tuple[int, ...] = ()


class Wakes(msgspec.Struct, frozen=True):
    """futex(2) with this operation, where nobody waits at any word."""

    operation: int


QuickCall: TypeAlias = Gives | ReadsFile | WritesFile | SeeksFile | TellsTime | Wakes


class KeptOutput:
    """What the guests of a machine have written to standard streams, kept until somebody could notice.

    All of it comes before the messages that wait: what is written while there are any is Python's.
    """

    def __init__(self, tell: Callable[[int, bytes], None] = lambda descriptor, data: None) -> None:
        """`tell` hears of each write, with the number of the stream."""
        self._tell = tell
        self._cells = OutputCells()
        self._untold: deque[tuple[int, bytes]] = deque()
        self.address = ctypes.addressof(self._cells)

    def begin(self, collected: int, sent: int) -> None:
        """Let machine code keep output where these cells, by their addresses, say that no messages wait."""
        self._memory = private_memory(_KEPT_BYTES)
        cells = self._cells
        cells.rows = ctypes.addressof(ctypes.c_char.from_buffer(self._memory))
        cells.collected, cells.sent, cells.capacity = collected, sent, _KEPT_BYTES

    def hand_over(self) -> None:
        """Tell of each write. Where that raises, the later ones are told of next time."""
        if self._cells.used:
            self._untold.extend(self._take())
        while self._untold:
            self._tell(*self._untold.popleft())

    def _take(self) -> Iterator[tuple[int, bytes]]:
        at, self._cells.used, used = 0, 0, self._cells.used
        while at < used:
            descriptor, size = _ROW.unpack_from(self._memory, at)
            at += _ROW.size
            yield descriptor, self._memory[at : at + size]
            at += size + -size % CELL


class InMachineCode:
    """A file's bytes that machine code may read."""

    def show(self, file: FileCells) -> None:
        """Say in the cells of an open file where they are."""
        raise NotImplementedError

    def show_writes(self, file: FileCells) -> None:
        """Say there that machine code may write them, too, if it may."""
