"""Calls that tell a program about itself and the system."""

from __future__ import annotations

import struct

from machine.kernel.nt.abi import Address, Handle, NtThread, UInt, call
from machine.kernel.nt.process import GRANULARITY
from machine.kernel.nt.status import STATUS_INFO_LENGTH_MISMATCH, STATUS_INVALID_INFO_CLASS, STATUS_SUCCESS
from machine.memory import PAGE

_STILL_ACTIVE = 0x103
_PAGES = 0x10_0000


@call("NtQueryInformationProcess")
def process_information(
    thread: NtThread, process: Handle, kind: UInt, buffer: Address, length: UInt, returned: Address
) -> int:
    """ProcessBasicInformation of the process itself, whatever the handle."""
    if kind:
        return STATUS_INVALID_INFO_CLASS
    own = thread.process
    return _answer(thread, struct.pack("<6Q", _STILL_ACTIVE, own.peb, 1, 8, own.pid, 0), buffer, length, returned)


@call("NtQuerySystemInformation")
def system_information(thread: NtThread, kind: UInt, buffer: Address, length: UInt, returned: Address) -> int:
    """SystemBasicInformation."""
    if kind:
        return STATUS_INVALID_INFO_CLASS
    data = struct.pack("<6I", 0, 156_250, PAGE, _PAGES, 1, _PAGES)
    data += struct.pack("<QQQQB7x", GRANULARITY, 0x1_0000, 0x7FFF_FFFE_FFFF, 1, 1)
    return _answer(thread, data, buffer, length, returned)


def _answer(thread: NtThread, data: bytes, buffer: int, length: int, returned: int) -> int:
    if length < len(data):
        return STATUS_INFO_LENGTH_MISMATCH
    thread.put(buffer, data)
    if returned:
        thread.put(returned, struct.pack("<I", len(data)))
    return STATUS_SUCCESS
