"""No operating system: a SYSCALL returns 0 and is counted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from machine.kernel.base import EntryPoint, Start, UnknownCalls, map_stack, set_stack_pointer
from machine.process import Process
from vm.registers import STORAGE_INDEX

_RAX = STORAGE_INDEX["rax"]


@dataclass
class BareKernel(UnknownCalls):
    """Answers every call with 0. Its MSRs are those of Windows (events-and-commands G.3)."""

    name: ClassVar[str] = "bare"
    entry: ClassVar[EntryPoint] = EntryPoint(star=0x0023_0010_0000_0000, lstar=0xFFFF_F800_0000_1000, fmask=0x4700)

    def new_process(self, process: Process, start: Start) -> None:
        """A stack and nothing else."""
        set_stack_pointer(process, map_stack(process))

    def default_answer(self, number: int) -> int | None:
        """0 for every call."""
        return 0

    def system_call(self, process: Process) -> None:
        """rax = 0."""
        registers = process.cpu.registers
        self.unknown_calls[registers.read(_RAX)] += 1
        registers.write(_RAX, 0)
