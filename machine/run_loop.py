"""The run loop: processes take turns on cores, one core after the other or in parallel, until something ends the run.

What may end it: all processes have ended, a budget, the time, Ctrl-C, a break, a kernel's work, a deadlock. Scripts
outside runs are ended by the same means.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING

import msgspec

from machine.events import Trigger
from machine.messages import MessageChannel
from machine.processes import Processes
from machine.processor import StopKind, StopReason
from machine.root import RootSandbox
from machine.schedule import Core, Process, RunGuard, parallel
from machine.summary import CAUSES, ProcessEnd, StopCause
from vm import Brake, Sharing

if TYPE_CHECKING:
    from machine.schedule import Gate

_KILLED = 128 + 9  # the exit code of a process that is ended from outside


class RunSurroundings(msgspec.Struct, frozen=True):
    """What runs need of the machine.

    `begin_turn` is called before each turn of a process. `goes_on` is asked at a break, `notice` tells the user.
    """

    begin_turn: Callable[[Process], None]
    goes_on: Callable[[Trigger], bool]
    notice: Callable[[str], None]


class RunLoop:
    """That of one machine. `core` is the one that ran last: commands act on its process."""

    def __init__(
        self,
        processes: Processes,
        messages: MessageChannel,
        brake: Brake,
        sandboxes: Sequence[RootSandbox],
        machine: RunSurroundings,
    ) -> None:
        self._processes = processes
        self._scheduler, self._gate = processes.scheduler, processes.gate
        self._messages = messages
        self._brake = brake
        self._sandboxes = sandboxes
        self._machine = machine
        self.core: Core = processes.scheduler.cores[0]
        self.is_running = False
        self.paused = False  # the last run came to `pause_at`, or to the last block in front of it
        self.between_turns: Callable[[], None] = lambda: None  # in a run
        self._turned: Callable[[], None] = lambda: None
        self._halted_on = 0  # the core whose turn it was when the last run was halted
        self._pause_at: int | None = None
        self._stop_cause: StopCause | None = None
        self._parallel: parallel.ParallelRun | None = None  # under way
        self._guard = RunGuard(self.stop, lambda: self._end(StopCause.TIMEOUT), self._pull_brake)
        self._guard_outside_runs: RunGuard | None = None
        work = processes.physical.work
        work.is_ending, work.on_used_up = self._is_ending, self._work_is_used_up
        work.on_wait = messages.catch_up

    def run(self, budget: int, timeout: float | None) -> StopCause:
        """One run of at most so many instructions and seconds; why it is over."""
        self.is_running, self._stop_cause, self.paused = True, None, False
        try:
            with self._guard.guarding(timeout):
                if self._gate is None:
                    return self._take_turns(self._processes.executed() + budget)
                return self._run_in_parallel(self._gate, budget)
        finally:
            self.is_running = False
            self._brake.release()

    def begin_step(self, process: Process) -> None:
        """Before a step: it counts for a turn of the process."""
        self._scheduler.begin_step(process)

    def prepare(self, process: Process) -> bool:
        """Before a step: whether a thread of the process, which has its CPU then, can run."""
        return process.alive and self._scheduler.prepare(process)

    # --- what users ask for between and within runs

    def stop(self) -> None:
        """As `Machine.stop`."""
        self._end(StopCause.STOPPED)

    def suspended(self) -> AbstractContextManager[None]:
        """A stretch of a run that does not count as its time, and in which Ctrl-C does what it does outside."""
        return self._guard.suspended()

    @contextmanager
    def guarding(self, timeout: float | None) -> Iterator[None]:
        """A script or a step outside runs, which ends at Ctrl-C and after so many seconds of real time, as a run does.

        Raises KeyboardInterrupt behind it if Ctrl-C ended it.
        """
        guard = RunGuard(self._pull_brake, self._pull_brake)
        outer, self._guard_outside_runs = self._guard_outside_runs, guard
        try:
            with guard.guarding(timeout):
                yield
        finally:
            self._guard_outside_runs = outer
            self._brake.release()

    @property
    def pause_at(self) -> int | None:
        """The count of `Machine.executed` that no run goes beyond; it ends in front of the block that would.

        None: there is none. Whoever ran last has the CPU then, in the middle of its turn. Not for cores in parallel.
        """
        return self._pause_at

    @pause_at.setter
    def pause_at(self, count: int | None) -> None:
        self._pause_at = count
        process = self.core.process
        if count is not None and self.is_running and process is not None:
            process.end_turn_within(max(0, count - self._processes.executed()))

    def watch_turns(self, watch: Callable[[], None]) -> None:
        """Call this between turns, by one core at a time; `longest_turn` says how far these are apart at the most."""
        self._turned = watch

    @property
    def longest_turn(self) -> int:
        """Instructions of a turn that nobody waits for the end of: one quantum, or more."""
        return self._scheduler.most_alone

    @longest_turn.setter
    def longest_turn(self, instructions: int) -> None:
        self._scheduler.limit_turns(instructions)

    # --- how runs end

    def _end(self, cause: StopCause) -> None:
        core = None if self._gate is None else self._gate.core
        if self._stop_cause is None and core is not None:
            self.core = self._scheduler.cores[core]
        self._stop_cause = self._stop_cause or cause
        self._stop_processors()

    def _stop_processors(self) -> None:
        for process in self._processes.all:
            process.cpu.stop()

    def _pull_brake(self) -> None:
        """End the scripts, conditions and code blocks that are under way."""
        self._brake.pull()
        for sandbox in self._sandboxes:
            sandbox.interrupt()

    def _is_ending(self) -> bool:
        is_over = self.is_running and self._stop_cause is not None  # the cause stays behind a run
        return is_over or self._brake.is_pulled

    def _work_is_used_up(self) -> None:
        if self.is_running:
            self._end(StopCause.KERNEL_WORK)

    def broke(self, trigger: Trigger) -> None:
        """A break action or pause(): ask the user, and end the run after this trigger unless it goes on."""
        with self._processes.alone():
            if self._parallel is None:
                self._ask_user(trigger)
            elif self._stop_cause is None:
                self.core = self._scheduler.cores[trigger.core]
                self._parallel.ask(lambda: self._ask_user(trigger))
            else:  # another core was faster
                event_id = trigger.event.definition.id
                self._machine.notice(f"event {event_id:x} broke on core {trigger.core:x} as the run ended")

    def _ask_user(self, trigger: Trigger) -> None:
        self._messages.read()
        step = self._guard_outside_runs
        with self._guard.suspended(), nullcontext() if step is None else step.suspended():
            self._brake.release()
            goes_on = self._machine.goes_on(trigger)
        if not goes_on:
            self._end(StopCause.BREAK)

    def _abandon_waiting(self) -> None:
        """What users have loaded has ended, and what that has left behind waits for ever: nobody waits for it."""
        for process in self._processes.alive:
            process.exit(_KILLED)

    # --- one core after the other

    def _take_turns(self, ceiling: int) -> StopCause:
        cause, executed = StopCause.NOTHING_LOADED, self._processes.executed
        for core in self._scheduler.cores:
            self._scheduler.end_turn_of(core)
        cores, self._halted_on = self._scheduler.cores[self._halted_on :], 0
        while alive := self._processes.alive:
            self._processes.see_off()
            self.between_turns()
            before, turns, exhausted = executed(), 0, True
            for core in cores:
                process, is_cut = core.process, False
                if process is not None and process.alive:
                    if self._scheduler.prepare(process):
                        turns += 1
                        self.core = core
                        self._machine.begin_turn(process)
                        reason = self._scheduler.turn(process, self._left(ceiling))
                        is_cut = reason.kind is StopKind.BUDGET and process.is_cut(self._left(ceiling))
                        cause = self._end_turn(process, reason) or cause
                        self._messages.catch_up()
                        self._turned()
                        exhausted = exhausted and reason.kind is StopKind.BUDGET
                    elif not process.alive:
                        cause = StopCause.EXIT  # behind a wait
                if self._stop_cause is not None or is_cut:
                    self._halted_on = core.index
                    return self._stop_cause or self._cut(ceiling)
                self._scheduler.rotate(core)
            still_alive = self._processes.alive
            are_all, cores = cores == self._scheduler.cores, self._scheduler.cores
            if still_alive != alive or not are_all:
                continue
            if not turns:
                if not self._scheduler.await_earliest():
                    if any(process.loaded is None for process in still_alive):
                        return StopCause.DEADLOCK
                    self._abandon_waiting()
            elif exhausted and executed() == before:
                return StopCause.BUDGET  # no core's next block fits in what is left
        return cause

    def _cut(self, ceiling: int) -> StopCause:
        """Why a run ends in the middle of a turn: it comes to `pause_at`, or has used its budget up."""
        self.paused = self._pause_at is not None and self._pause_at <= ceiling
        return StopCause.STOPPED if self.paused else StopCause.BUDGET

    def _left(self, ceiling: int) -> int:
        pause = self._pause_at
        return (ceiling if pause is None else min(ceiling, pause)) - self._processes.executed()

    def _end_turn(self, process: Process, reason: StopReason) -> StopCause | None:
        """The cause if the process has ended."""
        if process.exit_code is not None:
            return StopCause.EXIT if process.loaded is None else None
        stays = process.thread.ended or process.thread.waiting is not None  # also where the program's end comes next
        if reason.kind in CAUSES and not stays:
            process.break_down(reason)
            if process.loaded is None:
                return CAUSES[reason.kind]
            self._machine.notice(f"process {process.pid:x}: {ProcessEnd.of(process).describe()}")
        return None

    # --- cores in parallel

    def _run_in_parallel(self, gate: Gate, budget: int) -> StopCause:
        cause = StopCause.NOTHING_LOADED

        def end_turn(process: Process, reason: StopReason) -> None:
            nonlocal cause
            cause = self._end_turn(process, reason) or cause
            self._processes.see_off()
            self._messages.catch_up()  # before the process says more on another core
            self._turned()

        surroundings = parallel.Surroundings(
            processes=lambda: self._processes.all,
            begin_turn=self._machine.begin_turn,
            end_turn=end_turn,
            is_over=lambda: self._stop_cause is not None,
            stop=self._stop_processors,
        )
        self._parallel = run = parallel.ParallelRun(self._scheduler, gate, surroundings, budget)
        try:
            run.run()
        finally:
            self._parallel = None
        if self._stop_cause is None and run.out_of_budget:
            return StopCause.BUDGET
        if self._stop_cause is None and run.deadlock:
            if any(process.loaded is None for process in self._processes.alive):
                return StopCause.DEADLOCK
            self._abandon_waiting()
        return self._stop_cause or cause

    def sharing(self) -> Sharing:
        """How the scripts of the machine get along."""
        if self._gate is None:
            return Sharing(brake=self._brake)
        return Sharing(self._gate, parallel.LOCK_TRIES, self._waits_for_lock, self._brake)

    def _waits_for_lock(self, rounds: int) -> bool:
        return self._parallel is not None and self._parallel.waits_for_lock(rounds)
