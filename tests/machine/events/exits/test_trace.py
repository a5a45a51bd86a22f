"""Single steps that scripts ask for, and the events behind them, on all carriers (events-and-commands C.2, F.3)."""

from __future__ import annotations

import pytest
from carrier_worlds import CARRIERS, make_engine, run

from hds.session.refused import ScriptError
from hds.session.session import Session
from machine.events import sdk
from machine.events.registry import RegistrationError
from machine.kernel.bare import BareKernel
from vm.facts.errors import ErrorNumber

START, ENTRY = 0x40_0000, BareKernel.entry.lstar
TEXT = BareKernel.entry.text
STEPS = ("event_trace_step", "event_trace_step_in")
EXACT = ("event_trace_instrumentation_step", "event_trace_instrumentation_step_in")


@pytest.fixture(params=CARRIERS)
def carrier(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def places(
    carrier: str, guest: str, first: str, step: str, kind: str = "instrument-step", count: int = 20
) -> list[int]:
    """The addresses of the `!trace` triggers, each of which asks for one more step."""
    receiver = f"!trace {kind} script {{ print($ip); if (.n < {count - 1:x}) {{ .n = .n + 1; {step}(); }} }}"
    outcome = run(
        carrier, guest, f"{receiver}\n{first} script {{ {step}(); event_disable($event_id); }}", kernel="bare"
    )
    return [int(line[1].text, 16) for line in outcome.lines if line[0] == "message"]  # type: ignore[attr-defined]


MIXED = "nop; push rax; pop rcx; cmp eax, eax; je there; nop; there: call f; jmp out; f: ret; out: nop"
AT = f"!epthook {START + 1:x}"


@pytest.mark.parametrize(
    ("step", "kind"), [*((step, "step-in") for step in STEPS), *((step, "instrument-step") for step in EXACT)]
)
def test_a_trace_follows_every_instruction(carrier: str, step: str, kind: str) -> None:
    assert places(carrier, MIXED, AT, step, kind) == [START + offset for offset in (2, 3, 5, 8, 15, 13, 16, 17)]


def test_one_request_is_one_step(carrier: str) -> None:
    assert places(carrier, MIXED, AT, EXACT[0], count=1) == [START + 2]


@pytest.mark.parametrize("kind", ["step-in", "step-out"])
def test_an_event_of_another_type_is_not_meant(carrier: str, kind: str) -> None:
    assert places(carrier, MIXED, AT, EXACT[0], kind) == []


def test_the_context_is_the_type(carrier: str) -> None:
    receivers = "!trace step-in script { .s = $context; }\n!trace instrument-step script { .i = $context; }"
    outcome = run(carrier, MIXED, f"{receivers}\n{AT} script {{ event_trace_step(); {EXACT[0]}(); }}", kernel="bare")
    assert outcome.triggers == [1, 1, 1]
    assert [outcome.globals[name][0] for name in "si"] == [1, 3]


def test_a_step_out_has_no_effect(carrier: str) -> None:
    assert places(carrier, MIXED, AT, "event_trace_step_out", "step-out") == []


CALLS = "nop; mov eax, 0x55; syscall; inc r12; nop"


def test_a_step_passes_a_system_call_and_an_exact_one_follows_it(carrier: str) -> None:
    assert places(carrier, CALLS, AT, STEPS[0], "step-in") == [START + offset for offset in (6, 8, 11, 12)]
    exact = places(carrier, CALLS, AT, EXACT[0])
    assert exact[:3] == [START + 6, ENTRY, ENTRY + 3]
    assert exact[-3:] == [START + 8, START + 11, START + 12]
    assert TEXT.sysret in exact


@pytest.mark.parametrize(
    ("event", "offset"),
    [("!cpuid", 2), ("!cpuid stage post", 5), ("!syscall", 4), ("!monitor w @rsp-8 l 8", 7), ("!cpuid sc on", 2)],
)
def test_a_step_is_the_instruction_at_hand(carrier: str, event: str, offset: int) -> None:
    guest = "cpuid; syscall; inc ecx; push rax; nop; nop"
    expected = {"!cpuid stage post": 4, "!syscall": 4, "!monitor w @rsp-8 l 8": 7}.get(event, 2)
    assert places(carrier, guest, event, STEPS[0], "step-in", count=1) == [START + expected]


def test_a_step_behind_the_post_stage_of_an_access_is_the_next_instruction(carrier: str) -> None:
    assert places(carrier, "push rax; nop; nop", "!monitor w @rsp-8 l 8 stage post", EXACT[0], count=1) == [START + 2]


def test_a_repeated_instruction_is_one_step(carrier: str) -> None:
    guest = "mov ecx, 5; mov rdi, rsp; nop; rep stosb; nop"
    assert places(carrier, guest, f"!epthook {START + 8:x}", EXACT[0], count=2) == [START + 9, START + 11]


def test_stepped_code_does_what_it_does_else(carrier: str) -> None:
    guest = "mov r14d, 4; again: cpuid; mov eax, 0x55; syscall; push r14; pop r12; dec r14d; jnz again; nop"
    plain = run(carrier, guest, "", kernel="bare").registers
    step = "!trace step-in script { event_trace_step(); }\n!epthook 400000 script { event_trace_step(); }"
    assert run(carrier, guest, step, kernel="bare").registers == plain


def test_ticks_are_those_of_a_run_without_steps(carrier: str) -> None:
    guest = "mov ebx, 4; again: rdtsc; dec ebx; jnz again; nop"
    step = "!trace step-in script { event_trace_step(); }\n!epthook 400000 script { event_trace_step(); }"
    assert run(carrier, guest, step).registers["rax"] == run(carrier, guest, "").registers["rax"]


def test_events_of_stepped_instructions_trigger_once(carrier: str) -> None:
    guest = "nop; cpuid; push rax; syscall; nop"
    events = "\n".join(
        f"{event} script {{ .n = 1; }}" for event in ("!cpuid stage all", "!monitor w @rsp-8 l 8", "!syscall")
    )
    step = "!trace step-in script { event_trace_step(); }\n!epthook 400000 script { event_trace_step(); }"
    assert run(carrier, guest, f"{events}\n{step}", kernel="bare").triggers == [2, 1, 1, 5, 1]


def test_a_break_behind_a_step_halts_there(carrier: str) -> None:
    outcome = run(
        carrier, MIXED, f"!trace instrument-step\n{AT} script {{ {EXACT[0]}(); }}\ng\nr rip", kernel="bare", halts=True
    )
    assert outcome.triggers == [1, 1]


def test_outside_events_there_is_nothing_to_trace(carrier: str) -> None:
    outcome = run(carrier, "nop", "!trace step-in code { 90 }\n? event_trace_step();", kernel="bare")
    assert ("notice", "there is nothing to trace outside events") in outcome.lines
    assert outcome.triggers == [0]


def test_steps_are_traced_while_commands_step(carrier: str) -> None:
    session = Session(MIXED.encode(), kind="asm", kernel="bare", engine=make_engine(carrier))
    session.execute(f"!trace instrument-step script {{ .at = $ip; }}\n{AT} script {{ {EXACT[0]}(); }}\ni\ni\ni")
    assert int.from_bytes(session.store.read("at"), "little") == START + 2


@pytest.mark.parametrize("options", ["", "sideways", "step-in stage post", "step-in stage all"])
def test_what_is_no_event_of_this_kind_is_refused(options: str) -> None:
    with pytest.raises(ScriptError):
        Session(b"nop", kind="asm", kernel="bare").execute(f"!trace {options} code {{ 90 }}")


@pytest.mark.parametrize("parameters", [(), (0,), (4,)])
def test_a_type_that_there_is_not_is_refused(parameters: tuple[int, ...]) -> None:
    registry = Session(b"nop", kind="asm", kernel="bare").machine.registry
    with pytest.raises(RegistrationError) as caught:
        sdk.register(registry, sdk.EventDetail("TRAP_EXECUTION_INSTRUCTION_TRACE", parameters), [])
    assert caught.value.number is ErrorNumber.TRACE_BAD_OPERATION
