"""The address space of one Linux process: where mappings go, how they are cut, and how calls reach the guest's memory.

A mapping is a region of `machine.memory`. A region cannot be cut or get other rights, so an operation on a part of one
puts copies of its pieces in its place; every piece is charged to the machine's quota as the whole was.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from machine.kernel.linux.errors import Errno, LinuxError
from machine.loaders import STACK_SIZE, STACK_TOP
from machine.memory import PAGE, MapError, Protection, Region, page_ceil, page_floor
from machine.processor import Cpu

USER_SPACE = 1 << 47
LOWEST = 0x1_0000  # mmap_min_addr
_TOP = STACK_TOP - 0x800_0000  # the first mapping ends here; the way to the stack stays free
_STACK_BOTTOM = STACK_TOP - STACK_SIZE
MOST_BYTES = 0x7FFF_F000  # that one call transfers (MAX_RW_COUNT)
_CHUNK = 4096
_READ, _WRITE, _EXECUTE = map(int, (Protection.READ, Protection.WRITE, Protection.EXECUTE))  # plain: enums are slow

HEAP = "[heap]"
MAPPING = "mapping"


class AddressSpace:
    """The memory of one process; `heap_start` is the first page behind the program."""

    def __init__(self, cpu: Cpu, heap_start: int) -> None:
        self._cpu = cpu
        self._memory = cpu.memory
        self.heap_start = self.heap_end = heap_start

    # --- the calls' way to the guest's memory

    def load(self, address: int, size: int) -> bytes:
        """`size` bytes that the guest may read. Raises EFAULT."""
        data = self._readable(address, size)
        if len(data) != size:
            raise LinuxError(Errno.EFAULT)
        return data

    def load_up_to(self, address: int, size: int) -> bytes:
        """The readable bytes from `address` on, at most `size` of them."""
        return self._readable(address, size)

    def load_some(self, address: int, size: int) -> bytes:
        """The readable bytes from `address` on, at most `size` of them. Raises EFAULT when there is none."""
        data = self._readable(address, size)
        if size and not data:
            raise LinuxError(Errno.EFAULT)
        return data

    def store(self, address: int, data: bytes) -> None:
        """Write bytes where the guest may write. Raises EFAULT; nothing is written then."""
        size = len(data)
        region = self._region_over(address, size, _WRITE)
        if region is not None and not int(region.protection) & _EXECUTE:
            offset = address - region.start
            region.buffer[offset : offset + size] = data
        elif self._allowed_end(address, size, _WRITE) != address + size or not self._cpu.write(address, data):
            raise LinuxError(Errno.EFAULT)

    def room(self, address: int, size: int) -> int:
        """How many bytes from `address` on can be written, at most `size`."""
        if self._region_over(address, size, _WRITE) is not None:
            return size
        return self._allowed_end(address, size, _WRITE) - address

    def writable(self, address: int, size: int) -> int:
        """As `room`. Raises EFAULT when there is none."""
        room = self.room(address, size)
        if size and not room:
            raise LinuxError(Errno.EFAULT)
        return room

    def load_string(self, address: int, longest: int) -> bytes:
        """The bytes before a zero. Raises EFAULT, and ENAMETOOLONG when they are `longest` or more."""
        result = b""
        while len(result) < longest:
            chunk = self._readable(address + len(result), min(_CHUNK, longest - len(result)))
            text, zero, _ = chunk.partition(b"\0")
            result += text
            if zero:
                return result
            if not chunk:
                raise LinuxError(Errno.EFAULT)
        raise LinuxError(Errno.ENAMETOOLONG)

    def load_words(self, address: int, layout: str) -> tuple[int, ...]:
        """Little-endian integers as `struct` has them."""
        return struct.unpack("<" + layout, self.load(address, struct.calcsize("<" + layout)))

    def store_words(self, address: int, layout: str, *values: int) -> None:
        """Little-endian integers as `struct` has them."""
        self.store(address, struct.pack("<" + layout, *values))

    def _readable(self, address: int, size: int) -> bytes:
        """The bytes from `address` on up to the first that the guest may not read, at most `size` of them."""
        region = self._region_over(address, size, _READ)
        if region is not None:
            offset = address - region.start
            return region.buffer[offset : offset + size]
        return self._memory.read_up_to(address, self._allowed_end(address, size, _READ) - address)

    def _region_over(self, address: int, size: int, right: int) -> Region | None:
        """The one region that holds all of these bytes and gives the guest this right, as nearly always."""
        region = self._memory.region_at(address)
        if region is None or address + size > region.end:
            return None
        return region if int(region.protection) & right and address < USER_SPACE else None

    def _allowed_end(self, address: int, size: int, right: int) -> int:
        """Where the first byte stands that the guest has no right to, at most `size` behind `address`."""
        end = address
        while end < address + size:
            region = self._memory.region_at(end)
            if region is None or not int(region.protection) & right or end >= USER_SPACE:
                break
            end = region.end
        return min(end, address + size)

    # --- mappings

    def map(self, start: int, size: int, protection: Protection, name: str = MAPPING) -> None:
        """Map zeroed pages, which are free. Raises ENOMEM."""
        try:
            self._cpu.map(start, size, protection, name)
        except MapError:
            raise LinuxError(Errno.ENOMEM) from None

    def free_range(self, size: int, hint: int = 0) -> int:
        """Where `size` bytes are free: at the hint if it is given and free, else as high as possible. Raises ENOMEM."""
        hint = page_floor(hint)
        if hint >= LOWEST and hint + size <= _STACK_BOTTOM and self._memory.overlapping(hint, size) is None:
            return hint
        end = _TOP
        for region in reversed(self._memory.regions):
            if region.start >= end:
                continue
            if region.end + size <= end:
                break
            end = region.start
        if end - size < LOWEST:
            raise LinuxError(Errno.ENOMEM)
        return end - size

    def unmap(self, start: int, end: int) -> None:
        """Remove every page of [start, end) that is mapped."""
        for region in self._user_regions(start, end):
            self._replace(region, [(region.start, start, region.protection), (end, region.end, region.protection)])

    def protect(self, start: int, end: int, protection: Protection) -> None:
        """Give the pages of [start, end) other rights, up to the first that is not mapped: then raises ENOMEM."""
        position = start
        for region in self._user_regions(start, min(end, USER_SPACE)):
            if region.start > position:
                break
            position = region.end
            if region.protection != protection:
                old = region.protection
                self._replace(region, [(region.start, start, old), (start, end, protection), (end, region.end, old)])
        if position < end:
            raise LinuxError(Errno.ENOMEM)

    def is_mapped(self, start: int, end: int) -> bool:
        """Whether every page of [start, end) is mapped."""
        position = start
        for region in self._user_regions(start, min(end, USER_SPACE)):
            if region.start > position:
                return False
            position = region.end
        return position >= end

    def is_uniform(self, start: int, end: int) -> bool:
        """Whether every page of [start, end) is mapped, with the same rights and of one kind: one mapping on Linux."""
        kinds = {(region.protection, region.name) for region in self._user_regions(start, end)}
        return len(kinds) == 1 and self.is_mapped(start, end)

    def clear(self, start: int, end: int) -> None:
        """Fill the pages of [start, end) that are mapped with zeros."""
        for region in self._user_regions(start, min(end, USER_SPACE)):
            begin, stop = max(start, region.start), min(end, region.end)
            self._cpu.write(begin, bytes(stop - begin))

    def move(self, start: int, size: int, target: int, new_size: int) -> None:
        """Map [target, target + new_size) with the content and the rights of [start, start + size), which goes."""
        region = self._memory.region_at(start)
        assert region is not None
        content = self._memory.read_up_to(start, min(size, new_size))
        self.map(target, new_size, region.protection, region.name)
        self._cpu.write(target, content)
        self.unmap(start, start + size)

    def set_heap_end(self, end: int) -> int:
        """brk: the end of the heap afterwards, which is the old one when `end` cannot be had."""
        if end < self.heap_start:
            return self.heap_end
        old, new = page_ceil(self.heap_end), page_ceil(end)
        if new > old:
            if new > USER_SPACE or self._memory.overlapping(old, new - old) is not None:
                return self.heap_end
            try:
                self.map(old, new - old, Protection.READ | Protection.WRITE, HEAP)
            except LinuxError:
                return self.heap_end
        else:
            self.unmap(new, old)
        self.heap_end = end
        return end

    def _user_regions(self, start: int, end: int) -> Iterator[Region]:
        """The regions that share a byte with [start, end), by ascending address."""
        while start < end:
            region = self._memory.overlapping(start, end - start)
            if region is None:
                return
            yield region
            start = region.end

    def _replace(self, region: Region, pieces: list[tuple[int, int, Protection]]) -> None:
        """Put copies of the pieces, each cut to the region, in its place."""
        cut = [(max(begin, region.start), min(end, region.end), rights) for begin, end, rights in pieces]
        kept = [(begin, end, rights) for begin, end, rights in cut if begin < end]
        content = [region.buffer[begin - region.start : end - region.start] for begin, end, _ in kept]
        self._cpu.unmap(region)
        for (begin, end, rights), data in zip(kept, content, strict=True):
            self._cpu.map(begin, end - begin, rights, region.name)
            self._cpu.write(begin, data)


def check_user_range(address: int, size: int) -> None:
    """Raises EFAULT where no program can have memory, whether it is mapped or not (access_ok)."""
    if address + size > USER_SPACE - PAGE:
        raise LinuxError(Errno.EFAULT)


def whole_pages(size: int) -> int:
    """`size` rounded up to pages. Raises ENOMEM for what no address space holds."""
    if size > USER_SPACE:
        raise LinuxError(Errno.ENOMEM)
    return (size + PAGE - 1) & -PAGE
