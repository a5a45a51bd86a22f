"""Hardware breakpoints raise #DB, on all carriers (Intel SDM volume 3B, section 17.2; volume 2B, MOV)."""

from __future__ import annotations

import pytest
from carrier_worlds import CARRIERS, Line, run
from machine_guests import CODE

from hds.session.session import Session
from machine.machine import RunSummary, StopCause
from vm.facts.registers import STORAGE_INDEX

SHOW = '!exception 1 script { printf("%llx", @rip - 400000); event_sc(1); }'
STATUS = '!exception 1 stage post script { printf("%x", @dr6); }'
LENGTHS = {1: 0, 2: 1, 8: 2, 4: 3}
WRITES, ACCESSES = 1, 3
SET = 20  # bytes of what `at` makes


@pytest.fixture(params=CARRIERS)
def carrier(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def texts_of(lines: list[Line]) -> list[str]:
    return [line[1].text.decode() for line in lines if line[0] == "message"]  # type: ignore[attr-defined]


def at(place: str, kind: int, length: int, number: int = 0, enable: int = 1) -> str:
    """Code that sets a breakpoint. It takes SET bytes."""
    control = enable << 2 * number | (kind | LENGTHS[length] << 2) << 16 + 4 * number
    return f"lea rax, [{place}]; mov dr{number}, rax; mov eax, {control:#x}; mov dr7, rax; nop; nop; nop; nop; "


DATA = "rsp-64"


@pytest.mark.parametrize("kind", [WRITES, ACCESSES])
def test_data_breakpoints_trap_behind_the_access(carrier: str, kind: int) -> None:
    accesses = (
        "mov [rsp-64], rbx; mov rcx, [rsp-64]; inc dword ptr [rsp-64]; mov byte ptr [rsp-61], 1;"
        "cmp byte ptr [rsp-64], 1; mov rcx, [rsp-56]; mov [rsp-60], bl; mov [rsp-72], rbx; lea rdx, [rsp-64]; nop"
    )
    outcome = run(carrier, at(DATA, kind, 4) + accesses, SHOW)
    lengths = (5, 5, 4, 5, 5)
    places = [SET + sum(lengths[: index + 1]) for index in range(5)]
    expected = places if kind == ACCESSES else [places[0], places[2], places[3]]
    assert texts_of(outcome.lines) == [f"{place:x}" for place in expected]


@pytest.mark.parametrize("length", sorted(LENGTHS))
def test_every_byte_of_the_range_counts_and_none_beside_it(carrier: str, length: int) -> None:
    stores = "; ".join(f"mov byte ptr [rsp-64{distance:+}], 1" for distance in (-1, 0, length - 1, length))
    outcome = run(carrier, f"{at(DATA, WRITES, length)}{stores}; nop", SHOW)
    assert texts_of(outcome.lines) == [f"{SET + 10:x}", f"{SET + 15:x}"]


def test_a_range_begins_at_a_multiple_of_its_length(carrier: str) -> None:
    outcome = run(carrier, at("rsp-61", WRITES, 4) + "mov byte ptr [rsp-64], 1; nop", SHOW)
    assert len(texts_of(outcome.lines)) == 1


def test_an_access_that_begins_before_the_range_hits_it(carrier: str) -> None:
    assert len(texts_of(run(carrier, at(DATA, WRITES, 1) + "mov [rsp-71], rbx; nop; nop", SHOW).lines)) == 1


def test_what_is_not_enabled_or_of_ports_does_not_fire(carrier: str) -> None:
    for kind, enable in ((WRITES, 0), (2, 1)):
        assert texts_of(run(carrier, at(DATA, kind, 4, enable=enable) + "mov [rsp-64], rbx; nop", SHOW).lines) == []


@pytest.mark.parametrize("number", range(4))
def test_the_status_names_the_breakpoint_and_stays(carrier: str, number: int) -> None:
    guest = at(DATA, WRITES, 4, number, enable=2) + "mov [rsp-64], rbx; nop"
    outcome = run(carrier, guest, STATUS)
    assert texts_of(outcome.lines) == [f"{0xFFFF_0FF0 | 1 << number:x}"]
    assert isinstance(outcome.summary, RunSummary)
    assert outcome.summary.cause is StopCause.FAULT
    assert outcome.registers["rip"] == CODE + SET + 5


def test_two_breakpoints_are_one_exception(carrier: str) -> None:
    guest = (
        at(DATA, WRITES, 4) + "lea rax, [rsp-62]; mov dr1, rax; mov eax, 0x510005; mov dr7, rax; mov [rsp-64], rbx; nop"
    )
    assert texts_of(run(carrier, guest, STATUS).lines) == ["ffff0ff3"]


def test_repeated_instructions_trap_behind_each_iteration(carrier: str) -> None:
    guest = at(DATA, WRITES, 8) + "lea rdi, [rsp-72]; mov ecx, 4; rep stosq; nop"
    outcome = run(carrier, guest, '!exception 1 script { printf("%x", @ecx); event_sc(1); }')
    assert texts_of(outcome.lines) == ["2"]


def test_time_passes_as_without_breakpoints(carrier: str) -> None:
    loop = "mov ecx, 5; again: mov [rsp-64], rcx; push rcx; pop rcx; dec ecx; jnz again; nop"
    summaries = [run(carrier, at(DATA, WRITES, 8, enable=enable) + loop, SHOW).summary for enable in (0, 1)]
    assert all(isinstance(summary, RunSummary) for summary in summaries)
    assert summaries[0].instructions == summaries[1].instructions  # type: ignore[attr-defined]


# --- execution


def test_execution_breakpoints_fault_before_the_instruction(carrier: str) -> None:
    guest = at("rip+30", 0, 1) + "nop; nop; nop; nop; nop; nop; inc rbx; inc rbx; inc rbx; inc rbx; inc rbx; nop"
    outcome = run(carrier, guest, STATUS)
    assert texts_of(outcome.lines) == ["ffff0ff1"]
    assert outcome.registers["rbx"] == (outcome.registers["rip"] - CODE - SET - 6) // 3 == 3


def test_rf_has_the_instruction_executed_once(carrier: str) -> None:
    guest = at("rip+30", 0, 1) + "mov ecx, 3; nop; again: inc rbx; inc rbx; inc rbx; inc rbx; dec ecx; jnz again; nop"
    resume = "!exception 1 script { .n++; @rf = 1; event_sc(1); }"
    outcome = run(carrier, guest, resume)
    assert (outcome.triggers, outcome.registers["rbx"]) == ([3], 12)


def test_without_rf_an_execution_breakpoint_that_is_dropped_hits_again(carrier: str) -> None:
    guest = at("rip+30", 0, 1) + "nop; nop; nop; nop; nop; nop; inc rbx; inc rbx; inc rbx; inc rbx; inc rbx; nop"
    outcome = run(carrier, guest, SHOW, max_instructions=60)
    assert isinstance(outcome.summary, RunSummary)
    assert (outcome.summary.cause, outcome.registers["rbx"]) == (StopCause.BUDGET, 3)


# --- the registers


def test_general_detect_guards_the_registers_once(carrier: str) -> None:
    guest = "mov eax, 0x2000; mov dr7, rax; mov rcx, dr7; nop"
    commands = '!exception 1 stage all script { printf("%x %x", @dr6, @dr7); if ($event_stage == 0) { .n = 1; } }'
    outcome = run(carrier, guest, commands)
    assert texts_of(outcome.lines) == ["ffff0ff0 2400", "ffff2ff0 400"]
    assert outcome.registers["rip"] == CODE + 8


@pytest.mark.parametrize(
    ("text", "vector"),
    [
        ("mov rax, 0x100000000; mov dr7, rax", "d"),
        ("mov rax, 0x100000000; mov dr6, rax", "d"),
        ("mov rax, cr4; or eax, 8; mov cr4, rax; mov dr5, rax", "6"),
        ("mov rax, cr4; or eax, 8; mov cr4, rax; mov rax, dr4", "6"),
    ],
)
def test_what_the_processor_refuses(carrier: str, text: str, vector: str) -> None:
    assert texts_of(run(carrier, text, "!exception script { print($context); }").lines) == [f"{vector}\n"]


def test_reserved_bits_are_fixed_and_aliases_are_the_same_registers(carrier: str) -> None:
    outcome = run(carrier, "mov rax, 0xffff; mov dr4, rax; mov eax, 0x300; mov dr5, rax; nop", SHOW)
    assert (outcome.registers["dr6"], outcome.registers["dr7"]) == (0xFFFF_EFFF, 0x700)


def test_moves_are_events_as_well(carrier: str) -> None:
    guest = at(DATA, WRITES, 4) + "mov [rsp-64], rbx; nop"
    commands = f'!dr stage all script {{ printf("%d %x", $event_stage, @dr7); }}\n{SHOW}'
    shown = texts_of(run(carrier, guest, commands).lines)
    assert shown == ["0 400", "1 400", "0 400", "1 d0401", f"{SET + 5:x}"]


def test_a_move_that_is_skipped_sets_nothing(carrier: str) -> None:
    guest = at(DATA, WRITES, 4) + "mov [rsp-64], rbx; nop"
    assert texts_of(run(carrier, guest, f"!dr sc on script {{ .n = 1; }}\n{SHOW}").lines) == []


def test_scripts_and_commands_set_breakpoints(carrier: str) -> None:
    guest = "nop; nop; mov [rsp-64], rbx; nop; mov [rsp-64], rcx; nop"
    by_script = f"!epthook {CODE + 1:x} script {{ @dr0 = @rsp - 40; @dr7 = 0xd0001; }}"
    assert texts_of(run(carrier, guest, f"{by_script}\n{SHOW}").lines) == ["7", "d"]
    assert texts_of(run(carrier, guest, f"r dr0 = {CODE + 7:x}\nr dr7 = 1\n{STATUS}").lines) == ["ffff0ff1"]


def test_breakpoints_and_monitored_ranges_get_on(carrier: str) -> None:
    loop = "mov ecx, 4; again: mov [rsp-64], rcx; dec ecx; jnz again; nop"
    commands = f"!monitor w @rsp-40 l 8 stage all script {{ .n++; }}\n{SHOW}\n!monitor w @rsp-40 l 8 script {{ .m++; }}"
    outcome = run(carrier, at(DATA, WRITES, 8) + loop, commands)
    assert outcome.triggers == [8, 4, 4]


def test_a_single_step_over_a_breakpoint_is_one_exception(carrier: str) -> None:
    guest = at(DATA, WRITES, 4) + "pushfq; or dword ptr [rsp], 0x100; popfq; mov [rsp-64], rbx; nop"
    outcome = run(carrier, guest, '!exception 1 stage post script { printf("%x", @dr6 & f00f); }')
    assert texts_of(outcome.lines) == ["4001"]


def test_each_thread_has_its_own() -> None:
    session = Session(b"nop; nop", kind="asm", kernel="bare")
    cpu = session.machine.processes[0].cpu
    cpu.registers.write(STORAGE_INDEX["dr0"], CODE)
    cpu.registers.write(STORAGE_INDEX["dr7"], 1)
    child, parent = cpu.copy_registers(), cpu.save()
    cpu.restore(child)
    assert (cpu.breakpoints.are_set, cpu.registers.read(STORAGE_INDEX["dr0"])) == (False, 0)
    cpu.restore(parent)
    assert cpu.breakpoints.are_set
