"""Execution control of a session: running, halting, holding an event, breakpoints and steps (events-and-commands E.5).

An event that breaks *holds* the guest inside its trigger: commands are carried out there, and one of them lets it go
(`g`, a step). A breakpoint or the end of a step halts the guest between two runs. Steps execute one instruction of one
process and keep everything else frozen.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from hds.breakpoints import Breakpoint, Breakpoints, revive
from hds.disassembly import LONGEST_INSTRUCTION, Line, disassemble, jump_note
from hds.outlets import Halt
from machine.cpu import StopKind
from machine.events.catalog import EXECUTION_HOOKS
from machine.events.definition import Stage
from machine.events.dispatch import Trigger
from machine.machine import ProcessEnd, RunSummary, StopCause
from machine.process import Process
from vm.registers import RFLAGS, RIP, STORAGE_INDEX

if TYPE_CHECKING:
    from hds.session import Session

_RSP = STORAGE_INDEX["rsp"]
_NOWHERE = 0xFFFF_FFFF_FFFF_FFFF
_KERNEL = 1 << 63
_ITERATIONS = 1 << 32  # instructions that one REP instruction may count for
_STOPPING = (StopKind.HALT, StopKind.FAULT, StopKind.INVALID, StopKind.UNMAPPED)


@dataclass(frozen=True)
class Hit:
    """An INT3 that was executed: a breakpoint, or one of the guest's own."""

    process: Process
    breakpoint: Breakpoint | None


@dataclass(frozen=True)
class _Release:
    """How a held event is let go: whether the run goes on, and what follows when it has come back."""

    goes_on: bool
    then: Callable[[], object] | None


class Execution:
    """What runs and stops the guest of one session."""

    def __init__(self, session: Session) -> None:
        self.breakpoints = Breakpoints()
        self.held: Trigger | None = None
        self._session = session
        self._release: _Release | None = None
        self._after: Callable[[], object] | None = None
        self._stepping = False
        self._halted_here = False  # an event held the guest during the step that is under way, or still does
        self._stands_on: dict[Process, int] = {}  # breakpoints that were reported and are not to hit again at once
        self._hooked: dict[Process, int] = {}  # execution hooks whose events ran, and whose instruction did not yet

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
        if session.outlets.broke(halt):
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
        if not goes_on:
            self._stay(trigger)
        return goes_on

    def _stay(self, trigger: Trigger) -> None:
        """End the run at the instruction of an execution hook, which the CPU would carry out before it stops.

        RIP behind the instruction makes the CPU leave the block at once; `_return_to_hooks` puts it back.
        """
        process, address = trigger.process, trigger.instruction_pointer
        registers = process.cpu.registers
        if trigger.event.definition.kind in EXECUTION_HOOKS and registers.read(RIP) == address:
            line = self.instruction(process)
            registers.write(RIP, address + 1 if line is None else line.end)
            self._hooked[process] = address

    def _return_to_hooks(self) -> None:
        for process, address in self._hooked.items():
            if process.alive:
                process.cpu.registers.write(RIP, address)

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
            self._step_off()
            remaining = None if deadline is None else max(0.0, deadline - time.monotonic())
            summary = session.machine.run(left, remaining)
            self._return_to_hooks()
            left -= summary.instructions
            hits = self._hits()
            if hits:
                ids = {hit.process.pid for hit in hits}
                ends = tuple(end for end in summary.ends if end.process_id not in ids)
                summary = replace(summary, cause=StopCause.BREAK, ends=ends)
            if summary.cause is not StopCause.NOTHING_LOADED or session.totals.last is None:
                session.totals.last = summary
            if not hits or any(arrived(hit) for hit in hits) or not self._report(hits):
                break
        after = self._take_after()
        if after is not None:
            after()
        return summary

    def _hits(self) -> list[Hit]:
        """The processes that an INT3 stopped; they stand at the breakpoint, or behind an INT3 of their own."""
        hits: list[Hit] = []
        for process in self._session.machine.processes:
            address = revive(process)
            if address is None:
                continue
            row = self.breakpoints.at(process, address)
            if row is not None and row.enabled:
                process.cpu.registers.write(RIP, address)
                self._stands_on[process] = address
            hits.append(Hit(process, row))
        return hits

    def _report(self, hits: list[Hit]) -> bool:
        """Show the breakpoints that were hit; whether the run goes on."""
        goes_on = True
        for hit in hits:
            row = hit.breakpoint
            if row is not None and (row.number is None or not row.wants(hit.process.core)):
                continue
            self._session.totals.breaks += 1
            headline = "int3 of the program" if row is None else f"breakpoint 0x{row.number:x} hit"
            halt = replace(self._halt(headline, hit.process), breakpoint_id=None if row is None else row.number)
            goes_on = self._session.outlets.broke(halt) and goes_on
        return goes_on

    def _step_off(self) -> None:
        """Execute the instructions whose breakpoint or hook was reported already."""
        reported = {*self._stands_on.items(), *self._hooked.items()}
        self._stands_on.clear()
        for process, address in sorted(reported, key=lambda item: item[0].pid):
            if process.alive and process.cpu.registers.read(RIP) == address:
                self._execute_one(process)

    # --- steps

    def step_in(self, process: Process) -> bool:
        """`i`: exactly one instruction. Whether the process can go on and nothing else halted it."""
        self._halted_here = False
        self._execute_one(process)
        if process.alive and self.breakpoints.at(process, process.cpu.registers.read(RIP)) is not None:
            self._stands_on[process] = process.cpu.registers.read(RIP)
        after = self._take_after()
        if after is not None:
            after()
            return False
        return process.alive and not self._halted_here

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
        entered = user and process.cpu.registers.read(RIP) >= _KERNEL
        if line is None or not (entered or call is not None) or process.cpu.registers.read(RIP) == line.end:
            return True
        return self._run_to(process, line.end, stack)

    def _run_to(self, process: Process, address: int, stack: int) -> bool:
        """Run until the process is at an address with its stack back at `stack`, or above."""
        arrived = False

        def check(hit: Hit) -> bool:
            nonlocal arrived
            registers = process.cpu.registers
            here = hit.process is process and registers.read(RIP) == address and registers.read(_RSP) >= stack
            arrived = arrived or here
            return here

        with self.breakpoints.temporary(process, address):
            self.run(arrived=check)
        return arrived

    def _execute_one(self, process: Process) -> None:
        """Execute the instruction at RIP, with its events; the process ends or lives on as in a run."""
        cpu, line = process.cpu, self.instruction(process)
        start = cpu.registers.read(RIP)
        hook = self._hooked.pop(process, None)
        outer, self._stepping = self._stepping, True
        try:
            with self.breakpoints.lifted(process, start), self._hooks_muted(start if hook == start else None):
                if line is not None:
                    cpu.write(start, line.code)  # translated anew, so that the block can end behind the instruction
                until, budget = _NOWHERE, 1
                if line is not None and not line.branches and line.mnemonic != "hlt":
                    until, budget = line.end, _ITERATIONS
                reason = cpu.run(start, until, budget)
        finally:
            self._stepping = outer
        self._return_to_hooks()
        if process.exit_code is None and reason.kind in _STOPPING:
            process.ended = reason
            revive(process)
        if not process.alive:
            end = ProcessEnd.of(process)
            self._session.totals.last = RunSummary(end.cause, 1, {}, {}, {}, (end,))
        self._session.machine.messages.drain()

    @contextmanager
    def _hooks_muted(self, address: int | None) -> Iterator[None]:
        """No execution hook fires at an address whose events have run already."""
        muted = [
            event
            for event in self._session.machine.registry.oldest_first()
            if event.enabled and event.definition.kind in EXECUTION_HOOKS and event.definition.parameters == (address,)
        ]
        for event in muted:
            event.enabled = False
        try:
            yield
        finally:
            for event in muted:
                event.enabled = True

    # --- looking

    def instruction(self, process: Process) -> Line | None:
        """The instruction at RIP; None where there is none."""
        address = process.cpu.registers.read(RIP)
        code = process.cpu.memory.read_up_to(address, LONGEST_INSTRUCTION)
        code = self.breakpoints.seen(process, address, code)
        return next(disassemble(code, address, syntax=self._session.settings.syntax), None)

    def instruction_line(self, process: Process) -> str:
        """The instruction at RIP as breaks and steps show it."""
        line = self.instruction(process)
        if line is None:
            return f"{process.cpu.registers.read(RIP):016x}   the memory here holds no instruction"
        return f"{line}{jump_note(line, process.cpu.registers.read(RFLAGS))}"
