"""User and kernel mode as events, on all carriers (events-and-commands B.7, C.2)."""

from __future__ import annotations

import pytest
from carrier_worlds import CARRIERS, make_engine, run

from hds.report.reporters import Questions
from hds.session.refused import ScriptError
from hds.session.session import Session
from machine.events import sdk
from machine.events.registry import RegistrationError
from machine.kernel.bare import BareKernel
from machine.summary import StopCause
from vm.facts.errors import ErrorNumber
from vm.facts.registers import STORAGE_INDEX

START, BEHIND, ENTRY = 0x40_0000, 0x40_000C, BareKernel.entry.lstar
LOOP = "mov ebx, 3; again: mov eax, 0x55; syscall; inc r12; dec ebx; jnz again"
SHOW = 'script { printf("%llx at %llx, cs %x\\n", $context, @rip, @cs); }'
USER, KERNEL = f"3 at {BEHIND:x}, cs 33\n", f"0 at {ENTRY:x}, cs 10\n"
FIRST = f"3 at {START:x}, cs 33\n"


@pytest.fixture(params=CARRIERS)
def carrier(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def said(carrier: str, commands: str, guest: str = LOOP, **options: object) -> str:
    outcome = run(carrier, guest, commands, kernel="bare", **options)  # type: ignore[arg-type]
    return b"".join(line[1].text for line in outcome.lines if line[0] == "message").decode()  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("u", FIRST + 3 * USER),
        ("k", 3 * KERNEL),
        ("ku", FIRST + 3 * (KERNEL + USER)),
        ("uk", FIRST + 3 * (KERNEL + USER)),
    ],
)
def test_an_event_sees_the_first_instruction_in_another_mode(carrier: str, mode: str, expected: str) -> None:
    assert said(carrier, f"!mode {mode} pid 1000 {SHOW}") == expected


@pytest.mark.parametrize(
    "other", ["!sysret code { 90 }", "!syscall stage all code { 90 }", f"!epthook {ENTRY + 3:x} code {{ 90 }}"]
)
def test_it_is_so_where_the_parts_of_a_call_are_watched(carrier: str, other: str) -> None:
    assert said(carrier, f"{other}\n!mode ku pid 1000 {SHOW}") == FIRST + 3 * (KERNEL + USER)


def test_other_processes_are_not_meant(carrier: str) -> None:
    outcome = run(carrier, [LOOP, LOOP], "!mode ku pid 1010 script { .n = $pid; }", kernel="bare")
    assert outcome.triggers == [7]
    assert outcome.globals["n"] == (0x1010).to_bytes(8, "little")


def test_options_of_events_filter(carrier: str) -> None:
    events = ("core 0", "buffer 8", "asm condition { xor eax, eax }", "asm condition { mov eax, 1 }", "imm no")
    commands = "\n".join(f"!mode u pid 1000 {options} script {{ .n = $buffer; }}" for options in events)
    assert run(carrier, LOOP, commands, kernel="bare").triggers == [4, 4, 0, 4, 4]


def test_a_disabled_event_does_not_see_and_a_break_halts_at_the_instruction(carrier: str) -> None:
    outcome = run(
        carrier, LOOP, "!mode k pid 1000\n!mode u pid 1000 code { 90 }\nevents d 1", kernel="bare", halts=False
    )
    assert outcome.triggers == [3, 0]


def test_a_script_may_write_registers(carrier: str) -> None:
    outcome = run(carrier, LOOP, "!mode u pid 1000 script { @r13 = @r13 + 1; }", kernel="bare")
    assert outcome.registers["r13"] == 4


def test_an_exception_passes_the_kernel(carrier: str) -> None:
    assert said(carrier, f"!mode ku pid 1000 {SHOW}", guest="nop; ud2") == FIRST + f"0 at {START + 1:x}, cs 33\n"


# --- short-circuiting: the process is frozen


def frozen(carrier: str, event: str, guests: int = 1) -> Session:
    session = Session(kernel="bare", engine=make_engine(carrier), questions=Questions(broke=lambda halt: True))
    for _ in range(guests):
        session.machine.load(LOOP.encode(), "asm")
    session.execute(event)
    return session


def r12(session: Session, index: int = 0) -> int:
    return session.machine.processes[index].cpu.registers.read(STORAGE_INDEX["r12"])


@pytest.mark.parametrize("freeing", ["events c all", "events d 0"])
@pytest.mark.parametrize("way", ["sc on code { 90 }", "script { event_sc(1); }"])
def test_a_process_is_frozen_until_the_event_is_gone(carrier: str, way: str, freeing: str) -> None:
    session = frozen(carrier, f"!mode u pid 1000 {way}")
    for _ in range(2):
        assert session.run().cause is StopCause.DEADLOCK
        assert session.machine.processes[0].cpu.executed == 0
    session.execute(freeing)
    assert session.run().cause is StopCause.END
    assert (r12(session), session.machine.registry.ever_registered[0].triggers) == (3, 1)


def test_it_may_freeze_behind_a_call_and_others_go_on(carrier: str) -> None:
    session = frozen(carrier, "!mode u pid 1000 script { if (@r12 == 2) { event_sc(1); } }", guests=2)
    assert session.run().cause is StopCause.DEADLOCK
    assert (r12(session), r12(session, 1)) == (2, 3)
    session.execute("events c all")
    session.run()
    assert r12(session) == 3


def test_the_way_into_the_kernel_is_not_barred(carrier: str) -> None:
    assert run(carrier, LOOP, "!mode k pid 1000 sc on code { 90 }", kernel="bare").registers["r12"] == 3


def test_each_of_several_events_must_let_it_go(carrier: str) -> None:
    session = frozen(carrier, "!mode u pid 1000 sc on code { 90 }\n!mode ku pid 1000 sc on code { 90 }")
    for number, cause in enumerate((StopCause.DEADLOCK, StopCause.END)):
        session.run()
        session.execute(f"events c {number}")
        assert session.run().cause is cause


# --- registration


@pytest.mark.parametrize(
    "command", ["!mode u", "!mode pid 1000", "!mode x pid 1000", "!mode u 5 pid 1000", "!mode u pid 1000 stage post"]
)
def test_what_is_no_event_of_this_kind_is_refused(command: str) -> None:
    with pytest.raises(ScriptError):
        Session(LOOP.encode(), kind="asm", kernel="bare").execute(f"{command} code {{ 90 }}")


@pytest.mark.parametrize("parameters", [(), (2,), (0xFFFF_FFFF,)])
def test_a_mode_that_there_is_not_is_refused(parameters: tuple[int, ...]) -> None:
    registry = Session(LOOP.encode(), kind="asm", kernel="bare").machine.registry
    with pytest.raises(RegistrationError) as caught:
        sdk.register(registry, sdk.EventDetail("TRAP_EXECUTION_MODE_CHANGED", parameters), [])
    assert caught.value.number is ErrorNumber.EXECUTION_MODE_INVALID
