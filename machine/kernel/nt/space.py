"""The user half of an address space as NT has it: allocations of pages that are reserved or committed.

Every area that an allocation made has a `Note`: the allocation, and the page protection as programs spell it. Areas
without one are the kernel's own. Queries speak of runs of pages with equal rights, which is what areas are.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from machine.kernel.nt.status import (
    STATUS_CONFLICTING_ADDRESSES,
    STATUS_FREE_VM_NOT_AT_BASE,
    STATUS_INVALID_PAGE_PROTECTION,
    STATUS_INVALID_PARAMETER,
    STATUS_MEMORY_NOT_ALLOCATED,
    STATUS_NO_MEMORY,
    STATUS_UNABLE_TO_FREE_VM,
    NtError,
)
from machine.memory import PAGE, AddressSpace, Area, MapError, Protection, SharedMemory, page_ceil, page_floor

GRANULARITY = 0x1_0000
LOWEST, HIGHEST = 0x1_0000, 0x7FFF_FFFE_0000
FIRST = 0x1_0000_0000  # where allocations without a base begin
MEM_COMMIT, MEM_RESERVE, MEM_FREE = 0x1000, 0x2000, 0x1_0000
MEM_PRIVATE, MEM_MAPPED, MEM_IMAGE = 0x2_0000, 0x4_0000, 0x100_0000
PAGE_NOACCESS, PAGE_READONLY, PAGE_READWRITE, PAGE_WRITECOPY = 1, 2, 4, 8
PAGE_EXECUTE, PAGE_EXECUTE_READ, PAGE_EXECUTE_READWRITE, PAGE_EXECUTE_WRITECOPY = 0x10, 0x20, 0x40, 0x80
PAGE_GUARD = 0x100
_MODIFIERS = 0x700  # guard, no cache, write combine
_RX = Protection.READ | Protection.EXECUTE
_RW = Protection.READ | Protection.WRITE
_RIGHTS = {
    1: Protection.NONE, 2: Protection.READ, 4: _RW, 8: _RW, 0x10: _RX, 0x20: _RX, 0x40: Protection.ALL,
    0x80: Protection.ALL,
}  # fmt: skip
_OF_RIGHTS = {Protection.NONE: 1, Protection.READ: 2, _RW: 4, _RX: 0x20, Protection.ALL: 0x40}
_OF_SECTION = {Protection.NONE: 1, Protection.READ: 2, _RW: 8, _RX: 0x20, Protection.ALL: 0x80}


class Allocation(msgspec.Struct, eq=False):
    """Pages [base, end) that were reserved at once. `view` is what they show, if they are a view of a section.

    `written` are the addresses of the pages that were written to, of an allocation under write watch; others are
    read-only to the guest until then, whatever their note says.
    """

    base: int
    end: int
    protect: int
    kind: int
    name: str
    view: object = None
    written: set[int] | None = None

    def shown(self, rights: Protection) -> Protection:
        """What the guest may do with pages that it may use so, unless it has been seen to write there."""
        return rights if self.written is None else rights & ~Protection.WRITE


class Note(NamedTuple):
    """What the areas of an allocation are tagged with."""

    allocation: Allocation
    protect: int


class Run(msgspec.Struct, frozen=True):
    """Pages with equal rights, as NtQueryVirtualMemory tells them; `allocation` is None for free ones."""

    base: int
    size: int
    state: int
    protect: int = 0
    allocation: Allocation | None = None


def rights_of(protect: int) -> tuple[Protection, bool]:
    """What a guest may do with pages of this protection, and whether they guard. Raises NtError."""
    rights = _RIGHTS.get(protect & ~_MODIFIERS)
    if rights is None or protect >> 11 or (protect & PAGE_GUARD and rights is Protection.NONE):
        raise NtError(STATUS_INVALID_PAGE_PROTECTION)
    return rights, bool(protect & PAGE_GUARD)


def protect_of_section(rights: Protection) -> int:
    """The page protection of an image's section with these rights."""
    return _OF_SECTION.get(rights, PAGE_WRITECOPY)


class NtSpace:
    """The allocations of one process."""

    def __init__(self, memory: AddressSpace) -> None:
        self.memory = memory
        self.has_watched = False

    def allocation_at(self, address: int) -> Allocation | None:
        """The allocation that holds a byte."""
        area = self.memory.area_at(address)
        return area.tag.allocation if area is not None and isinstance(area.tag, Note) else None

    def gap(self, size: int, highest: int = HIGHEST, *, top_down: bool = False) -> int:
        """Where an allocation of this size may begin. Raises NtError."""
        low = FIRST if highest > FIRST else LOWEST
        found = self.memory.find_gap(page_ceil(size) + GRANULARITY, low, highest, top_down)
        if found is None and low != LOWEST:
            found = self.memory.find_gap(page_ceil(size) + GRANULARITY, LOWEST, highest, top_down)
        if found is None:
            raise NtError(STATUS_NO_MEMORY)
        return found + GRANULARITY - 1 & -GRANULARITY

    def reserve(
        self, base: int, size: int, protect: int, name: str, *, kind: int = MEM_PRIVATE, commit: bool = False,
        highest: int = HIGHEST, top_down: bool = False, watched: bool = False,
    ) -> Allocation:  # fmt: skip
        """A new allocation at `base`, or where there is room for 0. Raises NtError."""
        rights, guard = rights_of(protect)
        if not 0 < size <= HIGHEST or base + size > HIGHEST:
            raise NtError(STATUS_INVALID_PARAMETER)
        start = base & -GRANULARITY if base else self.gap(size, highest, top_down=top_down)
        end = page_ceil(base + size) if base else start + page_ceil(size)
        made = Allocation(start, end, protect, kind, name, written=set() if watched else None)
        self.has_watched |= watched
        shown = made.shown(rights) if commit else Protection.NONE
        self._map(made, start, end, protect if commit else 0, shown, guard=guard)
        return made

    def _map(
        self, made: Allocation, start: int, end: int, protect: int, rights: Protection, *, guard: bool = False,
        backing: SharedMemory | None = None, offset: int = 0,
    ) -> None:  # fmt: skip
        if self.memory.overlapping(start, end - start) is not None:
            raise NtError(STATUS_CONFLICTING_ADDRESSES)
        area = Area(
            start, end, rights, made.name, committed=bool(protect), guard=guard and bool(protect), backing=backing,
            offset=offset, tag=Note(made, protect),
        )  # fmt: skip
        try:
            self.memory.map(area)
        except MapError:
            raise NtError(STATUS_NO_MEMORY) from None

    def commit(self, start: int, end: int, protect: int) -> None:
        """Let reserved pages be memory. Raises NtError."""
        rights, guard = rights_of(protect)
        self._one(start, end)

        def commit(area: Area) -> Area:
            assert isinstance(area.tag, Note)
            note = Note(area.tag.allocation, protect)
            shown = note.allocation.shown(rights)
            return area._replace(committed=True, protection=shown, guard=guard, tag=note)

        self._change(start, end, commit)

    def _one(self, start: int, end: int) -> Allocation:
        """The one allocation that has all of these pages. Raises NtError."""
        found = self.allocation_at(start)
        if found is None or end > found.end or start >= end:
            raise NtError(STATUS_CONFLICTING_ADDRESSES)
        return found

    def _change(self, start: int, end: int, to: object) -> None:
        try:
            self.memory.change(start, end, to)  # type: ignore[arg-type]
        except MapError:
            raise NtError(STATUS_NO_MEMORY) from None

    def free(self, start: int, size: int, *, release: bool) -> tuple[int, int]:
        """Decommit or release; what was freed: start and size. Raises NtError."""
        found = self.allocation_at(start)
        if found is None:
            raise NtError(STATUS_MEMORY_NOT_ALLOCATED)
        if found.kind != MEM_PRIVATE:
            raise NtError(STATUS_UNABLE_TO_FREE_VM)
        if not size and start != found.base:
            raise NtError(STATUS_FREE_VM_NOT_AT_BASE)
        end = found.end if not size else page_ceil(start + size)
        start = page_floor(start)
        if end > found.end:
            raise NtError(STATUS_UNABLE_TO_FREE_VM)
        if release:
            if start != found.base or end != found.end:
                self._split(found, start, end)
            self.memory.unmap(start, end)
        else:
            self.memory.discard(start, end)
            none = Note(found, 0)
            self._change(
                start,
                end,
                lambda area: area._replace(committed=False, guard=False, protection=Protection.NONE, tag=none),
            )
        return start, end - start

    def _split(self, whole: Allocation, start: int, end: int) -> None:
        """A part of an allocation is released: what is left on both sides are two."""
        if end < whole.end:
            behind = Allocation(end, whole.end, whole.protect, whole.kind, whole.name, whole.view, whole.written)
            self._change(end, whole.end, lambda area: area._replace(tag=Note(behind, area.tag.protect)))
        whole.end = start

    def unmap(self, found: Allocation) -> None:
        """Take a whole allocation away."""
        self.memory.unmap(found.base, found.end)

    def protect(self, start: int, end: int, protect: int) -> int:
        """Set a protection; what the first page had. Raises NtError."""
        rights, guard = rights_of(protect)
        if not self.memory.is_mapped(start, end):
            raise NtError(STATUS_CONFLICTING_ADDRESSES)
        first = self.memory.area_at(start)
        assert first is not None
        old = first.tag.protect if isinstance(first.tag, Note) else _OF_RIGHTS.get(first.protection, 4)
        if old == protect and first.end >= end:
            return old

        def change(area: Area) -> Area:
            if not isinstance(area.tag, Note):
                return area._replace(protection=rights, guard=guard)
            note = Note(area.tag.allocation, protect)
            return area._replace(protection=note.allocation.shown(rights), guard=guard, tag=note)

        self._change(start, end, change)
        return old

    def query(self, address: int) -> Run:
        """The run of pages with equal rights that an address lies in, from its page on."""
        page = page_floor(address)
        area = self.memory.area_at(page)
        if area is None:
            following = self.memory.overlapping(page, HIGHEST + GRANULARITY - page)
            end = HIGHEST + GRANULARITY if following is None else following.start
            return Run(page, end - page, MEM_FREE, PAGE_NOACCESS)
        if isinstance(area.tag, Note):
            state, end = MEM_COMMIT if area.committed else MEM_RESERVE, area.end
            while area.tag.allocation.written is not None:
                following = self.memory.area_at(end)
                if following is None or (following.tag, following.committed) != (area.tag, area.committed):
                    break
                end = following.end
            return Run(page, end - page, state, area.tag.protect, area.tag.allocation)
        protect = _OF_RIGHTS.get(area.protection, PAGE_READWRITE)
        own = Allocation(area.start, area.end, protect, MEM_PRIVATE, area.name)
        return Run(page, area.end - page, MEM_COMMIT, protect, own)

    # --- write watch

    def see_write(self, address: int, size: int) -> bool:
        """Let the guest write to watched pages from now on, which it is about to do; whether there are any such."""
        found = False
        for page in range(page_floor(address), address + size, PAGE):
            area = self.memory.area_at(page)
            note = area.tag if area is not None and isinstance(area.tag, Note) else None
            if note is None or note.allocation.written is None or area is None or not area.committed:
                continue
            rights, guard = rights_of(note.protect)
            if rights & Protection.WRITE and not guard and not area.protection & Protection.WRITE:
                note.allocation.written.add(page)
                self._change(page, page + PAGE, lambda each, rights=rights: each._replace(protection=rights))
                found = True
        return found

    def written(self, start: int, size: int, most: int, *, forgets: bool) -> list[int]:
        """The first pages there that were written to, in ascending order. Raises NtError where none is watched."""
        allocation = self.allocation_at(start)
        if allocation is None or allocation.written is None or not size or start + size > allocation.end:
            raise NtError(STATUS_INVALID_PARAMETER)
        first = page_floor(start)
        found = sorted(page for page in allocation.written if first <= page < start + size)[:most]
        for page in found if forgets else ():
            allocation.written.discard(page)
            self._change(page, page + PAGE, lambda each: each._replace(protection=each.protection & ~Protection.WRITE))
        return found

    # --- views

    def map_image(
        self, base: int, size: int, areas: tuple[Area, ...], contents: tuple[tuple[int, bytes], ...], name: str
    ) -> Allocation:
        """A view of an image. Raises NtError."""
        made = Allocation(base, base + size, PAGE_EXECUTE_WRITECOPY, MEM_IMAGE, name)
        if self.memory.overlapping(base, size) is not None:
            raise NtError(STATUS_CONFLICTING_ADDRESSES)
        place = base
        for area in areas:
            if area.start > place:
                self._map(made, place, area.start, PAGE_NOACCESS, Protection.NONE)
            place = area.start + area.size
            self._map(made, area.start, place, protect_of_section(area.protection), area.protection)
        if place < made.end:
            self._map(made, place, made.end, PAGE_NOACCESS, Protection.NONE)
        for address, data in contents:
            if not self.memory.write(address, data):
                raise NtError(STATUS_NO_MEMORY)
        return made

    def map_view(self, base: int, size: int, protect: int, name: str, backing: SharedMemory, offset: int) -> Allocation:
        """A view of shared memory at `base`, or where there is room. Raises NtError."""
        rights, guard = rights_of(protect)
        start = base & -GRANULARITY if base else self.gap(size)
        made = Allocation(start, start + page_ceil(size), protect, MEM_MAPPED, name)
        self._map(made, start, made.end, protect, rights, guard=guard, backing=backing, offset=offset)
        return made


def is_writable(memory: AddressSpace, address: int, size: int) -> bool:
    """Whether the guest itself could write all of these bytes."""
    return _allows(memory, address, size, Protection.WRITE)


def is_readable(memory: AddressSpace, address: int, size: int) -> bool:
    """Whether the guest itself could read all of these bytes."""
    return _allows(memory, address, size, Protection.READ)


def _allows(memory: AddressSpace, address: int, size: int, right: Protection) -> bool:
    end = address + size
    while address < end:
        area = memory.area_at(address)
        if area is None or area.supervisor or not (area.committed and area.protection & right):
            return False
        address = area.end
    return True
