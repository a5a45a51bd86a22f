"""How NT calls are declared: `@call("NtClose")` above a function of the thread that asks and of typed arguments.

Only the arguments up to the last one that the function looks at are declared. The result is the NTSTATUS.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import TypeAlias

from machine.kernel import builds
from machine.kernel.abi import Address, Call, CallTable, Int, UInt, Word
from machine.kernel.base import Services
from machine.kernel.nt.names import CALL_BY_NAME
from machine.kernel.nt.process import NtState
from machine.schedule import Thread
from vm.facts.registers import STORAGE_INDEX

__all__ = [
    "CALLS", "CURRENT_PROCESS", "KERNEL_HALF", "Address", "BadPointer", "Handle", "Int", "NtThread", "UInt", "Word",
    "call",
]  # fmt: skip

KERNEL_HALF = 1 << 63
CURRENT_PROCESS = 0xFFFF_FFFF_FFFF_FFFF  # the pseudo-handle -1

_RSP = STORAGE_INDEX["rsp"]
_REGISTER_ARGUMENTS = tuple(STORAGE_INDEX[name] for name in ("r10", "rdx", "r8", "r9"))
_STACK_ARGUMENTS = 0x28  # from rsp, of the fifth
_LONGEST_NAME = 0x400

Handle: TypeAlias = Word

CALLS = CallTable({name: row.number for name, row in CALL_BY_NAME.items()})
call = CALLS.call


class BadPointer(Exception):  # noqa: N818 - it names what the guest passed
    """An argument points to memory that is not mapped."""


class NtThread:
    """The thread that asks: its process, what the kernel keeps of it, and the memory that arguments point to."""

    def __init__(self, thread: Thread, state: NtState, services: Services) -> None:
        self.thread = thread
        self.process = thread.process
        self.state = state
        self.services = services

    def arguments(self, call: Call) -> Iterator[object]:
        """The arguments of the call under way. Raises BadPointer."""
        registers, stack = self.process.cpu.registers, 0
        for index, argument in enumerate(call.arguments):
            if index < len(_REGISTER_ARGUMENTS):
                word = registers.read(_REGISTER_ARGUMENTS[index])
            else:
                stack = stack or self._user_stack() + _STACK_ARGUMENTS - 8 * len(_REGISTER_ARGUMENTS)
                word = self.word(stack + 8 * index)
            yield word if argument.decode is None else argument.decode(self, word)

    def _user_stack(self) -> int:
        """The user's rsp, also when the handler at LSTAR has changed stacks."""
        pointer = self.process.cpu.registers.read(_RSP)
        if pointer < KERNEL_HALF:
            return pointer
        return self.word(self.thread.objects.stack_top - 8)  # where the handler has saved it

    def data(self, address: int, size: int) -> bytes:
        """Bytes of the guest. Raises BadPointer."""
        self.services.work.charge(size)
        data = self.process.cpu.memory.copy_in(address, size)
        if len(data) != size:
            raise BadPointer
        return data

    def word(self, address: int) -> int:
        """Eight bytes of the guest as a number. Raises BadPointer."""
        return int.from_bytes(self.data(address, 8), "little")

    def put(self, address: int, data: bytes) -> None:
        """Write bytes of the guest. Raises BadPointer."""
        self.services.work.charge(len(data))
        if address >= KERNEL_HALF or not self.process.cpu.memory.copy_out(address, data):
            raise BadPointer

    def put_word(self, address: int, value: int) -> None:
        """Write eight bytes. Raises BadPointer."""
        self.put(address, struct.pack("<Q", value & 0xFFFF_FFFF_FFFF_FFFF))

    def object_name(self, attributes: int) -> str:
        """The name in OBJECT_ATTRIBUTES; empty without one. Raises BadPointer."""
        name = self.word(attributes + builds.OBJECT_ATTRIBUTES_NAME)
        if not name:
            return ""
        length = int.from_bytes(self.data(name, 2), "little")
        text = self.data(self.word(name + builds.UNICODE_STRING_BUFFER), min(length & ~1, _LONGEST_NAME))
        return text.decode("utf-16-le", "replace")

    def set_io_status(self, address: int, status: int, information: int) -> None:
        """Fill an IO_STATUS_BLOCK. Raises BadPointer."""
        self.put(address, struct.pack("<QQ", status, information))
