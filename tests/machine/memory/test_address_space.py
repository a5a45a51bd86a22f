from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given, settings, strategies as st

from machine.memory import PAGE, AddressSpace, Area, Frames, MapError, PhysicalMemory, Protection, SharedMemory
from vm.facts.paging import EXECUTE, FRAME_MASK, OPEN, READ, WATCHED_SHIFT, WRITE

READ_WRITE = Protection.READ | Protection.WRITE
TABLES = 4 * PAGE  # of an address space whose pages are near to each other


def frames(pages: int) -> Frames:
    return PhysicalMemory(pages * PAGE + TABLES).guests


def memory() -> AddressSpace:
    result = AddressSpace(frames(16))
    result.map(Area(0x1000, 0x2000, Protection.ALL, "first"))
    result.map(Area(0x2000, 0x3000, Protection.READ, "second"))
    return result


def test_reads_and_writes_cross_adjacent_areas() -> None:
    guest = memory()
    assert guest.write(0x1FFE, b"abcd")
    assert guest.read(0x1FFD, 6) == b"\0abcd\0"


def test_a_write_that_leaves_the_mapped_memory_changes_nothing() -> None:
    guest = memory()
    assert not guest.write(0x2FFE, b"abcd")
    assert guest.read(0x2FFE, 2) == b"\0\0"


def test_a_read_that_leaves_the_mapped_memory_is_none() -> None:
    assert memory().read(0x2FFE, 3) is None
    assert memory().read(0xFFFF_FFFF_FFFF_FFFF, 2) is None


def test_read_up_to_stops_at_the_first_unmapped_byte() -> None:
    assert memory().read_up_to(0x2FFE, 15) == b"\0\0"


@pytest.mark.parametrize(
    ("start", "size"),
    [
        (0x1000, 0x1000), (0x0, 0x2000), (0x2000, 0x3000), (0x3001, 0x1000), (0x3000, 0), (0x3000, 0x1_0000_0000),
        (0x8000_0000_0000, 0x1000), (0xFFFF_7FFF_FFFF_F000, 0x1000), (0x7FFF_FFFF_F000, 0x2000),
    ],
)  # fmt: skip
def test_pages_that_cannot_be_mapped_are_refused(start: int, size: int) -> None:
    with pytest.raises(MapError):
        memory().map(Area(start, start + size, READ_WRITE, "bad"))


def test_the_last_page_of_the_address_space_can_be_mapped() -> None:
    guest = AddressSpace(frames(1))
    guest.map(Area(0xFFFF_FFFF_FFFF_F000, 0x1_0000_0000_0000_0000, Protection.ALL, "last"))
    assert guest.read(0xFFFF_FFFF_FFFF_FFFF, 1) == b"\0"


def test_release_gives_every_frame_back() -> None:
    source = frames(8)
    guest = AddressSpace(source)
    guest.map(Area(0x1000, 0x2000, Protection.ALL, "own"))
    guest.map(Area(0x3000, 0x4000, Protection.ALL, "shared", backing=SharedMemory(source)))
    assert guest.write(0x1000, b"x")
    assert guest.write(0x3000, b"x")
    guest.release()
    assert (source.used, guest.areas) == (0, ())


def test_reserving_costs_nothing_and_only_touched_pages_have_memory() -> None:
    source = frames(4)
    guest = AddressSpace(source)
    guest.map(Area(0x10_0000_0000, 0x10_0000_0000 + (64 << 30), Protection.NONE, "reservation"))
    guest.map(Area(0x1_0000, 0x1_0000 + 4 * PAGE, READ_WRITE, "memory"))
    before = source.used
    assert guest.read(0x1_0000, 4 * PAGE) == bytes(4 * PAGE)
    assert source.used == before
    assert guest.write(0x1_0000, b"x")
    assert guest.fault_in(0x10_0000_0000, READ) == 0
    assert not guest.is_exhausted


def test_reserved_pages_cannot_be_read_by_the_debugger_either() -> None:
    guest = AddressSpace(frames(1))
    guest.map(Area(0x1000, 0x2000, READ_WRITE, "reserved", committed=False))
    assert (guest.read(0x1000, 1), guest.write(0x1000, b"x"), guest.fault_in(0x1000, READ)) == (None, False, 0)
    guest.change(0x1000, 0x2000, lambda area: area._replace(committed=True))
    assert guest.write(0x1000, b"x")


def test_memory_that_is_used_up_is_said_so() -> None:
    guest = AddressSpace(frames(2))
    guest.map(Area(0x1_0000, 0x1_0000 + 6 * PAGE, READ_WRITE, "memory"))
    granted = [bool(guest.fault_in(0x1_0000 + page * PAGE, WRITE)) for page in range(6)]
    assert granted == [True] * granted.count(True) + [False] * granted.count(False)
    assert guest.is_exhausted
    assert not guest.write(0x1_0000, bytes(6 * PAGE))
    guest.unmap(0x1_0000, 0x1_1000)
    assert guest.fault_in(0x1_5000, WRITE)


def test_more_than_all_memory_is_refused_at_once() -> None:
    with pytest.raises(MapError, match="max_guest_memory"):
        AddressSpace(frames(2)).map(Area(0x1_0000, 0x1_0000 + 64 * PAGE, READ_WRITE, "memory"))


def test_memory_that_comes_back_is_zero() -> None:
    guest = AddressSpace(frames(1))
    guest.map(Area(0x1000, 0x2000, READ_WRITE, "memory"))
    for _ in range(4):
        assert guest.write(0x1000, b"secret")
        guest.discard(0x1000, 0x2000)
        assert guest.fault_in(0x1000, READ)
        assert guest.read(0x1000, PAGE) == bytes(PAGE)


def test_equal_neighbours_become_one_area_and_a_cut_makes_two() -> None:
    guest = AddressSpace(frames(8))
    guest.map(Area(0x1000, 0x2000, READ_WRITE, "memory"))
    guest.map(Area(0x3000, 0x4000, READ_WRITE, "memory"))
    guest.map(Area(0x2000, 0x3000, READ_WRITE, "memory"))
    assert [(area.start, area.end) for area in guest.areas] == [(0x1000, 0x4000)]
    guest.protect(0x2000, 0x3000, Protection.READ)
    assert [area.protection for area in guest.areas] == [READ_WRITE, Protection.READ, READ_WRITE]
    guest.protect(0x2000, 0x3000, READ_WRITE)
    assert len(guest.areas) == 1


def test_there_are_only_so_many_mappings() -> None:
    guest = AddressSpace(frames(8), most=3)
    guest.map(Area(0x1000, 0x6000, READ_WRITE, "memory"))
    guest.protect(0x2000, 0x3000, Protection.READ)
    more: tuple[Callable[[], None], ...] = (
        lambda: guest.protect(0x4000, 0x5000, Protection.READ),
        lambda: guest.unmap(0x4000, 0x5000),
        lambda: guest.map(Area(0x9000, 0xA000, READ_WRITE, "other")),
        lambda: guest.move(0x4000, 0x1000, 0x9000),
    )
    for refused in more:
        with pytest.raises(MapError, match="max_mappings"):
            refused()
    assert [(area.start, area.end) for area in guest.areas] == [(0x1000, 0x2000), (0x2000, 0x3000), (0x3000, 0x6000)]


def test_gaps_are_found_from_above_and_from_below() -> None:
    guest = AddressSpace(frames(8))
    for start in range(0x10_0000, 0x20_0000, 0x4000):
        guest.map(Area(start, start + 0x2000, READ_WRITE, "memory"))
    assert guest.find_gap(0x2000, 0x10_0000, 0x20_0000) == 0x1F_E000
    assert guest.find_gap(0x2000, 0x10_0000, 0x20_0000, top_down=False) == 0x10_2000
    assert guest.find_gap(0x3000, 0x10_0000, 0x20_0000) is None
    assert guest.find_gap(0x3000, 0x10_0000, 0x20_1000) == 0x1F_E000
    assert guest.find_gap(0x3000, 0xF_0000, 0x20_0000) == 0xF_D000


def test_a_moved_page_keeps_its_memory() -> None:
    source = frames(4)
    guest = AddressSpace(source)
    guest.map(Area(0x1000, 0x3000, READ_WRITE, "memory"))
    assert guest.write(0x1FF0, b"x" * 32)
    used = source.used
    guest.move(0x1000, 0x2000, 0x9000)
    assert guest.read(0x9FF0, 32) == b"x" * 32
    assert (guest.read(0x1000, 1), source.used) == (None, used)


def test_pages_with_one_memory_are_aliases() -> None:
    source = frames(8)
    shared = SharedMemory(source)
    first, second = AddressSpace(source), AddressSpace(source)
    first.map(Area(0x1000, 0x3000, READ_WRITE, "shared", backing=shared))
    second.map(Area(0x7000, 0x8000, READ_WRITE, "shared", backing=shared, offset=0x1000))
    assert first.write(0x2004, b"seen")
    assert second.read(0x7004, 4) == b"seen"
    assert first.fault_in(0x2000, READ) & FRAME_MASK == second.fault_in(0x7000, READ) & FRAME_MASK
    assert not first.table.word(2) & OPEN


def test_a_copy_shares_its_memory_until_one_writes() -> None:
    source = frames(12)
    first, shared = AddressSpace(source), SharedMemory(source)
    first.map(Area(0x1000, 0x4000, READ_WRITE, "memory"))
    first.map(Area(0x9000, 0xA000, READ_WRITE, "shared", backing=shared))
    assert first.write(0x1000, b"one" * PAGE)
    assert first.write(0x9000, b"both")
    assert first.fault_in(0x1000, WRITE) & WRITE
    before = source.used
    second = first.copy()
    assert source.used - before == TABLES
    assert not first.table.word(1) & (WRITE | OPEN)
    assert second.fault_in(0x1000, READ) & FRAME_MASK == first.table.word(1) & FRAME_MASK
    assert second.fault_in(0x1000, WRITE) & WRITE
    assert second.write(0x2000, b"two")
    assert first.write(0x3000, b"three")
    assert second.write(0x9001, b"O")
    assert [space.read(0x2000, 3) for space in (first, second)] == [b"neo", b"two"]
    assert [space.read(0x3000, 5) for space in (first, second)] == [b"three", b"eoneo"]
    assert [space.read(0x9000, 4) for space in (first, second)] == [b"bOth", b"bOth"]
    first.release()
    assert second.read(0x1000, 3) == b"one"
    second.release()
    assert source.used == PAGE


def test_rights_that_are_taken_are_told_and_rights_that_are_given_are_not() -> None:
    guest = AddressSpace(frames(4))
    guest.map(Area(0x1000, 0x2000, Protection.READ, "memory"))
    told: list[int] = []
    guest.on_taken.append(lambda: told.append(guest.takings))
    assert guest.fault_in(0x1000, WRITE) == 0
    guest.protect(0x1000, 0x2000, READ_WRITE)
    assert guest.fault_in(0x1000, WRITE) & WRITE
    assert told == []
    guest.protect(0x1000, 0x2000, Protection.READ)
    assert told == [1]
    assert not guest.table.word(1) & WRITE


def test_code_is_what_was_fetched_and_who_translated_it_is_told() -> None:
    guest = AddressSpace(frames(4))
    told: list[tuple[int, int]] = []
    guest.code_listeners.append(lambda begin, end: told.append((begin, end)))
    guest.map(Area(0x1000, 0x2000, Protection.ALL, "code"))
    assert not guest.fault_in(0x1000, WRITE) & EXECUTE
    assert guest.write(0x1004, b"xy")
    assert told == []
    assert guest.fault_in(0x1000, EXECUTE) & EXECUTE
    assert guest.write(0x1004, b"xy")
    assert told == [(0x1004, 0x1006)]
    guest.protect(0x1000, 0x2000, READ_WRITE)
    assert told[1:] == [(0x1000, 0x2000)]
    assert guest.fault_in(0x1000, EXECUTE) == 0


def test_code_that_is_written_by_another_name_is_told_at_its_own() -> None:
    source = frames(8)
    shared, guest = SharedMemory(source), AddressSpace(source)
    told: list[tuple[int, int]] = []
    guest.code_listeners.append(lambda begin, end: told.append((begin, end)))
    guest.map(Area(0x1000, 0x2000, Protection.READ | Protection.EXECUTE, "code", backing=shared))
    guest.map(Area(0x5000, 0x6000, READ_WRITE, "data", backing=shared))
    assert guest.fault_in(0x1000, EXECUTE)
    assert guest.write(0x5010, b"x")
    assert told == [(0x1010, 0x1011)]


def test_a_guard_page_refuses_until_it_is_none() -> None:
    guest = AddressSpace(frames(2))
    guest.map(Area(0x1000, 0x2000, READ_WRITE, "stack", guard=True))
    assert guest.fault_in(0x1000, WRITE) == 0
    guest.change(0x1000, 0x2000, lambda area: area._replace(guard=False))
    assert guest.fault_in(0x1000, WRITE) & WRITE


# --- the law: whatever is done, an address space means what a dictionary of pages means

PAGES = 24
_RANGES = st.tuples(st.integers(0, PAGES - 1), st.integers(1, 8)).map(lambda pair: (pair[0], min(PAGES, sum(pair))))
_STEPS = st.lists(
    st.tuples(
        st.sampled_from(["map", "unmap", "protect", "write", "discard", "move", "touch"]),
        _RANGES,
        st.sampled_from([Protection.NONE, Protection.READ, READ_WRITE, Protection.ALL]),
        st.integers(0, PAGES - 1),
    ),
    max_size=40,
)


@settings(max_examples=60, deadline=None)
@given(_STEPS)
def test_an_address_space_is_a_dictionary_of_pages(steps: list[tuple[str, tuple[int, int], Protection, int]]) -> None:
    source = frames(2 * PAGES)
    guest = AddressSpace(source)
    model: dict[int, tuple[Protection, bytes]] = {}
    for number, (step, (first, last), protection, target) in enumerate(steps):
        inside = range(first, last)
        start, end = first * PAGE, last * PAGE
        if step == "map":
            free = not any(page in model for page in inside)
            try:
                guest.map(Area(start, end, protection, "memory"))
                assert free
                model.update(dict.fromkeys(inside, (protection, bytes(PAGE))))
            except MapError:
                assert not free
        elif step == "unmap":
            guest.unmap(start, end)
            for page in inside:
                model.pop(page, None)
        elif step == "protect":
            guest.protect(start, end, protection)
            model.update({page: (protection, model[page][1]) for page in inside if page in model})
        elif step == "write":
            data = bytes([number + 1]) * (end - start - 2)
            assert guest.write(start + 1, data) == all(page in model for page in inside)
            if all(page in model for page in inside):
                whole = b"".join(model[page][1] for page in inside)
                whole = whole[:1] + data + whole[-1:]
                for index, page in enumerate(inside):
                    model[page] = model[page][0], whole[index * PAGE : (index + 1) * PAGE]
        elif step == "discard":
            guest.discard(start, end)
            model.update({page: (model[page][0], bytes(PAGE)) for page in inside if page in model})
        elif step == "move":
            to = range(target, target + len(inside))
            if any(page in model for page in to) or set(inside) & set(to):
                continue
            guest.move(start, end - start, target * PAGE)
            for page, new in zip(inside, to, strict=True):
                if page in model:
                    model[new] = model.pop(page)
        else:
            for page in inside:
                guest.fault_in(page * PAGE, (READ, WRITE, EXECUTE)[target % 3])
        compare(guest, model)
    guest.release()
    assert source.used == 0


def compare(guest: AddressSpace, model: dict[int, tuple[Protection, bytes]]) -> None:
    areas = guest.areas
    assert all(before.end <= after.start and not after.continues(before) for before, after in pairwise(areas))
    for page in range(2 * PAGES):
        area, word = guest.area_at(page * PAGE), guest.table.word(page)
        expected = model.get(page)
        assert (None if area is None else area.protection) == (None if expected is None else expected[0])
        assert guest.read(page * PAGE, PAGE) == (None if expected is None else expected[1])
        assert word & 7 & ~int(Protection.NONE if expected is None else expected[0]) == 0
    held = [guest.table.word(page) & FRAME_MASK for page in range(2 * PAGES) if guest.table.word(page)]
    assert len(held) == len(set(held))


# --- physical addresses


@given(st.sets(st.integers(0, 0x5FF), min_size=1, max_size=40))
def test_addresses_are_translated_there_and_back(pages: set[int]) -> None:
    guest = AddressSpace(frames(0x700))
    guest.map(Area(0x10_0000, 0x70_0000, READ_WRITE, "data"))
    places = {page: guest.to_physical(0x10_0000 + page * PAGE + 5) for page in pages}
    assert None not in places.values()
    assert len(set(places.values())) == len(pages)
    for page, place in places.items():
        assert place is not None
        assert guest.from_physical(place) == 0x10_0000 + page * PAGE + 5
        assert guest.physical.write(place, b"x")
        assert guest.read(0x10_0000 + page * PAGE + 5, 1) == b"x"


def test_of_several_pages_with_the_same_memory_the_lowest_is_found() -> None:
    guest = memory()
    shared = SharedMemory(guest.source, PAGE)
    for start in (0x9000, 0x7000, 0x8000):
        guest.map(Area(start, start + PAGE, READ_WRITE, "shared", backing=shared))
        assert guest.to_physical(start) == shared.start
    assert guest.from_physical(shared.start + 1) == 0x7001
    guest.unmap(0x7000, 0x8000)
    assert guest.from_physical(shared.start + 1) == 0x8001


def test_a_page_that_is_watched_is_found() -> None:
    guest = memory()
    place = guest.to_physical(0x1000)
    assert place is not None
    leaf = guest.table.leaf(1)
    leaf[1] |= (READ | WRITE | EXECUTE) << WATCHED_SHIFT
    assert guest.from_physical(place) == 0x1000


def test_what_holds_no_page_is_no_physical_address() -> None:
    guest = memory()
    place = guest.to_physical(0x1000)
    assert place is not None
    guest.unmap(0x1000, 0x2000)
    assert (guest.to_physical(0x1000), guest.from_physical(place), guest.physical.read(place, 1)) == (None, None, None)
    for other in (0, 5, guest.table.root_place, 1 << 52, (1 << 64) - 1):
        assert guest.from_physical(other) is None
        assert guest.physical.read(other, 1) is None
        assert not guest.physical.write(other, b"x")


def test_pages_that_get_no_memory_have_no_physical_address() -> None:
    guest = AddressSpace(frames(1))
    guest.map(Area(0x1000, 0x1000 + PAGE, READ_WRITE, "one"))
    guest.map(Area(0x2000, 0x2000 + PAGE, READ_WRITE, "two"))
    assert guest.to_physical(0x1000) is not None
    assert guest.to_physical(0x2000) is None


def test_frames_that_were_given_back_are_handed_out_again_in_rows() -> None:
    frames = PhysicalMemory(64 << 20).guests
    rows = [frames.take(16) for _ in range(512)]
    for row in rows:
        frames.physical.let_go(row)
    before = frames.given_from(0)
    again = [frames.take(16) for _ in range(256)]
    assert frames.given_from(0) == before
    assert all(len(row) == 16 for row in again)
    assert len({frame for row in again for frame in row}) == 4096
