"""A sliver of Linux: `write` to the standard streams and the two exits; every other call is ENOSYS and is counted.

Numbers and conventions: Linux x86-64 system-call table, psABI (arguments in rdi, rsi, rdx; result or -errno in rax).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from machine.kernel.base import EntryPoint, Start, UnknownCalls, map_stack, set_stack_pointer
from machine.loaders import initial_stack
from machine.process import Process
from vm.registers import STORAGE_INDEX

_RAX, _RDI, _RSI, _RDX = (STORAGE_INDEX[name] for name in ("rax", "rdi", "rsi", "rdx"))

WRITE, EXIT, EXIT_GROUP = 1, 60, 231
EBADF, EFAULT, ENOSYS = 9, 14, 38

_STANDARD_STREAMS = (1, 2)
_MAX_WRITE = 0x7FFF_F000  # MAX_RW_COUNT


class LinuxKernel(UnknownCalls):
    """Enough for a static program that prints and exits. `write(descriptor, data)` receives the output."""

    name: ClassVar[str] = "linux"
    entry: ClassVar[EntryPoint] = EntryPoint(star=0x0023_0010_0000_0000, lstar=0xFFFF_FFFF_81E0_0000, fmask=0x4_7700)

    def __init__(self, write: Callable[[int, bytes], None]) -> None:
        super().__init__()
        self._sink = write

    def new_process(self, process: Process, start: Start) -> None:
        """A stack with arguments, environment and auxiliary vector."""
        map_stack(process)
        stack = initial_stack.build(start.image, start.arguments, start.environment)
        process.cpu.write(stack.pointer, stack.data)
        set_stack_pointer(process, stack.pointer)

    def system_call(self, process: Process) -> None:
        """Carry out one call."""
        registers = process.cpu.registers
        number = registers.read(_RAX)
        if number == WRITE:
            registers.write(_RAX, self._write(process))
        elif number in (EXIT, EXIT_GROUP):
            process.exit(registers.read(_RDI) & 0xFF)
        else:
            self.unknown_calls[number] += 1
            registers.write(_RAX, -ENOSYS)

    def _write(self, process: Process) -> int:
        registers = process.cpu.registers
        descriptor = registers.read(_RDI) & 0xFFFF_FFFF
        address, size = registers.read(_RSI), min(registers.read(_RDX), _MAX_WRITE)
        if descriptor not in _STANDARD_STREAMS:
            return -EBADF
        data = process.cpu.memory.read_up_to(address, size)
        if not data and size:
            return -EFAULT
        self._sink(descriptor, data)
        return len(data)
