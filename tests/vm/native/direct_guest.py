"""A host with direct access, and native runs on it that are compared with reference runs."""

from __future__ import annotations

import ctypes
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress

from native_cases import PAGE, script

from machine.memory import Frames, PhysicalMemory
from machine.memory.page_table import PageTable
from vm.engine import Fault
from vm.facts.limits import DEFAULT_LIMITS, Limits
from vm.facts.paging import FRAME_MASK
from vm.facts.registers import STORAGE_INDEX, STORAGES
from vm.host import MemoryHost
from vm.interpreter import Interpreter
from vm.native.access import READABLE, WRITABLE, DirectAccess
from vm.native.engine import NativeEngine
from vm.script_memory import GlobalStore

RAX, RCX, RDX, RIP, GDTR = (STORAGE_INDEX[name] for name in ("rax", "rcx", "rdx", "rip", "gdtr"))
ALL = (1 << len(STORAGES)) - 1


Layout = Sequence[tuple[int, int, int]]  # start, size and what may be done in place: of pages


class Pages:
    """A page table. Pages of one row of the layout lie one after the other in physical memory, those of two do not."""

    def __init__(self, source: Frames, layout: Layout) -> None:
        self.table = PageTable(source)
        self.layout = layout
        self.buffers: dict[int, ctypes.Array[ctypes.c_uint8]] = {}
        for start, size, permissions in layout:
            source.take()  # between this row and the one before
            frames = source.take_row(size // PAGE)
            self.buffers[start] = (ctypes.c_uint8 * size).from_buffer(source.physical.buffer, frames.start * PAGE)
            for page, frame in enumerate(frames, start // PAGE):
                self.table.leaf(page)[page % 512] = frame * PAGE | permissions

    def allow(self, address: int, permissions: int) -> None:
        """What may be done in place in the page of an address."""
        page = address // PAGE
        leaf = self.table.leaf(page)
        leaf[page % 512] = leaf[page % 512] & FRAME_MASK | permissions

    def pieces(self, address: int, size: int) -> Iterator[tuple[ctypes.Array[ctypes.c_uint8], slice]]:
        """Where the bytes stand. Raises KeyError when one is not mapped."""
        end = address + size
        while address < end:
            start = next((start for start, size, _ in self.layout if start <= address < start + size), -1)
            buffer = self.buffers[start]
            stop = min(end - start, len(buffer))
            yield buffer, slice(address - start, stop)
            address = start + stop


class Guest(MemoryHost):
    """A NativeHost: registers in cells but for gdtr and (written) rip, memory in pages; it logs what it is asked."""

    def __init__(self, layout: Layout, debugger: Layout = ()) -> None:
        """`debugger` is the layout of the debugger's own memory."""
        super().__init__()
        self.asked: list[str] = []
        self.callbacks: Counter[str] = Counter()
        self.physical = PhysicalMemory(guests=1 << 20)
        self.memory, self.debugger = (Pages(self.physical.guests, rows) for rows in (layout, debugger))
        self.buffers = self.memory.buffers
        self.direct = DirectAccess(
            readable=ALL & ~(1 << GDTR),
            writable=ALL & ~(1 << GDTR | 1 << RIP),
            memory=self.physical.host_address,
            table=self.memory.table.root,
            debugger_table=self.debugger.table.root,
        )

    def read_register(self, storage: int) -> int:
        self.asked.append(f"read {STORAGES[storage]}")
        return 0x1234 if storage == GDTR else int(self.direct.registers[storage])

    def write_register(self, storage: int, value: int) -> None:
        self.asked.append(f"write {STORAGES[storage]}")
        self.direct.registers[storage] = value

    def read_memory(self, address: int, size: int) -> bytes | None:
        self.asked.append(f"read {address:#x} {size}")
        pieces = self._pieces(address, size)
        return None if pieces is None else b"".join(bytes(buffer[part]) for buffer, part in pieces)

    def write_memory(self, address: int, data: bytes) -> bool:
        self.asked.append(f"write {address:#x} {len(data)}")
        pieces, done = self._pieces(address, len(data)), 0
        for buffer, part in pieces or ():
            length = part.stop - part.start
            buffer[part] = list(data[done : done + length])
            done += length
        return pieces is not None

    def _pieces(self, address: int, size: int) -> list[tuple[ctypes.Array[ctypes.c_uint8], slice]] | None:
        for pages in (self.memory, self.debugger):
            with suppress(KeyError):
                return list(pages.pieces(address, size))
        return None


BOTH = READABLE | WRITABLE
TWO = ((0x1000, 0x1000, BOTH), (0x2000, 0x1000, BOTH))


def run(text: str, guest: Guest, limits: Limits = DEFAULT_LIMITS) -> Fault | None:
    """A native run, compared with a reference run from the same state."""
    other = Guest(guest.memory.layout, guest.debugger.layout)
    ctypes.memmove(other.direct.registers, guest.direct.registers, ctypes.sizeof(guest.direct.registers))
    for buffer, same in zip(_buffers(guest), _buffers(other), strict=True):
        ctypes.memmove(same, buffer, len(buffer))
    program, said = script(text), len(guest.messages)
    reference, native = Interpreter(limits), NativeEngine(limits)
    expected = reference.run(reference.load(program, GlobalStore(limits)), other)
    result = native.run(native.load(program, GlobalStore(limits)), guest)
    guest.callbacks = native.callbacks
    assert (result, guest.messages[said:]) == (expected, other.messages)
    assert list(guest.direct.registers) == list(other.direct.registers)
    assert [bytes(buffer) for buffer in _buffers(guest)] == [bytes(buffer) for buffer in _buffers(other)]
    return result.fault


def _buffers(guest: Guest) -> Iterable[ctypes.Array[ctypes.c_uint8]]:
    return (*guest.memory.buffers.values(), *guest.debugger.buffers.values())
