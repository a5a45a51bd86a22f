"""An address space: what the addresses of one process mean. It answers the emulator's TLB, so it is our MMU.

`areas` say what pages mean; the page table has those that have memory, which they get when they are first touched.
The emulator asks for pages that it does not know (machine.processor.translation): machine code answers from the page
table, `fault_in` answers the rest, as a kernel answers page faults. So reserving and mapping costs nothing, and rights
that are given are found when they are used. Rights that are taken are taken out of the page table, and `on_taken` tells
those who remember them.

The host reads and writes every committed byte whatever its protection, as a debugger does (events-and-commands E.4).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol, cast

from machine.memory.areas import Area, Areas, whole_pages
from machine.memory.errors import MapError
from machine.memory.page_table import ENTRIES, PageTable
from machine.memory.pages import PAGE, Protection, is_canonical
from machine.memory.physical import Frames
from machine.memory.shared import SharedMemory
from machine.memory.work import PER_MAPPING
from vm.facts.limits import DEFAULT_LIMITS
from vm.facts.paging import (
    EXECUTE,
    FRAME_MASK,
    INDEX_BITS,
    OPEN,
    PAGE_BITS,
    PRESENT,
    READ,
    SUPERVISOR,
    WATCHED_SHIFT,
    WRITE,
)

_RIGHTS = READ | WRITE | EXECUTE
_AROUND, _MOST_AROUND = 16, 128  # pages that get memory at once, where a guest goes through memory in order
_OFFSET = PAGE - 1
_TABLE_WORK = 32  # what looking at a word of the page table is charged with (machine.memory.work)
_INDEX = ENTRIES - 1
_ZERO = bytes(PAGE)
_WATCHED = _RIGHTS << WATCHED_SHIFT


class Watches(Protocol):
    """Which accesses somebody wants to be told of."""

    def rights_of(self, space: AddressSpace, page: int, frame: int) -> int:
        """Those to a page (by number) that has this frame, as rights: READ, WRITE, EXECUTE."""
        ...

    def around(self, space: AddressSpace, start: int, end: int, right: int, act: Callable[[], None]) -> None:
        """Have `act` access [start, end), READ or WRITE, unless somebody who is told before says no."""
        ...


class AddressSpace:
    """At most `most` areas of pages, which get their memory, and that of the page table, from `source`."""

    def __init__(self, source: Frames, most: int = DEFAULT_LIMITS.max_mappings) -> None:
        """Raises MapError where there is no memory for a page table."""
        self.source = source
        self.physical = source.physical
        self._work = source.physical.work
        self._most = most
        self._areas = Areas(most)
        self._shared: frozenset[SharedMemory] | None = None  # what `shared` has found
        self.table = PageTable(source)
        self.takings = 0  # grows when memory or rights are taken: who remembers pages must look again
        self.on_taken: list[Callable[[], None]] = []
        self.code_listeners: list[Callable[[int, int], None]] = []  # are told when code of [begin, end) is to change
        self.on_meaning: list[Callable[[int, int], None]] = []  # [start, end) is about to mean other memory, or none
        self.is_exhausted = False  # whether the last access failed for want of memory
        self.watches: Watches | None = None  # who wants to be told of accesses
        self.breakpoints: Callable[[int], int] | None = None  # the rights of a page, by number, that may hit one

    # --- areas

    @property
    def areas(self) -> tuple[Area, ...]:
        """All areas by ascending address."""
        return tuple(self._areas)

    @property
    def area_changes(self) -> int:
        """Grows when the areas change."""
        return self._areas.changes

    @property
    def shared(self) -> frozenset[SharedMemory]:
        """What a program can write here and may be in other address spaces, too. A kernel's is in all of them."""
        if self._shared is None:
            writable = (area for area in self._areas if area.protection & Protection.WRITE and not area.supervisor)
            self._shared = frozenset(area.backing for area in writable if area.backing is not None)
        return self._shared

    def area_at(self, address: int) -> Area | None:
        """The area that holds this byte, if any."""
        return self._areas.at(address)

    def areas_within(self, start: int, end: int) -> list[Area]:
        """The areas that share a byte with [start, end), by ascending address; looking at them is charged."""
        found = self._areas.within(start, end)
        self._work.charge(PER_MAPPING * len(found))
        return found

    def overlapping(self, start: int, size: int) -> Area | None:
        """The first area that shares a byte with [start, start + size), if any."""
        return self._areas.first_within(start, start + size)

    def is_mapped(self, start: int, end: int) -> bool:
        """Whether all bytes of [start, end) mean something, and are not only reserved."""
        for area in self._areas.within(start, end):
            if area.start > start or not area.committed:
                return False
            start = area.end
        return start >= end

    def find_gap(self, size: int, low: int, high: int, top_down: bool = True) -> int | None:
        """Where `size` bytes are free in [low, high): as high as possible, or as low; None when they are nowhere."""
        return self._areas.find_gap(size, low, high, top_down)

    def map(self, area: Area) -> None:
        """Let free pages mean something; memory of their own is zero.

        Raises MapError where they overlap others, leave the address space, are too many, or can never all get memory.
        """
        whole_pages(area.start, area.size, area.name)
        is_memory = area.committed and area.protection and area.backing is None
        if is_memory and area.size > self.source.limit:
            text = f"mapping {area.size:#x} bytes would exceed max_guest_memory ({self.source.limit:#x} bytes)"
            raise MapError(text, "max_guest_memory")
        self._work.charge(PER_MAPPING)
        self._areas.add(area)
        self._shared = None
        self._means_another(area.start, area.end)

    def unmap(self, start: int, end: int) -> None:
        """Let the pages of [start, end) mean nothing any more. Raises MapError where a cut makes too many areas."""
        self._work.charge(PER_MAPPING)
        self._shared = None
        self._means_another(start, end)
        for area in self._areas.remove(start, end):
            self._work.charge(PER_MAPPING)
            self._forget(area.start, area.end)

    def change(self, start: int, end: int, to: Callable[[Area], Area]) -> None:
        """Let `to` say anew what the pages of [start, end) mean; their memory stays. Raises MapError as `unmap`."""
        found = self.areas_within(start, end)
        self._areas.check_cuts(found, start, end)
        self._shared = None
        for area in found:
            piece = area.cut(start, end)
            changed = to(piece)
            if changed == piece:
                continue
            self._areas.change(changed)
            closes = (
                (piece.committed and not changed.committed)
                or (changed.guard and not piece.guard)
                or changed.supervisor != piece.supervisor
            )
            lost = _RIGHTS if closes else int(piece.protection) & ~int(changed.protection)
            if lost:
                self.withdraw(piece.start, piece.end, lost)

    def protect(self, start: int, end: int, protection: Protection) -> None:
        """Let the guest do this with the pages of [start, end) that mean something. Raises MapError as `unmap` does."""
        self.change(start, end, lambda area: area._replace(protection=protection))

    def move(self, start: int, size: int, target: int) -> None:
        """Let what is in [start, start + size), with its memory, lie at `target`. Raises MapError, nothing changed."""
        found = self.areas_within(start, start + size)
        other = self._areas.first_within(target, target + size)
        if other is not None:
            raise MapError(f"{target:#x}..{target + size - 1:#x} overlaps {other.name} at {other.start:#x}")
        self._areas.check_cuts(found, start, start + size)
        self._means_another(start, start + size)
        self._means_another(target, target + size)
        distance = target - start
        for piece in self._areas.remove(start, start + size):
            self._areas.add(piece._replace(start=piece.start + distance, end=piece.end + distance))
            self.withdraw(piece.start, piece.end, _RIGHTS)
            for number, first, words in tuple(self._runs(piece.start, piece.end)):
                self._work.charge(PAGE * (len(words) - tuple(words).count(0)))
                for index, word in enumerate(words):
                    if word:
                        page = (number << INDEX_BITS) + first + index + distance // PAGE
                        self.table.leaf(page)[page & _INDEX] = word
                _clear(words)
                self.table.drop_if_empty(number)

    def discard(self, start: int, end: int) -> None:
        """Forget what the pages of [start, end) hold: memory of their own is zero again when it is next touched."""
        self._means_another(start, end)
        for area in self.areas_within(start, end):
            self._forget(max(area.start, start), min(area.end, end))

    def _means_another(self, start: int, end: int) -> None:
        for listener in self.on_meaning:
            listener(start, end)

    def copy(self) -> AddressSpace:
        """Another address space that means and holds the same; own memory becomes two when one of them writes it.

        Raises MapError when there is no memory for another page table.
        """
        copy = AddressSpace(self.source, self._most)
        try:
            for area in self._areas:
                self._work.charge(PER_MAPPING)
                copy._areas.add(area)
                if area.backing is None:
                    self._share(area, copy)
        except MapError:
            copy.release()
            raise
        return copy

    def _share(self, area: Area, copy: AddressSpace) -> None:
        for number, first, words in self._runs(area.start, area.end):
            page = (number << INDEX_BITS) + first
            leaf = copy.table.leaf(page)
            self._work.charge(PAGE * (len(words) - tuple(words).count(0)))
            for index, word in enumerate(words, first):
                if word:
                    self.physical.hold((word & FRAME_MASK) >> PAGE_BITS)
                    leaf[index] = word & FRAME_MASK | PRESENT
        self.withdraw(area.start, area.end, WRITE | OPEN)

    def release(self) -> None:
        """Let go of everything; the address space is not used any more."""
        for area in self.areas:
            self.unmap(area.start, area.end)
        self.table.release()

    def supply(self, start: int, end: int) -> None:
        """Give all pages of [start, end), which are one area, memory now. Raises MapError; they are unmapped then."""
        area = self._areas.at(start)
        assert area is not None
        try:
            for page in range(start >> PAGE_BITS, end >> PAGE_BITS):
                leaf = self.table.leaf(page)
                if not leaf[page & _INDEX]:
                    self._supply(leaf, page, area)
        except MapError:
            self.unmap(start, end)
            raise

    # --- the emulator's questions

    def fault_in(self, address: int, right: int, *, is_user: bool = False) -> int:
        """The page table's word of the page at an address, `right` granted; 0 where the guest has no such right.

        `right` is READ, WRITE or EXECUTE, `is_user` is for code of privilege level 3. A page without memory gets some;
        `is_exhausted` says when there is none.
        """
        self.is_exhausted = False
        area = self._areas.at(address)
        if area is None or not area.allows(right) or (is_user and area.supervisor) or not area.has(address):
            return 0
        page = address >> PAGE_BITS
        try:
            leaf = self.table.leaf(page)
            if not leaf[page & _INDEX]:
                self._supply(leaf, page, area)
            return self._grant(leaf, page, area, right)
        except MapError:
            self.is_exhausted = True
            return 0

    def _supply(self, leaf: memoryview, page: int, area: Area) -> None:
        """Give a page memory, and those behind it where the one before it has some: the more, the more have."""
        index = page & _INDEX
        if area.backing is not None:
            frame = area.backing.frame(area.offset + (page << PAGE_BITS) - area.start)
            self.physical.hold(frame)
            area.backing.shown_in.add(self)
            self._work.charge(PAGE)
            leaf[index] = frame << PAGE_BITS | PRESENT
            return
        most = 1
        if index and leaf[index - 1]:
            around = _AROUND
            while around < min(index, _MOST_AROUND) and leaf[index - around]:
                around *= 2
            last = min(index + around, ENTRIES, index + (area.end >> PAGE_BITS) - page)
            while index + most < last and not leaf[index + most]:
                most += 1
        rights = (int(area.protection) & (READ | WRITE) if area.allows(READ) else 0) | _level_of(area)
        self._work.charge(PAGE * most)
        for distance, frame in enumerate(self.source.take(most)):
            watched = self._watched(page + distance, frame)
            leaf[index + distance] = frame << PAGE_BITS | rights | PRESENT | OPEN | watched

    def _grant(self, leaf: memoryview, page: int, area: Area, right: int) -> int:
        """The word of a page with memory, which has the rights that it can have now, `right` among them."""
        index = page & _INDEX
        word = leaf[index]
        if area.backing is not None:
            return self._grant_shared(leaf, page, area, right)
        is_own = not self.physical.is_shared((word & FRAME_MASK) >> PAGE_BITS)
        if right == WRITE and not is_own:
            word, is_own = self._copy(leaf, page), True
        rights = int(area.protection) & (READ | WRITE if is_own else READ)
        if right == EXECUTE and not word & EXECUTE:
            self.physical.executed_at((word & FRAME_MASK) >> PAGE_BITS, (self, page << PAGE_BITS))
            if rights & WRITE:
                self._tell()  # who writes there without asking
        rights |= (word | right) & EXECUTE
        rights |= _level_of(area)
        rights |= self._watched(page, (word & FRAME_MASK) >> PAGE_BITS)
        leaf[index] = word = word & FRAME_MASK | rights | PRESENT | (OPEN if is_own and not rights & EXECUTE else 0)
        return word

    def _grant_shared(self, leaf: memoryview, page: int, area: Area, right: int) -> int:
        """The same for memory that has several names: it can be written by one while it is executed by none other.

        The emulator knows that code is written through the page at which it is executed, and no other.
        """
        index, place, physical = page & _INDEX, (self, page << PAGE_BITS), self.physical
        frame = (leaf[index] & FRAME_MASK) >> PAGE_BITS
        if right == EXECUTE:
            for pages, other in physical.written_elsewhere(frame, place):
                cast(AddressSpace, pages).withdraw(other, other + PAGE, WRITE)
            physical.executed_at(frame, place)
        elif right == WRITE:
            for pages, other in physical.executed_elsewhere(frame, place):
                cast(AddressSpace, pages).withdraw(other, other + PAGE, EXECUTE)
            physical.written_at(frame, place)
        kept = leaf[index] & ~(SUPERVISOR | _WATCHED) | self._watched(page, frame)
        leaf[index] = word = kept | _level_of(area) | READ | right
        return word

    def _copy(self, leaf: memoryview, page: int) -> int:
        """Give a page a frame of its own, with the same bytes, in the place of one that others have too."""
        index = page & _INDEX
        word = leaf[index]
        old, new = word & FRAME_MASK, self.source.take().start << PAGE_BITS
        self.physical.buffer[new : new + PAGE] = self.physical.buffer[old : old + PAGE]
        if word & EXECUTE:
            self.on_code(page << PAGE_BITS, (page + 1) << PAGE_BITS)
            self.physical.forget_place(old >> PAGE_BITS, (self, page << PAGE_BITS))
        self.physical.let_go((old >> PAGE_BITS,))
        leaf[index] = new | PRESENT | OPEN
        self._tell()
        return leaf[index]

    # --- accesses that somebody wants to be told of

    def _watched(self, page: int, frame: int) -> int:
        """The bits of a page that has got this frame."""
        rights = 0 if self.watches is None else self.watches.rights_of(self, page, frame)
        rights |= 0 if self.breakpoints is None else self.breakpoints(page)
        return rights << WATCHED_SHIFT

    def watch_anew(self) -> None:
        """What `watches` say has changed: mark the pages that have memory."""
        changed = False
        for number, leaf in self.table.leaves.items():
            for index, word in enumerate(leaf):
                page = (number << INDEX_BITS) + index
                now = word and word & ~_WATCHED | self._watched(page, (word & FRAME_MASK) >> PAGE_BITS)
                if now == word:
                    continue
                changed, leaf[index] = True, now
                if now & ~word & EXECUTE << WATCHED_SHIFT and word & EXECUTE:
                    self.on_code(page << PAGE_BITS, (page + 1) << PAGE_BITS)  # it may be under way
        if changed:
            self._tell()

    def take_shared(self, start: int, end: int) -> None:
        """Let shared memory in [start, end) have its frames, as far as there are any, so that other names are known."""
        for area in self._areas.within(start, end):
            if area.backing is not None:
                try:
                    self._take_shared(area, range(max(area.start, start) >> PAGE_BITS, -(-min(area.end, end) // PAGE)))
                except MapError:
                    return

    def _take_shared(self, area: Area, pages: range) -> None:
        for page in pages:
            leaf = self.table.leaf(page)
            if not leaf[page & _INDEX] and area.has(page << PAGE_BITS):
                self._supply(leaf, page, area)

    def lose(self, memory: SharedMemory, offset: int) -> None:
        """As `machine.memory.shared.Shows`."""
        for area in self.areas:
            if area.backing is memory and area.offset + area.size > offset:
                self._forget(max(area.start, area.start + offset - area.offset), area.end)

    def frame_at(self, address: int) -> int | None:
        """The number of the frame at an address; None where the page has no memory, or is not mapped."""
        word = self.table.word(address >> PAGE_BITS)
        return (word & FRAME_MASK) >> PAGE_BITS if word else None

    def pages_within(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        """The pages of [start, end) that have memory: number of the page, number of its frame."""
        for number, first, words in self._runs(start, end):
            for index, word in enumerate(words):
                if word:
                    yield (number << INDEX_BITS) + first + index, (word & FRAME_MASK) >> PAGE_BITS

    # --- taking away

    def _runs(self, start: int, end: int) -> Iterator[tuple[int, int, memoryview]]:
        """The parts of the page table's last level for [start, end): number of the table, first index, words."""
        first, last = start >> PAGE_BITS, end >> PAGE_BITS
        low, high = first >> INDEX_BITS, (last - 1) >> INDEX_BITS
        leaves = self.table.leaves
        numbers = range(low, high + 1) if high - low < len(leaves) else sorted(n for n in leaves if low <= n <= high)
        for number in numbers:
            leaf = leaves.get(number)
            if leaf is not None:
                begin = max(first - (number << INDEX_BITS), 0)
                yield number, begin, leaf[begin : min(last - (number << INDEX_BITS), ENTRIES)]

    def withdraw(self, start: int, end: int, rights: int) -> None:
        """Take rights of the pages of [start, end) away; `fault_in` gives back what is still allowed."""
        kept = int.from_bytes((~rights & (1 << 64) - 1).to_bytes(8, "little") * ENTRIES, "little")
        had = False
        for number, first, words in self._runs(start, end):
            self._work.charge(len(words) * _TABLE_WORK)
            value = int.from_bytes(words, "little")
            left = value & kept
            if left != value:
                had = True
                self._forget_places(number, first, words, rights)
                words[:] = memoryview(left.to_bytes(len(words) * 8, "little")).cast("Q")
        if had:
            self._tell()

    def _forget(self, start: int, end: int) -> None:
        """Take the memory of the pages of [start, end) away."""
        had = False
        for number, first, words in tuple(self._runs(start, end)):
            present = [word for word in words if word]
            self._work.charge(PAGE * len(present) + len(words) * _TABLE_WORK)
            if present:
                had = True
                self._forget_places(number, first, words, _RIGHTS)
                _clear(words)
                self.physical.let_go([(word & FRAME_MASK) >> PAGE_BITS for word in present])
            words.release()
            self.table.drop_if_empty(number)
        if had:
            self._tell()

    def _forget_places(self, number: int, first: int, words: memoryview, rights: int) -> None:
        """Pages are not written or executed any more: tell of code as long as the emulator may look for it there."""
        if not self.physical.has_places:
            return
        executed, written = bool(rights & EXECUTE), bool(rights & WRITE)
        for index, word in enumerate(words):
            if word & rights & (EXECUTE | WRITE):
                page = (number << INDEX_BITS) + first + index << PAGE_BITS
                if word & rights & EXECUTE:
                    self.on_code(page, page + PAGE)
                self.physical.forget_place((word & FRAME_MASK) >> PAGE_BITS, (self, page), executed, written)

    def on_code(self, begin: int, end: int) -> None:
        """Code of [begin, end) is about to change."""
        for listener in self.code_listeners:
            listener(begin, end)

    def _tell(self) -> None:
        self.takings += 1
        for listener in self.on_taken:
            listener()

    # --- the debugger's way to memory

    def _place(self, address: int, write: bool) -> int | None:
        """Where a byte lies in physical memory; None where it is not mapped, -1 where it is zero and has no memory.

        Raises MapError when a page that is to be written gets no memory.
        """
        page = address >> PAGE_BITS
        leaf = self.table.leaves.get(page >> INDEX_BITS)
        word = 0 if leaf is None else leaf[page & _INDEX]
        if not word or (write and not word & OPEN):
            area = self._areas.at(address)
            if area is None or not area.committed or not area.has(address):
                return None
            if not word and not write and area.backing is None:
                return -1
            leaf = self.table.leaf(page)
            if not word:
                self._supply(leaf, page, area)
            if (
                write
                and area.backing is None
                and self.physical.is_shared((leaf[page & _INDEX] & FRAME_MASK) >> PAGE_BITS)
            ):
                self._copy(leaf, page)
            word = leaf[page & _INDEX]
        return word & FRAME_MASK | address & _OFFSET

    def read(self, address: int, size: int) -> bytes | None:
        """`size` bytes, or None when any of them is not mapped."""
        data = self.read_up_to(address, size)
        return data if len(data) == size else None

    def read_up_to(self, address: int, size: int) -> bytes:
        """The mapped bytes from `address` on, at most `size` of them, up to the first that is not mapped."""
        pieces: list[bytes] = []
        end = address + size
        while address < end:
            length = min(PAGE - (address & _OFFSET), end - address)
            try:
                place = self._place(address, write=False) if is_canonical(address) else None
            except MapError:
                place = None
            if place is None:
                break
            pieces.append(_ZERO[:length] if place < 0 else self.physical.buffer[place : place + length])
            address += length
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def copy_in(self, address: int, size: int) -> bytes:
        """As `read_up_to`, for a kernel that reads on the guest's behalf; zeros where somebody does not let it."""
        data = self.read_up_to(address, size)
        if self.watches is None or not data:
            return data
        done: list[bytes] = []
        self.watches.around(
            self, address, address + len(data), READ, lambda: done.append(self.read_up_to(address, size))
        )
        return done[0] if done else bytes(len(data))

    def copy_out(self, address: int, data: bytes) -> bool:
        """As `write`, for a kernel that writes on the guest's behalf; nothing is written where it is not let."""
        if self.watches is None or not self.is_mapped(address, address + len(data)):
            return self.write(address, data)
        done: list[bool] = []
        self.watches.around(self, address, address + len(data), WRITE, lambda: done.append(self.write(address, data)))
        return all(done)

    def write(self, address: int, data: bytes) -> bool:
        """Write all of `data` and return True, or nothing and return False when a byte is not mapped or has no memory.

        Who has translated code from there is told.
        """
        end = address + len(data)
        pieces: list[tuple[int, int]] = []
        self.is_exhausted = False
        while address < end:
            length = min(PAGE - (address & _OFFSET), end - address)
            try:
                place = self._place(address, write=True) if is_canonical(address) else None
            except MapError:
                self.is_exhausted = True
                return False
            if place is None:
                return False
            pieces.append((place, length))
            address += length
        done = 0
        physical = self.physical
        for place, length in pieces:
            if physical.has_code and physical.is_code(place >> PAGE_BITS):
                physical.code_written(place >> PAGE_BITS, place & _OFFSET, (place & _OFFSET) + length)
            physical.buffer[place : place + length] = data[done : done + length]
            done += length
        return True

    # --- physical addresses

    def to_physical(self, address: int) -> int | None:
        """The physical address of a byte, whose page gets memory; None where it is not mapped, or there is none."""
        try:
            place = self._place(address, write=False) if is_canonical(address) else None
            if place != -1:
                return place
            area = self._areas.at(address)
            assert area is not None  # it has a place
            self._supply(self.table.leaf(address >> PAGE_BITS), address >> PAGE_BITS, area)
            return self._place(address, write=False)
        except MapError:
            return None

    def from_physical(self, address: int) -> int | None:
        """The lowest address at which a page has the byte at a physical address; None when none has."""
        page = self.table.page_of(address >> PAGE_BITS)
        return None if page is None else (page << PAGE_BITS) + (address & _OFFSET)


def _level_of(area: Area) -> int:
    return SUPERVISOR if area.supervisor else 0


def _clear(words: memoryview) -> None:
    words[:] = memoryview(bytes(len(words) * 8)).cast("Q")
