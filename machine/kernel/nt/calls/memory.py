"""Calls on memory. Protections are accepted: every allocation may be read, written and executed."""

from __future__ import annotations

import struct

from machine.kernel.nt.abi import CURRENT_PROCESS, KERNEL_HALF, Address, Handle, NtThread, UInt, Word, call
from machine.kernel.nt.process import GRANULARITY
from machine.kernel.nt.status import (
    STATUS_CONFLICTING_ADDRESSES,
    STATUS_INVALID_HANDLE,
    STATUS_INVALID_PARAMETER,
    STATUS_MEMORY_NOT_ALLOCATED,
    STATUS_NO_MEMORY,
    STATUS_SUCCESS,
)
from machine.memory import MapError, Protection, page_ceil, page_floor

_PAGE_READ_WRITE = 4
_RELEASE = 0x8000


@call("NtAllocateVirtualMemory")
def allocate(thread: NtThread, process: Handle, base_at: Address, zero_bits: Word, size_at: Address) -> int:
    """At a base, or where there is room."""
    return _map(thread, process, base_at, size_at)


@call("NtMapViewOfSection")
def map_view(
    thread: NtThread, section: Handle, process: Handle, base_at: Address, zero_bits: Word, commit: Word,
    offset_at: Address, size_at: Address,
) -> int:  # fmt: skip
    """Sections are empty: a view is an allocation."""
    return _map(thread, process, base_at, size_at)


def _map(thread: NtThread, process: int, base_at: int, size_at: int) -> int:
    base, size = thread.word(base_at), thread.word(size_at)
    if process != CURRENT_PROCESS:
        return STATUS_INVALID_HANDLE
    if not 0 < size < KERNEL_HALF or base >= KERNEL_HALF:
        return STATUS_INVALID_PARAMETER
    cpu, state = thread.process.cpu, thread.state
    start = page_floor(base) if base else state.next_address
    size = page_ceil((base or start) + size) - start
    area = cpu.memory.area_at(start)
    if area is None or start + size > area.end:
        try:
            state.allocations[start] = cpu.memory.map(start, size, Protection.ALL, "allocation", tag=start)
        except MapError:
            overlap = cpu.memory.overlapping(start, size) is not None
            return STATUS_CONFLICTING_ADDRESSES if overlap else STATUS_NO_MEMORY
        if not base:
            state.next_address = start + size + GRANULARITY - 1 & -GRANULARITY
    thread.put_word(base_at, start)
    thread.put_word(size_at, size)
    return STATUS_SUCCESS


@call("NtFreeVirtualMemory")
def free(thread: NtThread, process: Handle, base_at: Address, size_at: Address, kind: UInt) -> int:
    """Whole allocations are released; decommitting changes nothing."""
    base = page_floor(thread.word(base_at))
    area = thread.state.allocations.get(base)
    if area is None:
        return STATUS_MEMORY_NOT_ALLOCATED
    if kind & _RELEASE:
        del thread.state.allocations[base]
        thread.process.cpu.memory.unmap(area.start, area.end)
    thread.put_word(size_at, area.size)
    return STATUS_SUCCESS


@call("NtUnmapViewOfSection")
def unmap_view(thread: NtThread, process: Handle, base: Address) -> int:
    """The view that begins in this page."""
    area = thread.state.allocations.pop(page_floor(base), None)
    if area is None:
        return STATUS_INVALID_PARAMETER
    thread.process.cpu.memory.unmap(area.start, area.end)
    return STATUS_SUCCESS


@call("NtProtectVirtualMemory")
def protect(
    thread: NtThread, process: Handle, base_at: Address, size_at: Address, protection: UInt, old_at: Address
) -> int:
    """The old protection is always PAGE_READWRITE."""
    base, size = thread.word(base_at), thread.word(size_at)
    start = page_floor(base)
    area = thread.process.cpu.memory.area_at(start)
    if area is None or base + size > area.end:
        return STATUS_CONFLICTING_ADDRESSES
    thread.put(old_at, struct.pack("<I", _PAGE_READ_WRITE))
    thread.put_word(base_at, start)
    thread.put_word(size_at, page_ceil(base + size) - start)
    return STATUS_SUCCESS
