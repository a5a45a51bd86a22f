"""What lies where in an address space: areas of whole pages that do not overlap, and the gaps between them.

An area says what its pages mean before any of them has memory; neighbours that mean the same become one. Finding,
adding, removing and the search for a gap take logarithmic time: areas stand in a sorted dictionary, gaps in sorted
lists by the power of two that their size reaches.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from sortedcontainers import SortedDict, SortedList

from machine.memory.errors import MapError
from machine.memory.pages import ADDRESS_SPACE, CANONICAL_HALF, PAGE, Protection

if TYPE_CHECKING:
    from machine.memory.shared import SharedMemory

_TRIES = 16  # gaps of the size's own class that are looked at


class Area(NamedTuple):
    """Whole pages [start, end) that mean the same.

    `protection` is what the guest may do there; with `committed` false the pages are only reserved: nobody can access
    them. A `guard` page refuses its first access. `backing` is the memory that is shared with others, from `offset` in
    bytes on; None for memory of its own. `tag` is what the kernel notes about it: its own word for the protection, the
    allocation that it belongs to. Nothing of a `supervisor` area is allowed to code of privilege level 3.
    """

    start: int
    end: int
    protection: Protection
    name: str
    committed: bool = True
    guard: bool = False
    backing: SharedMemory | None = None
    offset: int = 0
    tag: object = None
    supervisor: bool = False

    @property
    def size(self) -> int:
        """In bytes."""
        return self.end - self.start

    def allows(self, right: int) -> bool:
        """Whether the guest may access it so (vm.facts.paging: READ, WRITE or EXECUTE)."""
        return bool(self.committed and not self.guard and int(self.protection) & right)

    def has(self, address: int) -> bool:
        """Whether there is a page at an address of it: shared memory may end before its area does."""
        return self.backing is None or self.backing.has(self.offset + (address & -PAGE) - self.start)

    def cut(self, start: int, end: int) -> Area:
        """The part that lies in [start, end), which must share a byte with it."""
        start, end = max(start, self.start), min(end, self.end)
        if start == self.start and end == self.end:
            return self
        return self._replace(start=start, end=end, offset=self.offset + start - self.start if self.backing else 0)

    def continues(self, before: Area) -> bool:
        """Whether it begins where `before` ends and means the same."""
        return (
            before.end == self.start
            and before.protection == self.protection
            and before.name == self.name
            and before.committed == self.committed
            and before.guard == self.guard
            and before.backing is self.backing
            and before.offset + (before.size if self.backing else 0) == self.offset
            and before.tag == self.tag
            and before.supervisor == self.supervisor
        )


class Areas:
    """The areas of one address space, at most `most` of them."""

    def __init__(self, most: int) -> None:
        self._most = most
        self.changes = 0  # grows when the areas change
        self._areas: SortedDict[int, Area] = SortedDict()
        self._gaps: dict[int, SortedList[int]] = {}  # starts, by the bit length of the size
        self._gap_ends: dict[int, int] = {}
        self._gap_starts: dict[int, int] = {}  # by end
        self._add_gap(0, CANONICAL_HALF)
        self._add_gap(ADDRESS_SPACE - CANONICAL_HALF, ADDRESS_SPACE)

    def __len__(self) -> int:
        return len(self._areas)

    def __iter__(self) -> Iterator[Area]:
        """All areas by ascending address."""
        return iter(self._areas.values())

    def at(self, address: int) -> Area | None:
        """The area that holds this byte, if any."""
        index = self._areas.bisect_right(address) - 1
        if index < 0:
            return None
        area: Area = self._areas.peekitem(index)[1]
        return area if address < area.end else None

    def within(self, start: int, end: int) -> list[Area]:
        """The areas that share a byte with [start, end), by ascending address."""
        first = self.at(start)
        found = [] if first is None or start >= end else [first]
        found += [self._areas[key] for key in self._areas.irange(start + 1, end - 1)]
        return found

    def first_within(self, start: int, end: int) -> Area | None:
        """The first of them."""
        first = self.at(start)
        if first is None and start < end:
            key = next(self._areas.irange(start, end - 1), None)
            first = None if key is None else self._areas[key]
        return first

    def add(self, area: Area) -> None:
        """Put an area into a gap, and make it one with equal neighbours.

        Raises MapError, with nothing changed, when it leaves the gap or there are too many areas (`max_mappings`).
        """
        gap_start = self._gap_around(area)
        before = self.at(area.start - 1) if gap_start == area.start else None
        after = self._areas.get(area.end)
        joins = before is not None and area.continues(before)
        if not joins and not (after is not None and after.continues(area)) and len(self._areas) >= self._most:
            raise MapError(f"{area.name}: there are max_mappings ({self._most}) mappings", "max_mappings")
        self.changes += 1
        gap_end = self._remove_gap(gap_start)
        self._add_gap(gap_start, area.start)
        self._add_gap(area.end, gap_end)
        if joins and before is not None:
            area = area._replace(start=before.start, offset=before.offset)
        if after is not None and after.continues(area):
            del self._areas[after.start]
            area = area._replace(end=after.end)
        self._areas[area.start] = area

    def remove(self, start: int, end: int) -> list[Area]:
        """Take [start, end) out, cutting what lies across its ends; the parts that were in it.

        Raises MapError, with nothing changed, when a cut would make too many areas (`max_mappings`).
        """
        found = self.within(start, end)
        if not found:
            return []
        left, right = found[0], found[-1]
        if len(found) == 1:
            self.check_cuts(found, start, end, removed=1)
        self.changes += 1
        for area in found:
            del self._areas[area.start]
            self._close_gap(max(area.start, start), min(area.end, end))
        if left.start < start:
            self._areas[left.start] = left.cut(left.start, start)
        if right.end > end:
            self._areas[end] = right.cut(end, right.end)
        return [area.cut(start, end) for area in found]

    def change(self, area: Area) -> None:
        """Let this stand in the place of the one area in which it lies. Raises MapError as `remove` does."""
        old = self.at(area.start)
        assert old is not None
        self.check_cuts([old], area.start, area.end)
        self.changes += 1
        left = old.cut(old.start, area.start) if old.start < area.start else None
        right = old.cut(area.end, old.end) if area.end < old.end else None
        before, after = (self.at(area.start - 1) if left is None else None), self._areas.get(area.end)
        if before is not None and area.continues(before):
            del self._areas[area.start]
            area = area._replace(start=before.start, offset=before.offset)
        if left is not None:
            self._areas[left.start] = left
        if right is not None:
            self._areas[right.start] = right
        elif after is not None and after.continues(area):
            del self._areas[after.start]
            area = area._replace(end=after.end)
        self._areas[area.start] = area

    def check_cuts(self, found: list[Area], start: int, end: int, removed: int = 0) -> None:
        """Raises MapError when cutting these areas at `start` and `end` makes too many, of which some are `removed`."""
        cuts = (found[0].start < start) + (found[-1].end > end) if found else 0
        if cuts and len(self._areas) + cuts - removed > self._most:
            raise MapError(f"{found[0].name}: there are max_mappings ({self._most}) mappings", "max_mappings")

    # --- gaps

    def find_gap(self, size: int, low: int, high: int, top_down: bool = True) -> int | None:
        """Where `size` bytes are free in [low, high): as high as possible, or as low; None when they are nowhere."""
        best: int | None = None
        for length, starts in self._gaps.items():
            if length < size.bit_length():
                continue
            found = self._gap_in(starts, size, low, high, top_down)
            if found is not None and (best is None or (found > best if top_down else found < best)):
                best = found
        return best

    def _gap_in(self, starts: SortedList[int], size: int, low: int, high: int, top_down: bool) -> int | None:
        if top_down:
            candidates = starts.irange(None, high - 1, reverse=True)
        else:
            index = max(starts.bisect_right(low) - 1, 0)
            candidates = starts.islice(index)
        for tries, start in enumerate(candidates):
            begin, end = max(start, low), min(self._gap_ends[start], high)
            if end - begin >= size:
                return end - size if top_down else begin
            if tries >= _TRIES or (end <= low if top_down else begin >= high):
                break
        return None

    def _gap_around(self, area: Area) -> int:
        """The start of the gap that has room for an area. Raises MapError."""
        index = self._areas.bisect_right(area.start) - 1
        start = self._areas.peekitem(index)[1].end if index >= 0 else 0
        if area.start < ADDRESS_SPACE - CANONICAL_HALF:
            end = self._gap_ends.get(start, start)
        else:
            start = max(start, ADDRESS_SPACE - CANONICAL_HALF)
            end = self._gap_ends.get(start, start)
        if not start <= area.start < area.end <= end:
            other = self.first_within(area.start, area.end)
            where = f"{area.start:#x}..{area.end - 1:#x}"
            if other is None:
                raise MapError(f"{area.name}: {where} leaves the address space")
            raise MapError(f"{area.name}: {where} overlaps {other.name} at {other.start:#x}")
        return start

    def _add_gap(self, start: int, end: int) -> None:
        if start < end:
            self._gaps.setdefault((end - start).bit_length(), SortedList()).add(start)
            self._gap_ends[start], self._gap_starts[end] = end, start

    def _remove_gap(self, start: int) -> int:
        """Its end."""
        end = self._gap_ends.pop(start)
        del self._gap_starts[end]
        self._gaps[(end - start).bit_length()].remove(start)
        return end

    def _close_gap(self, start: int, end: int) -> None:
        """[start, end) is free again, and one gap with those beside it."""
        if start in self._gap_starts:
            start = self._gap_starts[start]
            self._remove_gap(start)
        if end in self._gap_ends:
            end = self._remove_gap(end)
        self._add_gap(start, end)


def whole_pages(start: int, size: int, name: str) -> None:
    """Raises MapError unless these are whole pages of the address space."""
    if start % PAGE or size % PAGE or size <= 0 or start < 0 or start + size > ADDRESS_SPACE:
        raise MapError(f"{name}: {size:#x} bytes at {start:#x} are not whole pages of the address space")
