"""A system-call model of Windows: calls with deterministic answers, the common ones carried out (`calls/`).

Arguments are in r10, rdx, r8, r9 and on the user's stack from rsp+28 (events-and-commands G.4); the NTSTATUS goes to
rax. Nothing of the host is reached: opened files are names behind handles, empty to read and bottomless to write.
"""

from __future__ import annotations

from typing import ClassVar

from machine.kernel.base import KernelBase, Services, Start
from machine.kernel.entry import NT, EntryPoint
from machine.kernel.nt import process as nt_process
from machine.kernel.nt.abi import BadPointer, NtThread
from machine.kernel.nt.calls import CALLS
from machine.kernel.nt.names import CALL_BY_NUMBER
from machine.kernel.nt.status import STATUS_ACCESS_VIOLATION, STATUS_INVALID_SYSTEM_SERVICE
from machine.schedule import Process
from vm.facts.registers import STORAGE_INDEX

_RAX = STORAGE_INDEX["rax"]
_LOW = 0xFFFF_FFFF


class NtKernel(KernelBase):
    """Answers the calls of its processes. Offsets and MSRs are those of Windows 10."""

    name: ClassVar[str] = "nt"
    entry: ClassVar[EntryPoint] = NT

    def __init__(self, services: Services) -> None:
        super().__init__(services)
        self._threads: dict[Process, NtThread] = {}

    def new_process(self, process: Process, start: Start) -> None:
        """Stack, TEB, PEB and process parameters."""
        nt_process.prepare(process, start, self._services.build)
        self._threads[process] = NtThread(process, self._services)

    def default_answer(self, number: int) -> int | None:
        """STATUS_INVALID_SYSTEM_SERVICE for what is not in the table."""
        return STATUS_INVALID_SYSTEM_SERVICE if CALL_BY_NUMBER.get(number & _LOW) is None else None

    def system_call(self, process: Process) -> None:
        """Carry out one call; bits 12 and 13 of the number name a table that is not modelled (win32k)."""
        registers = process.cpu.registers
        number = registers.read(_RAX) & _LOW
        row, call = CALL_BY_NUMBER.get(number), CALLS.get(number)
        if row is None:
            self.unknown_calls[number] += 1
            status = STATUS_INVALID_SYSTEM_SERVICE
        elif call is None:
            status = row.status
        else:
            thread = self._threads[process]
            try:
                status = call.answer(thread, *thread.arguments(call))
            except BadPointer:
                status = STATUS_ACCESS_VIOLATION
        registers.write(_RAX, status)
