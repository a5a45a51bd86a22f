"""A run on the native carrier can be stopped at any time, and what cannot be carried is not."""

from __future__ import annotations

import gc
import signal
import sys
import threading
import time
import weakref

import pytest
from carrier_worlds import make_engine
from engines import need_machine_code
from machine_guests import Failing

from hds.session.session import Session
from machine.machine import StopCause
from vm.facts.events import SYSCALL

need_machine_code()

ENDLESS = b"next: mov eax, 0x55; syscall; jmp next"
COUNTER = "!syscall script { .n = .n + 1; }"
SLOW = "!syscall script { for (i = 0; i < 0n20000; i++) { .n = .n + i; } }"


# Events of every form; the guest has no SYSRET of its own.
FORMS = (
    COUNTER,
    "!syscall stage all script { .n++; } script { .m++; }",
    "!syscall2 script { .n++; }\n!sysret stage all script { .m++; }",
    "!syscall asm condition { mov rax, [rcx] } script { .n++; } asm code { inc qword ptr [rdx+40] }",
    "!syscall sc on script { .n++; @rip = @rip + 2; }",
    "!syscall script { .n++; event_sc(.n & 1); }",
    "!epthook 400000 script { .n++; @rip = @rip + 5; }",
)


def session(commands: str, guest: bytes = ENDLESS) -> Session:
    result = Session(guest, kind="asm", kernel="bare", engine=make_engine("native"))
    result.execute(commands)
    return result


def portable_triggers(session: Session) -> list[int]:
    """Counts the triggers that the portable carrier gets from now on."""
    seen: list[int] = []
    cpu = session.machine.processes[0].cpu
    before = cpu.on_syscall

    def on_syscall() -> None:
        seen.append(1)
        before()

    cpu.on_syscall = on_syscall
    return seen


@pytest.mark.parametrize("commands", FORMS)
def test_triggers_do_without_the_portable_carrier(commands: str) -> None:
    guest = session(commands)
    seen = portable_triggers(guest)
    guest.run(max_instructions=3000)
    assert guest.triggers >= 500
    assert not seen


@pytest.mark.parametrize("commands", FORMS)
def test_triggers_do_without_python(commands: str) -> None:
    guest = session(commands)
    guest.run(max_instructions=30)  # whatever is learned at first
    frames: list[str] = []
    sys.setprofile(lambda frame, event, argument: frames.append(frame.f_code.co_name) if event == "call" else None)
    try:
        guest.run(max_instructions=30_000)
    finally:
        sys.setprofile(None)
    assert guest.triggers >= 5_000
    assert len(frames) < 1000  # of the run, not of its triggers


@pytest.mark.parametrize("event", ["!syscall", "!sysret", "!epthook 400000"])
def test_a_trigger_that_is_only_recorded_ends_in_machine_code(event: str) -> None:
    result = Session(ENDLESS, kind="asm", kernel="bare", engine=make_engine("native"), record="triggers")
    result.execute(event + " script { .n++; }")
    result.run(max_instructions=30)  # whatever is learned at first
    frames: list[str] = []
    sys.setprofile(lambda frame, _, __: frames.append(frame.f_code.co_name))
    try:
        result.run(max_instructions=3000)
    finally:
        sys.setprofile(None)
    assert frames.count("look_on") > 500
    assert frames.count("moved") < 10


# Processor time is compared, which a busy machine does not lengthen as it does real time.
@pytest.mark.lasting
@pytest.mark.parametrize("commands", [COUNTER, SLOW])
def test_ctrl_c_stops_a_run_within_a_fifth_of_a_second(commands: str) -> None:
    guest = session(commands)
    guest.run(max_instructions=30_000)
    sent: list[float] = []

    def interrupt() -> None:
        sent.append(time.process_time())
        signal.raise_signal(signal.SIGINT)

    timer = threading.Timer(0.2, interrupt)
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        guest.run()
    assert time.process_time() - sent[0] < 0.2


@pytest.mark.parametrize("commands", [COUNTER, SLOW, "!syscall script { print(1); }"])
def test_a_timeout_ends_a_run_in_time(commands: str) -> None:
    guest = session(commands)
    guest.run(max_instructions=300)  # compiles the script
    start = time.process_time()
    assert guest.run(timeout=0.1).cause is StopCause.TIMEOUT
    assert time.process_time() - start < 0.4


def test_the_instruction_limit_is_exact() -> None:
    guest = session(COUNTER)
    summary = guest.run(max_instructions=200_000)
    assert (summary.cause, summary.instructions <= 200_000) == (StopCause.BUDGET, True)


def test_an_exception_of_a_reporter_ends_the_run_and_arrives() -> None:
    guest = session("!syscall script { print(1); }")

    guest.machine.reporter = Failing()
    with pytest.raises(OSError, match="the pipe is closed"):
        guest.run()


@pytest.mark.lasting
def test_an_address_that_is_cleared_in_its_trigger_outlives_the_trigger() -> None:
    guest = session("!epthook 400005 script { event_clear($event_id); pause(); }")
    guest.run(max_instructions=1)  # up to the address
    (address,) = guest.machine._carrier.hook_of(guest.machine.processes[0])._addresses  # type: ignore[union-attr]
    carried = weakref.ref(address)
    del address
    alive: list[bool] = []

    def broke(trigger: object) -> bool:
        gc.collect()
        alive.append(carried() is not None)
        return True

    guest.machine.goes_on = broke
    guest.run(max_instructions=30)
    guest.run(max_instructions=30)
    gc.collect()
    assert (alive, carried()) == ([True], None)


def test_events_that_come_and_go_leave_nothing_behind() -> None:
    guest = session(COUNTER)
    for number in range(1, 50):
        guest.execute("!syscall script { .m = .m + 1; }")
        guest.run(max_instructions=30)
        guest.machine.registry.clear(number)
    guest.run(max_instructions=30)
    hook = guest.machine._carrier.hook_of(guest.machine.processes[0])  # type: ignore[union-attr]
    hook.begin_turn()
    assert (len(hook._handlings), len(hook._table(SYSCALL)._lists)) == (1, 2)
