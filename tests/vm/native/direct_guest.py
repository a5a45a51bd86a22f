"""A host with direct access, and native runs on it that are compared with reference runs."""

from __future__ import annotations

import ctypes
from collections import Counter
from collections.abc import Sequence

from native_cases import script

from vm.engine import Fault
from vm.facts.limits import DEFAULT_LIMITS, Limits
from vm.facts.registers import STORAGE_INDEX, STORAGES
from vm.host import MemoryHost
from vm.interpreter import Interpreter
from vm.native.access import DirectAccess, Region, region_rows
from vm.native.engine import NativeEngine
from vm.script_memory import GlobalStore

RAX, RCX, RDX, RIP, GDTR = (STORAGE_INDEX[name] for name in ("rax", "rcx", "rdx", "rip", "gdtr"))
ALL = (1 << len(STORAGES)) - 1


class Guest(MemoryHost):
    """A NativeHost: registers in cells but for gdtr and (written) rip, memory in buffers; it logs what it is asked."""

    def __init__(self, layout: Sequence[tuple[int, int, int]]) -> None:
        """`layout` has (start, size, permissions) of each region."""
        super().__init__()
        self.asked: list[str] = []
        self.callbacks: Counter[str] = Counter()
        self.direct = DirectAccess(readable=ALL & ~(1 << GDTR), writable=ALL & ~(1 << GDTR | 1 << RIP))
        self.buffers = {start: (ctypes.c_uint8 * size)() for start, size, _ in layout}
        self.rows = region_rows(
            Region(start, size, ctypes.addressof(self.buffers[start]), permissions)
            for start, size, permissions in layout
        )
        self.direct.region_count, self.direct.regions = len(self.rows), ctypes.addressof(self.rows)

    def read_register(self, storage: int) -> int:
        self.asked.append(f"read {STORAGES[storage]}")
        return 0x1234 if storage == GDTR else int(self.direct.registers[storage])

    def write_register(self, storage: int, value: int) -> None:
        self.asked.append(f"write {STORAGES[storage]}")
        self.direct.registers[storage] = value

    def _piece(self, address: int) -> tuple[ctypes.Array[ctypes.c_uint8], int] | None:
        for start, buffer in self.buffers.items():
            if start <= address < start + len(buffer):
                return buffer, address - start
        return None

    def read_memory(self, address: int, size: int) -> bytes | None:
        self.asked.append(f"read {address:#x} {size}")
        whole = self._piece(address)
        if whole is not None and whole[1] + size <= len(whole[0]):
            return bytes(whole[0][whole[1] : whole[1] + size])
        pieces = [self._piece(address + offset) for offset in range(size)]
        return bytes(piece[0][piece[1]] for piece in pieces if piece) if all(pieces) else None

    def write_memory(self, address: int, data: bytes) -> bool:
        self.asked.append(f"write {address:#x} {len(data)}")
        pieces = [self._piece(address + offset) for offset in range(len(data))]
        if not all(pieces):
            return False
        for piece, byte in zip(pieces, data, strict=True):
            assert piece is not None
            piece[0][piece[1]] = byte
        return True


TWO = ((0x1000, 0x1000, 3), (0x2000, 0x1000, 3))


def run(text: str, guest: Guest, limits: Limits = DEFAULT_LIMITS) -> Fault | None:
    """A native run, compared with a reference run from the same state."""
    other = Guest([(row.first, row.last - row.first + 1, row.permissions) for row in guest.rows])
    ctypes.memmove(other.direct.registers, guest.direct.registers, ctypes.sizeof(guest.direct.registers))
    for start, buffer in guest.buffers.items():
        ctypes.memmove(other.buffers[start], buffer, len(buffer))
    program = script(text)
    reference, native = Interpreter(limits), NativeEngine(limits)
    expected = reference.run(reference.load(program, GlobalStore(limits)), other)
    result = native.run(native.load(program, GlobalStore(limits)), guest)
    guest.callbacks = native.callbacks
    assert (result, guest.messages) == (expected, other.messages)
    assert list(guest.direct.registers) == list(other.direct.registers)
    assert [bytes(buffer) for buffer in guest.buffers.values()] == [bytes(buffer) for buffer in other.buffers.values()]
    return result.fault
