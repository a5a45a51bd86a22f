"""Control and debug registers as events, on all carriers (events-and-commands B.14, C.2)."""

from __future__ import annotations

import pytest
from carrier_worlds import CARRIERS, make_engine, run

from hds.session.session import Session
from machine.events import sdk
from machine.events.registry import RegistrationError
from vm.facts.errors import ErrorNumber
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
    text = "mov eax, 1; mov cr8, rax; mov cr3, rax; mov cr2, rax; nop"
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
