"""Memory that several areas show: how long it lives."""

from __future__ import annotations

import gc
from weakref import ref

import pytest

from machine.memory import PAGE, AddressSpace, Area, PhysicalMemory, Protection, SharedMemory
from vm.facts.paging import EXECUTE


def test_frames_are_free_when_nobody_has_the_memory() -> None:
    physical = PhysicalMemory(16 * PAGE)
    shared = SharedMemory(physical.guests, 4 * PAGE)
    assert physical.guests.used == 4 * PAGE
    del shared
    assert physical.guests.used == 0


@pytest.mark.lasting
def test_a_machine_whose_shared_memory_was_executed_goes_when_nobody_has_it() -> None:
    physical = PhysicalMemory(16 * PAGE)
    guest = AddressSpace(physical.guests)
    guest.map(Area(0x1000, 0x1000 + PAGE, Protection.ALL, "code", backing=SharedMemory(physical.guests)))
    assert guest.fault_in(0x1000, EXECUTE)
    gone = ref(physical)
    del physical, guest
    gc.collect()
    assert gone() is None
