"""A system-call model of Windows: calls with deterministic answers, the common ones carried out (`calls/`).

Arguments are in r10, rdx, r8, r9 and on the user's stack from rsp+28 (events-and-commands G.4); the NTSTATUS goes to
rax. Nothing of the host is reached: opened files are names behind handles, empty to read and bottomless to write.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from machine.kernel.base import Services, Start
from machine.kernel.entry import NT, EntryPoint
from machine.kernel.nt import process as nt_process
from machine.kernel.nt.abi import BadPointer, NtThread
from machine.kernel.nt.calls import CALLS
from machine.kernel.nt.names import CALL_BY_NUMBER
from machine.kernel.nt.process import NtState
from machine.kernel.nt.status import (
    STATUS_ACCESS_VIOLATION,
    STATUS_INVALID_SYSTEM_SERVICE,
    STATUS_OF_VECTOR,
    STATUS_PRIVILEGED_INSTRUCTION,
)
from machine.kernel.outcomes import Calls, Result
from machine.memory import PER_CALL
from machine.processor import LONGEST_INSTRUCTION, Fault, Vector, is_privileged
from machine.schedule import Process, Thread
from vm.facts.registers import STORAGE_INDEX

_RAX = STORAGE_INDEX["rax"]
_LOW = 0xFFFF_FFFF


class NtKernel(Calls):
    """Answers the calls of its processes. Offsets and MSRs are those of Windows 10."""

    name: ClassVar[str] = "nt"
    entry: ClassVar[EntryPoint] = NT

    def __init__(self, services: Services) -> None:
        super().__init__(services)
        self._states: dict[Process, NtState] = {}

    def new_process(self, process: Process, start: Start) -> None:
        """Stack, TEB, PEB and process parameters."""
        nt_process.prepare(process, start, self._services.build)
        self._states[process] = NtState()

    def default_answer(self, number: int) -> int | None:
        """STATUS_INVALID_SYSTEM_SERVICE for what is not in the table."""
        return STATUS_INVALID_SYSTEM_SERVICE if CALL_BY_NUMBER.get(number & _LOW) is None else None

    def system_call(self, thread: Thread) -> None:
        """Carry out one call."""
        self.conclude(thread, self._answer(thread))

    def _answer(self, thread: Thread) -> Result:
        """Bits 12 and 13 of the number name a table that is not modelled (win32k)."""
        number = thread.process.cpu.registers.read(_RAX) & _LOW
        row, call = CALL_BY_NUMBER.get(number), CALLS.get(number)
        if row is None:
            self.unknown_calls[number] += 1
            return STATUS_INVALID_SYSTEM_SERVICE
        if call is None:
            return row.status
        self._services.work.charge(PER_CALL)
        asks = NtThread(thread, self._states[thread.process], self._services)
        return self.attempt(lambda: call.answer(asks, *asks.arguments(call)))

    def crash_code(self, process: Process, fault: Fault) -> int | None:
        """As `Kernel`: the NTSTATUS of the exception that nobody handles."""
        if fault.vector == Vector.GP:
            code = process.cpu.memory.read_up_to(fault.rip, LONGEST_INSTRUCTION)
            return STATUS_PRIVILEGED_INSTRUCTION if is_privileged(code) else STATUS_ACCESS_VIOLATION
        return STATUS_OF_VECTOR.get(fault.vector, STATUS_ACCESS_VIOLATION)

    def attempt(self, part: Callable[[], Result]) -> Result:
        """As `Calls`."""
        try:
            return part()
        except BadPointer:
            return STATUS_ACCESS_VIOLATION
