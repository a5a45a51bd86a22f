"""FSCTL_* on files and directories of the drive, which NtFsControlFile asks for."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from enum import IntEnum

from machine.kernel.nt.abi import NtThread
from machine.kernel.nt.calls.pipes import Buffers
from machine.kernel.nt.changes import ATTRIBUTES, LAST_WRITE, MODIFIED
from machine.kernel.nt.files import DriveFile
from machine.kernel.nt.operations import Told, completed
from machine.kernel.nt.rights import FILE_READ_DATA, FILE_WRITE_ATTRIBUTES, FILE_WRITE_DATA
from machine.kernel.nt.status import (
    STATUS_ACCESS_DENIED,
    STATUS_BUFFER_TOO_SMALL,
    STATUS_INVALID_DEVICE_REQUEST,
    STATUS_INVALID_PARAMETER,
    STATUS_NOT_A_REPARSE_POINT,
    STATUS_SUCCESS,
    NtError,
)
from machine.kernel.nt.volume import Volume


class Control(IntEnum):
    """FSCTL_* (winioctl.h)."""

    GET_COMPRESSION = 0x9_003C
    GET_OBJECT_ID = 0x9_009C
    GET_REPARSE_POINT = 0x9_00A8
    SET_SPARSE = 0x9_00C4
    QUERY_ALLOCATED_RANGES = 0x9_40CF
    SET_ZERO_DATA = 0x9_80C8


_NEEDED: Mapping[int, int] = {  # any of these rights, to a file
    Control.SET_SPARSE: FILE_WRITE_DATA | FILE_WRITE_ATTRIBUTES,
    Control.SET_ZERO_DATA: FILE_WRITE_DATA,
    Control.QUERY_ALLOCATED_RANGES: FILE_READ_DATA,
}


def control_file(thread: NtThread, handle: int, file: DriveFile, told: Told, code: int, given: Buffers) -> int:
    """Carry one out. Raises NtError."""
    needed = _NEEDED.get(code, 0)
    if needed and not thread.state.handles.rights_of(handle) & needed:
        return STATUS_ACCESS_DENIED
    if needed and file.spot.is_directory:
        return STATUS_INVALID_PARAMETER
    data = _answer(thread, file, code, given)
    if len(data) > given.length:
        return STATUS_BUFFER_TOO_SMALL
    thread.put(given.buffer, data)
    return completed(thread, file, told, STATUS_SUCCESS, len(data))


def _answer(thread: NtThread, file: DriveFile, code: int, given: Buffers) -> bytes:
    volume = thread.state.volume
    assert volume is not None  # there is a file of it
    match code:
        case Control.GET_OBJECT_ID:  # by which Wine's loader knows a file again
            if given.length < 64:
                raise NtError(STATUS_INVALID_PARAMETER)
            return volume.number_of(file.spot).to_bytes(8, "little").ljust(64, b"\0")
        case Control.GET_COMPRESSION:
            return bytes(2)
        case Control.GET_REPARSE_POINT:
            raise NtError(STATUS_NOT_A_REPARSE_POINT)
        case Control.SET_SPARSE:
            volume.set_sparse(file.spot, is_sparse=not given.size or thread.data(given.data, 1) != b"\0")
            volume.changed(file.spot, MODIFIED, ATTRIBUTES)
        case Control.QUERY_ALLOCATED_RANGES:
            first, size = _range(thread, given)
            size = min(size, file.size - first)
            return struct.pack("<QQ", first, size) if size > 0 else b""
        case Control.SET_ZERO_DATA:
            _clear(thread, volume, file, *_range(thread, given))
        case _:
            raise NtError(STATUS_INVALID_DEVICE_REQUEST)
    return b""


def _range(thread: NtThread, given: Buffers) -> tuple[int, int]:
    """Two numbers of 63 bits. Raises NtError."""
    if given.size < 16:
        raise NtError(STATUS_INVALID_PARAMETER)
    first, second = struct.unpack("<qq", thread.data(given.data, 16))
    if first < 0 or second < 0:
        raise NtError(STATUS_INVALID_PARAMETER)
    return first, second


def _clear(thread: NtThread, volume: Volume, file: DriveFile, first: int, end: int) -> None:
    """Zeros from `first` to `end`, as far as the file goes; its size stays. Raises NtError."""
    if first > end:
        raise NtError(STATUS_INVALID_PARAMETER)
    end = min(end, file.size)
    thread.services.work.charge(max(end - first, 0))
    file.clear(first, end)
    volume.changed(file.spot, MODIFIED, LAST_WRITE)
