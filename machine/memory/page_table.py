"""The page table of one address space (vm.facts.paging), which machine code walks. Its tables are frames as well.

Python finds the last level by a dictionary; the upper levels are there for machine code alone.
"""

from __future__ import annotations

from collections.abc import Iterable

from machine.memory.physical import FRAME, Frames
from vm.facts.paging import FRAME_MASK, INDEX_BITS, LEVELS, PAGE_BITS

ENTRIES = 1 << INDEX_BITS
_INDEX = ENTRIES - 1
_WORD = 8  # bytes
_FLAGS = 2  # bytes of a word that say what is allowed, and have a part of the frame's number at most
_EMPTY = bytes(FRAME)


class PageTable:
    """The words of pages, by page number: the address without its last twelve bits. Raises MapError while it grows."""

    def __init__(self, source: Frames) -> None:
        self._source = source
        self._physical = source.physical
        self._frames: list[int] = []  # of the upper levels
        self._uppers: dict[int, memoryview] = {}  # by host address
        self._leaf_frames: dict[int, int] = {}
        self.leaves: dict[int, memoryview] = {}  # of 512 words: of pages n * 512 to n * 512 + 511
        self.root = self._new_upper()  # the host address of the first table

    @property
    def root_place(self) -> int:
        """The physical address of the first table: what CR3 is."""
        return self._frames[0] * FRAME

    def word(self, page: int) -> int:
        """What stands there; 0 for a page without memory."""
        leaf = self.leaves.get(page >> INDEX_BITS)
        return 0 if leaf is None else leaf[page & _INDEX]

    def page_of(self, frame: int) -> int | None:
        """The lowest page whose word has this frame."""
        place = frame << PAGE_BITS
        if not place or place & ~FRAME_MASK:
            return None
        wanted = (place >> 8 * _FLAGS).to_bytes(_WORD - _FLAGS, "little")  # of the word, all but its first bytes
        buffer = self._physical.buffer
        for number in sorted(self.leaves):
            start = self._leaf_frames[number] * FRAME
            at = buffer.find(wanted, start, start + FRAME)
            while at >= 0:
                index, offset = divmod(at - start, _WORD)
                if offset == _FLAGS and self.leaves[number][index] & FRAME_MASK == place:
                    return (number << INDEX_BITS) + index
                at = buffer.find(wanted, at + 1, start + FRAME)
        return None

    def leaf(self, page: int) -> memoryview:
        """The table that has the word of this page."""
        number = page >> INDEX_BITS
        leaf = self.leaves.get(number)
        if leaf is None:
            parent, index = self._parent(number)
            frame = self._take()
            leaf = self.leaves[number] = self._physical.words(frame)
            self._leaf_frames[number] = frame
            parent[index] = self._physical.host_address + frame * FRAME
        return leaf

    def frames_to(self, page: int) -> list[int]:
        """The frames of the tables under the first one on the way to the word of a page that has a leaf."""
        number, frames = page >> INDEX_BITS, []
        table = self._uppers[self.root]
        for level in range(LEVELS - 2, -1, -1):
            place = table[number >> level * INDEX_BITS & _INDEX]
            frames.append((place - self._physical.host_address) // FRAME)
            table = self._uppers.get(place, table)
        return frames

    def drop_if_empty(self, number: int) -> None:
        """Give the table of the last level back that has no page with memory."""
        leaf = self.leaves.get(number)
        if leaf is not None and leaf.tobytes() == _EMPTY:
            parent, index = self._parent(number)
            parent[index] = 0
            del self.leaves[number]
            self._let_go((self._leaf_frames.pop(number),))

    def release(self) -> None:
        """Give all tables back; the pages are the address space's business."""
        self._let_go((*self._frames, *self._leaf_frames.values()))
        self.leaves.clear()
        self._leaf_frames.clear()
        self._uppers.clear()
        self._frames.clear()

    def _take(self) -> int:
        frame = self._source.take().start
        self._physical.tables.add(frame)
        return frame

    def _let_go(self, frames: Iterable[int]) -> None:
        self._physical.let_go(frames)
        self._physical.tables.difference_update(frames)

    def _parent(self, number: int) -> tuple[memoryview, int]:
        """The table above a table of the last level, and its index there."""
        table = self._uppers[self.root]
        for level in range(LEVELS - 2, 0, -1):
            index = number >> level * INDEX_BITS & _INDEX
            if not table[index]:
                table[index] = self._new_upper()
            table = self._uppers[table[index]]
        return table, number & _INDEX

    def _new_upper(self) -> int:
        frame = self._take()
        self._frames.append(frame)
        address = self._physical.host_address + frame * FRAME
        self._uppers[address] = self._physical.words(frame)
        return address
