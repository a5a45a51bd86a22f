"""ProcessCells: the registers and the memory of one process as machine code reaches them during a trigger.

General registers lie where the emulator has them (machine.processor), or are copied. The others are in the cells of a
DirectAccess; whenever Python takes part in a trigger they are shown to the process's RegisterFile before and taken from
it behind, so that everybody sees what a script has written. Memory is found by the page tables of the process and of
the debugger, whose roots never change.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from machine.host import DebuggerState, GuestHost
from machine.native.tables import FETCHABLE, GENERAL_REGISTERS
from machine.processor import BATCH_STORAGES
from machine.schedule import Process
from vm.facts.pseudo_registers import PSEUDO_INDEX
from vm.facts.registers import GENERAL, RIP
from vm.native import CELL, DirectAccess

_OF_THE_PROCESS = ("pid", "proc", "pname", "peb")
_OF_THE_THREAD = ("tid", "thread", "teb")
AT_HAND = (*_OF_THE_PROCESS, *_OF_THE_THREAD)
_OF_THE_TRIGGER = ("core", "ip", "buffer", "context", "event_id", "event_tag", "event_stage")  # the hook sets them
_IN_CELLS = BATCH_STORAGES[len(GENERAL) :]
_GENERAL_BYTES = CELL * len(GENERAL)


class ProcessCells:
    """The DirectAccess that all scripts of one process share, and its relation to the process's registers."""

    def __init__(self, state: DebuggerState, process: Process) -> None:
        self.process = process
        window = process.cpu.window
        memory = process.cpu.memory
        self.direct = DirectAccess(
            writable=GENERAL_REGISTERS | 1 << RIP,
            general=0 if window is None else window.general,
            memory=memory.physical.host_address,
            table=memory.table.root,
            debugger_table=state.root.table.root,
        )
        self._copied = window is None
        self._depth = 0
        self._host = GuestHost(state, process, process.core)
        self._set_pseudo_registers(AT_HAND)
        self.direct.pseudo_ready = sum(1 << PSEUDO_INDEX[name] for name in (*AT_HAND, *_OF_THE_TRIGGER))

    def _set_pseudo_registers(self, names: Iterable[str]) -> None:
        for name in names:
            index = PSEUDO_INDEX[name]
            self.direct.pseudo[index] = self._host.pseudo_register(index)

    def show_thread(self) -> None:
        """Another thread has the process's CPU."""
        self._set_pseudo_registers(_OF_THE_THREAD)

    # --- registers

    @contextmanager
    def shown(self) -> Iterator[None]:
        """A stretch in which the RegisterFile has the registers; such stretches may be nested."""
        self._depth += 1
        if self._depth == 1:
            self.pour()
        try:
            yield
        finally:
            self._depth -= 1
            if self._depth == 0:
                self.take()

    def pour(self) -> None:
        """Write what scripts have written to the RegisterFile."""
        registers, dirty = self.process.cpu.registers, self.direct.dirty & FETCHABLE & ~GENERAL_REGISTERS
        registers.forget()
        if self._copied:
            registers.set_general(ctypes.string_at(self.direct.general, _GENERAL_BYTES))
        for storage in _IN_CELLS if dirty else ():
            if dirty >> storage & 1:
                registers.write(storage, self.direct.registers[storage])

    def take(self) -> None:
        """Take what was written to the RegisterFile since `pour`."""
        registers = self.process.cpu.registers
        if self._copied:
            ctypes.memmove(self.direct.general, registers.general(), _GENERAL_BYTES)
        registers.store_general()
        storages = registers.changed
        if self.direct.dirty & ~GENERAL_REGISTERS:  # one that scripts have written may have the processor's value again
            storages = (*storages, *(storage for storage in _IN_CELLS if self.direct.dirty >> storage & 1))
        for storage in storages:
            self.direct.registers[storage] = registers.read(storage)
            self.direct.dirty |= 1 << storage
            self.direct.readable |= 1 << storage
        registers.forget()
