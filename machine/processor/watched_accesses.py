"""What a CPU does around an instruction that accesses watched memory: before it, while it is executed, and behind it.

A run ends before such an instruction, somebody is told, and the run goes on with it (`watched.SingleStep`), at another
RIP, or not at all. Machine code may take the most frequent ones over (`AccessCarrier`).
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace
from unicorn import unicorn_const as uc

from machine.processor import memory_operands
from machine.processor.address_hooks import AddressHooks
from machine.processor.core import Core
from machine.processor.debug_registers import DebugRegisters
from machine.processor.fault import DebugStatus, Vector
from machine.processor.instruction_finder import LONGEST_INSTRUCTION
from machine.processor.run_state import StopKind, StopReason
from machine.processor.tlb import Tlb
from machine.processor.watched import AccessCarrier, Due, SingleStep, WatchedInstruction
from vm.facts.paging import EXECUTE
from vm.facts.registers import RIP


class WatchedAccesses:
    """Those of one CPU. `due` is what the thread has ahead of it at RIP: it was told of, and is to be executed.

    `trap` is what the #DB behind an instruction that was executed alone sets in DR6.
    """

    def __init__(self, core: Core, tlb: Tlb, step: SingleStep, hooks: AddressHooks, debug: DebugRegisters) -> None:
        self._engine, self._memory, self._blocks = core.engine, core.memory, core.blocks
        self._registers, self._run = core.registers, core.run
        self._tlb, self._step, self._hooks, self._debug = tlb, step, hooks, debug
        self.trap = 0
        self.carrier: AccessCarrier | None = None
        self.due: Due | None = None
        self.on_watched: Callable[[WatchedInstruction], Due | None] = lambda watched: Due(watched.rip)

    def forget_learned(self) -> None:
        """Let machine code deal with nothing that it has learned: it cuts no blocks, and knows no breakpoints."""
        if self.carrier is not None:
            self.carrier.forget()

    def start_carried(self, carrier: AccessCarrier, start: int, until: int) -> int:
        """As `Engine.start`, by the carrier."""
        self._engine.forget_removed()
        status = carrier.start(start, until)
        begun = carrier.given_back()
        if begun is not None:
            self._step.take_over(*begun)
            self.due = Due(begun[0])
        return status

    def resume(self, start: int) -> None:
        """A run starts: it executes a watched instruction that somebody was told of before the last one ended."""
        if self.due is not None and self.due.rip == start:
            self._step.begin(start)
        else:
            self.due = None

    def is_begun_anew(self, address: int) -> bool:
        """Whether the emulator, about to enter a block, begins the watched instruction anew that it has under way."""
        return self._step.active and self._blocks.is_full and self.due is not None and self.due.rip == address

    def goes_on(self, status: int) -> bool:
        """Deal with a watched instruction, before it is executed or behind it; whether the run goes on at RIP."""
        step, refused = self._step, self._tlb.refused
        halted = step.active and self._end_step(status)
        if step.completed:
            step.completed = False
            return self._execute_behind() and not halted
        if refused is not None and refused.is_watched and status == uc.UC_ERR_EXCEPTION:
            return self._tell(refused.right)
        return False

    def has_stepped(self, vector: int) -> bool:
        """Whether an exception is the end of a watched instruction that was executed alone."""
        if vector != Vector.DB or not self._step.active:
            return False
        hit = 0 if self.due is None else self.due.debug
        wants_exception = self._close_step(completed=True)
        self.trap = hit | DebugStatus.BS * wants_exception
        if self.trap or self._run.stop_requested or (self.due is not None and self.due.behind is not None):
            self._engine.stop()
        else:
            self._step.completed, self.due = False, None
        return not self.trap

    def _end_step(self, status: int) -> bool:
        """The emulator has ended a run that was to execute a watched instruction, but not by the #DB behind it.

        Whether the run is over with it: it was HLT, or the last one.
        """
        assert self.due is not None
        run = self._run
        at_end = run.event is None and self._tlb.refused is None and status == uc.UC_ERR_OK
        completed = at_end and self._registers.read(RIP) != self.due.rip
        self._close_step(completed)
        halted = run.why is None
        if completed:
            run.why = None
            if self.due.debug:
                run.event = StopReason.trapped(self._registers.read(RIP), self.due.debug)
        elif not at_end:
            self.due = None
        return halted

    def _close_step(self, completed: bool) -> bool:
        wants_exception = self._step.end(completed)
        if completed:
            self._blocks.finish()
            self._hooks.arrival.exchange(None)
        if self._run.stop_requested:
            self._blocks.close()
        self._registers.forget()
        return wants_exception

    def _tell(self, right: int) -> bool:
        """Before a watched instruction; whether the run goes on, with it or at another RIP."""
        registers, blocks, run = self._registers, self._blocks, self._run
        if blocks.is_full:
            run.why = run.without_budget
            return False
        rip = registers.read(RIP)
        code = self._memory.read_up_to(rip, LONGEST_INSTRUCTION)
        watched = WatchedInstruction(rip, memory_operands.accesses(code, rip, registers.read))
        hooks = self._hooks.count  # that were called
        blocks.count_one()
        try:
            with run.gate:
                if self.carrier is not None and self.carrier.was_told:
                    self.due = self.carrier.decide(rip)
                else:
                    self.due = self.on_watched(watched)
        except BaseException as error:
            run.carry(error)
        registers.store()
        registers.forget()
        if run.carried is not None:
            return False
        if self.due is None:
            run.give_up()
        else:
            blocks.discount_one()
        if run.stop_requested:
            run.why = StopKind.STOPPED
            return False
        if self.due is not None:
            status = self._debug.status_of(watched.accesses) if self._debug.breakpoints else 0
            if status:
                self.due = replace(self.due, debug=status)
            if right != EXECUTE:
                self._hooks.arrival.begin_anew(rip, hooks, blocks.executed + 1)
            self._step.begin(rip)
        return True

    def _execute_behind(self) -> bool:
        """What waits for the end of a watched instruction; whether the run goes on."""
        run = self._run
        due, self.due = self.due, None
        if due is not None and due.behind is not None:
            try:
                with run.gate:
                    due.behind()
            except BaseException as error:
                run.carry(error)
            self._registers.store()
            self._registers.forget()
        if run.stop_requested:
            run.why = StopKind.STOPPED
        return not run.stop_requested and run.carried is None and run.event is None
