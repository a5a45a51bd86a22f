"""Direct access: compiled code reads and writes the host's cells and pages, and falls back where it may not."""

from __future__ import annotations

import pytest
from direct_guest import BOTH, RAX, RCX, TWO, Guest, run
from native_cases import script

from machine.memory import AddressSpace, Area, PhysicalMemory, Protection
from vm.engine import FaultKind
from vm.facts.pseudo_registers import PSEUDO_INDEX
from vm.host import MemoryHost
from vm.native.access import READABLE, WRITABLE, NativeHost
from vm.native.engine import NativeEngine
from vm.script_memory import GlobalStore


def test_the_test_host_is_a_native_host() -> None:
    assert isinstance(Guest(TWO), NativeHost)
    assert not isinstance(MemoryHost(), NativeHost)


def test_registers_are_read_and_written_in_place() -> None:
    guest = Guest(TWO)
    guest.direct.registers[RCX] = 0x1122334455667788
    assert run("@rax = @rcx + 1; @ch = 0xff; print(@eax);", guest) is None
    assert guest.asked == []
    assert guest.direct.dirty == 1 << RAX | 1 << RCX


def test_registers_that_are_not_ready_are_asked_for() -> None:
    guest = Guest(TWO)
    assert run("print(@gdtr); @rip = 5; @gdtr = 6;", guest) is None
    assert guest.asked == ["read gdtr", "write rip", "write gdtr"]
    assert guest.direct.dirty == 0


def test_pseudo_registers_are_read_in_place_when_they_are_ready() -> None:
    engine, guest = NativeEngine(), Guest(TWO)
    guest.pseudo = {"tid": 9}
    guest.direct.pseudo_ready = 1 << PSEUDO_INDEX["pid"]
    guest.direct.pseudo[PSEUDO_INDEX["pid"]] = 77
    assert engine.run(engine.load(script("print($pid); print($tid);"), GlobalStore()), guest).ok
    assert guest.messages == [b"4d\n", b"9\n"]


def test_memory_is_read_and_written_in_place() -> None:
    guest = Guest(TWO)
    assert (
        run("eq(0x1ff8, -2); print(poi(0x1ff8)); print(db(0x1000)); eb(0x2fff, 7); print(db(0x2fff));", guest) is None
    )
    assert guest.asked == []


def test_an_access_across_pages_that_meet_is_made_in_place() -> None:
    guest = Guest(((0x1000, 0x3000, BOTH),))
    text = """
        eq(0x1ffc, 0x1122334455667788); print(poi(0x1ffc)); print(dd(0x2000)); memcpy(0x1800, 0x1ffc, 0x2004);
        memcpy(0x1001, 0x1800, 0x2000); print(poi(0x1801)); print(interlocked_increment(0x2ffd));
    """
    assert run(text, guest) is None
    assert guest.asked == []


def test_an_access_across_pages_that_do_not_meet_is_asked_for() -> None:
    guest = Guest(TWO)
    assert run("eq(0x1ffc, 0x1122334455667788); print(poi(0x1ffc)); print(dd(0x2000));", guest) is None
    assert guest.asked == ["write 0x1ffc 8", "read 0x1ffc 8"]


@pytest.mark.parametrize("permissions", [0, READABLE, WRITABLE])
def test_an_access_goes_as_far_as_the_pages_allow_it(permissions: int) -> None:
    guest = Guest(((0x1000, 0x3000, BOTH),))
    guest.memory.allow(0x2000, permissions)
    assert run("print(poi(0x1ff8)); eq(0x1ff8, 5); print(poi(0x3000)); eq(0x3000, 6);", guest) is None
    assert guest.asked == []
    assert run("print(poi(0x1ffc)); eq(0x1ffc, 7); print(poi(0x2ffc)); eq(0x2ffc, 8);", guest) is None
    reads = [] if permissions & READABLE else ["read 0x1ffc 8", "read 0x2ffc 8"]
    writes = [] if permissions & WRITABLE else ["write 0x1ffc 8", "write 0x2ffc 8"]
    assert sorted(guest.asked) == reads + writes


@pytest.mark.parametrize("permissions", [0, READABLE, WRITABLE])
def test_a_cell_is_changed_in_place_where_it_may_be_read_and_written(permissions: int) -> None:
    guest = Guest(((0x1000, 0x1000, permissions),))
    assert run("interlocked_increment(0x1000); spinlock_lock(0x1008); spinlock_unlock(0x1008);", guest) is None
    assert guest.asked


def test_pages_of_two_tables_of_the_last_level_are_asked_for() -> None:
    guest = Guest(((0x1FF000, 0x2000, BOTH),))
    assert run("print(poi(0x1ffff8)); eq(0x200000, 1); print(poi(0x1ffffc));", guest) is None
    assert guest.asked == ["read 0x1ffffc 8"]


FIRST_OF_UPPER_HALF, LAST_OF_LOWER_HALF = 2**64 - 2**47, 2**47 - 0x1000


@pytest.mark.parametrize("start", [0, LAST_OF_LOWER_HALF, FIRST_OF_UPPER_HALF, 0xFFFF_B000_0000_0000, 2**64 - 0x1000])
def test_every_canonical_page_is_found(start: int) -> None:
    guest = Guest(((start, 0x1000, BOTH),))
    assert run(f"eq({start:#x}, 5); print(poi({start:#x})); eq({start + 0xFF8:#x}, -1);", guest) is None
    assert guest.asked == []
    fault = run(f"print(poi({start + 0xFF9:#x}));", guest)
    assert fault is not None


@pytest.mark.parametrize("bits", [1 << 47, 1 << 48, 1 << 62, 1 << 63, 0xFFFF << 47])
@pytest.mark.parametrize("start", [0x1000, FIRST_OF_UPPER_HALF + 0x1000])
def test_an_address_that_is_not_canonical_is_none_of_a_page_with_the_same_indices(start: int, bits: int) -> None:
    guest = Guest(((start, 0x1000, BOTH),))
    fault = run(f"poi(0x{start ^ bits:x});", guest)
    assert fault is not None
    assert fault.values == {"address": start ^ bits, "size": 8}


def test_the_debugger_s_pages_are_those_that_the_guest_has_not() -> None:
    guest = Guest(((0x1000, 0x1000, BOTH),), debugger=((0x1000, 0x2000, BOTH),))
    text = "eq(0x1000, 1); eq(0x2000, 2); print(poi(0x1000)); print(poi(0x2000)); print(strlen(0x2000));"
    assert run(text, guest) is None
    assert guest.asked == []
    assert (guest.buffers[0x1000][0], bytes(guest.debugger.buffers[0x1000])[::0x1000]) == (1, b"\0\x02")
    assert run("poi(0x2ffc);", guest) is not None


def test_no_access_begins_in_the_guest_s_pages_and_ends_in_the_debugger_s() -> None:
    guest = Guest(((0x1000, 0x1000, BOTH),), debugger=((0x2000, 0x1000, BOTH),))
    assert run("poi(0x1ffc);", guest) is not None


@pytest.mark.parametrize("tables", [(0, 0), (0, 1), (1, 0)])
def test_a_table_may_be_missing(tables: tuple[int, int]) -> None:
    guest = Guest(((0x1000, 0x1000, BOTH),), debugger=((0x2000, 0x1000, BOTH),))
    guest.direct.table *= tables[0]
    guest.direct.debugger_table *= tables[1]
    assert run("print(poi(0x1000)); print(poi(0x2000));", guest) is None
    assert guest.asked == [
        text for text, there in zip(("read 0x1000 8", "read 0x2000 8"), tables, strict=True) if not there
    ]


@pytest.mark.parametrize("address", [0xFFF, 0xFF9, 0x3000, 0x2FF9, 0x2FFF, 0, 2**64 - 1, 2**64 - 8, 2**63])
def test_an_access_outside_is_an_invalid_address(address: int) -> None:
    fault = run(f"print(poi(0x{address:x}));", Guest(TWO))
    assert fault is not None
    assert (fault.kind, fault.values) == (FaultKind.INVALID_ADDRESS, {"address": address, "size": 8})


def test_what_may_not_be_written_in_place_is_asked_for() -> None:
    guest = Guest(((0x1000, 0x1000, READABLE), (0x2000, 0x1000, 0)))
    assert run("eq(0x1000, 5); print(poi(0x1000)); print(poi(0x2000));", guest) is None
    assert guest.asked == ["write 0x1000 8", "read 0x2000 8"]


def test_the_last_page_of_the_address_space() -> None:
    guest = Guest(((2**64 - 0x1000, 0x1000, BOTH),))
    assert run("eq(-8, 5); print(poi(-8)); print(check_address(-1));", guest) is None
    assert guest.asked == []
    assert run("poi(-7);", Guest(((2**64 - 0x1000, 0x1000, BOTH),))) is not None


def test_every_page_of_many_is_found() -> None:
    layout = [(0x10000 * number, 0x1000, BOTH) for number in range(1, 12)]
    for number in range(1, 12):
        guest = Guest(layout)
        assert (
            run(
                f"eq(0x{number:x}0ff8, 1); print(poi(0x{number:x}0ff8)); print(check_address(0x{number:x}1000));", guest
            )
            is None
        )
        assert guest.asked == [f"read {0x10000 * number + 0x1000:#x} 1"]


def test_pages_may_change_between_runs() -> None:
    engine, guest = NativeEngine(), Guest(TWO)
    loaded = engine.load(script("print(poi(0x2000));"), GlobalStore())
    assert engine.run(loaded, guest).ok
    guest.memory.allow(0x2000, 0)
    assert engine.run(loaded, guest).ok
    assert guest.asked == ["read 0x2000 8"]
    guest.memory.table.leaf(2)[2] = 0
    del guest.buffers[0x2000]
    assert not engine.run(loaded, guest).ok


def test_an_address_space_is_found_by_its_page_table() -> None:
    physical = PhysicalMemory(1 << 20)
    space = AddressSpace(physical.guests)
    space.map(Area(0x1000, 0x3000, Protection.READ, "data"))
    engine, guest = NativeEngine(), Guest(())
    guest.direct.memory, guest.direct.table = physical.host_address, space.table.root
    loaded = engine.load(script("print(poi(0x1ffc));"), GlobalStore())
    assert not engine.run(loaded, guest).ok  # no page has memory yet, and the host does not know of the address space
    assert space.write(0x1FFC, bytes(range(8)))
    assert engine.run(loaded, guest).ok
    assert guest.messages == [b"706050403020100\n"]
    space.unmap(0x2000, 0x3000)
    assert not engine.run(loaded, guest).ok


def test_copies_between_pages_and_script_memory() -> None:
    guest = Guest(TWO)
    text = """
        struct pt { long va; long vb; };
        struct pt u;
        u.vb = 6;
        struct pt *pp = 0x1ff0;
        *pp = u;
        struct pt w;
        w = *pp;
        print(w.vb);
    """
    assert run(text, guest) is None
    assert guest.asked == []
