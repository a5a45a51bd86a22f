"""Turns of processes on cores that run at the same time, each in a thread of its own (`--parallel`).

The scheduler's rules are those of the deterministic schedule: turns, and first come, first served. Which instructions
of two cores come first, and so the times that scripts see and the order of their messages, is the host's doing. All
state here is touched inside the gate (machine.schedule.gate) only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from threading import Thread

import msgspec

from machine.processor import StopKind, StopReason
from machine.schedule.gate import Gate
from machine.schedule.process import Core, Process
from machine.schedule.scheduler import Scheduler

_LOOK = 0.01  # seconds between two looks of the thread that waits for the cores, which may have missed a request
LOCK_TRIES = 4096  # of a script's lock in a row
_LOCK_WAIT = 0.001  # seconds between two such rows
_LOCK_ROUNDS = 5000  # of them: longer than any script runs, but not for ever


class Surroundings(msgspec.Struct, frozen=True):
    """What a parallel run needs of the machine.

    `begin_turn` and `end_turn` are called around each turn, `end_turn` with why it ended. `is_over` says whether the
    run is to end; `stop` asks every processor to stop.
    """

    processes: Callable[[], Sequence[Process]]
    begin_turn: Callable[[Process], None]
    end_turn: Callable[[Process, StopReason], None]
    is_over: Callable[[], bool]
    stop: Callable[[], None]


class ParallelRun:
    """One run of at most `budget` instructions.

    `out_of_budget` says afterwards whether they were too few, `deadlock` whether all threads wait, for ever.
    """

    def __init__(self, scheduler: Scheduler, gate: Gate, surroundings: Surroundings, budget: int) -> None:
        self.out_of_budget = False
        self.deadlock = False
        self._scheduler = scheduler
        self._gate = gate
        self._machine = surroundings
        self._free = budget  # instructions that no turn under way may use up
        self._turns = 0  # under way
        self._threads = 0
        self._idle = 0  # of them, those that wait for a process or for instructions
        self._waiting_for_locks = 0
        self._question: Callable[[], None] | None = None
        self._failure: BaseException | None = None

    def run(self) -> None:
        """Let all cores work until no process is alive or the run is over. Raises what any of them has raised first."""
        cores = self._scheduler.cores
        with self._gate:
            self._threads = len(cores)
            threads = [
                Thread(target=self._work, args=(core,), name=f"core {core.index}", daemon=True) for core in cores
            ]
            for thread in threads:
                thread.start()
            while self._threads:
                try:
                    self._gate.wait(_LOOK)
                except BaseException as error:
                    self._failure = self._failure or error
                self._answer()
                if self._is_over():
                    self._machine.stop()
                    self._gate.tell()
        for thread in threads:
            thread.join()
        if self._failure is not None:
            raise self._failure

    def _is_over(self) -> bool:
        return self._machine.is_over() or self.out_of_budget or self.deadlock or self._failure is not None

    # --- what a core's thread asks of the first thread, which alone may handle signals

    def ask(self, question: Callable[[], None]) -> None:
        """Have a function called in the thread of `run`, and wait for its end. Called alone inside the gate."""
        self._question = question
        self._gate.tell()
        while self._question is not None:
            self._gate.wait()

    def _answer(self) -> None:
        if self._question is None:
            return
        try:
            self._question()
        except BaseException as error:  # raised when all cores have come back
            self._failure = self._failure or error
        self._question = None
        self._gate.tell()

    # --- the threads

    def _work(self, core: Core) -> None:
        with self._gate.serving(core.index):
            try:
                while not self._is_over() and any(process.alive for process in self._machine.processes()):
                    self._go_on(core)
            except BaseException as error:  # `run` raises it
                self._failure = self._failure or error
            self._threads -= 1
            self._gate.tell()

    def _go_on(self, core: Core) -> None:
        """One turn of the core's process, or a wait for one that can run."""
        process = core.process
        if process is not None and process.alive and self._scheduler.prepare(process):
            self._scheduler.in_turn.add(process)
            try:
                self._turn(process)
            finally:
                self._scheduler.in_turn.remove(process)
        self._scheduler.rotate(core)
        self._tell_idle()
        if core.process is None or not self._scheduler.can_run(core.process):
            self._wait_for_work()

    def _wait_for_work(self) -> None:
        """This core has nobody to run; time passes when that is so on all of them."""
        if not any(process.alive for process in self._machine.processes()):
            return
        if self._scheduler.in_turn or self._idle + 1 < self._threads:
            self._wait()
        elif self._scheduler.await_earliest():
            self._tell_idle()
            self._gate.wait(_LOOK)  # let the core in whose process can run; perhaps it is this one
        else:
            self.deadlock = True
            self._gate.tell()

    def _turn(self, process: Process) -> None:
        self._machine.begin_turn(process)
        least, before = 1, process.cpu.executed
        longest = self._scheduler.longest_turn(process)
        while granted := self._take(least, longest):
            self._turns += 1
            try:
                with self._gate.left():
                    reason = process.run(granted)
            finally:
                used = process.cpu.executed - before
                self._free += granted - used
                self._turns -= 1
                self._tell_idle()
            if used or reason.kind is not StopKind.BUDGET:
                self._machine.end_turn(process, reason)
                return
            least = granted + 1  # the next block does not fit

    def _take(self, least: int, longest: int) -> int:
        """Instructions of a turn: at least so many, at most the longest, or 0 when no more than that are left.

        It is 0 as well when the run is over.
        """
        while self._free < least and self._turns and not self._is_over():
            self._wait()
        if self._is_over():
            return 0
        if self._free < least:
            self.out_of_budget = True
            return 0
        share = max(1, self._free // len(self._scheduler.cores))
        granted = min(self._free, max(2 * (least - 1), min(share, longest), least))
        self._free -= granted
        return granted

    def _wait(self) -> None:
        self._idle += 1
        self._gate.wait()
        self._idle -= 1

    def _tell_idle(self) -> None:
        if self._idle:
            self._gate.tell()

    # --- locks of scripts

    def waits_for_lock(self, rounds: int) -> bool:
        """Wait a little for a lock of scripts; whether another core may yet release it."""
        able = self._turns if self._is_over() else sum(process.alive for process in self._machine.processes())
        if rounds >= _LOCK_ROUNDS or able <= self._waiting_for_locks + 1 or self._gate.is_alone:
            return False
        self._waiting_for_locks += 1
        self._gate.wait(_LOCK_WAIT)
        self._waiting_for_locks -= 1
        return True
