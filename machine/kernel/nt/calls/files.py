"""Calls that open files, read and write them, and end with handles."""

from __future__ import annotations

from typing import NamedTuple

from machine.kernel.nt.abi import Address, Handle, NtThread, UInt, Word, call
from machine.kernel.nt.calls.file_controls import control_file
from machine.kernel.nt.calls.mailslots import open_mailslot, read_mailslot
from machine.kernel.nt.calls.pipes import Buffers, control_pipe, flush_pipe, open_pipe, read_pipe, write_pipe
from machine.kernel.nt.changes import ADDED, LAST_WRITE, MODIFIED, SIZE
from machine.kernel.nt.files import NULL, DriveFile, File
from machine.kernel.nt.mailslots import Mailslot
from machine.kernel.nt.objects import Completion
from machine.kernel.nt.operations import Told, completed, give
from machine.kernel.nt.paths import components
from machine.kernel.nt.pipes import PipeEnd
from machine.kernel.nt.rights import (
    FILE_APPEND_DATA,
    FILE_READ_ATTRIBUTES,
    FILE_READ_DATA,
    FILE_WRITE_ATTRIBUTES,
    FILE_WRITE_DATA,
)
from machine.kernel.nt.sharing import uses_of
from machine.kernel.nt.status import (
    STATUS_ACCESS_DENIED,
    STATUS_CANNOT_DELETE,
    STATUS_DELETE_PENDING,
    STATUS_END_OF_FILE,
    STATUS_FILE_IS_A_DIRECTORY,
    STATUS_INVALID_DEVICE_REQUEST,
    STATUS_INVALID_PARAMETER,
    STATUS_LOCK_NOT_GRANTED,
    STATUS_NOT_A_DIRECTORY,
    STATUS_OBJECT_NAME_COLLISION,
    STATUS_OBJECT_NAME_NOT_FOUND,
    STATUS_SUCCESS,
    NotCarriedOut,
    NtError,
)
from machine.kernel.nt.volume import ARCHIVE, HIDDEN, SYSTEM, Spot, Volume
from machine.kernel.outcomes import Result, Wait
from machine.memory import PAGE

_SUPERSEDE, _OPEN, _CREATE, _OPEN_IF, _OVERWRITE, _OVERWRITE_IF = range(6)
_SUPERSEDED, _OPENED, _CREATED, _OVERWRITTEN = range(4)
_DIRECTORY, _NON_DIRECTORY, _DELETE_ON_CLOSE = 1, 0x40, 0x1000
_WRITE_DATA, _APPEND_DATA, _DELETE, _GENERIC_WRITE, _GENERIC_ALL, _MAXIMUM = (
    2,
    4,
    0x1_0000,
    0x4000_0000,
    0x1000_0000,
    0x200_0000,
)
_WRITES = _WRITE_DATA | _APPEND_DATA | _GENERIC_WRITE | _GENERIC_ALL
_SPECIFIC = 0xF200_FFFF  # rights that only files have, and what may mean such
_LARGEST_TRANSFER = 1 << 26
_SYNCHRONOUS = 0x30  # FILE_SYNCHRONOUS_IO_ALERT, FILE_SYNCHRONOUS_IO_NONALERT
_MODE = 0o644
_SOCKETS = "afd"  # the device behind Winsock


def place_of(thread: NtThread, attributes: int) -> Spot | str:
    """The place on the drive that OBJECT_ATTRIBUTES name, or a device. Raises NtError."""
    name, root = thread.object_name(attributes), thread.word(attributes + 8)
    start = None
    if root:
        directory = thread.state.handles.of(root, DriveFile)
        if not name:
            return directory.spot
        start = directory.spot.names
    found = components(name, start)
    return found if isinstance(found, str) else volume_of(thread).find(found)


def volume_of(thread: NtThread) -> Volume:
    """The drive. Raises NtError where there is none."""
    if thread.state.volume is None:
        raise NtError(STATUS_OBJECT_NAME_NOT_FOUND)
    return thread.state.volume


@call("NtCreateFile")
def create_file(
    thread: NtThread, handle: Address, access: UInt, attributes: Address, block: Address, size_at: Address,
    kind: UInt, share: UInt, disposition: UInt, options: UInt,
) -> int:  # fmt: skip
    """Open, make, or empty a file or directory."""
    wanted = Wanted(access, share, disposition, options, kind)
    return _open(thread, handle, attributes, block, wanted)


@call("NtOpenFile")
def open_file(
    thread: NtThread, handle: Address, access: UInt, attributes: Address, block: Address, share: UInt, options: UInt
) -> int:
    """Open what is there."""
    return _open(thread, handle, attributes, block, Wanted(access, share, _OPEN, options))


class Wanted(NamedTuple):
    """What NtCreateFile asks for; `attributes` are those of a file that it makes or empties."""

    access: int
    share: int
    disposition: int
    options: int
    attributes: int = 0

    @property
    def writes(self) -> bool:
        """Whether the bytes are to be written."""
        return bool(self.access & _WRITES)

    @property
    def empties(self) -> bool:
        """Whether a file that is there loses what it has."""
        return self.disposition in (_SUPERSEDE, _OVERWRITE, _OVERWRITE_IF)


def _open(thread: NtThread, handle: int, attributes: int, block: int, wanted: Wanted) -> int:
    if thread.state.volume is None:  # no folder: names behind handles
        thread.object_name(attributes)
        thread.open(handle, File())
        thread.set_io_status(block, STATUS_SUCCESS, _OPENED)
        return STATUS_SUCCESS
    other = open_pipe(thread, attributes, wanted.access, wanted.options) or open_mailslot(thread, attributes)
    spot = "" if other is not None else place_of(thread, attributes)
    if isinstance(spot, str):
        other = File(device=NULL) if spot in ("nul", "null") else other
        if other is None and spot.partition("\\")[0] == _SOCKETS:
            raise NotCarriedOut(STATUS_OBJECT_NAME_NOT_FOUND, "\\Device\\Afd (sockets)")
        if other is None:
            return STATUS_OBJECT_NAME_NOT_FOUND
        return give(thread, handle, block, other, wanted.access, attributes, _OPENED)
    check_disposed(thread, spot)
    _check(thread, spot, wanted)
    existed, volume = spot.exists, volume_of(thread)
    if not existed:
        spot = _make(thread, spot, bool(wanted.options & _DIRECTORY))
    sharing, identity = volume.sharing, spot.identity
    sharing.check(identity, wanted.access, wanted.share)
    made = _opened(thread, spot, wanted.writes)
    information = _OPENED if existed else _CREATED
    if existed and wanted.empties and not spot.is_directory:
        sharing.check_size(identity, 0)
        _opened(thread, spot, writes=True).resize(0)
        information = _SUPERSEDED if wanted.disposition == _SUPERSEDE else _OVERWRITTEN
    if not existed or (wanted.empties and not spot.is_directory):
        volume.set_attributes(spot, wanted.attributes | (0 if spot.is_directory else ARCHIVE))
    access = wanted.access
    made.is_append = bool(access & _APPEND_DATA) and not access & (_WRITE_DATA | _GENERIC_WRITE | _GENERIC_ALL)
    if not access & _MAXIMUM:
        made.uses = uses_of(access)
    made.is_asynchronous = not wanted.options & _SYNCHRONOUS
    made.deletes = bool(wanted.options & _DELETE_ON_CLOSE)
    if thread.state.unix_functions and not access & _SPECIFIC:  # so do Wine's DLLs open what they ask and set it of
        access |= FILE_READ_ATTRIBUTES | FILE_WRITE_ATTRIBUTES
    thread.open(handle, made, access, attributes)
    made.sharing, made.identity = sharing, identity
    sharing.opened(identity, made, access, wanted.share)
    thread.set_io_status(block, STATUS_SUCCESS, information)
    return STATUS_SUCCESS


def check_disposed(thread: NtThread, spot: Spot) -> None:
    """Raises NtError where a file is about to go: it cannot be opened any more."""
    if spot.exists and volume_of(thread).sharing.is_disposed(spot.identity):
        raise NtError(STATUS_DELETE_PENDING)


def _check(thread: NtThread, spot: Spot, wanted: Wanted) -> None:
    """Raises NtError where what is there, or is not, cannot be opened so."""
    disposition, options = wanted.disposition, wanted.options
    if disposition > _OVERWRITE_IF:
        raise NtError(STATUS_INVALID_PARAMETER)
    if spot.is_stream and options & _DIRECTORY:
        raise NtError(STATUS_NOT_A_DIRECTORY)
    if not spot.exists:
        if disposition in (_OPEN, _OVERWRITE):
            raise NtError(STATUS_OBJECT_NAME_NOT_FOUND)
    elif disposition == _CREATE:
        raise NtError(STATUS_OBJECT_NAME_COLLISION)
    elif spot.is_directory and options & _NON_DIRECTORY:
        raise NtError(STATUS_FILE_IS_A_DIRECTORY)
    elif not spot.is_directory and options & _DIRECTORY:
        raise NtError(STATUS_NOT_A_DIRECTORY)
    changes = wanted.writes or wanted.access & _DELETE or options & _DELETE_ON_CLOSE or wanted.empties
    if changes and not thread.state.writable and not spot.is_directory:
        raise NtError(STATUS_ACCESS_DENIED)
    if options & _DELETE_ON_CLOSE and spot.is_read_only:
        raise NtError(STATUS_CANNOT_DELETE)
    if spot.exists and wanted.empties and not spot.is_directory:
        guarded = volume_of(thread).attributes_of(spot) & (HIDDEN | SYSTEM)
        if guarded & ~wanted.attributes:
            raise NtError(STATUS_ACCESS_DENIED)


def _make(thread: NtThread, spot: Spot, is_directory: bool) -> Spot:
    """A new file or directory. Raises NtError."""
    if not thread.state.writable or spot.parent is None:
        raise NtError(STATUS_ACCESS_DENIED)
    volume = volume_of(thread)
    with volume.naming(spot.parent):
        if is_directory:
            spot.parent.make_directory(spot.host_name, 0o755)
        else:
            spot.parent.make_file(spot.host_name, _MODE)
        volume.spelt(spot.parent, spot.names[-1])
    made = volume.find(spot.names)
    volume.changed(made, ADDED)
    return made


def _opened(thread: NtThread, spot: Spot, writes: bool) -> DriveFile:
    handle = None if spot.is_directory else spot.open(writes and thread.state.writable)
    return DriveFile(
        spot=spot,
        handle=handle,
        is_directory=spot.is_directory,
        remove=lambda file: volume_of(thread).remove(file.spot),
    )


@call("NtDeleteFile")
def delete_file(thread: NtThread, attributes: Address) -> int:
    """Remove a file at once."""
    spot = place_of(thread, attributes)
    if isinstance(spot, str) or not spot.exists:
        return STATUS_OBJECT_NAME_NOT_FOUND
    if not thread.state.writable:
        return STATUS_ACCESS_DENIED
    if spot.is_read_only:
        return STATUS_CANNOT_DELETE
    volume_of(thread).remove(spot)
    return STATUS_SUCCESS


@call("NtClose")
def close(thread: NtThread, handle: Handle) -> int:
    """The handle means nothing from then on."""
    thread.state.handles.close(handle)
    return STATUS_SUCCESS


def _check_offset(opened: File, place: int) -> None:
    """Raises NtError for a file without a position of its own, where a call does not say at which offset."""
    if isinstance(opened, DriveFile) and opened.is_asynchronous and not opened.is_append and not place:
        raise NtError(STATUS_INVALID_PARAMETER)


def _offset(thread: NtThread, place: int) -> int | None:
    """A byte offset; None for where the last call ended, and for none."""
    if not place:
        return None
    value = thread.word(place)
    return None if value >> 63 else value


@call("NtWriteFile")
def write_file(
    thread: NtThread, file: Handle, event: Handle, routine: Address, context: Word, block: Address, buffer: Address,
    length: UInt, offset_at: Address,
) -> Result:  # fmt: skip
    """What the program prints, or into a file."""
    opened = thread.state.handles.of(file, File)
    if not thread.state.handles.rights_of(file) & (FILE_WRITE_DATA | FILE_APPEND_DATA):
        return STATUS_ACCESS_DENIED
    _check_offset(opened, offset_at)
    data = thread.data(buffer, min(length, _LARGEST_TRANSFER))
    if isinstance(opened, PipeEnd):
        return write_pipe(thread, opened, Told(block, event, routine, context), data)
    done = opened.write(_offset(thread, offset_at) if isinstance(opened, DriveFile) else None, data)
    if isinstance(opened, DriveFile):
        volume_of(thread).changed(opened.spot, MODIFIED, SIZE | LAST_WRITE)
    return completed(thread, opened, Told(block, event, routine, context), STATUS_SUCCESS, done)


@call("NtReadFile")
def read_file(
    thread: NtThread, file: Handle, event: Handle, routine: Address, context: Word, block: Address, buffer: Address,
    length: UInt, offset_at: Address,
) -> Result:  # fmt: skip
    """From a file, or standard input, or a pipe."""
    opened = thread.state.handles.of(file, File, FILE_READ_DATA)
    _check_offset(opened, offset_at)
    offset, told = (
        _offset(thread, offset_at) if isinstance(opened, DriveFile) else None,
        Told(block, event, routine, context),
    )
    if isinstance(opened, PipeEnd):
        return read_pipe(thread, opened, told, buffer, length)
    if isinstance(opened, Mailslot):
        return read_mailslot(thread, opened, told, buffer, length)
    try:
        data = opened.read(offset, min(length, _LARGEST_TRANSFER))
    except NtError as error:
        if error.status == STATUS_END_OF_FILE:
            return completed(thread, opened, Told(block, event), STATUS_END_OF_FILE, 0)
        raise
    thread.put(buffer, data)
    return completed(thread, opened, told, STATUS_SUCCESS, len(data))


def _segments(thread: NtThread, segments: int, length: int) -> list[tuple[int, int]]:
    """The pages of a FILE_SEGMENT_ELEMENT array: addresses and how many bytes of each. Raises NtError."""
    length = min(length, _LARGEST_TRANSFER)
    sizes = [min(PAGE, length - at) for at in range(0, length, PAGE)]
    return [(thread.word(segments + 8 * index), size) for index, size in enumerate(sizes)]


@call("NtReadFileScatter")
def read_scattered(
    thread: NtThread, file: Handle, event: Handle, routine: Address, context: Word, block: Address, segments: Address,
    length: UInt, offset_at: Address,
) -> Result:  # fmt: skip
    """From a file into pages."""
    opened = thread.state.handles.of(file, DriveFile, FILE_READ_DATA)
    pages = _segments(thread, segments, length)
    data = opened.read(_offset(thread, offset_at), min(length, _LARGEST_TRANSFER))
    for index, (place, size) in enumerate(pages):
        thread.put(place, data[index * PAGE : index * PAGE + size])
    return completed(thread, opened, Told(block, event, routine, context), STATUS_SUCCESS, len(data))


@call("NtWriteFileGather")
def write_gathered(
    thread: NtThread, file: Handle, event: Handle, routine: Address, context: Word, block: Address, segments: Address,
    length: UInt, offset_at: Address,
) -> Result:  # fmt: skip
    """Pages into a file."""
    opened = thread.state.handles.of(file, DriveFile, FILE_WRITE_DATA)
    pages = _segments(thread, segments, length)
    done = opened.write(_offset(thread, offset_at), b"".join(thread.data(place, size) for place, size in pages))
    volume_of(thread).changed(opened.spot, MODIFIED, SIZE | LAST_WRITE)
    return completed(thread, opened, Told(block, event, routine, context), STATUS_SUCCESS, done)


@call("NtFlushBuffersFile")
def flush(thread: NtThread, file: Handle, block: Address) -> Result:
    """There is nothing to flush but pipes, which wait for their reader."""
    opened = thread.state.handles.of(file, File)
    writes = thread.state.handles.rights_of(file) & (FILE_WRITE_DATA | FILE_APPEND_DATA)
    if isinstance(opened, DriveFile) and not writes:
        return STATUS_ACCESS_DENIED
    if isinstance(opened, PipeEnd):
        return flush_pipe(thread, opened, Told(block))
    thread.set_io_status(block, STATUS_SUCCESS, 0)
    return STATUS_SUCCESS


@call("NtDeviceIoControlFile")
def device_control(
    thread: NtThread, file: Handle, event: Handle, routine: Address, context: Word, block: Address, code: UInt
) -> int:
    """No device has any: consoles neither, since the standard streams are pipes."""
    opened = thread.object(file)
    if thread.state.plan is None or isinstance(opened, Completion):
        thread.set_io_status(block, STATUS_SUCCESS, 0)
        return STATUS_SUCCESS
    return STATUS_INVALID_DEVICE_REQUEST


@call("NtFsControlFile")
def file_system_control(
    thread: NtThread, file: Handle, event: Handle, routine: Address, context: Word, block: Address, code: UInt,
    data: Address, size: UInt, buffer: Address, length: UInt,
) -> Result:  # fmt: skip
    """What files of the drive and pipes have."""
    opened, told = thread.state.handles.of(file, File), Told(block, event, routine, context)
    given = Buffers(data, size, buffer, length)
    if isinstance(opened, DriveFile):
        return control_file(thread, file, opened, told, code, given)
    return control_pipe(thread, opened, told, code, given)


@call("NtLockFile")
def lock_file(
    thread: NtThread, file: Handle, event: Handle, routine: Address, context: Word, block: Address, offset_at: Address,
    size_at: Address, key: UInt, at_once: UInt, exclusive: UInt,
) -> Result:  # fmt: skip
    """Lock a range, now or when nobody has it any more."""
    opened = thread.state.handles.of(file, DriveFile)
    first, size, is_exclusive = thread.word(offset_at), thread.word(size_at), bool(exclusive & 0xFF)
    sharing, identity = volume_of(thread).sharing, opened.identity
    if sharing.is_lockable(identity, first, size, is_exclusive=is_exclusive):
        sharing.lock(identity, opened, key, first, size, is_exclusive=is_exclusive)
        return completed(thread, opened, Told(block, event, routine, context), STATUS_SUCCESS, 0)
    if at_once & 0xFF:
        return STATUS_LOCK_NOT_GRANTED
    return Wait(lambda: sharing.is_lockable(identity, first, size, is_exclusive=is_exclusive))


@call("NtUnlockFile")
def unlock_file(thread: NtThread, file: Handle, block: Address, offset_at: Address, size_at: Address, key: UInt) -> int:
    """Unlock what was locked so."""
    opened = thread.state.handles.of(file, DriveFile)
    volume_of(thread).sharing.unlock(opened.identity, opened, key, thread.word(offset_at), thread.word(size_at))
    return completed(thread, opened, Told(block), STATUS_SUCCESS, 0)
