"""Memory that several areas show, of one address space or of many: what they write, all see."""

from __future__ import annotations

from typing import Protocol
from weakref import ReferenceType, WeakSet, finalize, ref

from machine.memory.pages import PAGE
from machine.memory.physical import Frames, PhysicalMemory


class Shows(Protocol):
    """What shows shared memory at addresses."""

    def lose(self, memory: SharedMemory, offset: int) -> None:
        """Its pages from this offset in bytes on are there no more."""
        ...


class SharedMemory:
    """Pages by number, which get a frame when they are first touched; they are free when nobody has the object.

    With `size` in bytes, that many have their frames at once, in a row: `start` is their place in physical memory.
    """

    def __init__(self, source: Frames, size: int = 0) -> None:
        """Raises MapError, with a size only."""
        self._source = source
        row = source.take_row(size // PAGE) if size else range(0)
        self._frames = dict(enumerate(row))
        self.shown_in: WeakSet[Shows] = WeakSet()
        self.start = row.start * PAGE
        finalize(self, _free, ref(source.physical), self._frames)  # weak: from there a way may lead back to here

    def has(self, offset: int) -> bool:
        """Whether there is a page at this offset in bytes: who accesses it otherwise is refused."""
        return True

    def is_present(self, offset: int) -> bool:
        """Whether the page at this offset in bytes has a frame."""
        return offset // PAGE in self._frames

    def frame(self, offset: int) -> int:
        """The frame of the page at this offset in bytes, a multiple of the page size. Raises MapError."""
        page = offset // PAGE
        frame = self._frames.get(page)
        if frame is None:
            frame = self._frames[page] = self._source.take().start
        return frame

    def _forget(self, offset: int) -> None:
        """The pages from this offset in bytes on, a multiple of the page size, are there no more."""
        lost = [page for page in self._frames if page * PAGE >= offset]
        if lost:
            for space in tuple(self.shown_in):
                space.lose(self, offset)
            self._source.physical.let_go([self._frames.pop(page) for page in lost])


class SizedMemory(SharedMemory):
    """Shared memory of a fixed size in bytes: behind it there are no pages."""

    def __init__(self, source: Frames, end: int) -> None:
        super().__init__(source)
        self._end = end

    def has(self, offset: int) -> bool:
        """As `SharedMemory`."""
        return offset < self._end


def _free(memory: ReferenceType[PhysicalMemory], frames: dict[int, int]) -> None:
    physical = memory()
    if physical is not None:
        physical.let_go(frames.values())
