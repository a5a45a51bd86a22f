"""No event command is listed as emulated that no case reaches: each one triggers here, and the others are refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from hds import Session
from machine.events import sdk
from vm.engine import Engine
from vm.facts.events import EVENT_BY_NAME, EVENT_KINDS

ROOT = Path(__file__).parents[3]
GREET = ROOT / "examples" / "guests" / "greet.asm"  # writes three times, asks for its id, exits

OF_GREET = ("!syscall", "!syscall2", "!sysret", "!sysret2", "!epthook", "!epthook2", "!monitor")
EXECUTES = (
    b"xor eax, eax; cpuid; xor ecx, ecx; rdmsr; wrmsr; in al, 0x60; out 0x60, al; rdtsc; rdpmc; vmcall; xsetbv; "
    b"mov dr0, rax; mov rax, cr0; xor eax, 0x20; mov cr0, rax; mov ecx, 60000; more: dec ecx; jnz more; int3; nop"
)

# An event command -> one that must trigger on GREET, or else on EXECUTES.
CASES = {
    "!syscall": "!syscall 1 script { print($context); }",
    "!syscall2": "!syscall2 1 script { print($context); }",
    "!sysret": "!sysret script { print(@rax); }",
    "!sysret2": "!sysret2 script { print(@rax); }",
    "!epthook": "!epthook 400000 script { print($context); }",
    "!epthook2": "!epthook2 400000 script { print($context); }",
    "!monitor": "!monitor x 400000 l 4 script { print($context); }",
    "!cpuid": "!cpuid 0 script { print($context); }",
    "!msrread": "!msrread 0 script { print($context); }",
    "!msrwrite": "!msrwrite 0 script { print($context); }",
    "!ioin": "!ioin 60 script { print($context); }",
    "!ioout": "!ioout 60 script { print($context); }",
    "!tsc": "!tsc script { print($context); }",
    "!pmc": "!pmc sc on script { print($context); }",
    "!vmcall": "!vmcall sc on script { print($context); }",
    "!xsetbv": "!xsetbv 0 sc on script { print($context); }",
    "!dr": "!dr script { print($context); }",
    "!exception": "!exception 3 script { print($context); }",
    "!crwrite": "!crwrite 0 mask 20 script { print($context); }",
    "!mode": "!mode ku pid 1000 script { print($context); }",
    "!interrupt": "!interrupt d1 script { print($context); }",
    "!trace": "!epthook 400000 script { event_trace_step(); }\n!trace step-in script { print($context); }",
}
SKIPPED = "!pmc sc on code { 90 }\n!vmcall sc on code { 90 }\n!xsetbv sc on code { 90 }\n"  # undefined without an event
EMULATED = {row.name for row in EVENT_BY_NAME.values() if row.emulated}


def test_every_emulated_event_command_has_a_case() -> None:
    assert set(CASES) == EMULATED


@pytest.mark.parametrize("command", CASES)
def test_an_emulated_event_triggers(command: str, engine: Engine) -> None:
    if command in OF_GREET:
        session = Session(program=GREET, engine=engine)
    else:
        session = Session(program=EXECUTES, kind="asm", kernel="bare", engine=engine, timer=10_000)
        session.execute(SKIPPED)
    session.execute(CASES[command])
    summary = session.run()
    assert summary.triggers[max(summary.triggers)] > 0
    assert session.messages


# Kinds that no command creates -> OptionalParam1 and those that follow.
BY_SDK: dict[str, tuple[int, ...]] = {"CONTROL_REGISTER_READ": (0,), "CONTROL_REGISTER_3_MODIFIED": ()}


def test_every_kind_without_a_command_has_a_case() -> None:
    assert set(BY_SDK) == {kind.sdk_name for kind in EVENT_KINDS if kind.emulated and not kind.spellings}


@pytest.mark.parametrize("name", BY_SDK)
def test_an_event_of_the_programming_interface_triggers(name: str, engine: Engine) -> None:
    guest = b"mov rax, cr0; mov rax, cr3; mov cr3, rax; nop"
    session = Session(program=guest, kind="asm", kernel="bare", engine=engine)
    detail, actions = sdk.EventDetail(name, BY_SDK[name]), [sdk.Action.custom_code(b"\x90")]
    event = sdk.register(session.machine.registry, detail, actions)
    session.run()
    assert event.triggers == 1
