"""Where frames are shown: nearly always at one place, for which little memory is taken."""

from __future__ import annotations

import tracemalloc

from hypothesis import given, strategies as st

from machine.memory import AddressSpace, PhysicalMemory
from machine.memory.places import Places

_STEPS = st.lists(st.tuples(st.booleans(), st.integers(0, 2), st.integers(0, 3)), max_size=30)


@given(_STEPS)
def test_places_are_a_dictionary_of_sets(steps: list[tuple[bool, int, int]]) -> None:
    space = AddressSpace(PhysicalMemory(1 << 16).guests)
    places = Places()
    model: dict[int, set[tuple[AddressSpace, int]]] = {}
    for adds, frame, page in steps:
        place = space, page
        if adds:
            places.add(frame, place)
            model.setdefault(frame, set()).add(place)
        else:
            places.discard(frame, place)
            model.get(frame, set()).discard(place)
        for each in range(3):
            assert set(places.of(each)) == model.get(each, set())
            assert (each in places) == bool(model.get(each))
        assert len(places) == sum(map(bool, model.values()))


def test_a_frame_with_one_place_takes_little_memory() -> None:
    space, places, count = AddressSpace(PhysicalMemory(1 << 16).guests), Places(), 20_000
    tracemalloc.start()
    try:
        for frame in range(count):
            places.add(frame, (space, frame << 12))
        assert tracemalloc.get_traced_memory()[0] < 220 * count
    finally:
        tracemalloc.stop()
