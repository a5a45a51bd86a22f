"""No operating system: a SYSCALL returns 0 and is counted."""

from __future__ import annotations

from typing import ClassVar

from machine.kernel.base import KernelBase, Start, map_stack, set_stack_pointer
from machine.kernel.entry import BARE, EntryPoint
from machine.schedule import Process, Thread
from vm.facts.registers import STORAGE_INDEX

_RAX = STORAGE_INDEX["rax"]


class BareKernel(KernelBase):
    """Answers every call with 0. Its MSRs are those of Windows (events-and-commands G.3)."""

    name: ClassVar[str] = "bare"
    entry: ClassVar[EntryPoint] = BARE

    def new_process(self, process: Process, start: Start) -> None:
        """A stack and nothing else."""
        set_stack_pointer(process, map_stack(process))

    def default_answer(self, number: int) -> int | None:
        """0 for every call."""
        return 0

    def system_call(self, thread: Thread) -> None:
        """rax = 0."""
        registers = thread.process.cpu.registers
        self.unknown_calls[registers.read(_RAX)] += 1
        registers.write(_RAX, 0)
