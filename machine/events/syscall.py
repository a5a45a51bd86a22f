"""SYSCALL as an event: `!syscall` and `!syscall2` (events-and-commands C.2, D.5).

User-only mode: after the post stage the machine's system-call model runs in place of the code at LSTAR, and the return
to user mode follows it at once. Both commands find the same instructions, since the emulator names them.
"""

from __future__ import annotations

from machine import system_call
from machine.events import catalog
from machine.events.catalog import EventKind
from machine.kernel.base import Kernel
from machine.process import Process
from vm.registers import STORAGE_INDEX

_RAX = STORAGE_INDEX["rax"]
_ALL_NUMBERS = 0xFFFF_FFFF


class SyscallOperation:
    """The operation of a SYSCALL instruction at RIP."""

    kind: EventKind = catalog.SYSCALL

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel

    def context(self, process: Process) -> int:
        """rax as it is now: in stage post a script may have changed it."""
        return process.cpu.registers.read(_RAX)

    def matches(self, parameters: tuple[int, ...], context: int) -> bool:
        """The number filter compares all 64 bits."""
        return parameters[0] in (_ALL_NUMBERS, context)

    def emulate(self, process: Process) -> None:
        """Enter the kernel."""
        system_call.enter_kernel(process.cpu)

    def skip(self, process: Process) -> None:
        """Continue behind the instruction."""
        system_call.skip(process.cpu)

    def complete(self, process: Process) -> None:
        """Let the model answer, then return to user mode."""
        self._kernel.system_call(process)
        system_call.return_to_user(process.cpu)
