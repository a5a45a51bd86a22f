"""Calls on memory."""

from __future__ import annotations

import struct
from contextlib import suppress

from machine.kernel.nt.abi import KERNEL_HALF, Address, Handle, NtThread, UInt, Word, answer_with, call
from machine.kernel.nt.rights import (
    PROCESS_QUERY_LIMITED,
    PROCESS_VM_OPERATION,
    PROCESS_VM_READ,
    PROCESS_VM_WRITE,
)
from machine.kernel.nt.space import (
    GRANULARITY,
    HIGHEST,
    MEM_COMMIT,
    MEM_PRIVATE,
    MEM_RESERVE,
    PAGE_EXECUTE,
    PAGE_EXECUTE_READ,
    PAGE_EXECUTE_READWRITE,
    Run,
)
from machine.kernel.nt.start import NTDLL_HANDLE
from machine.kernel.nt.status import (
    STATUS_ACCESS_VIOLATION,
    STATUS_CONFLICTING_ADDRESSES,
    STATUS_INVALID_INFO_CLASS,
    STATUS_INVALID_PAGE_PROTECTION,
    STATUS_INVALID_PARAMETER,
    STATUS_NOT_SUPPORTED,
    STATUS_PARTIAL_COPY,
    STATUS_SUCCESS,
    NtError,
)
from machine.memory import PAGE, page_ceil, page_floor

_DECOMMIT, _RELEASE, _RESET, _TOP_DOWN, _WRITE_WATCH = 0x4000, 0x8000, 0x8_0000, 0x10_0000, 0x20_0000
_OF_VIEWS = (0x08, 0x80)  # PAGE_WRITECOPY, PAGE_EXECUTE_WRITECOPY
_FORGET = 1  # WRITE_WATCH_FLAG_RESET
_MOST_PARAMETERS = 16  # of one call
_ADDRESS_REQUIREMENTS, _HINTS = 1, (2, 5)  # MemExtendedParameterAddressRequirements; NUMA node, attribute flags
_BASIC, _SECTION_NAME, _REGION, _WINE_UNIX = 0, 2, 3, 1000
_BASIC_ROW = struct.Struct("<QQIIQIII4x")  # base, allocation base and protection, size, state, protection, type


@call("NtAllocateVirtualMemory")
def allocate(
    thread: NtThread, process: Handle, base_at: Address, zero_bits: Word, size_at: Address, kind: UInt, protect: UInt
) -> int:
    """Reserve, commit, or both: at a base, or where there is room."""
    return _allocate(thread, process, base_at, size_at, kind, protect, _highest(zero_bits))


@call("NtAllocateVirtualMemoryEx")
def allocate_so(
    thread: NtThread, process: Handle, base_at: Address, size_at: Address, kind: UInt, protect: UInt, rows: Address,
    count: UInt,
) -> int:  # fmt: skip
    """The same, with MEM_EXTENDED_PARAMETERs: the highest address counts, other requirements are not supported."""
    highest = extended_highest(thread, rows, count)
    return _allocate(thread, process, base_at, size_at, kind, protect, highest)


def extended_highest(thread: NtThread, rows: int, count: int) -> int:
    """The end of the addresses that extended parameters allow. Raises NtError."""
    highest = HIGHEST
    if count > _MOST_PARAMETERS:
        raise NtError(STATUS_INVALID_PARAMETER)
    for index in range(count):
        kind, value = struct.unpack("<QQ", thread.data(rows + 16 * index, 16))
        if kind & 0xFF == _ADDRESS_REQUIREMENTS:
            lowest, last, alignment = struct.unpack("<3Q", thread.data(value, 24))
            if lowest or alignment > GRANULARITY:
                raise NtError(STATUS_NOT_SUPPORTED)
            highest = min(highest, last + 1) if last else highest
        elif kind & 0xFF not in _HINTS:
            raise NtError(STATUS_INVALID_PARAMETER)
    return highest


def _allocate(thread: NtThread, process: int, base_at: int, size_at: int, kind: int, protect: int, highest: int) -> int:
    base, size = thread.word(base_at), thread.word(size_at)
    thread.check_process(process, PROCESS_VM_OPERATION)
    if not 0 < size < KERNEL_HALF or base >= KERNEL_HALF or not kind & (MEM_COMMIT | MEM_RESERVE | _RESET):
        return STATUS_INVALID_PARAMETER
    if protect & 0xFF in _OF_VIEWS:
        return STATUS_INVALID_PAGE_PROTECTION
    space = thread.state.space
    if kind & _RESET:
        start, end = page_floor(base), page_ceil(base + size)
    elif kind & MEM_RESERVE or not base:
        made = space.reserve(
            base, size, protect, "allocation", commit=bool(kind & MEM_COMMIT), highest=highest,
            top_down=bool(kind & _TOP_DOWN), watched=bool(kind & _WRITE_WATCH),
        )  # fmt: skip
        start, end = made.base, made.end
    else:
        start, end = page_floor(base), page_ceil(base + size)
        space.commit(start, end, protect)
    thread.put_word(base_at, start)
    thread.put_word(size_at, end - start)
    return STATUS_SUCCESS


def _highest(zero_bits: int) -> int:
    """The end of the addresses that so many leading zeros of 32 bits, or such a mask, leave."""
    if not zero_bits:
        return HIGHEST
    return min(HIGHEST, 1 << 32 - zero_bits if zero_bits < 32 else 1 << zero_bits.bit_length())


@call("NtFreeVirtualMemory")
def free(thread: NtThread, process: Handle, base_at: Address, size_at: Address, kind: UInt) -> int:
    """Decommit or release."""
    base, size = thread.word(base_at), thread.word(size_at)
    thread.check_process(process, PROCESS_VM_OPERATION)
    if kind not in (_DECOMMIT, _RELEASE) or size >= KERNEL_HALF:
        return STATUS_INVALID_PARAMETER
    start, length = thread.state.space.free(page_floor(base), size and size + base % PAGE, release=kind == _RELEASE)
    thread.put_word(base_at, start)
    thread.put_word(size_at, length)
    return STATUS_SUCCESS


@call("NtProtectVirtualMemory")
def protect(
    thread: NtThread, process: Handle, base_at: Address, size_at: Address, protection: UInt, old_at: Address
) -> int:
    """Set the protection of whole pages; what the first one had."""
    base, size = thread.word(base_at), thread.word(size_at)
    thread.check_process(process, PROCESS_VM_OPERATION)
    if not 0 < size < KERNEL_HALF or base + size > HIGHEST:
        return STATUS_CONFLICTING_ADDRESSES if size else STATUS_INVALID_PARAMETER
    start, end = page_floor(base), page_ceil(base + size)
    for place, length in ((base_at, 8), (size_at, 8), (old_at, 4)):
        thread.put(place, thread.data(place, length))
    old = thread.state.space.protect(start, end, protection)
    with suppress(NtError):  # as in Windows, where the places may have become read-only
        thread.put_half(old_at, old)
        thread.put_word(base_at, start)
        thread.put_word(size_at, end - start)
    return STATUS_SUCCESS


@call("NtQueryVirtualMemory")
def query(
    thread: NtThread, process: Handle, address: Address, kind: UInt, buffer: Address, length: Word, returned: Address
) -> int:
    """MemoryBasicInformation, MemoryMappedFilenameInformation, and the class in which Wine asks for unix calls."""
    thread.check_process(process, PROCESS_QUERY_LIMITED)
    if address >= HIGHEST + 0x1_0000:
        return STATUS_INVALID_PARAMETER
    if kind == _WINE_UNIX and thread.state.unix_functions:
        ntdll = thread.state.dispatchers.ntdll
        handle = NTDLL_HANDLE if page_floor(address) == ntdll or address == ntdll else address or 2
        return answer_with(thread, struct.pack("<Q", handle), buffer, length, 0)
    run = thread.state.space.query(address)
    if kind == _BASIC:
        data = _basic(run)
    elif kind == _SECTION_NAME:
        name = "" if run.allocation is None or run.allocation.kind == MEM_PRIVATE else run.allocation.name
        if not name:
            return 0xC000_0141  # STATUS_INVALID_ADDRESS
        text = name.replace("C:", "\\Device\\HarddiskVolume1", 1).encode("utf-16-le")
        data = struct.pack("<HHIQ", len(text), len(text) + 2, 0, buffer + 16) + text + b"\0\0"
        return _returned_word(thread, data, buffer, length, returned)
    else:
        return STATUS_INVALID_INFO_CLASS
    return _returned_word(thread, data, buffer, length, returned)


def _basic(run: Run) -> bytes:
    found = run.allocation
    return _BASIC_ROW.pack(
        run.base, 0 if found is None else found.base, 0 if found is None else found.protect, 0, run.size, run.state,
        run.protect, 0 if found is None else found.kind,
    )  # fmt: skip


def _returned_word(thread: NtThread, data: bytes, buffer: int, length: int, returned: int) -> int:
    status = answer_with(thread, data, buffer, length, 0)
    if returned:
        thread.put_word(returned, len(data))
    return status


@call("NtGetWriteWatch")
def write_watch(
    thread: NtThread, process: Handle, flags: UInt, base: Address, size: Word, pages: Address, count_at: Address,
    unit_at: Address,
) -> int:  # fmt: skip
    """The pages of an allocation with MEM_WRITE_WATCH that were written to."""
    thread.check_process(process, PROCESS_VM_OPERATION)
    most = thread.word(count_at)
    if flags & ~_FORGET or not most:
        return STATUS_INVALID_PARAMETER
    found = thread.state.space.written(base, size, most, forgets=bool(flags & _FORGET))
    thread.put(pages, struct.pack(f"<{len(found)}Q", *found))
    thread.put_word(count_at, len(found))
    thread.put_half(unit_at, PAGE)
    return STATUS_SUCCESS


@call("NtResetWriteWatch")
def reset_write_watch(thread: NtThread, process: Handle, base: Address, size: Word) -> int:
    """None was."""
    thread.check_process(process, PROCESS_VM_OPERATION)
    thread.state.space.written(base, size, size, forgets=True)
    return STATUS_SUCCESS


@call("NtReadVirtualMemory")
def read(thread: NtThread, process: Handle, address: Address, buffer: Address, size: Word, done: Address) -> int:
    """Of the process itself."""
    return _copy(thread, process, size, done, source=address, target=buffer, other=address)


@call("NtWriteVirtualMemory")
def write(thread: NtThread, process: Handle, address: Address, buffer: Address, size: Word, done: Address) -> int:
    """Of the process itself. With Wine's DLLs also to code: those of Windows make it writable in between."""
    space, run = thread.state.space, None
    if thread.state.is_wine and address < HIGHEST and 0 < size <= 1 << 30:
        run = space.query(address)
    if run is None or run.protect not in (PAGE_EXECUTE, PAGE_EXECUTE_READ) or address + size > run.base + run.size:
        return _copy(thread, process, size, done, source=buffer, target=address, other=address)
    start, end = page_floor(address), page_ceil(address + size)
    thread.check_process(process, PROCESS_VM_WRITE | PROCESS_VM_OPERATION)
    space.protect(start, end, PAGE_EXECUTE_READWRITE)
    try:
        return _copy(thread, process, size, done, source=buffer, target=address, other=address)
    finally:
        space.protect(start, end, run.protect)


def _copy(thread: NtThread, process: int, size: int, done: int, *, source: int, target: int, other: int) -> int:
    """Bytes of a process: where its side (`other`) has no such memory, none are copied (STATUS_PARTIAL_COPY)."""
    reads = source == other
    thread.check_process(process, PROCESS_VM_READ if reads else PROCESS_VM_WRITE | PROCESS_VM_OPERATION)
    if size > 1 << 30:
        return STATUS_INVALID_PARAMETER
    side, status = source, STATUS_SUCCESS
    try:
        data = thread.data(source, size)
        side = target
        thread.put(target, data)
    except NtError as error:
        if error.status != STATUS_ACCESS_VIOLATION or side != other:
            raise
        size, status = 0, STATUS_PARTIAL_COPY
    if done:
        thread.put_word(done, size)
    return status


@call("NtFlushInstructionCache", "NtLockVirtualMemory", "NtUnlockVirtualMemory", "NtFlushProcessWriteBuffers")
def accepted(thread: NtThread) -> int:
    """There is nothing to do."""
    return STATUS_SUCCESS
