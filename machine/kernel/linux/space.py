"""The address space of a Linux process as its calls see it: where mappings go, and their way to the guest's memory."""

from __future__ import annotations

import struct
from collections.abc import Callable, Hashable, Iterator
from enum import Enum

import msgspec
from msgspec.structs import replace

from machine.kernel.linux.errors import Errno, LinuxError
from machine.kernel.linux.mapped_files import FilePages
from machine.kernel.linux.paths import Place
from machine.kernel.linux.structures import packed
from machine.loaders import LINUX_STACK_SIZE, MAPPINGS_TOP, STACK_TOP
from machine.memory import (
    PAGE,
    PER_ITEM,
    PIECE,
    AddressSpace,
    Area,
    MapError,
    Protection,
    SharedMemory,
    SizedMemory,
    page_ceil,
    page_floor,
)
from vm.facts.limits import Limits
from vm.facts.paging import FRAME_MASK, OPEN, PAGE_BITS, READ, WRITE

USER_SPACE = 1 << 47
LOWEST = 0x1_0000  # mmap_min_addr
_STACK_BOTTOM = STACK_TOP - LINUX_STACK_SIZE
MOST_BYTES = 0x7FFF_F000  # that one call transfers (MAX_RW_COUNT)
_CHUNK = 4096
STACK_GUARD = 256 * PAGE  # what a mapping that grows keeps free below itself (stack_guard_gap)
STACK = "stack"
_LOW_MAPPINGS = 0x4000_0000, 0x8000_0000
_OFFSET = PAGE - 1

HEAP = "[heap]"
MAPPING = "mapping"


class AtFork(Enum):
    """What a child has of pages for which madvise(2) says so: nothing, or zeros."""

    GONE = "gone"
    ZERO = "zero"


class MemoryPolicy(msgspec.Struct, frozen=True):
    """A policy of numa(7): MPOL_* with its flags, and a mask of nodes."""

    mode: int
    nodes: int


class Note(msgspec.Struct, frozen=True):
    """What is kept of a mapping besides (vm_area_struct), as the tag of its areas where it is not as usual.

    `may_write` is false for a shared file that is not open for writing, `is_private` for what has the pages of others
    only where its file has none. `grows_down` is MAP_GROWSDOWN's, `policy` mbind's, `is_sealed` mseal's.
    """

    at_fork: AtFork | None = None
    may_write: bool = True
    is_private: bool = False
    grows_down: bool = False
    policy: MemoryPolicy | None = None
    is_sealed: bool = False


USUAL = Note()


def note_of(area: Area) -> Note:
    """What is kept of a mapping."""
    return area.tag if isinstance(area.tag, Note) else USUAL


def grows_down(area: Area) -> bool:
    """Whether a page fault below it makes it larger: the stack, and what was made with MAP_GROWSDOWN."""
    return area.name == STACK or note_of(area).grows_down


def is_shared(area: Area) -> bool:
    """Whether it was made with MAP_SHARED."""
    return area.backing is not None and not note_of(area).is_private


class Layout(msgspec.Struct, frozen=True):
    """What a program has begun with (mm_struct): its file, and where things are, as [start, end)."""

    program: Place | None = None
    code: tuple[int, int] = (0, 0)
    stack: int = 0  # the first rsp
    arguments: tuple[int, int] = (0, 0)
    environment: tuple[int, int] = (0, 0)
    auxiliary: bytes = b""


class UserSpace:
    """The memory of one process; `heap_start` is the first page behind the program.

    `most` and `most_data` are RLIMIT_AS and RLIMIT_DATA in bytes, None where nobody has set them; `most_stack` is
    RLIMIT_STACK.
    """

    def __init__(self, memory: AddressSpace, heap_start: int, layout: Layout) -> None:
        self.memory = memory
        self.layout = layout
        self.work = memory.physical.work
        self.heap_start = self.heap_end = heap_start
        self.most: int | None = None
        self.most_data: int | None = None
        self.most_stack = LINUX_STACK_SIZE
        self._has_growing = False  # besides the stack
        self._has_seals = False

    def copy(self, memory: AddressSpace) -> UserSpace:
        """The same of a copy of the memory, for a child."""
        copy = UserSpace(memory, self.heap_start, self.layout)
        copy.heap_end, copy._has_growing = self.heap_end, self._has_growing
        copy.take_limits(self)
        for area in copy._areas(0, USER_SPACE):
            if note_of(area).at_fork is AtFork.GONE:
                copy.unmap(area.start, area.end)
            elif note_of(area).at_fork is AtFork.ZERO:
                copy.clear(area.start, area.end)
        copy._has_seals = self._has_seals
        return copy

    def take_limits(self, before: UserSpace) -> None:
        """Have the resource limits of another memory of the process."""
        self.most, self.most_data, self.most_stack = before.most, before.most_data, before.most_stack

    # --- the calls' way to the guest's memory

    def load(self, address: int, size: int) -> bytes:
        """`size` bytes that the guest may read. Raises EFAULT."""
        data = self.load_up_to(address, size)
        if len(data) != size:
            raise LinuxError(Errno.EFAULT)
        return data

    def load_up_to(self, address: int, size: int) -> bytes:
        """The bytes from `address` on up to the first that the guest may not read, at most `size` of them."""
        self.work.charge(size)
        place = self._at_hand(address, size, READ)
        if place is not None:
            return self.memory.physical.buffer[place : place + size]
        return self.memory.copy_in(address, self._allowed_end(address, size, READ) - address)

    def readable(self, address: int, size: int) -> int:
        """How many bytes from `address` on can be read, at most `size`."""
        if self._at_hand(address, size, READ) is not None:
            return size
        return self._allowed_end(address, size, READ) - address

    def load_some(self, address: int, size: int) -> bytes:
        """The readable bytes from `address` on, at most `size` of them. Raises EFAULT when there is none."""
        data = self.load_up_to(address, size)
        if size and not data:
            raise LinuxError(Errno.EFAULT)
        return data

    def store(self, address: int, data: bytes) -> None:
        """Write bytes where the guest may write. Raises EFAULT; nothing is written then."""
        size = len(data)
        self.work.charge(size)
        place = self._at_hand(address, size, WRITE | OPEN)
        if place is not None:
            self.memory.physical.buffer[place : place + size] = data
        elif self._allowed_end(address, size, WRITE) != address + size or not self.memory.copy_out(address, data):
            raise LinuxError(Errno.EFAULT)

    def _at_hand(self, address: int, size: int, bits: int) -> int | None:
        """Where bytes lie in physical memory if they are of one page whose word has these bits, as nearly always."""
        offset = address & _OFFSET
        if offset + size > PAGE or address >= USER_SPACE or self.memory.watches is not None:
            return None
        word = self.memory.table.word(address >> PAGE_BITS)
        return (word & FRAME_MASK) + offset if word & bits == bits else None

    def room(self, address: int, size: int) -> int:
        """How many bytes from `address` on can be written, at most `size`."""
        return self._allowed_end(address, size, WRITE) - address

    def writable(self, address: int, size: int) -> int:
        """As `room`. Raises EFAULT when there is none."""
        room = self.room(address, size)
        if size and not room:
            raise LinuxError(Errno.EFAULT)
        return room

    def pieces(self, size: int) -> Iterator[tuple[int, int]]:
        """Offset and size of the parts in which a call moves so many bytes: one or more, until the run is to end."""
        for start in range(0, max(size, 1), PIECE):
            if start and self.work.is_ending():
                return
            yield start, min(PIECE, size - start)

    def load_string(self, address: int, longest: int) -> bytes:
        """The bytes before a zero. Raises EFAULT, and ENAMETOOLONG when they are `longest` or more."""
        result = b""
        while len(result) < longest:
            start = address + len(result)
            chunk = self._peek(start, min(_CHUNK - start % _CHUNK, longest - len(result)))
            text, zero, _ = chunk.partition(b"\0")
            result += text
            if zero:
                return result if self.memory.watches is None else self.load(address, len(result) + 1)[:-1]
            if not chunk:
                raise LinuxError(Errno.EFAULT)
        raise LinuxError(Errno.ENAMETOOLONG)

    def _peek(self, address: int, size: int) -> bytes:
        """As `load_up_to`, without that anybody is told: not all of it may be asked for."""
        self.work.charge(size)
        return self.memory.read_up_to(address, self._allowed_end(address, size, READ) - address)

    def load_words(self, address: int, layout: str) -> tuple[int, ...]:
        """Little-endian integers as `struct` has them."""
        return struct.unpack("<" + layout, self.load(address, struct.calcsize("<" + layout)))

    def store_words(self, address: int, layout: str, *values: int) -> None:
        """Little-endian integers as `struct` has them; of those that are too large the lowest bits."""
        self.store(address, packed(layout, *values))

    def _allowed_end(self, address: int, size: int, right: int) -> int:
        """Where the first byte stands that the guest has no right to, at most `size` behind `address`."""
        end = address
        while end < address + size and end < USER_SPACE:
            if self.memory.table.word(end >> PAGE_BITS) & right:
                end = (end | _OFFSET) + 1
                continue
            area = self.memory.area_at(end)
            if area is None and self.grow(end):
                continue
            if area is None or not area.allows(right):
                break
            end = area.end
        return min(end, address + size)

    def is_constant(self, address: int) -> bool:
        """Whether it is in pages of the process's own that no file is in and nobody may write: no place for a futex."""
        area = self.memory.area_at(address)
        return area is not None and area.backing is None and not (area.allows(WRITE) or _is_of_file(area))

    def word_at(self, address: int) -> Hashable:
        """What a futex is known by."""
        area = self.memory.area_at(address)
        if area is None or area.backing is None:
            return self.memory, address
        return area.backing, area.offset + address - area.start

    # --- mappings

    def map(
        self, start: int, size: int, protection: Protection, name: str = MAPPING, *,
        backing: SharedMemory | None = None, offset: int = 0, tag: object = None,
    ) -> None:  # fmt: skip
        """Map zeroed pages of its own, or those of `backing` from `offset` on, where it is free. Raises ENOMEM."""
        self._check_limits(size, is_data=bool(protection & Protection.WRITE) and backing is None)
        area = Area(start, start + size, protection, name, backing=backing, offset=offset, tag=tag)
        try:
            self.memory.map(area)
        except MapError:
            raise LinuxError(Errno.ENOMEM) from None

    def writes(self, backing: SharedMemory) -> bool:
        """Whether it may be written through a mapping here."""
        areas = self._areas(0, USER_SPACE)
        return any(area.backing is backing and note_of(area).may_write for area in areas)

    def new_shared(self, size: int) -> SharedMemory:
        """Zeroed pages that a process has together with those that it forks. Raises ENOMEM."""
        if size > self.memory.source.limit:
            raise LinuxError(Errno.ENOMEM)
        return SizedMemory(self.memory.source, size)

    def put_back(self, start: int, end: int) -> None:
        """Let files have what their pages in [start, end) hold."""
        for area in self._areas(start, end):
            if isinstance(area.backing, FilePages):
                piece = area.cut(start, end)
                area.backing.put_back(piece.offset, piece.offset + piece.size)

    def written_files(self) -> Iterator[FilePages]:
        """The pages of files that are mapped shared and may be made writable."""
        for area in self._areas(0, USER_SPACE):
            if isinstance(area.backing, FilePages) and is_shared(area) and note_of(area).may_write:
                yield area.backing

    def _check_limits(self, more: int, *, is_data: bool) -> None:
        """Whether so many bytes more are within the resource limits (may_expand_vm). Raises ENOMEM."""
        if self.most is None and self.most_data is None:
            return
        areas = self._areas(0, USER_SPACE)
        self.work.charge(PER_ITEM * len(areas))
        size = sum(area.size for area in areas)
        data = sum(area.size for area in areas if _is_data(area))
        beyond_data = self.most_data is not None and is_data and data + more > self.most_data
        if beyond_data or (self.most is not None and size + more > self.most):
            raise LinuxError(Errno.ENOMEM)

    def at_fork(self, start: int, end: int, what: AtFork | None) -> None:
        """Let this be what children have of the pages of [start, end). Raises ENOMEM where that cuts too often."""
        self._note(start, end, lambda note: replace(note, at_fork=what))

    def set_policy(self, start: int, end: int, policy: MemoryPolicy | None) -> None:
        """Let this be the policy of the pages of [start, end). Raises ENOMEM where that cuts too often."""
        self._note(start, end, lambda note: replace(note, policy=policy))

    def _note(self, start: int, end: int, change: Callable[[Note], Note]) -> None:
        def noted(area: Area) -> Area:
            note = change(note_of(area))
            return area._replace(tag=None if note == USUAL else note)

        try:
            self.memory.change(start, min(end, USER_SPACE), noted)
        except MapError:
            raise LinuxError(Errno.ENOMEM) from None

    def present(self, start: int, end: int) -> bytes:
        """A byte for each page of [start, end): 1 for those of files, and those that have memory."""
        pages = bytearray((end - start) // PAGE)
        self.work.charge(PER_ITEM * len(pages))
        for area in self._areas(start, end):
            piece = area.cut(start, end)
            first, last = (piece.start - start) // PAGE, (piece.end - start) // PAGE
            if piece.name.startswith("/"):
                pages[first:last] = b"\1" * (last - first)
            elif piece.backing is not None:
                offsets = range(piece.offset, piece.offset + piece.size, PAGE)
                pages[first:last] = bytes(map(piece.backing.is_present, offsets))
            else:
                for page, _ in self.memory.pages_within(piece.start, piece.end):
                    pages[page - start // PAGE] = 1
        return bytes(pages)

    def is_private(self, start: int, end: int) -> bool:
        """Whether no page of [start, end) is shared with other processes, or shows a file."""
        return all(not is_shared(area) and not area.name.startswith("/") for area in self._areas(start, end))

    def free_range_below_2_gib(self, size: int) -> int:
        """Where MAP_32BIT has it: as low as possible in the second GiB. Raises ENOMEM."""
        found = self.memory.find_gap(size, *_LOW_MAPPINGS, top_down=False)
        if found is None:
            raise LinuxError(Errno.ENOMEM)
        return found

    def free_range(self, size: int, hint: int = 0) -> int:
        """Where `size` bytes are free: at the hint if it is given and free, else as high as possible. Raises ENOMEM."""
        hint = page_floor(hint)
        if hint >= LOWEST and hint + size <= _STACK_BOTTOM and self.memory.overlapping(hint, size) is None:
            return hint
        top = MAPPINGS_TOP
        while (found := self.memory.find_gap(size, LOWEST, top)) is not None:
            end = found + size
            near = self._areas(end, end + STACK_GUARD) if self._has_growing else []
            growing = next((area for area in near if grows_down(area)), None)
            if growing is None:
                return found
            top = growing.start - STACK_GUARD
        raise LinuxError(Errno.ENOMEM)

    def map_growing(self, start: int, size: int, protection: Protection) -> None:
        """Map pages of its own that grow down. Raises ENOMEM."""
        self.map(start, size, protection, tag=Note(grows_down=True))
        self._has_growing = True

    def grow(self, address: int) -> bool:
        """Let what is mapped above grow down to an address where nothing is, if it may (expand_stack)."""
        start = page_floor(address)
        if start < LOWEST or self.memory.area_at(start) is not None:
            return False
        if not self._has_growing and start < STACK_TOP - self.most_stack:
            return False
        above = self._areas(start, start + self.most_stack)
        self.work.charge(PER_ITEM * len(above))
        area = next(iter(above), None)
        if area is None or not grows_down(area) or area.end - start > self.most_stack:
            return False
        below = self._areas(start - STACK_GUARD, start)
        if any(each.protection and not grows_down(each) for each in below):
            return False
        try:
            self.map(start, area.start - start, area.protection, area.name, tag=area.tag)
        except LinuxError:
            return False
        return True

    def unmap(self, start: int, end: int) -> None:
        """Remove every page of [start, end) that is mapped.

        Raises ENOMEM where that cuts into too many mappings, EPERM where one is sealed.
        """
        if self._first_sealed(start, end) is not None:
            raise LinuxError(Errno.EPERM)
        try:
            self.memory.unmap(start, min(end, USER_SPACE))
        except MapError:
            raise LinuxError(Errno.ENOMEM) from None

    def protect(self, start: int, end: int, protection: Protection) -> None:
        """Give the pages of [start, end) other rights, up to the first that is not mapped: then raises ENOMEM.

        Raises EACCES likewise for a shared file that may not be written, and EPERM for pages that are sealed.
        """
        position, refused = self._mapped_end(start, end), None
        if protection & Protection.WRITE:
            closed = next((area.start for area in self._areas(start, position) if not note_of(area).may_write), None)
            if closed is not None:
                position, refused = max(closed, start), Errno.EACCES
        sealed = self._first_sealed(start, position)
        if sealed is not None:
            position, refused = max(sealed.start, start), Errno.EPERM
        try:
            self.memory.protect(start, position, protection)
        except MapError:
            raise LinuxError(Errno.ENOMEM) from None
        if refused is not None:
            raise LinuxError(refused)
        if position < end:
            raise LinuxError(Errno.ENOMEM)

    def seal(self, start: int, end: int) -> None:
        """Let the pages of [start, end) stay where and what they are. Raises ENOMEM where that cuts too often."""
        if start < end:
            self._note(start, end, lambda note: replace(note, is_sealed=True))
            self._has_seals = True

    def _first_sealed(self, start: int, end: int) -> Area | None:
        if not self._has_seals:
            return None
        return next((area for area in self._areas(start, end) if note_of(area).is_sealed), None)

    def check_discard(self, start: int, end: int) -> None:
        """Raises EPERM where pages are sealed whose content the program cannot change by writing (mseal(2))."""
        for area in self._areas(start, end) if self._has_seals else ():
            if note_of(area).is_sealed and not is_shared(area) and not area.allows(WRITE):
                raise LinuxError(Errno.EPERM)

    def rename(self, start: int, end: int, name: str | None) -> None:
        """What /proc says of the anonymous pages of [start, end); None: nothing. Raises EBADF for the first others."""
        other = next((area for area in self._areas(start, end) if _is_of_file(area)), None)
        limit = end if other is None else max(other.start, start)

        def named(area: Area) -> Area:
            if area.name in (STACK, HEAP):
                return area
            kind = "anon" if area.backing is None else "anon_shmem"
            return area._replace(name=MAPPING if name is None else f"[{kind}:{name}]")

        try:
            self.memory.change(start, min(limit, USER_SPACE), named)
        except MapError:
            raise LinuxError(Errno.ENOMEM) from None
        if other is not None:
            raise LinuxError(Errno.EBADF)

    def is_mapped(self, start: int, end: int) -> bool:
        """Whether every page of [start, end) is mapped."""
        return self._mapped_end(start, end) >= end

    def _mapped_end(self, start: int, end: int) -> int:
        """Where the first page of [start, end) stands that is not mapped, or `end`."""
        position = start
        for area in self._areas(start, end):
            if area.start > position:
                break
            position = area.end
        return min(max(position, start), end)

    def is_uniform(self, start: int, end: int) -> bool:
        """Whether every page of [start, end) is mapped, with the same rights and of one kind: one mapping on Linux."""
        kinds = {(area.protection, area.name, area.backing, area.tag) for area in self._areas(start, end)}
        return len(kinds) == 1 and self.is_mapped(start, end)

    def clear(self, start: int, end: int) -> None:
        """Let the pages of [start, end) that are mapped be zero again."""
        self.memory.discard(start, min(end, USER_SPACE))

    def move(self, start: int, size: int, target: int, new_size: int) -> None:
        """Map [target, target + new_size) with the memory and the rights of [start, start + size), which goes."""
        area = self.memory.area_at(start)
        assert area is not None
        kept = min(size, new_size)
        self.unmap(start + kept, start + size)
        try:
            self.memory.move(start, kept, target)
        except MapError:
            raise LinuxError(Errno.ENOMEM) from None
        if new_size > kept:
            self.extend(area, target + kept, area.offset + kept, new_size - kept)

    def extend(self, area: Area, start: int, offset: int, size: int) -> None:
        """Map pages as those of an area, from an offset of its file on if it has one. Raises ENOMEM."""
        offset = offset if area.backing is not None else 0
        self.map(start, size, area.protection, area.name, backing=area.backing, offset=offset, tag=area.tag)

    def set_heap_end(self, end: int) -> int:
        """brk: the end of the heap afterwards, which is the old one when `end` cannot be had."""
        if end < self.heap_start:
            return self.heap_end
        old, new = page_ceil(self.heap_end), page_ceil(end)
        if new > old:
            if new > USER_SPACE or self.memory.overlapping(old, new - old) is not None:
                return self.heap_end
            try:
                self.map(old, new - old, Protection.READ | Protection.WRITE, HEAP)
            except LinuxError:
                return self.heap_end
        elif self._first_sealed(new, old) is None:
            self.unmap(new, old)
        else:
            return self.heap_end
        self.heap_end = end
        return end

    def _areas(self, start: int, end: int) -> list[Area]:
        """The user's areas that share a byte with [start, end), by ascending address."""
        return self.memory.areas_within(start, min(end, USER_SPACE))


def _is_of_file(area: Area) -> bool:
    return area.name == "program" or area.name.startswith("/") or isinstance(area.backing, FilePages)


def is_anonymous(area: Area) -> bool:
    """Whether it is memory of the process's own that no file is in, with or without a name."""
    return area.backing is None and (area.name == MAPPING or area.name.startswith("[anon:"))


def _is_data(area: Area) -> bool:
    return area.backing is None and bool(area.protection & Protection.WRITE) and area.name != STACK


def stack_size(limits: Limits) -> int:
    """The size of the stack in bytes: 8 MiB as on Linux, of less memory half."""
    return min(LINUX_STACK_SIZE, page_floor(limits.max_guest_memory // 2))


def check_user_range(address: int, size: int) -> None:
    """Raises EFAULT where no program can have memory, whether it is mapped or not (access_ok)."""
    if address + size > USER_SPACE - PAGE:
        raise LinuxError(Errno.EFAULT)


def whole_pages(size: int) -> int:
    """`size` rounded up to pages. Raises ENOMEM for what no address space holds."""
    if size > USER_SPACE:
        raise LinuxError(Errno.ENOMEM)
    return (size + PAGE - 1) & -PAGE
