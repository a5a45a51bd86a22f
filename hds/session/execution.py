"""Execution control of a session: running, halting, holding an event, breakpoints and steps (events-and-commands E.5).

An event that breaks *holds* the guest inside its trigger: commands are carried out there, and one of them lets it go
(`g`, a step). A breakpoint or the end of a step halts the guest between two runs. Steps execute one instruction of one
process and keep everything else frozen.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from hds.report.records import Halt, Settled
from machine import ProcessEnd, RunSummary, StopCause
from machine.debugger import (
    Breakpoint,
    Breakpoints,
    revive,
    stepping,
)
from machine.events import Trigger
from machine.schedule import Process
from vm.facts.registers import RIP, STORAGE_INDEX
from vm.facts.stages import Stage

if TYPE_CHECKING:
    from hds.session.context import Context
    from hds.session.session import Session
    from machine.debugger import Line

_RSP = STORAGE_INDEX["rsp"]
_KERNEL = 1 << 63
ENDED_BEFORE_ENTRY = (
    "the program ended in its loader, before events began: --events-from start shows its calls, "
    "`hds doctor --root DIR PROGRAM` which DLLs are missing"
)


class Arrived(BaseException):
    """A run or step of a replay is about to go beyond its goal."""


class Hit(msgspec.Struct, frozen=True):
    """A process that halted: at a breakpoint, or behind an INT3 of its own."""

    process: Process
    breakpoint: Breakpoint | None


class _Release(msgspec.Struct, frozen=True):
    """How a held event is let go: whether the run goes on, and what follows when it has come back."""

    goes_on: bool
    then: Callable[[], object] | None


class Execution:
    """What runs and stops the guest of one session."""

    def __init__(self, session: Session) -> None:
        self.breakpoints = Breakpoints(self._at_breakpoint)
        self.held: Trigger | None = None
        self._session = session
        self._release: _Release | None = None
        self._after: Callable[[], object] | None = None
        self._stepping = False
        self._halted_here = False  # an event held the guest during the step that is under way, or still does
        self._hits: list[Hit] = []  # of the run that is under way
        self.halts_at_int3 = True  # of the program, which nobody handles; else it ends the program
        self._stepped_on: dict[Process, int] = {}  # breakpoints that a step ended at, which are not to hit at once
        self._context: Context | None = None
        self.checkpoint: Callable[[], bool] = lambda: False  # behind runs: to run on; in front of steps; raises Arrived

    # --- events that hold the guest

    @property
    def released(self) -> bool:
        """Whether a command has let the held event go."""
        return self._release is not None

    def release(self, *, goes_on: bool, then: Callable[[], object] | None = None) -> None:
        """Let the held event finish; `then` is called when the machine has come back."""
        if goes_on and self._stepping:
            goes_on, then = False, self.run
        self._release = _Release(goes_on, then)

    def broke(self, trigger: Trigger) -> bool:
        """A break action or pause(): whether the run goes on after this trigger."""
        session = self._session
        session.totals.breaks += 1
        stage = "pre" if trigger.stage is Stage.PRE else "post"
        headline = f"event 0x{trigger.event.definition.id:x} triggered ({stage})"
        halt = self._halt(headline, trigger.process)
        halt = replace(halt, event_id=trigger.event.definition.id, stage=int(trigger.stage is Stage.POST))
        if self._ask(halt):
            return True
        outer, self.held = self.held, trigger
        try:
            session.perform_at_halt()
        finally:
            self.held = outer
        release, self._release = self._release, None
        goes_on = release is not None and release.goes_on
        if release is None:
            self._halted_here = True
        else:
            self._after = release.then
        return goes_on

    def _ask(self, halt: Halt) -> bool:
        """Report a halt; whether the run goes on at once."""
        goes_on = self._session.questions.broke(halt)
        if not goes_on:
            self._session.report(Settled())
        self._session.report(halt)
        return goes_on

    def _at_breakpoint(self, row: Breakpoint) -> None:
        """Before the instruction of a breakpoint."""
        if not self._stepping and row.wanted:
            self._hits.append(Hit(row.process, row))
            self._session.machine.stop()

    def _take_after(self) -> Callable[[], object] | None:
        after, self._after = self._after, None
        return after

    def _halt(self, headline: str, process: Process) -> Halt:
        return Halt(
            headline,
            self.instruction_line(process),
            process_id=process.pid,
            thread_id=process.tid,
            core=process.core,
            instruction_pointer=process.cpu.registers.read(RIP),
            time=self._session.machine.clock.elapsed(),
        )

    # --- running

    def go(self) -> None:
        """`g`: let the guest run on from where it is."""
        if self.held is None:
            self.run()
        else:
            self.release(goes_on=True)

    def run(
        self,
        max_instructions: int | None = None,
        timeout: float | None = None,
        arrived: Callable[[Hit], bool] = lambda hit: False,
    ) -> RunSummary:
        """Let all processes run until they end, something halts the machine, or a step's own breakpoint `arrived`."""
        session = self._session
        left = session.limits.max_instructions if max_instructions is None else max_instructions
        timeout = session.timeout if timeout is None else timeout
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            if not self._step_off():
                return self._ended_in_a_step()
            remaining = None if deadline is None else max(0.0, deadline - time.monotonic())
            self._hits.clear()
            summary = session.machine.run(left, remaining)
            left -= summary.instructions
            if self.checkpoint():
                continue
            hits = [*self._hits, *self._int3s()]
            if hits:
                ended = {process.pid for process in session.machine.processes if not process.alive}
                ends = tuple(end for end in summary.ends if end.process_id in ended)
                summary = replace(summary, cause=StopCause.BREAK, ends=ends)
            if summary.cause is not StopCause.NOTHING_LOADED or session.totals.last is None:
                session.totals.last = summary
            if not hits or any(arrived(hit) for hit in hits) or not self._report(hits):
                break
        session.report(Settled())
        after = self._take_after()
        if after is not None:
            after()
        return summary

    def _int3s(self) -> list[Hit]:
        if not self.halts_at_int3:
            return []
        return [Hit(process, None) for process in self._session.machine.processes if revive(process)]

    def _report(self, hits: list[Hit]) -> bool:
        """Show the breakpoints that were hit; whether the run goes on."""
        goes_on = True
        for hit in hits:
            row = hit.breakpoint
            if row is not None and row.number is None:
                continue
            self._session.totals.breaks += 1
            headline = "int3 of the program" if row is None else f"breakpoint 0x{row.number:x} hit"
            halt = replace(self._halt(headline, hit.process), breakpoint_id=None if row is None else row.number)
            goes_on = self._ask(halt) and goes_on
        return goes_on

    def _step_off(self) -> bool:
        """Execute the instructions at the breakpoints that steps ended at; whether no event halted the guest there."""
        self._halted_here = False
        stepped_on, self._stepped_on = self._stepped_on, {}
        for process, address in stepped_on.items():
            if process.alive and process.cpu.registers.read(RIP) == address:
                self.execute_one(process)
        return not self._halted_here and self._after is None

    def _ended_in_a_step(self) -> RunSummary:
        """A run that an event ended before it came beyond its first instruction."""
        summary = RunSummary(StopCause.BREAK, 0, {}, {}, {}, ())
        self._session.totals.last = summary
        after = self._take_after()
        if after is not None:
            after()
        return summary

    def run_to_entry(self, process: Process) -> None:
        """Let a program that is the only one run on to its entry point, its loader's work, without events."""
        alone = all(each is process or not each.alive for each in self._session.machine.processes)
        if not alone or not process.alive or self.held is not None:
            return
        totals, arrived = self._session.totals, False

        def check(hit: Hit) -> bool:
            nonlocal arrived
            arrived = hit.process is process and hit.breakpoint is not None and hit.breakpoint.number is None
            return arrived

        events = [event for event in self._session.machine.registry.oldest_first() if event.enabled]
        for event in events:
            event.enabled = False
        try:
            with self.breakpoints.temporary(process, process.image.entry):
                self.run(arrived=check)
        finally:
            for event in events:
                event.enabled = True
        if arrived:
            totals.last = None  # its own run is still to come
        elif not process.alive:
            self._session.notice(ENDED_BEFORE_ENTRY)

    # --- steps

    def step_in(self, process: Process) -> bool:
        """`i`: exactly one instruction. Whether the process can go on and nothing else halted it."""
        if not self._is_awake(process):
            return False
        self._halted_here = False
        self.execute_one(process)
        self.stand(process)
        after = self._take_after()
        if after is not None:
            after()
            return False
        return process.alive and not self._halted_here

    def stand(self, process: Process) -> None:
        """The process stands where it is: a breakpoint there does not hit at once when it goes on."""
        if process.alive and self.breakpoints.at(process, process.cpu.registers.read(RIP)) is not None:
            self._stepped_on[process] = process.cpu.registers.read(RIP)

    def step_over(self, process: Process) -> bool:
        """`p`: one instruction, a call up to its return. The result is that of `step_in`."""
        line = self.instruction(process)
        return self._step_past(process, line if line is not None and line.is_call else None)

    def step(self, process: Process) -> bool:
        """`t`: one instruction; a system call up to its return. The result is that of `step_in`."""
        return self._step_past(process, None)

    def _step_past(self, process: Process, call: Line | None) -> bool:
        """One instruction, and then on to the instruction behind it if it was the call or if it entered the kernel."""
        line = self.instruction(process)
        before = process.cpu.registers
        stack, user = before.read(_RSP), before.read(RIP) < _KERNEL
        if not self.step_in(process):
            return False
        if process.thread.waiting is not None:  # the system call is not over
            return self._is_awake(process)
        entered = user and process.cpu.registers.read(RIP) >= _KERNEL
        if line is None or not (entered or call is not None) or process.cpu.registers.read(RIP) == line.end:
            return True
        return self._run_to(process, line.end, stack)

    def _run_to(self, process: Process, address: int, stack: int) -> bool:
        """Run until the process is at an address with its stack back at `stack`, or above."""
        arrived, thread = False, process.thread

        def check(hit: Hit) -> bool:
            nonlocal arrived
            registers = process.cpu.registers
            here = hit.process is process and process.thread is thread
            here = here and registers.read(RIP) == address and registers.read(_RSP) >= stack
            arrived = arrived or here
            return here

        with self.breakpoints.temporary(process, address):
            self.run(arrived=check)
        return arrived

    def _is_awake(self, process: Process) -> bool:
        """Before a step: run on until the thread's wait is over. Of a thread that has ended, another one goes on."""
        if process.thread.ended:
            return self._session.machine.run_loop.prepare(process)
        return process.thread.waiting is None or self._run_to(process, process.cpu.registers.read(RIP), 0)

    def execute_one(self, process: Process) -> None:
        """Execute the instruction at RIP, with its events; the process ends or lives on as in a run."""
        self.checkpoint()
        outer, self._stepping = self._stepping, True
        try:
            with self._session.machine.run_loop.guarding(self._session.timeout):
                self._session.machine.run_loop.begin_step(process)
                stepping.execute_instruction(process)
        finally:
            self._stepping = outer
        if not process.alive:
            end = ProcessEnd.of(process)
            self._session.totals.last = RunSummary(end.cause, 1, {}, {}, {}, (end,))
        self._session.machine.messages.drain()

    # --- looking

    def instruction(self, process: Process) -> Line | None:
        """The instruction at RIP; None where there is none."""
        return stepping.instruction_at(process, self._session.settings.syntax)

    def instruction_line(self, process: Process) -> str:
        """The instruction at RIP as breaks and steps show it, or all of the state where that is wanted."""
        if self._session.settings.context:
            if self._context is None:
                from hds.session.context import Context

                self._context = Context(self._session)
            return self._context.text(process)
        return stepping.instruction_line(process, self._session.settings.syntax)
