"""How Linux calls are declared: `@call("openat")` above a function, whose parameters have the types named here.

The arguments come from rdi, rsi, rdx, r10, r8, r9; failure is `LinuxError`. `@interrupt_call` declares one of INT 0x80,
with ebx, ecx, edx, esi, edi, ebp.
"""

from __future__ import annotations

from typing import Annotated, TypeAlias

from machine.kernel.abi import Address, Argument, CallTable, Int, Long, UInt, Word
from machine.kernel.linux.names import NUMBERS, NUMBERS_386
from machine.kernel.linux.task import Task

__all__ = [
    "CALLS",
    "INTERRUPT_CALLS",
    "PATH",
    "Address",
    "Fd",
    "Flags",
    "Int",
    "Long",
    "Path",
    "Size",
    "Task",
    "UInt",
    "Word",
    "call",
    "interrupt_call",
]


def _path(task: Task, address: int) -> bytes:
    """Raises EFAULT and ENAMETOOLONG."""
    return task.space.load_string(address, task.limits.max_path_bytes)


PATH = Argument("the address of a text that ends with a zero", _path)

Fd: TypeAlias = Int
Flags: TypeAlias = UInt
Size: TypeAlias = Word
Path: TypeAlias = Annotated[bytes, PATH]

CALLS = CallTable(NUMBERS)
call = CALLS.call
INTERRUPT_CALLS = CallTable(NUMBERS_386)  # of INT 0x80, whose arguments have 32 bits
interrupt_call = INTERRUPT_CALLS.call
