"""What is measured: variants of a command file, and guests that trigger an event as often as they are told."""

from __future__ import annotations

import pytest
from engines import need_machine_code

from hds.measuring.costs import Plan, variants
from hds.measuring.guests import guest_of
from hds.session.availability import kind_of
from hds.session.session import Session
from lang import SourceFile
from machine import Silent
from vm.facts.events import EVENT_KINDS

TEXT = """? .n = 1;
!syscall 1 script {
    .n = .n + 1;
}
!monitor rw va 1000 1010 asm code { nop; nop }
!cpuid
"""


def plans_of(text: str) -> list[Plan]:
    session = Session(reporter=Silent(), engine="reference")
    prepared = session.prepare(SourceFile("case.hds", text))
    assert not prepared.has_errors
    return [
        Plan(event, kind_of(event).name, guest_of(event, kind_of(event)), "") for event in prepared.file.events.values()
    ]


def lines_of(text: str) -> list[str]:
    return [line.rstrip() for line in text.splitlines()]


def test_a_variant_has_one_event_and_every_other_command() -> None:
    source, plans = SourceFile("case.hds", TEXT), plans_of(TEXT)
    events = {plan.event.command.span.start: plan.event for plan in plans}
    own, empty, without = (lines_of(text) for text in variants(source, plans[0], events))
    assert own == [*TEXT.splitlines()[:4], "", ""]
    assert empty == ["? .n = 1;", "!syscall 1 script { }", "", ""]
    assert without == ["? .n = 1;", "", "", "", "", ""]


def test_an_event_is_emptied_of_code_and_of_its_break_too() -> None:
    source, plans = SourceFile("case.hds", TEXT), plans_of(TEXT)
    events = {plan.event.command.span.start: plan.event for plan in plans}
    assert [lines_of(list(variants(source, plan, events))[1])[-2:] for plan in plans[1:]] == [
        ["!monitor rw va @rsp-100 l 8 asm code { nop }", ""],
        ["", "!cpuid script { }"],
    ]


PARAMETERS = {
    "crwrite": "4", "epthook": "fffff80000001000", "epthook2": "fffff80000001000", "mode": "u pid 2000",
    "interrupt": "d1", "trace": "step-in", "exception": "e", "syscall": "3b", "ioin": "60", "msrread": "c0000080",
}  # fmt: skip
COMMANDS = [
    f"!{kind.name} {'7000 l 4' if kind.takes_range else PARAMETERS.get(kind.name, '')}"
    for kind in EVENT_KINDS
    if kind.spellings
]
OTHERS = [
    "!crwrite 0", "!mode k pid 1000", "!mode ku pid 1000", "!trace instrument-step", "!interrupt 20", "!interrupt ff",
    "!monitor va w 7000 l 4", "!monitor pa w 7000 l 4", "!monitor pa r 7000 7010", "!monitor pa x 7000 l 4",
    *(f"!exception {vector:x}" for vector in range(32)),
]  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS + OTHERS)
def test_a_built_in_guest_triggers_its_event_in_every_round(command: str) -> None:
    need_machine_code()
    text = f"{command} script {{ }}"
    (plan,) = plans_of(text)
    assert plan.guest is not None
    text, _, _ = variants(SourceFile("case.hds", text), plan, {})
    triggers = []
    for rounds in (5, 9):
        guest = plan.guest
        session = Session(
            guest.program(rounds), kernel=guest.kernel, timer=guest.timer, engine="native", reporter=Silent()
        )
        session.execute(text)
        session.run()
        events = session.machine.registry.ever_registered
        triggers.append(sum(event.triggers for event in events if event.definition.kind.name == plan.kind))
    assert triggers[1] - triggers[0] == (8 if command == "!mode ku pid 1000" else 4)


def test_an_event_that_needs_another_one_to_ask_for_it_has_that_in_every_variant() -> None:
    text = "!trace step-in script { .n = .n + 1; }\n? print(.n);"
    (plan,) = plans_of(text)
    asking = "!epthook 40000c script { event_trace_step(); }"
    assert [lines_of(each) for each in variants(SourceFile("case.hds", text), plan, {})] == [
        ["!trace step-in script { .n = .n + 1; }", asking, "? print(.n);"],
        ["!trace step-in script { }", asking, "? print(.n);"],
        ["", asking, "? print(.n);"],
    ]


def test_a_step_out_that_never_comes_has_no_guest() -> None:
    (plan,) = plans_of("!trace step-out script { }")
    assert plan.guest is None
