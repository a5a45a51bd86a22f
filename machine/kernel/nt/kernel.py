"""A system-call model of Windows: the calls of `nt_calls` with deterministic answers, the common ones carried out.

Arguments are in r10, rdx, r8, r9 and on the user's stack from rsp+28 (events-and-commands G.4); the NTSTATUS goes to
rax. Nothing of the host is reached: opened files are names behind handles, empty to read and bottomless to write.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import ClassVar
from weakref import WeakKeyDictionary

from machine.kernel import builds
from machine.kernel.base import Services, Start, UnknownCalls
from machine.kernel.entry import NT, EntryPoint
from machine.kernel.nt import process as nt_process
from machine.kernel.nt.calls import (
    CALL_BY_NUMBER,
    STATUS_ACCESS_VIOLATION,
    STATUS_CONFLICTING_ADDRESSES,
    STATUS_END_OF_FILE,
    STATUS_INFO_LENGTH_MISMATCH,
    STATUS_INVALID_HANDLE,
    STATUS_INVALID_INFO_CLASS,
    STATUS_INVALID_PARAMETER,
    STATUS_INVALID_SYSTEM_SERVICE,
    STATUS_MEMORY_NOT_ALLOCATED,
    STATUS_NO_MEMORY,
    STATUS_SUCCESS,
)
from machine.kernel.nt.process import GRANULARITY, STANDARD_HANDLES, NtState
from machine.memory.guest_memory import PAGE, MapError, Protection, page_ceil, page_floor
from machine.schedule.process import Process
from vm.registers import STORAGE_INDEX

_RAX, _RSP = STORAGE_INDEX["rax"], STORAGE_INDEX["rsp"]
_REGISTER_ARGUMENTS = tuple(STORAGE_INDEX[name] for name in ("r10", "rdx", "r8", "r9"))
_STACK_ARGUMENTS = 0x28  # from rsp, of the fifth
_KERNEL_HALF = 1 << 63
_CURRENT_PROCESS = 0xFFFF_FFFF_FFFF_FFFF  # the pseudo-handle -1
_LOW = 0xFFFF_FFFF
_LARGEST_WRITE = 1 << 24
_LONGEST_NAME = 0x400

_PAGE_READ_WRITE = 4
_FILE_OPENED = 1
_COUNTER_FREQUENCY = 10_000_000  # Hz; the virtual clock counts nanoseconds
_EPOCH = datetime(1601, 1, 1)
_RELEASE = 0x8000


class _BadPointer(Exception):  # noqa: N818 - it names what the guest passed
    """An argument points to memory that is not mapped."""


class Call:
    """The arguments of one system call, and the memory they point to."""

    def __init__(self, process: Process, state: NtState) -> None:
        self.process = process
        self.state = state
        self._registers = process.cpu.registers

    def __getitem__(self, index: int) -> int:
        """The argument with this index, from 0."""
        if index < len(_REGISTER_ARGUMENTS):
            return self._registers.read(_REGISTER_ARGUMENTS[index])
        return self.word(self._user_stack() + _STACK_ARGUMENTS + 8 * (index - len(_REGISTER_ARGUMENTS)))

    def _user_stack(self) -> int:
        """The user's rsp, also when the handler at LSTAR has changed stacks."""
        pointer = self._registers.read(_RSP)
        if pointer < _KERNEL_HALF:
            return pointer
        return self.word(self.process.processor_block + builds.KPCR_USER_RSP)

    def data(self, address: int, size: int) -> bytes:
        """Bytes of the guest. Raises _BadPointer."""
        data = self.process.cpu.read(address, size)
        if data is None:
            raise _BadPointer
        return data

    def word(self, address: int) -> int:
        """Eight bytes of the guest as a number. Raises _BadPointer."""
        return int.from_bytes(self.data(address, 8), "little")

    def put(self, address: int, data: bytes) -> None:
        """Write bytes of the guest. Raises _BadPointer."""
        if address >= _KERNEL_HALF or not self.process.cpu.write(address, data):
            raise _BadPointer

    def put_word(self, address: int, value: int) -> None:
        """Write eight bytes. Raises _BadPointer."""
        self.put(address, struct.pack("<Q", value & 0xFFFF_FFFF_FFFF_FFFF))

    def object_name(self, attributes: int) -> str:
        """The name in OBJECT_ATTRIBUTES; empty without one. Raises _BadPointer."""
        name = self.word(attributes + builds.OBJECT_ATTRIBUTES_NAME)
        if not name:
            return ""
        length = int.from_bytes(self.data(name, 2), "little")
        text = self.data(self.word(name + builds.UNICODE_STRING_BUFFER), min(length & ~1, _LONGEST_NAME))
        return text.decode("utf-16-le", "replace")

    def set_io_status(self, address: int, status: int, information: int) -> None:
        """Fill an IO_STATUS_BLOCK. Raises _BadPointer."""
        self.put(address, struct.pack("<QQ", status, information))


class NtKernel(UnknownCalls):
    """Answers the calls of its processes. Offsets and MSRs are those of Windows 10."""

    name: ClassVar[str] = "nt"
    entry: ClassVar[EntryPoint] = NT

    def __init__(self, services: Services) -> None:
        super().__init__()
        self._services = services
        self._states: WeakKeyDictionary[Process, NtState] = WeakKeyDictionary()

    def new_process(self, process: Process, start: Start) -> None:
        """Stack, TEB, PEB and process parameters."""
        nt_process.prepare(process, start, self._services.build)
        self._states[process] = NtState()

    def default_answer(self, number: int) -> int | None:
        """STATUS_INVALID_SYSTEM_SERVICE for what is not in the table."""
        return STATUS_INVALID_SYSTEM_SERVICE if CALL_BY_NUMBER.get(number & _LOW) is None else None

    def system_call(self, process: Process) -> None:
        """Carry out one call; bits 12 and 13 of the number name a table that is not modelled (win32k)."""
        registers = process.cpu.registers
        number = registers.read(_RAX) & _LOW
        row = CALL_BY_NUMBER.get(number)
        if row is None:
            self.unknown_calls[number] += 1
            status = STATUS_INVALID_SYSTEM_SERVICE
        else:
            handler = _HANDLERS.get(row.name)
            try:
                status = row.status if handler is None else handler(self, Call(process, self._states[process]))
            except _BadPointer:
                status = STATUS_ACCESS_VIOLATION
        registers.write(_RAX, status)

    # --- files and handles

    def _close(self, call: Call) -> int:
        return STATUS_INVALID_HANDLE if call.state.handles.pop(call[0], None) is None else STATUS_SUCCESS

    def _write_file(self, call: Call) -> int:
        handle, block, buffer, length = call[0], call[4], call[5], call[6] & _LOW
        if handle not in call.state.handles:
            return STATUS_INVALID_HANDLE
        data = call.data(buffer, min(length, _LARGEST_WRITE))
        if handle in STANDARD_HANDLES:
            self._services.write(STANDARD_HANDLES[handle], data)
        call.set_io_status(block, STATUS_SUCCESS, len(data))
        return STATUS_SUCCESS

    def _read_file(self, call: Call) -> int:
        if call[0] not in call.state.handles:
            return STATUS_INVALID_HANDLE
        call.set_io_status(call[4], STATUS_END_OF_FILE, 0)
        return STATUS_END_OF_FILE

    def _device_control(self, call: Call) -> int:
        if call[0] not in call.state.handles:
            return STATUS_INVALID_HANDLE
        call.set_io_status(call[4], STATUS_SUCCESS, 0)
        return STATUS_SUCCESS

    def _open_file(self, call: Call) -> int:
        name = call.object_name(call[2])
        call.put_word(call[0], call.state.next_handle)
        call.set_io_status(call[3], STATUS_SUCCESS, _FILE_OPENED)
        call.state.open(name)
        return STATUS_SUCCESS

    def _new_handle(self, call: Call) -> int:
        call.put_word(call[0], call.state.next_handle)
        call.state.open("object")
        return STATUS_SUCCESS

    def _duplicate(self, call: Call) -> int:
        what = call.state.handles.get(call[1])
        if what is None:
            return STATUS_INVALID_HANDLE
        call.put_word(call[3], call.state.next_handle)
        call.state.open(what)
        return STATUS_SUCCESS

    # --- memory; protections are accepted, every allocation may be read, written and executed

    def _allocate(self, call: Call) -> int:
        return self._map(call, call[0], base_at=call[1], size_at=call[3])

    def _map_view(self, call: Call) -> int:
        return self._map(call, call[1], base_at=call[2], size_at=call[6])

    def _map(self, call: Call, process: int, base_at: int, size_at: int) -> int:
        base, size = call.word(base_at), call.word(size_at)
        if process != _CURRENT_PROCESS:
            return STATUS_INVALID_HANDLE
        if not 0 < size < _KERNEL_HALF or base >= _KERNEL_HALF:
            return STATUS_INVALID_PARAMETER
        memory, state = call.process.cpu.memory, call.state
        start = page_floor(base) if base else state.next_address
        size = page_ceil((base or start) + size) - start
        region = memory.region_at(start)
        if region is None or start + size > region.end:
            try:
                state.allocations[start] = call.process.cpu.map(start, size, Protection.ALL, "allocation")
            except MapError:
                overlap = memory.overlapping(start, size) is not None
                return STATUS_CONFLICTING_ADDRESSES if overlap else STATUS_NO_MEMORY
            if not base:
                state.next_address = start + size + GRANULARITY - 1 & -GRANULARITY
        call.put_word(base_at, start)
        call.put_word(size_at, size)
        return STATUS_SUCCESS

    def _free(self, call: Call) -> int:
        base, kind = page_floor(call.word(call[1])), call[3]
        region = call.state.allocations.get(base)
        if region is None:
            return STATUS_MEMORY_NOT_ALLOCATED
        if kind & _RELEASE:
            call.process.cpu.unmap(call.state.allocations.pop(base))
        call.put_word(call[2], region.size)
        return STATUS_SUCCESS

    def _unmap_view(self, call: Call) -> int:
        region = call.state.allocations.pop(page_floor(call[1]), None)
        if region is None:
            return STATUS_INVALID_PARAMETER
        call.process.cpu.unmap(region)
        return STATUS_SUCCESS

    def _protect(self, call: Call) -> int:
        base, size = call.word(call[1]), call.word(call[2])
        start = page_floor(base)
        region = call.process.cpu.memory.region_at(start)
        if region is None or base + size > region.end:
            return STATUS_CONFLICTING_ADDRESSES
        call.put(call[4], struct.pack("<I", _PAGE_READ_WRITE))
        call.put_word(call[1], start)
        call.put_word(call[2], page_ceil(base + size) - start)
        return STATUS_SUCCESS

    # --- time

    def _performance_counter(self, call: Call) -> int:
        ticks_per_count = 1_000_000_000 // _COUNTER_FREQUENCY
        call.put_word(call[0], self._services.clock.elapsed() // ticks_per_count)
        if call[1]:
            call.put_word(call[1], _COUNTER_FREQUENCY)
        return STATUS_SUCCESS

    def _system_time(self, call: Call) -> int:
        call.put_word(call[0], (self._services.clock.now() - _EPOCH) // timedelta(microseconds=1) * 10)
        return STATUS_SUCCESS

    def _delay(self, call: Call) -> int:
        interval = call.word(call[1])
        if interval >= _KERNEL_HALF:  # negative: relative, in units of 100 ns
            self._services.clock.sleep(((1 << 64) - interval) // 10)
        return STATUS_SUCCESS

    # --- information

    def _process_information(self, call: Call) -> int:
        process = call.process
        if call[1] & _LOW:
            return STATUS_INVALID_INFO_CLASS
        return self._answer(call, struct.pack("<6Q", 0x103, process.peb, 1, 8, process.pid, 0), 2, 3, 4)

    def _system_information(self, call: Call) -> int:
        if call[0] & _LOW:
            return STATUS_INVALID_INFO_CLASS
        pages = 0x10_0000
        data = struct.pack("<6I", 0, 156_250, PAGE, pages, 1, pages)
        data += struct.pack("<QQQQB7x", GRANULARITY, 0x1_0000, 0x7FFF_FFFE_FFFF, 1, 1)
        return self._answer(call, data, 1, 2, 3)

    @staticmethod
    def _answer(call: Call, data: bytes, buffer: int, length: int, returned: int) -> int:
        """Copy information out; the arguments are given by their indexes."""
        if call[length] & _LOW < len(data):
            return STATUS_INFO_LENGTH_MISMATCH
        call.put(call[buffer], data)
        if call[returned]:
            call.put(call[returned], struct.pack("<I", len(data)))
        return STATUS_SUCCESS

    # --- ends

    def _terminate_process(self, call: Call) -> int:
        """Of the process itself; handle 0 ends the other threads, of which there are none."""
        if call[0] == _CURRENT_PROCESS:
            call.process.exit(call[1] & _LOW)
        return STATUS_SUCCESS

    def _terminate_thread(self, call: Call) -> int:
        """The only thread's end is the process's."""
        call.process.exit(call[1] & _LOW)
        return STATUS_SUCCESS


_HANDLERS: dict[str, Callable[[NtKernel, Call], int]] = {
    "NtReadFile": NtKernel._read_file,
    "NtDeviceIoControlFile": NtKernel._device_control,
    "NtWriteFile": NtKernel._write_file,
    "NtClose": NtKernel._close,
    "NtAllocateVirtualMemory": NtKernel._allocate,
    "NtQueryInformationProcess": NtKernel._process_information,
    "NtFreeVirtualMemory": NtKernel._free,
    "NtOpenProcess": NtKernel._new_handle,
    "NtMapViewOfSection": NtKernel._map_view,
    "NtUnmapViewOfSection": NtKernel._unmap_view,
    "NtTerminateProcess": NtKernel._terminate_process,
    "NtQueryPerformanceCounter": NtKernel._performance_counter,
    "NtOpenFile": NtKernel._open_file,
    "NtDelayExecution": NtKernel._delay,
    "NtQuerySystemInformation": NtKernel._system_information,
    "NtDuplicateObject": NtKernel._duplicate,
    "NtCreateEvent": NtKernel._new_handle,
    "NtCreateSection": NtKernel._new_handle,
    "NtProtectVirtualMemory": NtKernel._protect,
    "NtTerminateThread": NtKernel._terminate_thread,
    "NtCreateFile": NtKernel._open_file,
    "NtQuerySystemTime": NtKernel._system_time,
}
