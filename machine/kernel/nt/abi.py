"""How NT calls are declared: `@call("NtClose")` above a function of the thread that asks and of typed arguments.

Calls are found by name: their numbers differ between builds (`numbering`). Only the arguments up to the last one that
the function looks at are declared; those of 32 bits are cut, since their upper halves are garbage. The result is the
NTSTATUS.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from typing import TypeAlias, TypeVar

from machine.kernel import builds
from machine.kernel.abi import Address, Call, Int, UInt, Word
from machine.kernel.base import Services
from machine.kernel.nt.objects import KernelObject, ProcessObject, ThreadObject
from machine.kernel.nt.space import is_readable, is_writable
from machine.kernel.nt.state import NtState
from machine.kernel.nt.status import STATUS_ACCESS_VIOLATION, STATUS_OBJECT_NAME_INVALID, NtError
from machine.kernel.outcomes import Result
from machine.schedule import Thread
from vm.facts.registers import STORAGE_INDEX

__all__ = [
    "CALLS", "CURRENT_PROCESS", "CURRENT_THREAD", "KERNEL_HALF", "Address", "Handle", "Int", "NtThread", "UInt", "Word",
    "call",
]  # fmt: skip

KERNEL_HALF = 1 << 63
CURRENT_PROCESS, CURRENT_THREAD = 0xFFFF_FFFF_FFFF_FFFF, 0xFFFF_FFFF_FFFF_FFFE  # the pseudo-handles -1 and -2

_RSP = STORAGE_INDEX["rsp"]
_REGISTER_ARGUMENTS = tuple(STORAGE_INDEX[name] for name in ("r10", "rdx", "r8", "r9"))
_STACK_ARGUMENTS = 0x28  # from rsp, of the fifth
_LONGEST_NAME = 0xFFFE
OBJ_INHERIT = 2

Handle: TypeAlias = Word
Answer = TypeVar("Answer", bound=Callable[..., Result])


class Calls(dict[str, Call]):
    """The calls that are carried out, by name."""

    def call(self, *names: str) -> Callable[[Answer], Answer]:
        """The function carries out the calls of these names. Raises ValueError for a second one."""

        def add(answer: Answer) -> Answer:
            for name in names:
                if name in self:
                    raise ValueError(f"{name} is carried out twice")
                self[name] = Call(0, name, answer)
            return answer

        return add


CALLS = Calls()
call = CALLS.call


class NtThread:
    """The thread that asks: its process, what the kernel keeps of it, and the memory that arguments point to."""

    def __init__(self, thread: Thread, state: NtState, services: Services) -> None:
        self.thread = thread
        self.process = thread.process
        self.state = state
        self.services = services

    def arguments(self, call: Call) -> Iterator[object]:
        """The arguments of the call under way. Raises NtError."""
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
        saved = self.process.cpu.memory.read(self.thread.objects.stack_top - 8, 8)
        return int.from_bytes(saved or b"", "little")

    @property
    def own(self) -> ThreadObject:
        """The object of this thread."""
        return self.state.threads[self.thread]

    # --- memory

    def data(self, address: int, size: int) -> bytes:
        """Bytes of the guest. Raises NtError."""
        self.services.work.charge(size)
        if address >= KERNEL_HALF or not is_readable(self.process.cpu.memory, address, size):
            raise NtError(STATUS_ACCESS_VIOLATION)
        data = self.process.cpu.memory.copy_in(address, size)
        if len(data) != size:
            raise NtError(STATUS_ACCESS_VIOLATION)
        return data

    def word(self, address: int) -> int:
        """Eight bytes of the guest as a number. Raises NtError."""
        return int.from_bytes(self.data(address, 8), "little")

    def put(self, address: int, data: bytes) -> None:
        """Write bytes of the guest. Raises NtError."""
        self.services.work.charge(len(data))
        memory = self.process.cpu.memory
        if self.state.space.has_watched:
            self.state.space.see_write(address, len(data))
        if address >= KERNEL_HALF or not is_writable(memory, address, len(data)) or not memory.copy_out(address, data):
            raise NtError(STATUS_ACCESS_VIOLATION)

    def put_word(self, address: int, value: int) -> None:
        """Write eight bytes. Raises NtError."""
        self.put(address, struct.pack("<Q", value & 0xFFFF_FFFF_FFFF_FFFF))

    def put_half(self, address: int, value: int) -> None:
        """Write four bytes, unless the address is 0. Raises NtError."""
        if address:
            self.put(address, struct.pack("<I", value & 0xFFFF_FFFF))

    def text(self, address: int) -> str:
        """What a UNICODE_STRING has; empty for 0. Raises NtError."""
        if not address:
            return ""
        length = int.from_bytes(self.data(address, 2), "little")
        if length & 1:
            raise NtError(STATUS_OBJECT_NAME_INVALID)
        if not length:
            return ""
        text = self.data(self.word(address + builds.UNICODE_STRING_BUFFER), min(length, _LONGEST_NAME))
        return text.decode("utf-16-le", "surrogatepass" if _is_plain(text) else "replace")

    def object_name(self, attributes: int) -> str:
        """The name in OBJECT_ATTRIBUTES; empty without one. Raises NtError."""
        return self.text(self.word(attributes + builds.OBJECT_ATTRIBUTES_NAME)) if attributes else ""

    def set_io_status(self, address: int, status: int, information: int) -> None:
        """Fill an IO_STATUS_BLOCK. Raises NtError."""
        self.put(address, struct.pack("<QQ", status, information))

    # --- objects

    def open(self, place: int, what: KernelObject, access: int | None = None, attributes: int = 0) -> None:
        """Write a new handle with the rights that an ACCESS_MASK asks for, None for all. Raises NtError: there is none.

        OBJECT_ATTRIBUTES, if there are any, say whether it is inherited.
        """
        flags = struct.unpack("<I", self.data(attributes + builds.OBJECT_ATTRIBUTES_FLAGS, 4))[0] if attributes else 0
        handle = self.state.handles.open(what, access, inherits=bool(flags & OBJ_INHERIT))
        try:
            self.put_word(place, handle)
        except NtError:
            self.state.handles.close(handle)
            raise

    def object(self, handle: int, access: int = 0) -> KernelObject:
        """What a handle stands for, pseudo-handles too; it has to have these rights. Raises NtError."""
        if handle == CURRENT_PROCESS:
            return self.state.process
        if handle == CURRENT_THREAD:
            return self.own
        return self.state.handles.get(handle, access)

    def check_process(self, handle: int, access: int = 0) -> None:
        """Raises NtError for what is not the process itself, with these rights: there are no others."""
        if handle != CURRENT_PROCESS:
            self.state.handles.of(handle, ProcessObject, access)

    def thread_of(self, handle: int, access: int = 0) -> ThreadObject:
        """The thread of a handle that has these rights. Raises NtError."""
        return self.own if handle == CURRENT_THREAD else self.state.handles.of(handle, ThreadObject, access)


def _is_plain(text: bytes) -> bool:
    try:
        text.decode("utf-16-le", "surrogatepass")
    except UnicodeDecodeError:
        return False
    return True


def answer_with(
    thread: NtThread, data: bytes, buffer: int, length: int, returned: int, short: int = 0xC000_0004
) -> int:
    """Give a structure to a program whose buffer has `length` bytes; `short` where it does not fit. Raises NtError."""
    if returned:
        thread.put(returned, struct.pack("<I", len(data)))
    if length < len(data):
        return short
    thread.put(buffer, data)
    return 0
