"""Software breakpoints (`bp`): an INT3 in the code of one process, and what keeps it out of sight.

Ids count up from 1 and are never used again. The byte under an enabled breakpoint is kept here; `seen` puts it back
into what commands show, as HyperDbg's debugger does, while scripts and the guest read the INT3.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from machine.cpu import StopKind
from machine.process import Process
from vm.registers import RIP

INT3 = b"\xcc"
_BREAKPOINT_VECTOR = 3


class BreakpointError(Exception):
    """A breakpoint cannot be set or changed; the text names HyperDbg's error number."""


@dataclass(eq=False)
class Breakpoint:
    """One breakpoint. `number` is None for one that a step sets for itself; `None` as a filter lets everything pass."""

    number: int | None
    process: Process
    address: int
    original: bytes
    process_id: int | None = None
    thread_id: int | None = None
    core: int | None = None
    enabled: bool = True

    def wants(self, core: int) -> bool:
        """Whether a hit on this core is reported."""
        return (
            self.core in (None, core)
            and self.process_id in (None, self.process.pid)
            and self.thread_id in (None, self.process.tid)
        )


@dataclass
class Breakpoints:
    """All breakpoints of a session, oldest first."""

    rows: list[Breakpoint] = field(default_factory=list)
    _next: int = 1

    def add(
        self,
        process: Process,
        address: int,
        *,
        process_id: int | None = None,
        thread_id: int | None = None,
        core: int | None = None,
    ) -> Breakpoint:
        """Set a numbered breakpoint. Raises BreakpointError."""
        if self.at(process, address) is not None:
            raise BreakpointError("err, there is a breakpoint at this address already (c0000019)")
        row = self._insert(self._next, process, address)
        row.process_id, row.thread_id, row.core = process_id, thread_id, core
        self._next += 1
        return row

    def _insert(self, number: int | None, process: Process, address: int) -> Breakpoint:
        original = process.cpu.read(address, 1)
        if original is None or not process.cpu.write(address, INT3):
            raise BreakpointError("err, the address is not mapped in the layout of the process (c000000c)")
        row = Breakpoint(number, process, address, original)
        self.rows.append(row)
        return row

    def enable(self, number: int) -> None:
        """Put a disabled breakpoint back. Raises BreakpointError."""
        row = self._get(number)
        if row.enabled:
            raise BreakpointError("err, the breakpoint is enabled already (c000001c)")
        row.enabled = True
        row.process.cpu.write(row.address, INT3)

    def disable(self, number: int) -> None:
        """Keep a breakpoint from stopping the guest. Raises BreakpointError."""
        row = self._get(number)
        if not row.enabled:
            raise BreakpointError("err, the breakpoint is disabled already (c000001b)")
        row.enabled = False
        row.process.cpu.write(row.address, row.original)

    def clear(self, number: int) -> None:
        """Remove a breakpoint for good. Raises BreakpointError."""
        self._remove(self._get(number))

    def clear_all(self) -> None:
        """Remove every one."""
        for row in tuple(self.rows):
            self._remove(row)

    def _remove(self, row: Breakpoint) -> None:
        self.rows.remove(row)
        if row.enabled:
            row.process.cpu.write(row.address, row.original)

    def _get(self, number: int) -> Breakpoint:
        for row in self.rows:
            if row.number == number:
                return row
        raise BreakpointError("err, the breakpoint id is invalid (c000001a)")

    def at(self, process: Process, address: int) -> Breakpoint | None:
        """The breakpoint at this address, enabled or not."""
        return next((row for row in self.rows if row.process is process and row.address == address), None)

    @contextmanager
    def temporary(self, process: Process, address: int) -> Iterator[None]:
        """A breakpoint for the time of one step, unless there is one or the address is not mapped."""
        row = self.at(process, address)
        if row is None and process.cpu.read(address, 1) is not None:
            row = self._insert(None, process, address)
        try:
            yield
        finally:
            if row is not None and row.number is None and row in self.rows:
                self._remove(row)

    @contextmanager
    def lifted(self, process: Process, address: int) -> Iterator[None]:
        """The original byte is in place for the time of one instruction."""
        row = self.at(process, address)
        if row is None or not row.enabled:
            yield
            return
        process.cpu.write(address, row.original)
        try:
            yield
        finally:
            if row in self.rows and row.enabled:
                process.cpu.write(address, INT3)

    def write(self, process: Process, address: int, data: bytes) -> bool:
        """Write to memory under the breakpoints, which stay; nothing is written when a byte is not mapped."""
        if not process.cpu.write(address, data):
            return False
        for row in self.rows:
            if row.process is process and 0 <= row.address - address < len(data):
                row.original = data[row.address - address :][:1]
                if row.enabled:
                    process.cpu.write(row.address, INT3)
        return True

    def seen(self, process: Process, address: int, data: bytes) -> bytes:
        """Memory of a process, read at `address`, with the original bytes under the breakpoints."""
        rows = [row for row in self.rows if row.process is process and 0 <= row.address - address < len(data)]
        if not rows:
            return data
        shown = bytearray(data)
        for row in rows:
            if row.enabled:
                shown[row.address - address] = row.original[0]
        return bytes(shown)


def revive(process: Process) -> int | None:
    """If an INT3 ended the process, let it live on; the address of the INT3."""
    reason = process.ended
    if reason is None or reason.kind is not StopKind.FAULT or reason.vector != _BREAKPOINT_VECTOR:
        return None
    process.ended = None
    return process.cpu.registers.read(RIP) - 1
