"""Breakpoints (`bp`): addresses in one process at which the guest halts before the instruction.

HyperDbg writes an INT3 there and hides it from its own commands. Here nothing is written: the CPU calls back before the
instruction, so scripts and the guest see the original bytes too. Ids count up from 1 and are never used again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import msgspec

from machine.processor import Fault, Hook, StopKind
from machine.schedule import Process
from vm.facts.errors import ErrorNumber

_BREAKPOINT_VECTOR = 3


class BreakpointError(Exception):
    """A breakpoint cannot be set or changed; the text names HyperDbg's error number."""


class Breakpoint(msgspec.Struct, eq=False):
    """One breakpoint. `number` is None for one that a step sets for itself; `None` as a filter lets everything pass."""

    number: int | None
    process: Process
    address: int
    hook: Hook | None = None
    process_id: int | None = None
    thread_id: int | None = None
    core: int | None = None

    @property
    def enabled(self) -> bool:
        """Whether it halts the guest."""
        return self.hook is not None

    @property
    def wanted(self) -> bool:
        """Whether a hit now, on the core that its process runs on, passes the filters."""
        return (
            self.core in (None, self.process.core)
            and self.process_id in (None, self.process.pid)
            and self.thread_id in (None, self.process.tid)
        )


class Breakpoints(msgspec.Struct):
    """All breakpoints of a session, oldest first. `hit` is called before the instruction of an enabled one."""

    hit: Callable[[Breakpoint], None]
    rows: list[Breakpoint] = msgspec.field(default_factory=list)
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
            raise BreakpointError(ErrorNumber.BREAKPOINT_EXISTS.err())
        if process.cpu.memory.read(address, 1) is None and not process.is_planned(address, address):
            raise BreakpointError(ErrorNumber.EDIT_ADDRESS_IN_CURRENT_PROCESS.err())
        row = Breakpoint(self._next, process, address, None, process_id, thread_id, core)
        self._next += 1
        self.rows.append(row)
        self._hook(row)
        return row

    def enable(self, number: int) -> None:
        """Put a disabled breakpoint back. Raises BreakpointError."""
        row = self._get(number)
        if row.enabled:
            raise BreakpointError(ErrorNumber.BREAKPOINT_ENABLED.err())
        self._hook(row)

    def disable(self, number: int) -> None:
        """Keep a breakpoint from halting the guest. Raises BreakpointError."""
        row = self._get(number)
        if not row.enabled:
            raise BreakpointError(ErrorNumber.BREAKPOINT_DISABLED.err())
        self._unhook(row)

    def clear(self, number: int) -> None:
        """Remove a breakpoint for good. Raises BreakpointError."""
        row = self._get(number)
        self.rows.remove(row)
        self._unhook(row)

    def clear_all(self) -> None:
        """Remove every one."""
        for row in self.rows:
            self._unhook(row)
        self.rows.clear()

    def replace(self, rows: Iterable[tuple[int, Process, int, bool, int | None, int | None, int | None]]) -> None:
        """Have these instead: number, process, address, whether enabled, and the filters (process, thread, core)."""
        self.clear_all()
        for number, process, address, enabled, process_id, thread_id, core in rows:
            row = Breakpoint(number, process, address, None, process_id, thread_id, core)
            self.rows.append(row)
            self._next = max(self._next, number + 1)
            if enabled and not process.cpu.is_closed:
                self._hook(row)

    def at(self, process: Process, address: int) -> Breakpoint | None:
        """The breakpoint at this address, enabled or not."""
        return next((row for row in self.rows if row.process is process and row.address == address), None)

    @contextmanager
    def temporary(self, process: Process, address: int) -> Iterator[None]:
        """A breakpoint for the time of one step, without a number."""
        row = Breakpoint(None, process, address)
        self._hook(row)
        try:
            yield
        finally:
            self._unhook(row)

    def _get(self, number: int) -> Breakpoint:
        for row in self.rows:
            if row.number == number:
                return row
        raise BreakpointError(ErrorNumber.BREAKPOINT_ID_INVALID.err())

    def _hook(self, row: Breakpoint) -> None:
        if row.process.cpu.is_closed:  # the process is gone, or another program has its place
            raise BreakpointError(ErrorNumber.EDIT_ADDRESS_IN_CURRENT_PROCESS.err())
        row.hook = row.process.cpu.hook_address(row.address, lambda: self.hit(row))

    def _unhook(self, row: Breakpoint) -> None:
        if row.hook is not None:
            if not row.process.cpu.is_closed:
                row.process.cpu.unhook(row.hook)
            row.hook = None


def revive(process: Process) -> bool:
    """Whether an INT3 of its own ended the process; if so, it lives on behind it."""
    reason = process.ended
    if reason is None or reason.kind is not StopKind.FAULT or reason.vector != _BREAKPOINT_VECTOR:
        return False
    process.ended = process.crash_code = process.unhandled = None
    return True


@contextmanager
def seen_before_its_end(process: Process) -> Iterator[Fault | None]:
    """A stretch in which a process that an exception has ended may be looked at as if it stood before the instruction.

    The value is the exception, or None where none has ended it. It must not run on.
    """
    reason, code, unhandled = process.ended, process.crash_code, process.unhandled
    fault = None if reason is None else reason.fault
    if fault is not None:
        process.ended = process.crash_code = process.unhandled = None
    try:
        yield fault
    finally:
        if fault is not None:
            process.ended, process.crash_code, process.unhandled = reason, code, unhandled
