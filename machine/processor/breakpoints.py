"""Hardware breakpoints of a CPU: addresses are hooked, and pages watched, for what its debug registers ask for."""

from __future__ import annotations

from machine.processor.address_hooks import AddressHooks
from machine.processor.binding import Hook
from machine.processor.core import Core
from machine.processor.debug_registers import DebugRegisters
from machine.processor.fault import Fault, Vector
from machine.processor.watched_accesses import WatchedAccesses
from vm.facts.registers import RFLAGS, RIP

_RF = 1 << 16


class Breakpoints:
    """Those of one CPU; of the thread that it has."""

    def __init__(self, core: Core, debug: DebugRegisters, hooks: AddressHooks, watched: WatchedAccesses) -> None:
        self._memory, self._registers, self._hidden, self._run = core.memory, core.registers, core.hidden, core.run
        self._debug, self._hooks, self._watched = debug, hooks, watched
        self._hooked: list[Hook] = []
        core.registers.on_debug = self.look_again

    @property
    def are_set(self) -> bool:
        """Whether a debug register asks for one."""
        return bool(self._debug.breakpoints)

    def move(self, code: bytes) -> None:
        """In the hook of a MOV from or to a debug register, of which this is the code."""
        fault = None if self._hidden.level else self._debug.move(code)
        if fault is not None:
            self._run.raise_before(fault)

    def look_again(self) -> None:
        """The debug registers were written."""
        had = self.are_set
        if not self._debug.look_again():
            return
        while self._hooked:
            self._hooks.remove(self._hooked.pop())
        for address in self._debug.executions:
            self._hooked.append(self._hooks.add(address, self._arrive))
        self._memory.breakpoints = self._debug.rights_of if self.are_set else None
        if had or self.are_set:
            self._memory.watch_anew()
        self._watched.forget_learned()

    def _arrive(self) -> None:
        """Before the instruction of an execution breakpoint; RF has it executed."""
        rip, flags = self._registers.read(RIP), self._registers.read(RFLAGS)
        if flags & _RF:
            self._registers.write(RFLAGS, flags & ~_RF)
        elif self._run.event is None:
            self._run.raise_before(Fault(Vector.DB, rip, debug=self._debug.status_at(rip)))
