"""Direct access: compiled code reads and writes the host's cells and regions, and falls back where it may not."""

from __future__ import annotations

import pytest
from direct_guest import RAX, RCX, TWO, Guest, run
from native_cases import script

from vm.engine import FaultKind
from vm.facts.pseudo_registers import PSEUDO_INDEX
from vm.host import MemoryHost
from vm.native.access import READABLE, NativeHost, Region, region_rows
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


def test_an_access_across_regions_is_asked_for() -> None:
    guest = Guest(TWO)
    assert run("eq(0x1ffc, 0x1122334455667788); print(poi(0x1ffc)); print(dd(0x2000));", guest) is None
    assert guest.asked == ["write 0x1ffc 8", "read 0x1ffc 8"]


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
    guest = Guest(((2**64 - 0x1000, 0x1000, 3),))
    assert run("eq(-8, 5); print(poi(-8)); print(check_address(-1));", guest) is None
    assert guest.asked == []
    assert run("poi(-7);", Guest(((2**64 - 0x1000, 0x1000, 3),))) is not None


def test_every_region_of_many_is_found() -> None:
    layout = [(0x10000 * number, 0x1000, 3) for number in range(1, 12)]
    for number in range(1, 12):
        guest = Guest(layout)
        assert (
            run(
                f"eq(0x{number:x}0ff8, 1); print(poi(0x{number:x}0ff8)); print(check_address(0x{number:x}1000));", guest
            )
            is None
        )
        assert guest.asked == [f"read {0x10000 * number + 0x1000:#x} 1"]


def test_regions_may_change_between_runs() -> None:
    engine, guest = NativeEngine(), Guest(TWO)
    loaded = engine.load(script("print(poi(0x2000));"), GlobalStore())
    assert engine.run(loaded, guest).ok
    guest.direct.region_count = 1
    del guest.buffers[0x2000]
    assert not engine.run(loaded, guest).ok


def test_copies_between_regions_and_script_memory() -> None:
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


def test_overlapping_regions_are_refused() -> None:
    with pytest.raises(ValueError, match="overlap"):
        region_rows([Region(0, 16, 0), Region(8, 16, 0)])
