"""Counting instructions per block: machine code and Python give the same counts, stops and positions."""

from __future__ import annotations

import ctypes
import itertools

import pytest
from hypothesis import given, strategies as st
from machine_guests import CODE, DATA, cpu_with, get_register, set_register

from machine.memory import PAGE, AddressSpace, Area, PhysicalMemory, Protection
from machine.processor import block_hook
from machine.processor.block_counter import _MOST_BLOCKS, GRAIN, HOMES, OWN_SLOTS, PROBES, BlockCounter
from machine.processor.cpu import Cpu
from machine.processor.run_state import StopKind
from vm.facts.registers import RIP

LOOP = "mov rcx, 1000; again: call twice; dec rcx; jnz again; jmp done; twice: inc rax; inc rax; ret; done: nop"
# Prefixes, branches, stores into the code, and what one decoder knows and another does not.
HLT = b"\xf4"
CODE_PIECES = (
    b"\xf0", b"\x66", b"\xf3", b"\x8f\xc9", b"\xc5\xf8\x77", b"\x8f\xe9", b"\x62", b"\xeb\x00", b"\x75\xfe",
    b"\x74\x02", b"\xc6\x05\x00\x00\x00\x00\x90", b"\x48\xff\xc9", b"\xf3\xa4", b"\x0f\x0b", b"\x90",
)  # fmt: skip
LOOP_COUNT = 1 + 1000 * (1 + 3 + 2) + 1 + 1


@pytest.mark.usefixtures("counting")
def test_a_loop_is_counted_exactly() -> None:
    cpu, end = cpu_with(LOOP)
    set_stack(cpu)
    assert cpu.run(CODE, end, 100_000).kind is StopKind.REACHED
    assert (cpu.executed, get_register(cpu, "rax")) == (LOOP_COUNT, 2000)


@pytest.mark.usefixtures("counting")
def test_slices_of_any_size_come_to_the_same() -> None:
    cpu, end = cpu_with(LOOP)
    set_stack(cpu)
    stops: list[tuple[int, int]] = []
    where = CODE
    while cpu.run(where, end, 777).kind is StopKind.BUDGET:
        where = cpu.registers.read(RIP)
        stops.append((cpu.executed, where))
    assert (cpu.executed, get_register(cpu, "rax")) == (LOOP_COUNT, 2000)
    assert all(stop - earlier <= 777 for (earlier, _), (stop, _) in itertools.pairwise(stops))


@pytest.mark.usefixtures("counting")
def test_a_stop_ends_the_run_before_the_next_block() -> None:
    cpu, end = cpu_with("mov rcx, 100; again: dec rcx; jnz again; syscall; jmp next; next: inc rax")
    cpu.on_syscall = cpu.stop
    assert cpu.run(CODE, end, 1000).kind is StopKind.STOPPED
    assert get_register(cpu, "rax") == 0


@pytest.mark.usefixtures("counting")
def test_changed_code_is_counted_anew() -> None:
    cpu, end = cpu_with("again: inc rax; inc rax; nop; nop; jmp done; done: nop")
    cpu.run(CODE, end, 100)
    before = cpu.executed
    cpu.memory.write(CODE + 6, b"\x66\x90")  # two NOPs become one
    cpu.run(CODE, end, 100)
    assert (before, cpu.executed - before) == (6, 5)


@pytest.mark.usefixtures("counting")
def test_more_blocks_with_one_home_than_have_a_place_there_are_counted_exactly() -> None:
    blocks, turns = PROBES + 4, 50
    cpu = Cpu(AddressSpace(PhysicalMemory(1 << 24).guests))
    distance = HOMES * GRAIN
    cpu.memory.map(Area(CODE, CODE + blocks * distance, Protection.ALL, "code"))
    for number in range(blocks - 1):
        cpu.memory.write(
            CODE + number * distance, b"\xe9" + (distance - 5).to_bytes(4, "little")
        )  # jmp to the next one
    last = CODE + (blocks - 1) * distance
    back = (CODE - (last + 9)).to_bytes(4, "little", signed=True)
    cpu.memory.write(last, b"\x48\xff\xc9\x0f\x85" + back)  # dec rcx; jnz to the first one
    set_register(cpu, "rcx", turns)
    assert cpu.run(CODE, last + 9, 1 << 20).kind is StopKind.REACHED
    assert cpu.executed == turns * (blocks + 1)


@pytest.mark.usefixtures("counting")
def test_a_store_into_the_block_under_way_counts_once() -> None:
    cpu, end = cpu_with(
        "mov rcx, 50; again: lea rbx, [rip+target]; mov byte ptr [rbx], 0x90; target: nop; nop; dec rcx; jnz again; nop"
    )
    cpu.run(CODE, end, 10_000)
    # The emulator leaves the block at the store, which it then executes alone, and the rest as a third block.
    assert cpu.executed == 1 + 50 * 6 + 1


@pytest.mark.lasting
def test_asking_for_more_blocks_than_the_emulator_keeps_translated_does_no_harm() -> None:
    if block_hook.address() is None:
        pytest.skip("llvmlite is not installed")
    unit = bytes.fromhex("c6050000000090 90 eb00")  # mov byte ptr [rip], 0x90; nop; jmp to the next one
    times = 30_000
    cpu = Cpu(AddressSpace(PhysicalMemory(1 << 24).guests))
    cpu.memory.map(Area(CODE, CODE + 0x10_0000, Protection.ALL, "code"))
    cpu.memory.write(CODE, unit * times + b"\xf4")
    assert cpu.run(CODE, 0, 1 << 30).kind is StopKind.HALT
    assert cpu.executed == times * 3 + 1


@pytest.mark.usefixtures("counting")
def test_what_only_the_emulator_decodes_is_counted_as_it_executes_it() -> None:
    cpu, end = cpu_with("db 0x8f, 0xc9; inc rax; inc rax; jmp done; done: nop")  # POP RCX, with a reserved bit set
    set_stack(cpu)
    assert cpu.run(CODE, end, 100).kind is StopKind.REACHED
    assert (cpu.executed, get_register(cpu, "rax")) == (5, 2)


@pytest.mark.usefixtures("counting")
@pytest.mark.parametrize(
    "nop", ["0f0d18", "0f1ae8", "660f1b6424f0", "0f1cc8", "0f1d80bebafeca", "f3480f1ec0", "0f1e08"]
)
def test_reserved_nops_are_decoded_as_the_emulator_does(nop: str) -> None:
    code = bytes.fromhex(nop)
    listed = "db " + ", ".join(map(hex, code))
    cpu, end = cpu_with(f"{listed}; inc rax; {listed}; {listed}")
    seen: list[int] = []
    cpu.hook_address(CODE + len(code), lambda: seen.append(cpu.executed))
    assert cpu.run(CODE, end, 100).kind is StopKind.REACHED
    assert (seen, cpu.executed) == ([2], 4)


@pytest.mark.usefixtures("counting")
def test_a_block_at_the_end_of_one_run_may_stand_in_the_middle_of_another() -> None:
    cpu, end = cpu_with("inc rax; inc rax; inc rax; inc rax")
    for until, expected in ((CODE + 6, 2), (end, 4), (CODE + 6, 2), (CODE + 9, 3), (end, 4)):
        before = cpu.executed
        assert cpu.run(CODE, until, 100).kind is StopKind.REACHED
        assert cpu.executed - before == expected


def test_more_blocks_than_are_remembered_are_counted_right() -> None:
    memory = AddressSpace(PhysicalMemory(1 << 24).guests)
    memory.map(Area(CODE, CODE + 0x10_0000, Protection.ALL, "zeros"))  # add [rax], al: two bytes an instruction
    counter = BlockCounter(memory)
    counter.allow(1 << 40)
    for number in range(_MOST_BLOCKS + 10):
        assert counter.enter(CODE + 4 * number, 4)
    assert counter.executed == 2 * (_MOST_BLOCKS + 10)


@given(st.lists(st.binary(min_size=1, max_size=6) | st.sampled_from(CODE_PIECES), max_size=12).map(b"".join))
def test_any_code_is_counted_alike(code: bytes) -> None:
    if block_hook.address() is None:
        pytest.skip("llvmlite is not installed")
    ends = []
    for native in (False, True):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(block_hook, "is_compiled", lambda native=native: native)
            cpu = Cpu(AddressSpace(PhysicalMemory(1 << 20).guests))
            cpu.memory.map(Area(CODE, CODE + 0x1000, Protection.ALL, "code"))
            cpu.memory.write(CODE, code.ljust(PAGE, HLT))  # blocks of hundreds of instructions are cut elsewhere
            set_register(cpu, "rsp", CODE + 0x800)
            reason = cpu.run(CODE, CODE + len(code), 300)
            ends.append((reason, cpu.executed, cpu.registers.general()))
    assert ends[0] == ends[1]


def test_machine_code_is_used_in_a_long_run() -> None:
    if block_hook.address() is None:
        pytest.skip("llvmlite is not installed")
    cpu, end = cpu_with("mov rcx, 3000000; again: dec rcx; jnz again; nop")
    cpu.run(CODE, end, 1 << 30)
    assert cpu.executed == 6_000_002


@pytest.mark.parametrize("found", [True, False])
def test_translations_have_slots_of_their_own_where_the_emulator_shows_its_hook(
    monkeypatch: pytest.MonkeyPatch, found: bool
) -> None:
    if block_hook.address() is None:
        pytest.skip("llvmlite is not installed")
    monkeypatch.setattr(block_hook, "is_compiled", lambda: True)
    if not found:
        monkeypatch.setattr("machine.processor.block_entries.user_data_address", lambda hook, data: None)
    cpu, end = cpu_with("mov rcx, 10; again: inc rax; jmp on; on: dec rcx; jnz again; nop")
    assert cpu.run(CODE, end, 1000).kind is StopKind.REACHED
    assert (cpu.executed, get_register(cpu, "rax")) == (1 + 10 * 4 + 1, 10)
    slots = (ctypes.c_uint64 * 16).from_address(cpu.block_counter + OWN_SLOTS)
    taken = [slots[word] for word in range(0, 16, 2) if slots[word]]
    assert len(taken) == len(set(taken)) >= 2 if found else not taken
    cpu.memory.write(CODE + 7, b"\x90")
    cpu.code.changed(CODE + 7, CODE + 8)
    assert not any(slots)


def set_stack(cpu: Cpu) -> None:
    """Point rsp into the page of data."""
    set_register(cpu, "rsp", DATA + 0x800)


CALLED, CALLED_PAGES = 0x1000_0000, 24


@pytest.mark.usefixtures("counting")
@pytest.mark.parametrize("room", [2, 5, 1000])
def test_a_hook_of_blocks_that_begins_anew_changes_nothing(monkeypatch: pytest.MonkeyPatch, room: int) -> None:
    """Unicorn keeps something of each block that a hook was called for, so the hook lives for so many blocks only.

    Code that has gone meanwhile is asked for when it is forgotten, which must not be the guest's fault.
    """
    monkeypatch.setattr("machine.processor.block_entries._MOST_BLOCKS", room)
    cpu, end = cpu_with(
        f"mov rbx, {CALLED:#x}; again: call rbx; inc rbx; call rbx; syscall; add rbx, 0xfff; dec rcx; jnz again; nop"
    )
    set_stack(cpu)
    set_register(cpu, "rcx", CALLED_PAGES)
    for page in range(CALLED_PAGES):
        start = CALLED + page * PAGE
        cpu.memory.map(Area(start, start + PAGE, Protection.READ | Protection.EXECUTE, "called"))
        cpu.memory.write(start, b"\x90\x48\xff\xc2\xc3")  # nop; inc rdx; ret

    def unmap() -> None:
        start = get_register(cpu, "rbx") & -PAGE
        cpu.memory.unmap(start, start + PAGE)

    cpu.on_syscall = unmap
    where = CODE
    while cpu.run(where, end, 50).kind is StopKind.BUDGET:
        where = cpu.registers.read(RIP)
    assert get_register(cpu, "rdx") == 2 * CALLED_PAGES
    assert cpu.executed == 1 + CALLED_PAGES * (7 + 3 + 2) + 1
    assert cpu.run(CALLED, end, 10).kind is StopKind.UNMAPPED
