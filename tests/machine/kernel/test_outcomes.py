"""What outcomes of system calls come to, where a test writes the calls: on both carriers, and on each way back."""

from __future__ import annotations

from collections.abc import Callable
from unittest import mock

import pytest
from carrier_worlds import CARRIERS, Outcome, run

from machine.kernel import LINUX
from machine.kernel.linux.kernel import LinuxKernel
from machine.kernel.outcomes import AGAIN, Done, Enter, ExitThread, Result, Wait, always
from machine.machine import RunSummary, StopCause
from machine.schedule import Thread
from vm.facts.registers import RFLAGS, RIP, STORAGE_INDEX

RBX, RCX, R11, RSP = (STORAGE_INDEX[name] for name in ("rbx", "rcx", "r11", "rsp"))
START = 0x40_0000
# mov ebx, 5; mov eax, 39h; syscall; nop; dec ebx; nop; nop  -- the end
GUEST = "mov ebx, 5; mov eax, 0x39; syscall; nop; dec ebx; nop; nop"
BEHIND = START + 12
WAYS = (
    "",
    "!sysret script { .n++; }",
    f"!epthook {LINUX.lstar + 3:x} script {{ .n++; }}",
    "!syscall stage post script { .n++; }",
)


def outcome_of(carrier: str, commands: str, answer: Callable[[Thread], Result], *, other: str | None = None) -> Outcome:
    """A run in which the one system call comes to this; perhaps with another program, which ends first."""

    def conclude(self: LinuxKernel, thread: Thread) -> None:
        self.conclude(thread, answer(thread))

    with (
        mock.patch.object(LinuxKernel, "system_call", conclude),
        mock.patch.object(LinuxKernel, "repeat", conclude),  # what makes a call again
        mock.patch.object(LinuxKernel, "default_answer", return_value=None),
    ):
        return run(carrier, GUEST if other is None else (GUEST, other), commands, kernel="linux")


@pytest.mark.parametrize("carrier", CARRIERS)
@pytest.mark.parametrize("commands", WAYS)
@pytest.mark.parametrize(
    "answer",
    [lambda thread: 7, lambda thread: Done(7), lambda thread: Wait(always, then=lambda late: 7),
     lambda thread: Wait(deadline=10_000, then=lambda late: Done(7))],
    ids=["plain", "done", "wait", "deadline"],
)  # fmt: skip
def test_a_value_goes_to_rax(carrier: str, commands: str, answer: Callable[[Thread], Result]) -> None:
    seen = outcome_of(carrier, commands, answer).registers
    assert (seen["rax"], seen["rbx"], seen["rcx"], seen["cs"]) == (7, 4, BEHIND, 0x33)


@pytest.mark.parametrize("carrier", CARRIERS)
@pytest.mark.parametrize("commands", WAYS)
def test_a_call_that_is_made_again_has_its_arguments(carrier: str, commands: str) -> None:
    asked: list[int] = []

    def answer(thread: Thread) -> Result:
        asked.append(thread.process.cpu.registers.read(STORAGE_INDEX["rax"]))
        return 7 if len(asked) == 3 else AGAIN

    assert outcome_of(carrier, commands, answer).registers["rax"] == 7
    assert asked == [0x39] * 3


@pytest.mark.parametrize("carrier", CARRIERS)
@pytest.mark.parametrize("commands", WAYS)
@pytest.mark.parametrize("waits", [False, True])  # with another process, which it has to wait beside
def test_a_thread_enters_user_mode_elsewhere_with_other_registers(carrier: str, commands: str, waits: bool) -> None:
    entered = Enter({RIP: BEHIND + 3, RFLAGS: 0x202 | 0x40, RBX: 77, RCX: 1, R11: 2, RSP: 0x1234_0000})

    def answer(thread: Thread) -> Result:
        return Wait(deadline=10_000, then=lambda late: entered) if waits else entered

    result = outcome_of(carrier, commands, answer, other="nop; nop" if waits else None)
    names = ("rip", "rax", "rbx", "rcx", "r11", "rsp", "cs", "ss", "rflags")
    assert [result.registers[name] for name in names] == [BEHIND + 5, 0x39, 77, 1, 2, 0x1234_0000, 0x33, 0x2B, 0x242]
    assert isinstance(result.summary, RunSummary)
    assert result.summary.cause is StopCause.END


@pytest.mark.parametrize("carrier", CARRIERS)
@pytest.mark.parametrize("commands", WAYS)
def test_the_end_of_the_last_thread_is_that_of_its_process(carrier: str, commands: str) -> None:
    result = outcome_of(carrier, commands, lambda thread: ExitThread(9))
    assert isinstance(result.summary, RunSummary)
    assert (result.summary.cause, result.summary.exit_code) == (StopCause.EXIT, 9)


@pytest.mark.parametrize("carrier", CARRIERS)
@pytest.mark.parametrize("commands", WAYS)
def test_a_wait_that_nothing_ends_is_a_deadlock(carrier: str, commands: str) -> None:
    result = outcome_of(carrier, commands, lambda thread: Wait())
    assert isinstance(result.summary, RunSummary)
    assert (result.summary.cause, result.summary.ends) == (StopCause.DEADLOCK, ())
