"""What a system call comes to. Nothing blocks inside a call: one that has to wait says until when.

An answer that is a plain integer is `Done` with that value, and costs nothing besides.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from functools import partial
from typing import TypeAlias

import msgspec

from machine.kernel.base import KernelBase, enter_user_mode
from machine.schedule import Suspension, Thread
from vm.facts.registers import STORAGE_INDEX

_RAX = STORAGE_INDEX["rax"]


class Done(msgspec.Struct, frozen=True):
    """The call is over: `value` goes to rax."""

    value: int


class Again(msgspec.Struct, frozen=True):
    """The call is made again when the thread has its next turn, with the arguments that it has in its registers."""


AGAIN = Again()


def never() -> bool:
    """Until nothing but the deadline, or a signal."""
    return False


def again(late: bool) -> Result:
    """The call is made again."""
    return AGAIN


def always() -> bool:
    """Until the next turn: the other threads come first."""
    return True


class Wait(msgspec.Struct, frozen=True):
    """The thread waits until `until()`, or for a `deadline` in ticks of the virtual clock. Then `then` says how it is.

    `then` is told whether it is late: the deadline came first. Without it the call is made again. `interrupted` says
    what the call comes to where a signal ends the wait, which no signal does that `heeds_signals` says so of.
    """

    until: Callable[[], bool] = never
    deadline: int | None = None
    then: Callable[[bool], Result] = again
    interrupted: Callable[[], Result] | None = None
    heeds_signals: bool = True


class Exit(msgspec.Struct, frozen=True):
    """The process ends with this code."""

    code: int


class ExitThread(msgspec.Struct, frozen=True):
    """The thread ends; if it is the last one the process does, with this code."""

    code: int


class Enter(msgspec.Struct, frozen=True):
    """The thread goes on in user mode with these values of storages: RIP, RSP and RFLAGS at least. Others stay."""

    registers: Mapping[int, int]


Outcome: TypeAlias = Done | Again | Wait | Exit | ExitThread | Enter
Result: TypeAlias = int | Outcome


class Calls(KernelBase):
    """The part of a kernel that does what the outcomes of its calls say."""

    @abstractmethod
    def system_call(self, thread: Thread) -> None:
        """Carry out the call of the thread, which has the CPU, and conclude it."""

    def repeat(self, thread: Thread) -> None:
        """The same for a call that is made again."""
        self.system_call(thread)

    @abstractmethod
    def attempt(self, part: Callable[[], Result]) -> Result:
        """What a part of a call comes to; a failure is the value with which the call fails."""

    def returning(self, thread: Thread, *, in_call: bool) -> None:
        """A thread is about to go on in user mode: behind its call, or with the registers that it has."""

    def is_interrupted(self, thread: Thread) -> bool:
        """Whether a wait of the thread is to end."""
        return False

    def interrupt(self, thread: Thread, wait: Wait) -> Result:
        """What a call comes to whose wait is ended so."""
        raise NotImplementedError

    def conclude(self, thread: Thread, result: Result) -> None:
        """Do what a call comes to; a value goes to rax, now or when the thread has waited."""
        while isinstance(result, Again | Wait):
            wait = Wait(always) if isinstance(result, Again) else result
            late = self._at_once(thread, wait)
            if late is None:
                over = partial(self._is_over, thread, wait)
                thread.suspend(Suspension(over, wait.deadline, partial(self._go_on, thread, wait)))
                return
            result = self.attempt(partial(wait.then, late))
            if isinstance(result, Again):
                self.repeat(thread)
                return
        registers = thread.process.cpu.registers
        if isinstance(result, Enter):
            enter_user_mode(thread, result.registers)
            self.returning(thread, in_call=False)
            return
        if isinstance(result, Exit):
            thread.process.exit(result.code)
        elif isinstance(result, ExitThread):
            thread.end(result.code)
        registers.write(_RAX, result if isinstance(result, int) else result.value if isinstance(result, Done) else 0)
        if thread.process.alive and not thread.ended:
            self.returning(thread, in_call=True)
            thread.process.give_way(self._services.clock.elapsed)

    def _at_once(self, thread: Thread, wait: Wait) -> bool | None:
        """A wait that nobody else can use ends at once: whether late. None for one that the thread has to begin."""
        if not thread.is_alone or self.is_interrupted(thread):
            return None
        if wait.until():
            return False
        alarm = self._services.clock.alarms.earliest
        if wait.deadline is None or (alarm is not None and alarm <= wait.deadline):
            return None
        self._services.clock.advance_to(wait.deadline)
        return True

    def _is_over(self, thread: Thread, wait: Wait) -> bool:
        return wait.until() or (wait.heeds_signals and self.is_interrupted(thread))

    def _go_on(self, thread: Thread, wait: Wait, late: bool) -> None:
        """The thread has the CPU again."""
        if wait.heeds_signals and self.is_interrupted(thread) and not wait.until() and not late:
            result = self.interrupt(thread, wait)
        else:
            result = self.attempt(partial(wait.then, late))
        if isinstance(result, Again):
            self.repeat(thread)
        else:
            self.conclude(thread, result)
