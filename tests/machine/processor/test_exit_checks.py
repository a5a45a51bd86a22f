"""The emulator's checks whether its run is to end: where they are spared, runs end where they do with them."""

from __future__ import annotations

import ctypes
import re

import pytest
from hypothesis import given, strategies as st
from machine_guests import CODE, DATA, cpu_with, get_register, set_register
from unicorn import unicorn_const as uc

from machine.memory import PAGE, AddressSpace, Area, PhysicalMemory, Protection
from machine.processor import Cpu, StopKind, block_hook, exit_checks as module
from machine.processor.block_counter import MARKED_GRAIN, MARKS_SIZE, SWITCH
from machine.processor.exit_checks import exit_checks
from vm.facts.registers import RIP

WAYS = ("python", "with checks", "spared")
STORES = "mov [rbx], rax; mov [rbx+8], rax; inc rax; mov [rbx+16], rax; inc rax; mov [rbx+24], rax"
HOOKED = CODE + 3 + 4 + 3 + 4  # the second INC


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Who counts blocks, and whether checks are spared."""
    choose(monkeypatch, request.param)
    return str(request.param)


def choose(patch: pytest.MonkeyPatch, way: str) -> None:
    """Count so from now on."""
    if way != "python" and block_hook.address() is None:
        pytest.skip("llvmlite is not installed")
    if way == "spared" and exit_checks() is None:
        pytest.skip("the checks are not found here")
    patch.setattr(block_hook, "is_compiled", lambda: way != "python")
    if way == "with checks":
        patch.setattr(block_hook, "spares_checks", lambda: False)


def is_sparing(cpu: Cpu) -> bool:
    """Whether what is translated next has no checks."""
    switch = (ctypes.c_uint64 * (SWITCH + 1)).from_address(cpu.block_counter)[SWITCH]
    return bool(switch and ctypes.c_uint8.from_address(switch).value)


def test_they_are_spared_where_machine_code_counts(way: str) -> None:
    cpu, end = cpu_with(f"mov rbx, {DATA:#x}; {STORES}; jmp on; on: inc rax; jmp off; off: nop")
    assert cpu.run(CODE, end, 100).kind is StopKind.REACHED
    assert is_sparing(cpu) == (way == "spared")
    assert cpu.executed == 8 + 2 + 1


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("hooks", [1, 3])
def test_a_hook_that_stops_in_the_middle_of_a_block_ends_the_run_there(hooks: int) -> None:
    cpu, end = cpu_with(f"again: {STORES}; dec rcx; jnz again; nop")
    set_register(cpu, "rcx", 3)
    set_register(cpu, "rbx", DATA)
    for _ in range(hooks):
        cpu.hook_address(HOOKED, cpu.stop)
    where = CODE
    for stop in range(3 * hooks):
        reason = cpu.run(where, end, 1000)
        assert (reason.kind, reason.rip) == (StopKind.STOPPED, HOOKED)
        assert (get_register(cpu, "rax"), cpu.executed) == (2 * (stop // hooks) + 1, 8 * (stop // hooks) + 4)
        where = reason.rip
    assert cpu.run(where, end, 1000).kind is StopKind.REACHED
    assert cpu.executed == 25


@pytest.mark.usefixtures("way")
def test_a_hook_that_comes_while_the_block_is_known_ends_the_run_too() -> None:
    cpu, end = cpu_with(f"again: {STORES}; dec rcx; jnz again; nop")
    set_register(cpu, "rcx", 1 << 40)
    set_register(cpu, "rbx", DATA)
    assert cpu.run(CODE, end, 100_000).kind is StopKind.BUDGET
    cpu.hook_address(HOOKED, cpu.stop)
    assert cpu.run(cpu.registers.read(RIP), end, 1000).rip == HOOKED


@pytest.mark.usefixtures("way")
def test_a_hook_of_an_instruction_that_changes_its_own_block() -> None:
    """The emulator begins such a store anew, alone."""
    cpu, end = cpu_with("again: inc rax; mov byte ptr [rdi], 0x48; inc rdx; dec rcx; jnz again; nop")
    cpu.memory.protect(CODE, CODE + PAGE, Protection.ALL)
    set_register(cpu, "rdi", CODE + 6)  # the first byte of INC RDX, which it is already
    set_register(cpu, "rcx", 20)
    seen: list[int] = []
    cpu.hook_address(CODE + 3, lambda: seen.append(cpu.executed))
    assert cpu.run(CODE, end, 10_000).kind is StopKind.REACHED
    assert sorted(set(seen)) == [2 + 5 * turn for turn in range(20)]
    assert (cpu.executed, get_register(cpu, "rdx")) == (101, 20)


def test_recorded_branches_keep_the_checks(way: str) -> None:
    cpu, end = cpu_with(f"again: {STORES}; dec rcx; jnz again; nop")
    set_register(cpu, "rcx", 10)
    set_register(cpu, "rbx", DATA)
    cpu.record_branches(True)
    assert cpu.run(CODE, end, 50).kind is StopKind.BUDGET
    assert not is_sparing(cpu)
    cpu.record_branches(False)
    assert cpu.run(cpu.registers.read(RIP), end, 1000).kind is StopKind.REACHED
    assert is_sparing(cpu) == (way == "spared")
    assert cpu.executed == 81


@given(st.data())
def test_runs_end_alike_with_them_and_without(data: st.DataObject) -> None:
    """Wherever hooks stand that stop, in whatever turns the run is cut."""
    pieces = data.draw(st.lists(st.sampled_from(_PIECES), min_size=1, max_size=12))
    starts = [CODE + sum(map(len, pieces[:number])) for number in range(len(pieces))]
    hooked = data.draw(st.lists(st.sampled_from(starts), max_size=4))
    budget = data.draw(st.sampled_from([3, 17, 1000]))
    ends = []
    for way in WAYS:
        with pytest.MonkeyPatch.context() as patch:
            choose(patch, way)
            cpu = Cpu(AddressSpace(PhysicalMemory(1 << 20).guests))
            cpu.memory.map(Area(CODE, CODE + 0x1000, Protection.ALL, "code"))
            cpu.memory.map(Area(DATA, DATA + 0x1000, Protection.READ | Protection.WRITE, "data"))
            code = b"".join(pieces) + b"\x48\xff\xc9\x0f\x85"  # dec rcx; jnz to the start
            code += (-len(code) - 4).to_bytes(4, "little", signed=True)
            cpu.memory.write(CODE, code)
            for name, value in (("rcx", 5), ("rbx", DATA), ("rsp", DATA + 0x800), ("rsi", CODE + 1)):
                set_register(cpu, name, value)
            for address in hooked:
                cpu.hook_address(address, cpu.stop)
            rows, where = [], CODE
            for _ in range(200):
                reason = cpu.run(where, CODE + len(code), budget)
                rows.append((reason, cpu.executed, cpu.registers.general()))
                where = reason.rip
                if reason.kind not in (StopKind.STOPPED, StopKind.BUDGET):
                    break
            ends.append(rows)
    assert ends[0] == ends[1] == ends[2]


_PIECES = tuple(map(bytes.fromhex, (
    "488903",  # mov [rbx], rax
    "48ffc0",  # inc rax
    "48014308",  # add [rbx+8], rax
    "50 5a",  # push rax; pop rdx
    "488b13",  # mov rdx, [rbx]
    "4839d0",  # cmp rax, rdx
    "7403 48ffc0",  # jz behind inc rax
    "c60690",  # mov byte ptr [rsi], 90
    "f3a4",  # rep movsb
    "4811c2",  # adc rdx, rax
    "85d0",  # test eax, edx
)))  # fmt: skip


def test_a_mark_is_for_all_addresses_of_its_place() -> None:
    assert MARKS_SIZE * MARKED_GRAIN == 1 << 20


def test_another_emulator_keeps_its_checks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_SWITCH", re.compile(b"other"))
    assert module._find() is None


@pytest.mark.parametrize("hook", [uc.UC_HOOK_CODE, uc.UC_HOOK_BLOCK])
def test_what_does_not_answer_is_not_believed(hook: int) -> None:
    found = exit_checks()
    if found is None:
        pytest.skip("the checks are not found here")
    assert module._answers(found, hook, spares=True)
    assert module._answers(module.ExitChecks(found.switch - 1), hook, spares=True) == (hook == uc.UC_HOOK_BLOCK)
