"""Physical memory: one buffer of the host in frames of 4 KiB, which every emulator of a machine maps once, at 0.

What a guest's address means is the business of an `AddressSpace`. Frames are handed out zeroed, and are the unit in
which `max_guest_memory` is charged: whatever takes memory for a guest, its page tables too, takes frames. A frame may
have several holders (shared memory, copies on write); it is free again when the last one lets it go. Frame 0 is
nobody's, so that 0 is no physical address.

Physical addresses, as commands and scripts name them, are places in that buffer. They reach pages of guests and of the
kernel only: page tables, free frames and the machine's own memory hold what a guest must neither see nor change.
"""

from __future__ import annotations

import contextlib
import ctypes
import mmap
from collections.abc import Iterable

from machine.memory.errors import MapError
from machine.memory.pages import PAGE
from machine.memory.places import Place, Places
from machine.memory.work import KernelWork
from vm import HostMemoryError

FRAME = PAGE
_MOST = 1 << 40  # bytes of address space that are asked of the host, whatever the limit says
_MAP_NORESERVE = 0x4000  # mmap(2) of Linux; Python 3.11 has no name for it


_MANY_FREE = 4096  # frames, 16 MiB
_SMALL_BYTES = 4 << 20


class Frames:
    """A part of physical memory from which frames are handed out: those from `first` on, `count` of them."""

    def __init__(self, physical: PhysicalMemory, first: int, count: int) -> None:
        self.physical = physical
        self.limit = count * FRAME  # bytes
        self._first = first
        self._next = first  # the first that was never handed out
        self._end = first + count
        self._free: dict[int, None] = {}  # by age

    @property
    def used(self) -> int:
        """Bytes that are handed out."""
        return self.limit - (self._end - self._next + len(self._free)) * FRAME

    def take(self, most: int = 1) -> range:
        """At least one and up to `most` zeroed frames in a row, with one holder. Raises MapError when there is none.

        Rows are new ones, until many have been given back: what one program has left is the next one's then.
        """
        if self._next < self._end and (not self._free or (most > 1 and len(self._free) < _MANY_FREE)):
            return self._take_new(most)
        if not self._free:
            raise MapError(f"max_guest_memory is used up ({self.limit:#x} bytes)", "max_guest_memory")
        last, _ = self._free.popitem()
        first = last
        while last - first + 1 < most and first - 1 in self._free:
            first -= 1
            del self._free[first]
        ctypes.memset(self.physical.host_address + first * FRAME, 0, (last + 1 - first) * FRAME)
        return range(first, last + 1)

    def take_row(self, count: int) -> range:
        """So many zeroed frames in a row, with one holder each. Raises MapError."""
        if count > self._end - self._next:
            raise MapError(f"there are no {count * FRAME:#x} bytes of memory in a row", "max_guest_memory")
        return self._take_new(count)

    def _take_new(self, most: int) -> range:
        first, self._next = self._next, min(self._next + most, self._end)
        return range(first, self._next)

    def give_back(self, frame: int) -> None:
        """Nobody holds this frame any more."""
        self._free[frame] = None

    def has_given(self, frame: int) -> bool:
        """Whether it is a frame of this part that somebody holds."""
        return self._first <= frame < self._next and frame not in self._free

    def given_from(self, frame: int) -> range:
        """The frames from this one on that were ever handed out."""
        return range(max(frame, self._first), self._next)


class PhysicalMemory:
    """The frames of a machine, in bytes at most: `guests` (`Limits.max_guest_memory`), what all processes have of the
    `kernel`, and what is its `own`.
    """

    def __init__(self, guests: int, kernel: int = 0, own: int = 0) -> None:
        first_kernel = 1 + min(guests, _MOST) // FRAME
        first_own = first_kernel + kernel // FRAME
        self.guests = Frames(self, 1, first_kernel - 1)
        self.kernel = Frames(self, first_kernel, first_own - first_kernel)
        self.own = Frames(self, first_own, own // FRAME)
        self._first_kernel, self._first_own = first_kernel, first_own
        self._size = (first_own + own // FRAME) * FRAME
        self.tables: set[int] = set()  # frames of page tables
        self.work = KernelWork()
        self._holders: dict[int, int] = {}  # of frames that have more than one
        self._code = Places()  # where frames are executed
        self._written = Places()  # where guests write those with several holders
        self._buffer: mmap.mmap | None = None
        self._host = 0

    # --- the host's side

    @property
    def buffer(self) -> mmap.mmap:
        """All frames; what nobody has touched takes no memory of the host. Raises vm.host_memory.HostMemoryError."""
        if self._buffer is None:
            flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | _MAP_NORESERVE
            try:
                self._buffer = mmap.mmap(-1, self._size, flags=flags)
            except OSError:
                raise HostMemoryError(f"guests may have {self._size >> 20} MiB, which the host does not give") from None
            if hasattr(mmap, "MADV_HUGEPAGE"):  # frames are handed out in order, so this takes hardly more memory
                with contextlib.suppress(OSError):  # a host without them
                    self._buffer.madvise(mmap.MADV_HUGEPAGE)
            self._anchor = ctypes.c_char.from_buffer(self._buffer)
            self._host = ctypes.addressof(self._anchor)
        return self._buffer

    def begin_small(self) -> None:
        """Have no huge page of the host in the first frames: who has many such machines needs a few frames of each."""
        with contextlib.suppress(OSError, AttributeError):
            self.buffer.madvise(mmap.MADV_NOHUGEPAGE, 0, min(_SMALL_BYTES, self._size))

    @property
    def host_address(self) -> int:
        """Where `buffer` lies in this process; valid as long as this object lives. Raises HostMemoryError."""
        if not self._host:
            _ = self.buffer
        return self._host

    def has(self, address: int) -> bool:
        """Whether there is such a byte."""
        return 0 <= address < self._size

    def words(self, frame: int) -> memoryview:
        """A frame as 512 words of 64 bits."""
        return memoryview(self.buffer)[frame * FRAME : (frame + 1) * FRAME].cast("Q")

    # --- physical addresses

    def is_page(self, frame: int) -> bool:
        """Whether a guest or the kernel has the frame as a page."""
        return frame < self._first_own and self._part_of(frame).has_given(frame) and frame not in self.tables

    def _pages_from(self, address: int, size: int) -> int:
        """How many bytes from a physical address on, at most `size`, are in pages."""
        end = address
        while end < address + size and self.is_page(end // FRAME):
            end = (end // FRAME + 1) * FRAME
        return min(end, address + size) - address

    def next_page(self, address: int) -> int | None:
        """The physical address of the first page at or behind this one, if there is one."""
        for part in (self.guests, self.kernel):
            for frame in part.given_from(address // FRAME):
                if self.is_page(frame):
                    return frame * FRAME
        return None

    def read_up_to(self, address: int, size: int) -> bytes:
        """The bytes from a physical address on, at most `size` of them, up to the first that is in no page."""
        return self.buffer[address : address + self._pages_from(address, size)]

    def read(self, address: int, size: int) -> bytes | None:
        """`size` bytes, or None when any of them is in no page."""
        data = self.read_up_to(address, size)
        return data if len(data) == size else None

    def write(self, address: int, data: bytes) -> bool:
        """Write all of `data` and return True, or nothing and return False when a byte is in no page.

        All who have the page see it, and who has translated code from there is told.
        """
        end = address + len(data)
        if self._pages_from(address, len(data)) < len(data):
            return False
        self.buffer[address:end] = data
        for frame in range(address // FRAME, -(-end // FRAME)):
            if self.is_code(frame):
                start = frame * FRAME
                self.code_written(frame, max(address - start, 0), min(end - start, FRAME))
        return True

    # --- holders

    def hold(self, frame: int) -> None:
        """One more holder."""
        self._holders[frame] = self._holders.get(frame, 1) + 1

    def let_go(self, frames: Iterable[int]) -> None:
        """One holder less for each of these frames."""
        for frame in frames:
            holders = self._holders.get(frame)
            if holders is None:
                self._part_of(frame).give_back(frame)
            elif holders == 2:
                del self._holders[frame]
            else:
                self._holders[frame] = holders - 1

    def _part_of(self, frame: int) -> Frames:
        if frame < self._first_kernel:
            return self.guests
        return self.kernel if frame < self._first_own else self.own

    def is_shared(self, frame: int) -> bool:
        """Whether it has more than one holder."""
        return frame in self._holders

    # --- code and who writes it

    @property
    def has_places(self) -> bool:
        """Whether any frame is code, or written by several names."""
        return bool(self._code or self._written)

    @property
    def has_code(self) -> bool:
        """Whether any frame is code."""
        return bool(self._code)

    def is_code(self, frame: int) -> bool:
        """Whether somebody may have translated instructions of this frame."""
        return frame in self._code

    def executed_at(self, frame: int, place: Place) -> None:
        """Instructions of the frame are translated for this place, from now on."""
        self._code.add(frame, place)

    def written_at(self, frame: int, place: Place) -> None:
        """A guest may write a frame with several holders at this place, from now on."""
        self._written.add(frame, place)

    def forget_place(self, frame: int, place: Place, executed: bool = True, written: bool = True) -> None:
        """The frame is not executed, or not written, there any more."""
        if executed:
            self._code.discard(frame, place)
        if written:
            self._written.discard(frame, place)

    def executed_elsewhere(self, frame: int, place: Place) -> list[Place]:
        """The other places at which the frame is executed."""
        return [other for other in self._code.of(frame) if other != place]

    def written_elsewhere(self, frame: int, place: Place) -> list[Place]:
        """The other places at which the frame is written."""
        return [other for other in self._written.of(frame) if other != place]

    def code_written(self, frame: int, first: int, end: int) -> None:
        """The host has written bytes `first` to `end` of a frame that is code."""
        for pages, page in self._code.of(frame):
            pages.on_code(page + first, page + end)
