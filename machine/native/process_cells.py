"""ProcessCells: the registers and the memory of one process as machine code reaches them during a trigger.

General registers lie where the emulator has them (machine.processor), or are copied. The others are in the cells of a
DirectAccess; whenever Python takes part in a trigger they are shown to the process's RegisterFile before and taken from
it behind, so that everybody sees what a script has written.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from machine.host import DebuggerState, GuestHost
from machine.memory import Protection
from machine.native.tables import FETCHABLE, GENERAL_REGISTERS
from machine.processor import BATCH_STORAGES
from machine.schedule import Process
from vm.facts.pseudo_registers import PSEUDO_INDEX
from vm.facts.registers import GENERAL, RIP
from vm.native import CELL, READABLE, WRITABLE, DirectAccess, Region, region_rows

_OF_THE_PROCESS = ("pid", "proc", "pname", "peb")
_OF_THE_THREAD = ("tid", "thread", "teb")
_OF_THE_TRIGGER = ("core", "ip", "buffer", "context", "event_id", "event_tag", "event_stage")  # the hook sets them
_IN_CELLS = BATCH_STORAGES[len(GENERAL) :]
_GENERAL_BYTES = CELL * len(GENERAL)


class ProcessCells:
    """The DirectAccess that all scripts of one process share, and its relation to the process's registers."""

    def __init__(self, state: DebuggerState, process: Process) -> None:
        self.process = process
        window = process.cpu.window
        self.direct = DirectAccess(
            writable=GENERAL_REGISTERS | 1 << RIP, general=0 if window is None else window.general
        )
        self._copied = window is None
        self._depth = 0
        self._listed = False
        self._rows: ctypes.Array[Any] | None = None
        self._host = GuestHost(state, process, process.core)
        known = (*_OF_THE_PROCESS, *_OF_THE_THREAD)
        self._set_pseudo_registers(known)
        self.direct.pseudo_ready = sum(1 << PSEUDO_INDEX[name] for name in (*known, *_OF_THE_TRIGGER))
        self._root = state.root
        process.cpu.memory.on_change.append(self._forget_regions)
        state.root.on_change.append(self._list_again)

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

    # --- memory

    def _forget_regions(self) -> None:
        """The process's memory has changed: no pointer into it is used any more."""
        self.direct.region_count = 0
        self._listed = False

    def _list_again(self) -> None:
        """The debugger's memory has grown, which pointers that are in use may be used on."""
        self._listed = False

    def list_regions(self) -> None:
        """Let scripts reach the process's memory and the debugger's directly.

        Code is written by Python, which has it translated anew.
        """
        if self._listed:
            return
        memory = self.process.cpu.memory
        others = [region for region in self._root.regions if memory.overlapping(region.start, region.size) is None]
        self._rows = region_rows(
            Region(
                region.start,
                region.size,
                region.host_pointer,
                READABLE if Protection.EXECUTE in region.protection else READABLE | WRITABLE,
            )
            for region in (*memory.regions, *others)
        )
        self.direct.regions, self.direct.region_count = ctypes.addressof(self._rows), len(self._rows)
        self._listed = True
