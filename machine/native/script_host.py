"""TriggerHost: the machine as a script sees it that machine code runs at a trigger.

During such a trigger the registers live in the cells of a DirectAccess. Whenever Python takes part, they are shown to
the process's RegisterFile before and taken from it behind, so that everybody sees what the script has written.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from machine.events.definition import Stage
from machine.events.dispatch import Trigger
from machine.events.registry import Event
from machine.host import DebuggerState, GuestHost
from machine.memory import Protection
from machine.native.tables import FETCHABLE, GENERAL_REGISTERS, EventRow, HookState
from machine.process import Process
from machine.registers import BATCH_STORAGES
from vm.native.access import READABLE, WRITABLE, DirectAccess, Region, region_rows
from vm.registers import PSEUDO_INDEX, RIP

_STATIC = ("pid", "tid", "proc", "thread", "pname", "peb", "teb")
_OF_THE_TRIGGER = ("core", "ip", "buffer", "context", "event_id", "event_tag", "event_stage")  # the hook sets them


class ProcessCells:
    """The DirectAccess that all scripts of one process share, and its relation to the process's registers."""

    def __init__(self, state: DebuggerState, process: Process) -> None:
        self.process = process
        self.direct = DirectAccess(writable=GENERAL_REGISTERS | 1 << RIP)
        self._depth = 0
        self._listed = False
        self._rows: ctypes.Array[Any] | None = None
        self._set_pseudo_registers(GuestHost(state, process, process.core))
        process.cpu.memory.on_change.append(self._forget_regions)

    def _set_pseudo_registers(self, host: GuestHost) -> None:
        for name in _STATIC:
            index = PSEUDO_INDEX[name]
            self.direct.pseudo[index] = host.pseudo_register(index)
        self.direct.pseudo_ready = sum(1 << PSEUDO_INDEX[name] for name in (*_STATIC, *_OF_THE_TRIGGER))

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
                self._take()

    def pour(self) -> None:
        """Write what scripts have written to the RegisterFile."""
        registers, dirty = self.process.cpu.registers, self.direct.dirty
        registers.forget()
        for storage in BATCH_STORAGES if dirty else ():
            if dirty >> storage & 1:
                registers.write(storage, self.direct.registers[storage])

    def _take(self) -> None:
        registers = self.process.cpu.registers
        if registers.fetched:
            for storage in BATCH_STORAGES:
                self.direct.registers[storage] = registers.read(storage)
            self.direct.readable |= FETCHABLE
            for storage in registers.changed:
                self.direct.dirty |= 1 << storage
        registers.forget()

    # --- memory

    def _forget_regions(self) -> None:
        """The process's memory has changed: no pointer into it is used any more."""
        self.direct.region_count = 0
        self._listed = False

    def list_regions(self) -> None:
        """Let scripts reach the process's memory directly. Code is written by Python, which has it translated anew."""
        if self._listed:
            return
        self._rows = region_rows(
            Region(
                region.start,
                region.size,
                region.host_pointer,
                READABLE if Protection.EXECUTE in region.protection else READABLE | WRITABLE,
            )
            for region in self.process.cpu.memory.regions
        )
        self.direct.regions, self.direct.region_count = ctypes.addressof(self._rows), len(self._rows)
        self._listed = True


class TriggerHost(GuestHost):
    """A `vm.native.access.NativeHost` for the script of one event in one process."""

    def __init__(
        self, state: DebuggerState, cells: ProcessCells, event: Event, hook: HookState, changed: Callable[[], None]
    ) -> None:
        super().__init__(state, cells.process, cells.process.core)
        self.direct = cells.direct
        self.row = EventRow()
        self.cells = cells
        self._event = event
        self._hook = hook
        self._changed = changed
        self._depth = 0

    @contextmanager
    def python(self) -> Iterator[None]:
        """A stretch in which Python takes part in the trigger under way."""
        self._depth += 1
        try:
            if self._depth > 1:
                yield
                return
            process, row = self.cells.process, self.row
            context = self.direct.pseudo[PSEUDO_INDEX["context"]]
            self._core = process.core
            self._trigger = trigger = Trigger(
                self._event, process, process.core, Stage.PRE, context, self._hook.rip, bool(row.short), row.buffer
            )
            with self.cells.shown():
                yield
            row.short = int(trigger.short_circuit)
        finally:
            self._depth -= 1

    # --- vm.host.Host

    def read_register(self, storage: int) -> int:
        with self.python():
            return super().read_register(storage)

    def write_register(self, storage: int, value: int) -> None:
        with self.python():
            super().write_register(storage, value)

    def read_memory(self, address: int, size: int) -> bytes | None:
        self.cells.list_regions()
        return super().read_memory(address, size)

    def write_memory(self, address: int, data: bytes) -> bool:
        self.cells.list_regions()
        return super().write_memory(address, data)

    def message(self, text: bytes) -> None:
        if self._event.definition.immediate:
            with self.python():
                super().message(text)
        else:
            self._state.messages.hold(text)

    def request(self, name: str, arguments: tuple[int, ...]) -> int:
        with self.python():
            result = super().request(name, arguments)
        self._changed()
        return result
