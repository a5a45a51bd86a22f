"""Control and debug registers as events, on all carriers (events-and-commands B.14, C.2)."""

from __future__ import annotations

import pytest
from carrier_worlds import CARRIERS, make_engine, run

from hds.session.session import Session
from machine.events import sdk
from machine.events.registry import RegistrationError
from machine.machine import StopCause
from machine.root.assembler import assemble
from vm.facts.errors import ErrorNumber
from vm.facts.registers import RIP, STORAGE_INDEX
from vm.facts.stages import Stage


@pytest.fixture(params=CARRIERS)
def carrier(request: pytest.FixtureRequest) -> str:
    return str(request.param)


SET = "mov rax, {register}; or eax, {bits}; mov r9, rax; mov {register}, r9; mov {register}, r9; inc r8; nop"


@pytest.mark.parametrize(("number", "bits"), [(0, 0x20), (4, 0x100)])
def test_a_write_triggers_where_it_changes_a_bit_under_the_mask(carrier: str, number: int, bits: int) -> None:
    text = SET.format(register=f"cr{number}", bits=bits)
    masks = ("", f"{bits:x}", f"mask {bits:x}", f"mask {bits << 1:x}")
    events = [f"!crwrite {number} {mask} script {{ .n = 1; }}" for mask in masks]
    outcome = run(carrier, text, "\n".join([*events, f"!crwrite {4 - number} script {{ .n = 1; }}"]))
    assert outcome.triggers == [1, 1, 1, 0, 0]
    assert outcome.registers[f"cr{number}"] & bits


def test_post_of_a_write_follows_its_change(carrier: str) -> None:
    show = "stage all script { if ($event_stage) { @r10 = @cr4; } else { @r11 = @cr4; } }"
    outcome = run(carrier, SET.format(register="cr4", bits=0x100), f"!crwrite 4 mask 100 {show}")
    assert outcome.triggers == [2]
    assert outcome.registers["r10"] ^ outcome.registers["r11"] == 0x100


def test_a_write_from_every_register_is_read(carrier: str) -> None:
    for name in ("rcx", "rsp", "r12", "r15"):
        text = f"mov {name}, cr4; or {name}, 0x100; mov cr4, {name}; nop"
        assert run(carrier, text, "!crwrite 4 mask 100 script { .n = 1; }").triggers == [1]


def test_other_control_registers_are_none_of_its(carrier: str) -> None:
    text = "mov eax, 1; mov cr8, rax; mov cr2, rax; mov rax, cr3; mov cr3, rax; nop"
    assert run(carrier, text, "!crwrite 0 script { .n = 1; }\n!crwrite 4 script { .n = 1; }").triggers == [0, 0]


def test_reads_and_writes_of_debug_registers_trigger(carrier: str) -> None:
    text = "mov eax, 0x1000; mov dr1, rax; mov rcx, dr1; mov r12, dr7; nop"
    assert run(carrier, text, "!dr script { .n = 1; }").triggers == [3]


def by_sdk(carrier: str, text: str, detail: sdk.EventDetail) -> int:
    """The triggers of an event of the programming interface."""
    session = Session(engine=make_engine(carrier), kernel="bare")
    session.machine.load(text.encode(), "asm")
    event = sdk.register(session.machine.registry, detail, [sdk.Action.custom_code(b"\x90")])
    session.run()
    return event.triggers


READS = "mov rax, cr0; mov rax, cr2; mov rax, cr3; mov rax, cr4; mov rax, cr8; nop"


@pytest.mark.parametrize(("parameters", "triggers"), [((), 5), ((0,), 1), ((4,), 1), ((8,), 1)])
def test_reads_of_control_registers_are_an_event_of_the_programming_interface(
    carrier: str, parameters: tuple[int, ...], triggers: int
) -> None:
    assert by_sdk(carrier, READS, sdk.EventDetail("CONTROL_REGISTER_READ", parameters)) == triggers


def test_writes_of_cr3_are_an_event_of_the_programming_interface(carrier: str) -> None:
    detail = sdk.EventDetail("CONTROL_REGISTER_3_MODIFIED", enable_short_circuiting=True)
    assert by_sdk(carrier, "mov rax, cr3; mov cr3, rax; mov cr3, rax; nop", detail) == 2


OTHER_PAGING = {
    "another directory": "mov rax, cr3; add rax, 0x1000; mov cr3, rax; ",
    "no paging": "mov rax, cr0; btr rax, 31; mov cr0, rax; ",
    "tables of 32 bits": "mov rax, cr4; btr rax, 5; mov cr4, rax; ",
}
SAME_PAGING = (
    "mov rax, cr3; mov cr3, rax; or rax, 0x18; mov cr3, rax; mov rax, cr0; bts rax, 16; bts rax, 31; mov cr0, rax; "
    "mov rax, cr4; bts rax, 8; mov cr4, rax; inc rbx; nop"
)


def ended(carrier: str, text: str, kind: str = "") -> tuple[StopCause, int, int]:
    """Why and where a guest ended, and its rbx; `kind` is an event that skips what it sees."""
    session = Session(engine=make_engine(carrier), kernel="bare")
    session.machine.load(text.encode(), "asm")
    session.execute(kind)
    last = session.run()
    registers = session.machine.processes[0].cpu.registers
    return last.cause, registers.read(RIP) - 0x40_0000, registers.read(STORAGE_INDEX["rbx"])


@pytest.mark.parametrize("case", OTHER_PAGING)
def test_page_tables_of_the_guests_own_end_the_run_by_name(carrier: str, case: str) -> None:
    text = OTHER_PAGING[case] + "inc rbx; nop"
    written = len(assemble(OTHER_PAGING[case]).code)
    assert ended(carrier, text) == (StopCause.PAGING, written, 0)


LOOP = "nop; mov ecx, 9; again: inc rbx; nop; dec ecx; jnz again; mov eax, 0x55; syscall; nop"
BY_SCRIPTS = {
    "hook": "!epthook 400006 script { if (@rbx == 4) { WRITE } }",
    "memory": "!monitor x 400006 l 1 script { if (@rbx == 4) { WRITE } }",
    "mode": "!mode u pid 1000 script { WRITE }",
    "call": "!syscall script { WRITE }",
    "behind a call": "!sysret script { WRITE }",
    "command": "? WRITE",
}


@pytest.mark.parametrize("case", BY_SCRIPTS)
@pytest.mark.parametrize("write", ["@cr3 = 5000;", "@cr0 = 21;", "@cr4 = 0;"])
def test_a_script_that_asks_for_other_page_tables_ends_the_run_as_well(carrier: str, case: str, write: str) -> None:
    cause, place, counted = ended(carrier, LOOP, BY_SCRIPTS[case].replace("WRITE", write))
    where = {"hook": (6, 4), "memory": (6, 4), "mode": (0, 0), "command": (0, 0)}.get(
        case, (len(assemble(LOOP).code) - 1, 9)
    )
    assert (cause, (place, counted)) == (StopCause.PAGING, where)


@pytest.mark.parametrize("write", ["@cr3 = @cr3;", "@cr0 = @cr0 | 10000;", "@cr4 = @cr4 | 100;"])
def test_a_script_may_write_the_paging_that_is_there(carrier: str, write: str) -> None:
    cause, _, counted = ended(carrier, LOOP, BY_SCRIPTS["hook"].replace("WRITE", write))
    assert (cause, counted) == (StopCause.END, 9)


def test_the_paging_that_is_there_can_be_written(carrier: str) -> None:
    cause, _, counted = ended(carrier, SAME_PAGING)
    assert (cause, counted) == (StopCause.END, 1)


@pytest.mark.parametrize(("case", "number"), [("no paging", 0), ("tables of 32 bits", 4)])
def test_an_event_sees_the_write_first_and_skips_it(carrier: str, case: str, number: int) -> None:
    text = OTHER_PAGING[case] + "inc rbx; nop"
    cause, _, counted = ended(carrier, text, f"!crwrite {number} sc on script {{ print(@rax); }}")
    assert (cause, counted) == (StopCause.END, 1)


@pytest.mark.parametrize(
    ("detail", "number"),
    [
        (sdk.EventDetail("CONTROL_REGISTER_MODIFIED", (3,)), ErrorNumber.INVALID_REGISTER_NUMBER),
        (sdk.EventDetail("CONTROL_REGISTER_MODIFIED"), ErrorNumber.INVALID_REGISTER_NUMBER),
        (sdk.EventDetail("CONTROL_REGISTER_3_MODIFIED", stage=Stage.POST), ErrorNumber.EVENT_IS_NOT_APPLIED),
    ],
)
def test_what_is_no_such_event_is_refused(detail: sdk.EventDetail, number: ErrorNumber) -> None:
    with pytest.raises(RegistrationError) as caught:
        by_sdk("portable", "nop", detail)
    assert caught.value.number == number
