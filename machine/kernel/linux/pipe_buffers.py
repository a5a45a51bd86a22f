"""What is between the ends of a pipe, or of a FIFO: bytes, and who is there to read and write them."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from machine.memory import PAGE

PIPE_BYTES = 65536  # of a new one


def before_fault(readable: int, joining: int = 0) -> int:
    """How much of a write is taken where `readable` bytes of it can be read: pages, as pipe_write copies them.

    Behind the first `joining` bytes, which go to the end of a page that is there.
    """
    return 0 if readable < joining else joining + (readable - joining) // PAGE * PAGE


class Opener(msgspec.Struct, eq=False):
    """Somebody who waits until the other side of a FIFO is opened, and counts as there as long as he is `alive`."""

    reads: bool
    alive: Callable[[], bool]


class Pipe(msgspec.Struct, eq=False):
    """`read_opens` and `write_opens` are how often a side was opened, by `openers` who still wait, too."""

    data: bytearray = msgspec.field(default_factory=bytearray)
    capacity: int = PIPE_BYTES
    reading: int = 0  # ends
    writing: int = 0
    mode: int = 0o600  # of one that no path leads to
    written: int = 0  # writes so far
    taken: int = 0  # reads so far
    filled: int = 0  # bytes of its last page, those that were read too
    read_opens: int = 0
    write_opens: int = 0
    openers: list[Opener] = msgspec.field(default_factory=list)

    @property
    def readers(self) -> int:
        """Who could read what is written."""
        return self.reading + sum(each.reads for each in self._waiting())

    @property
    def writers(self) -> int:
        """Who could write something to read."""
        return self.writing + sum(not each.reads for each in self._waiting())

    def joining(self, size: int) -> int:
        """How many bytes of a write go into the last page: what is left over of whole pages, where there is room."""
        rest = size % PAGE
        return rest if self.data and self.filled + rest <= PAGE else 0

    def put(self, data: bytes) -> None:
        """One write, for which there is room."""
        joining = self.joining(len(data))
        rest = len(data) - joining
        self.filled = (rest - 1) % PAGE + 1 if rest else self.filled + joining
        self.data += data
        self.written += 1

    def _waiting(self) -> list[Opener]:
        if self.openers:
            self.openers = [each for each in self.openers if each.alive()]
        return self.openers

    def open(self, reads: bool, writes: bool) -> None:
        """One more end."""
        self.reading += reads
        self.writing += writes
        self.read_opens += reads
        self.write_opens += writes

    def close(self, reads: bool, writes: bool) -> None:
        """One end less; what nobody has open is empty."""
        self.reading -= reads
        self.writing -= writes
        if not self.reading and not self.writing:
            self.data.clear()
