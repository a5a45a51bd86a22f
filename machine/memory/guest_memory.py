"""Guest memory: regions of whole pages, each backed by a host buffer that an emulator can map by pointer.

Knows nothing of Unicorn: `machine.processor` maps the regions it is told to. Host reads and writes see every mapped
byte whatever its protection, as a debugger's do (events-and-commands E.4). Regions never overlap. What is mapped is
charged to a `Quota` that the memories of one machine share, so no guest and no file can take more than
`max_guest_memory`.
"""

from __future__ import annotations

import bisect
import ctypes
import mmap
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntFlag

PAGE = 0x1000
ADDRESS_SPACE = 1 << 64


class Protection(IntFlag):
    """What a guest may do with a page. The values are Unicorn's, and the ELF order reversed."""

    NONE = 0
    READ = 1
    WRITE = 2
    EXECUTE = 4
    ALL = 7


class MapError(Exception):
    """A region cannot be mapped: it overlaps another, leaves the address space or exceeds the quota."""


def with_read(rights: Protection) -> Protection:
    """The rights a page table of x86 can give: what can be written or executed can be read."""
    return rights | Protection.READ if rights else rights


def page_floor(address: int) -> int:
    """The start of the page that holds `address`."""
    return address & -PAGE


def page_ceil(address: int) -> int:
    """The first page boundary at or above `address`."""
    return (address + PAGE - 1) & -PAGE


@dataclass
class Quota:
    """The bytes that may still be mapped (`Limits.max_guest_memory`)."""

    limit: int
    used: int = 0

    def take(self, size: int) -> None:
        """Charge `size` bytes. Raises MapError when that exceeds the limit; nothing is charged then."""
        if size > self.limit - self.used:
            raise MapError(
                f"mapping {size:#x} bytes would exceed max_guest_memory "
                f"({self.used:#x} of {self.limit:#x} bytes are mapped)"
            )
        self.used += size

    def give_back(self, size: int) -> None:
        """Return `size` bytes."""
        self.used -= size


@dataclass(frozen=True, eq=False)
class Region:
    """Whole pages [start, end) with one protection, over a zeroed host buffer of the same size."""

    start: int
    size: int
    protection: Protection
    name: str
    buffer: mmap.mmap = field(repr=False)
    anchor: ctypes.c_char = field(repr=False)

    @property
    def end(self) -> int:
        """The first address behind the region."""
        return self.start + self.size

    @property
    def host_pointer(self) -> int:
        """The address of the buffer in this process; valid as long as the region lives."""
        return ctypes.addressof(self.anchor)


class GuestMemory:
    """The regions of one address space."""

    def __init__(self, quota: Quota) -> None:
        self._quota = quota
        self._starts: list[int] = []
        self._regions: list[Region] = []
        self._adopted: set[Region] = set()
        self.removals = 0  # grows when a region is removed: who keeps pointers into regions must look again
        self.on_change: list[Callable[[], None]] = []  # called when a region was added or removed

    @property
    def regions(self) -> tuple[Region, ...]:
        """All regions by ascending address."""
        return tuple(self._regions)

    def map(self, start: int, size: int, protection: Protection, name: str) -> Region:
        """Add a zeroed region. `start` and `size` are multiples of the page size. Raises MapError."""
        if start % PAGE or size % PAGE or size <= 0 or start < 0 or start + size > ADDRESS_SPACE:
            raise MapError(f"{name}: {size:#x} bytes at {start:#x} are not whole pages of the address space")
        self._check_free(start, size, name)
        self._quota.take(size)
        try:
            buffer = mmap.mmap(-1, size)
        except (OSError, OverflowError, ValueError) as error:
            self._quota.give_back(size)
            raise MapError(f"{name}: the host cannot supply {size:#x} bytes ({error})") from None
        region = Region(start, size, protection, name, buffer, ctypes.c_char.from_buffer(buffer))
        self._insert(region)
        return region

    def adopt(self, region: Region) -> None:
        """Add a region that another memory owns and was charged for. Raises MapError."""
        self._check_free(region.start, region.size, region.name)
        self._insert(region)
        self._adopted.add(region)

    def _check_free(self, start: int, size: int, name: str) -> None:
        other = self.overlapping(start, size)
        if other is not None:
            raise MapError(f"{name}: {start:#x}..{start + size - 1:#x} overlaps {other.name} at {other.start:#x}")

    def _insert(self, region: Region) -> None:
        index = bisect.bisect_left(self._starts, region.start)
        self._starts.insert(index, region.start)
        self._regions.insert(index, region)
        self._changed()

    def _changed(self) -> None:
        for listener in self.on_change:
            listener()

    def unmap(self, region: Region) -> None:
        """Remove a region of this memory. Its buffer lives until the last mapping of it is gone."""
        index = self._regions.index(region)
        del self._regions[index], self._starts[index]
        self.removals += 1
        self._changed()
        if region in self._adopted:
            self._adopted.remove(region)
        else:
            self._quota.give_back(region.size)

    def release(self) -> None:
        """Remove every region."""
        for region in self.regions:
            self.unmap(region)

    def overlapping(self, start: int, size: int) -> Region | None:
        """The first region that shares a byte with [start, start + size), if any."""
        index = max(bisect.bisect_right(self._starts, start) - 1, 0)
        for region in self._regions[index : index + 2]:
            if region.start < start + size and start < region.end:
                return region
        return None

    def region_at(self, address: int) -> Region | None:
        """The region that holds this byte, if any."""
        index = bisect.bisect_right(self._starts, address) - 1
        if index < 0:
            return None
        region = self._regions[index]
        return region if address < region.end else None

    def _pieces(self, address: int, size: int) -> list[tuple[Region, int, int]] | None:
        """[address, address + size) as (region, offset, length), or None when a byte of it is not mapped."""
        pieces: list[tuple[Region, int, int]] = []
        while size > 0:
            region = self.region_at(address)
            if region is None:
                return None
            length = min(size, region.end - address)
            pieces.append((region, address - region.start, length))
            address += length
            size -= length
        return pieces

    def read(self, address: int, size: int) -> bytes | None:
        """`size` bytes, or None when any of them is not mapped."""
        region = self.region_at(address)
        if region is None:
            return b"" if size == 0 else None
        offset = address - region.start
        if offset + size <= region.size:
            return region.buffer[offset : offset + size]
        pieces = self._pieces(address, size)
        if pieces is None:
            return None
        return b"".join(piece.buffer[start : start + length] for piece, start, length in pieces)

    def read_up_to(self, address: int, size: int) -> bytes:
        """The mapped bytes from `address` on, at most `size` of them, up to the first that is not mapped."""
        result = b""
        while len(result) < size:
            region = self.region_at(address + len(result))
            if region is None:
                break
            offset = address + len(result) - region.start
            result += region.buffer[offset : offset + size - len(result)]
        return result

    def write(self, address: int, data: bytes) -> bool:
        """Write all of `data` and return True, or nothing and return False when a byte is not mapped."""
        pieces = self._pieces(address, len(data))
        if pieces is None:
            return False
        done = 0
        for region, offset, length in pieces:
            region.buffer[offset : offset + length] = data[done : done + length]
            done += length
        return True
