"""Memory that several areas show, of one address space or of many: what they write, all see."""

from __future__ import annotations

from weakref import ReferenceType, finalize, ref

from machine.memory.pages import PAGE
from machine.memory.physical import Frames, PhysicalMemory


class SharedMemory:
    """Pages by number, which get a frame when they are first touched; they are free when nobody has the object.

    With `size` in bytes, that many have their frames at once, in a row: `start` is their place in physical memory.
    """

    def __init__(self, source: Frames, size: int = 0) -> None:
        """Raises MapError, with a size only."""
        self._source = source
        row = source.take_row(size // PAGE) if size else range(0)
        self._frames = dict(enumerate(row))
        self.start = row.start * PAGE
        finalize(self, _free, ref(source.physical), self._frames)  # weak: from there a way may lead back to here

    def frame(self, offset: int) -> int:
        """The frame of the page at this offset in bytes, a multiple of the page size. Raises MapError."""
        page = offset // PAGE
        frame = self._frames.get(page)
        if frame is None:
            frame = self._frames[page] = self._source.take().start
        return frame


def _free(memory: ReferenceType[PhysicalMemory], frames: dict[int, int]) -> None:
    physical = memory()
    if physical is not None:
        physical.let_go(frames.values())
