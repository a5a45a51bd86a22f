"""Calls that tell of files, directories and volumes, and change what is told."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from fnmatch import translate
from re import IGNORECASE, compile as compile_pattern

from machine.kernel.linux import LinuxError, Node
from machine.kernel.nt.abi import Address, Handle, NtThread, UInt, Word, call
from machine.kernel.nt.calls.files import check_disposed, place_of, volume_of
from machine.kernel.nt.calls.mailslots import mailslot_information, set_mailslot
from machine.kernel.nt.calls.pipes import local_pipe_information, pipe_information, set_pipe_information
from machine.kernel.nt.changes import (
    ADDED,
    ATTRIBUTES,
    LAST_WRITE,
    MODIFIED,
    NEW_NAME,
    OLD_NAME,
    SIZE,
    Watch,
)
from machine.kernel.nt.files import DISK, DriveFile, File
from machine.kernel.nt.mailslots import Mailslot
from machine.kernel.nt.objects import Completion
from machine.kernel.nt.operations import Told, begin
from machine.kernel.nt.paths import components
from machine.kernel.nt.pipes import PipeEnd, PipeRoot
from machine.kernel.nt.rights import (
    DELETE,
    FILE_READ_ATTRIBUTES,
    FILE_READ_DATA,
    FILE_WRITE_ATTRIBUTES,
    FILE_WRITE_DATA,
)
from machine.kernel.nt.status import (
    STATUS_ACCESS_DENIED,
    STATUS_BUFFER_OVERFLOW,
    STATUS_CANNOT_DELETE,
    STATUS_FILE_IS_A_DIRECTORY,
    STATUS_INFO_LENGTH_MISMATCH,
    STATUS_INVALID_INFO_CLASS,
    STATUS_INVALID_PARAMETER,
    STATUS_NO_MORE_FILES,
    STATUS_NO_SUCH_FILE,
    STATUS_NOT_A_DIRECTORY,
    STATUS_OBJECT_NAME_COLLISION,
    STATUS_OBJECT_NAME_NOT_FOUND,
    STATUS_SHARING_VIOLATION,
    STATUS_SUCCESS,
    NtError,
)
from machine.kernel.nt.volume import DIRECTORY, NORMAL, Spot, failure, without_stream
from machine.kernel.outcomes import Result

_READS_ATTRIBUTES = (4, 18, 23, 24, 34, 35)  # classes that take FILE_READ_ATTRIBUTES
_LEAST = {9: 8, 18: 104, 22: 24}  # bytes of a buffer that has no room for names, by class
_TO_SET = {
    4: FILE_WRITE_ATTRIBUTES,
    10: DELETE,
    13: DELETE,
    19: FILE_WRITE_DATA,
    20: FILE_WRITE_DATA,
    23: FILE_WRITE_ATTRIBUTES,
    64: DELETE,
    65: DELETE,
}  # fmt: skip; by class
_UNIX_EPOCH = 116_444_736_000_000_000  # of 1970, in units of 100 ns since 1601
_SYNCHRONOUS = 0x20
_POSIX = 2  # FILE_DISPOSITION_POSIX_SEMANTICS
_CLUSTER = 4096
_FILE_SYSTEM = 8  # FILE_DEVICE_DISK_FILE_SYSTEM


def _times(thread: NtThread, spot: Spot) -> tuple[int, int, int, int]:
    """When it was made, accessed, modified and changed, in FILETIME's units."""
    if spot.node is None:
        return (_UNIX_EPOCH,) * 4
    found = spot.node.status()
    made, accessed, modified, changed = (
        _UNIX_EPOCH + time // 100
        for time in (min(found.changed, found.modified), found.accessed, found.modified, found.changed)
    )
    return volume_of(thread).made.get(found.inode, made), accessed, modified, changed


def _size(spot: Spot) -> int:
    if spot.content is not None:
        return len(spot.content)
    return 0 if spot.is_directory or spot.node is None else spot.node.status().size


def _attributes(thread: NtThread, spot: Spot) -> int:
    return volume_of(thread).attributes_of(spot)


def _allocated(size: int) -> int:
    return -(-size // _CLUSTER) * _CLUSTER


@call("NtQueryInformationFile")
def information(thread: NtThread, file: Handle, block: Address, buffer: Address, length: UInt, kind: UInt) -> int:
    """Of an open file."""
    handles = thread.state.handles
    opened = handles.of(file, File, FILE_READ_ATTRIBUTES if kind in _READS_ATTRIBUTES else 0)
    data = _information(thread, opened, kind, handles.rights_of(file))
    if data is None:
        return STATUS_INVALID_INFO_CLASS
    if length < _LEAST.get(kind, len(data)):
        return STATUS_INFO_LENGTH_MISMATCH
    thread.put(buffer, data[:length])
    status = STATUS_SUCCESS if len(data) <= length else STATUS_BUFFER_OVERFLOW
    thread.set_io_status(block, status, min(len(data), length))
    return status


def _information(thread: NtThread, opened: File, kind: int, rights: int) -> bytes | None:
    spot = opened.spot if isinstance(opened, DriveFile) else Spot((), None, None)
    size, times = opened.size, _times(thread, spot)
    basic = struct.pack("<4QI4x", *times, _attributes(thread, spot) if isinstance(opened, DriveFile) else NORMAL)
    links = 1 if spot.node is None or spot.is_directory else spot.node.status().links
    goes = isinstance(opened, DriveFile) and volume_of(thread).sharing.is_disposed(opened.identity)
    standard = struct.pack("<QQIBB2x", _allocated(size), size, links, goes, opened.is_directory)
    internal = struct.pack("<Q", volume_of(thread).number_of(spot) if isinstance(opened, DriveFile) else 0)
    text = (spot.path if isinstance(opened, DriveFile) else _path_of(opened)).encode("utf-16-le", "surrogatepass")
    name = struct.pack("<I", len(text)) + text
    position = struct.pack("<Q", opened.position)
    match kind:
        case 4:
            return basic
        case 5:
            return standard
        case 6:
            return internal
        case 7:
            return bytes(4)
        case 8:
            return struct.pack("<I", rights)
        case 9:
            return name
        case 14:
            return position
        case 16:
            return struct.pack("<I", 0 if opened.is_asynchronous else _SYNCHRONOUS)
        case 18:
            return basic + standard + internal + bytes(4) + struct.pack("<I", rights) + position + bytes(8) + name
        case 17:
            return bytes(4)
        case 22:
            return _streams(size, is_directory=opened.is_directory) if isinstance(opened, DriveFile) else None
        case 28:
            return struct.pack("<Q8x", size) if isinstance(opened, DriveFile) else None
        case 23:
            return pipe_information(opened) if isinstance(opened, PipeEnd) else None
        case 24:
            return local_pipe_information(opened) if isinstance(opened, PipeEnd) else None
        case 26:
            return mailslot_information(opened) if isinstance(opened, Mailslot) else None
        case 34:
            return struct.pack("<4QQQI4x", *times, _allocated(size), size, _attributes(thread, spot))
        case 35:
            return struct.pack("<II", _attributes(thread, spot), 0)
        case 59:
            return struct.pack("<Q", 1) + internal + bytes(8)
    return None


def _streams(size: int, *, is_directory: bool) -> bytes:
    """FILE_STREAM_INFORMATION: a file has one stream, without a name of its own; a directory has none."""
    text = "::$DATA".encode("utf-16-le")
    return b"" if is_directory else struct.pack("<IIQQ", 0, len(text), size, _allocated(size)) + text


def _path_of(opened: File) -> str:
    return f"\\{opened.pipe.name}" if isinstance(opened, PipeEnd) else "\\pipe"


@call("NtSetInformationFile")
def set_information(thread: NtThread, file: Handle, block: Address, buffer: Address, length: UInt, kind: UInt) -> int:
    """Times, name, deletion, position, size."""
    opened = thread.state.handles.of(file, File, _TO_SET.get(kind, 0))
    if kind == 4:
        status = _set_basic(thread, opened, thread.data(buffer, 40))
    elif kind in (41, 61):  # modes that nothing here has
        status = STATUS_SUCCESS
    elif kind == 14:
        opened.position, status = thread.word(buffer), STATUS_SUCCESS
    elif kind in (13, 64):
        wanted = thread.data(buffer, 1)[0]
        status = _dispose(thread, opened, wanted & 1, at_once=kind == 64 and bool(wanted & _POSIX))
    elif kind in (19, 20):
        if kind == 20:
            opened.resize(thread.word(buffer))
            if isinstance(opened, DriveFile):
                volume_of(thread).changed(opened.spot, MODIFIED, SIZE)
        status = STATUS_SUCCESS
    elif kind in (10, 65):
        status = _rename(thread, opened, buffer)
    elif kind in (11, 72):
        status = _link(thread, opened, buffer)
    elif kind == 23 and isinstance(opened, PipeEnd):
        status = set_pipe_information(opened, thread.data(buffer, 8))
    elif kind == 27:
        status = set_mailslot(thread, opened, buffer)
    elif kind == 30:
        port, key = struct.unpack("<QQ", thread.data(buffer, 16))
        opened.port, status = (thread.state.handles.of(port, Completion), key), STATUS_SUCCESS
    else:
        return STATUS_INVALID_INFO_CLASS
    thread.set_io_status(block, status, 0)
    return status


def _set_basic(thread: NtThread, opened: File, basic: bytes) -> int:
    """FILE_BASIC_INFORMATION: times and attributes; FILE_ATTRIBUTE_NORMAL stands for none, 0 leaves them.

    A time of 0 stays as it is; below 0 as well, which is about what later operations do.
    """
    made, accessed, modified, _, attributes = struct.unpack("<4qI", basic[:36])
    node = opened.spot.node if isinstance(opened, DriveFile) else None
    if not isinstance(opened, DriveFile) or node is None or not thread.state.writable:
        return STATUS_SUCCESS
    if attributes & DIRECTORY and not opened.is_directory:
        return STATUS_INVALID_PARAMETER
    found = node.status()
    if attributes:
        volume_of(thread).set_attributes(opened.spot, attributes)
    try:
        if accessed > 0 or modified > 0:
            times = zip((accessed, modified), (found.accessed, found.modified), strict=True)
            node.set_times(*(100 * (given - _UNIX_EPOCH) if given > 0 else present for given, present in times))
    except LinuxError as error:
        raise failure(error) from None
    except OSError:
        return STATUS_INVALID_PARAMETER  # a time that the host cannot keep
    volume_of(thread).changed(opened.spot, MODIFIED, ATTRIBUTES | LAST_WRITE)
    if made > 0:
        volume_of(thread).made[found.inode] = made
    return STATUS_SUCCESS


def _dispose(thread: NtThread, opened: File, wanted: int, *, at_once: bool) -> int:
    """The file goes with its last handle, or its name with this one; or it stays."""
    if not thread.state.writable or (isinstance(opened, DriveFile) and opened.spot.node is None):
        return STATUS_ACCESS_DENIED
    if wanted and isinstance(opened, DriveFile) and opened.spot.is_read_only:
        return STATUS_CANNOT_DELETE
    if wanted and isinstance(opened, DriveFile) and opened.is_directory:
        for _ in volume_of(thread).entries(opened.spot):
            return 0xC000_0101  # STATUS_DIRECTORY_NOT_EMPTY
    if isinstance(opened, DriveFile):
        opened.unlinks = at_once and bool(wanted)
        volume_of(thread).sharing.dispose(opened.identity, opened, wanted=bool(wanted) and not at_once)
    return STATUS_SUCCESS


def _rename(thread: NtThread, opened: File, buffer: int) -> int:
    if not thread.state.writable or not isinstance(opened, DriveFile) or opened.spot.parent is None:
        return STATUS_ACCESS_DENIED
    volume, old, before = volume_of(thread), opened.spot, opened.spot.parent
    name, parent, names = _target(thread, opened, buffer)
    _check_rename(thread, opened, names)
    there = volume.find(names)
    with volume.naming(before, parent):
        if there.exists and there.identity != old.identity and there.host_name != name:
            parent.remove_file(there.host_name)
            volume.unspelt(parent, there.names[-1])
        before.rename(old.host_name, parent, name)
        volume.unspelt(before, old.names[-1])
        volume.spelt(parent, names[-1])
    volume.changed(old, OLD_NAME)
    found = volume.find(names)
    files = [each for _, each in thread.state.handles.items() if isinstance(each, DriveFile)]
    for each in (opened, *files):  # other handles of the file say its new name, too
        if each.spot.names == old.names:
            each.spot = found
    volume.changed(opened.spot, NEW_NAME)
    return STATUS_SUCCESS


def _check_rename(thread: NtThread, opened: DriveFile, names: tuple[str, ...]) -> None:
    """Raises NtError where NTFS does not rename: a directory into itself or with open files, onto what is open."""
    own, wanted = (tuple(name.lower() for name in row) for row in (opened.spot.names, names))
    if opened.is_directory and wanted[: len(own)] == own and wanted != own:
        # the directory that is to have the name is opened without FILE_SHARE_DELETE, beside the handle of the renamer
        raise NtError(STATUS_SHARING_VIOLATION if len(wanted) == len(own) + 1 else STATUS_ACCESS_DENIED)
    for _, each in thread.state.handles.items() if opened.is_directory else ():
        below = each.spot.names if isinstance(each, DriveFile) else ()
        if len(below) > len(own) and tuple(name.lower() for name in below[: len(own)]) == own:
            raise NtError(STATUS_ACCESS_DENIED)
    target = volume_of(thread).find(names)
    is_taken = target.exists and (
        target.is_directory or target.is_read_only or volume_of(thread).sharing.is_open(target.identity)
    )
    if wanted != own and is_taken:
        raise NtError(STATUS_ACCESS_DENIED)


def _link(thread: NtThread, opened: File, buffer: int) -> int:
    """FILE_LINK_INFORMATION: another name of the same file."""
    if not thread.state.writable or not isinstance(opened, DriveFile) or opened.spot.parent is None:
        return STATUS_ACCESS_DENIED
    if opened.is_directory:
        return STATUS_FILE_IS_A_DIRECTORY
    name, parent, names = _target(thread, opened, buffer)
    there = volume_of(thread).find(names)
    if there.exists and there.identity == opened.spot.identity:
        return STATUS_SUCCESS
    with volume_of(thread).naming(parent):
        if there.exists:
            parent.remove_file(name)
            volume_of(thread).unspelt(parent, there.names[-1])
        parent.add_name(name, opened.spot.parent, opened.spot.host_name)
        volume_of(thread).spelt(parent, names[-1])
    volume_of(thread).changed(volume_of(thread).find(names), ADDED)
    return STATUS_SUCCESS


def _target(thread: NtThread, opened: DriveFile, buffer: int) -> tuple[bytes, Node, tuple[str, ...]]:
    """Where FILE_RENAME_INFORMATION or FILE_LINK_INFORMATION leads: name, directory, whole name. Raises NtError."""
    replaces = thread.data(buffer, 1)[0] & 1
    root, length = thread.word(buffer + 8), int.from_bytes(thread.data(buffer + 16, 4), "little")
    text = thread.data(buffer + 20, length).decode("utf-16-le", "replace")
    start = thread.state.handles.of(root, DriveFile).spot.names if root else None
    names = components(text, start) if "\\" in text or root else (*opened.spot.names[:-1], text)
    if isinstance(names, str):
        raise NtError(STATUS_OBJECT_NAME_NOT_FOUND)
    names, is_stream = without_stream(names)
    if is_stream and opened.is_directory:
        raise NtError(STATUS_NOT_A_DIRECTORY)
    target = volume_of(thread).find(names)
    if target.exists and target.names != opened.spot.names and not replaces:
        raise NtError(STATUS_OBJECT_NAME_COLLISION)
    if target.parent is None:
        raise NtError(STATUS_ACCESS_DENIED)
    return names[-1].encode("utf-8", "surrogateescape"), target.parent, names


def _found(thread: NtThread, attributes: int) -> Spot:
    spot = place_of(thread, attributes)
    if isinstance(spot, str) or not spot.exists:
        raise NtError(STATUS_OBJECT_NAME_NOT_FOUND)
    check_disposed(thread, spot)
    return spot


@call("NtQueryAttributesFile")
def attributes_of(thread: NtThread, attributes: Address, buffer: Address) -> int:
    """FILE_BASIC_INFORMATION of a name."""
    spot = _found(thread, attributes)
    thread.put(buffer, struct.pack("<4QI4x", *_times(thread, spot), _attributes(thread, spot)))
    return STATUS_SUCCESS


@call("NtQueryFullAttributesFile")
def full_attributes_of(thread: NtThread, attributes: Address, buffer: Address) -> int:
    """FILE_NETWORK_OPEN_INFORMATION of a name."""
    spot = _found(thread, attributes)
    size = _size(spot)
    row = struct.pack("<4QQQI4x", *_times(thread, spot), _allocated(size), size, _attributes(thread, spot))
    thread.put(buffer, row)
    return STATUS_SUCCESS


@call("NtQueryVolumeInformationFile")
def volume_information(
    thread: NtThread, file: Handle, block: Address, buffer: Address, length: UInt, kind: UInt
) -> int:
    """Label, sizes, kind of device, name of the file system."""
    opened = thread.state.handles.of(file, File)
    match kind:
        case 1:
            data = struct.pack("<QIIBB", _UNIX_EPOCH, 0x1234_5678, 0, 0, 0).ljust(24, b"\0")
        case 3:
            data = struct.pack("<QQII", 1 << 20, 1 << 19, 8, 512)
        case 4:
            is_disk = opened.device == DISK
            device = _FILE_SYSTEM if is_disk and thread.state.unix_functions else opened.device  # so does Wine say it
            data = struct.pack("<II", device, 0x20 if is_disk else 0)
        case 5:
            text = "NTFS".encode("utf-16-le")
            data = struct.pack("<III", 0x46, 255, len(text)) + text
        case 7:
            data = struct.pack("<QQQII", 1 << 20, 1 << 19, 1 << 19, 8, 512)
        case _:
            return STATUS_INVALID_INFO_CLASS
    if length < len(data) and kind != 5:
        return STATUS_INFO_LENGTH_MISMATCH
    thread.put(buffer, data[:length])
    thread.set_io_status(block, STATUS_SUCCESS, min(len(data), length))
    return STATUS_SUCCESS


# --- directories

_ENTRY_HEADS = {1: 64, 2: 68, 3: 94, 12: 12, 37: 104, 38: 80}  # where the name begins, by class


@call("NtQueryDirectoryFile")
def directory(
    thread: NtThread, file: Handle, event: Handle, routine: Address, context: Word, block: Address, buffer: Address,
    length: UInt, kind: UInt, single: UInt, mask_at: Address, restart: UInt,
) -> int:  # fmt: skip
    """The next entries of a directory that a mask fits."""
    opened = thread.state.handles.of(file, File, FILE_READ_DATA)
    if not opened.is_directory or kind not in _ENTRY_HEADS:
        return STATUS_INVALID_PARAMETER if opened.is_directory is False else STATUS_INVALID_INFO_CLASS
    first = opened.listing is None
    if first or restart & 0xFF:
        if first or mask_at:
            opened.pattern = thread.text(mask_at) or "*"
        opened.listing = _listing(thread, opened)
    assert opened.listing is not None
    data, last = bytearray(), 0
    for name, spot in opened.listing:
        entry = _entry(thread, kind, name, spot)
        start = len(data) + 7 & -8
        if start + len(entry) > length:
            opened.listing = _again((name, spot), opened.listing)
            if not data:
                return STATUS_BUFFER_OVERFLOW
            break
        if data:
            struct.pack_into("<I", data, last, start - last)
        data = data.ljust(start, b"\0")
        last = len(data)
        data += entry
        if single & 0xFF:
            break
    if not data:
        return STATUS_NO_SUCH_FILE if first else STATUS_NO_MORE_FILES
    thread.put(buffer, bytes(data))
    thread.set_io_status(block, STATUS_SUCCESS, len(data))
    return STATUS_SUCCESS


@call("NtNotifyChangeDirectoryFile")
def notify_change(
    thread: NtThread, file: Handle, event: Handle, routine: Address, context: Word, block: Address, buffer: Address,
    length: UInt, kinds: UInt, deep: UInt,
) -> Result:  # fmt: skip
    """What the guest changes in a directory, from the first such call on; what others do on the host is not seen."""
    opened = thread.state.handles.of(file, DriveFile, FILE_READ_DATA)
    if not opened.is_directory or not kinds:
        return STATUS_INVALID_PARAMETER
    if opened.watch is None:
        opened.watch = Watch(volume_of(thread).watches, opened.spot.names, kinds, bool(deep & 0xFF))
    watch = opened.watch

    def finish() -> tuple[int, int]:
        status, data = watch.take(length if buffer else 0)
        if data:
            thread.put(buffer, data)
        return status, len(data)

    told = Told(block, event, routine, context)
    return begin(thread, opened, told, lambda: watch.has_changes, finish, is_asynchronous=True)


def _again(row: tuple[str, Spot], rest: Iterator[tuple[str, Spot]]) -> Iterator[tuple[str, Spot]]:
    yield row
    yield from rest


def _listing(thread: NtThread, opened: File) -> Iterator[tuple[str, Spot]]:
    mask = opened.pattern.replace("<", "*").replace(">", "?").replace('"', ".").replace("[", "[[]")
    fits = compile_pattern(translate("*" if mask == "*.*" else mask), IGNORECASE).match
    rows: list[tuple[str, Spot]] = []
    if isinstance(opened, DriveFile):
        rows += [(".", opened.spot), ("..", opened.spot)] if opened.spot.names else []
        rows += volume_of(thread).entries(opened.spot)
    elif isinstance(opened, PipeRoot):
        rows += [(name, Spot((name,), None, None)) for name in thread.state.pipes.names()]
    yield from [row for row in rows if fits(row[0])]


def _entry(thread: NtThread, kind: int, name: str, spot: Spot) -> bytes:
    text, size = name.encode("utf-16-le", "surrogatepass"), _size(spot)
    if kind == 12:
        return struct.pack("<III", 0, 0, len(text)) + text
    times = _times(thread, spot)
    head = struct.pack("<II4QQQII", 0, 0, *times, size, _allocated(size), _attributes(thread, spot), len(text))
    if kind == 2:
        head += bytes(4)
    elif kind == 3:
        head += bytes(4) + bytes(2) + bytes(24)
    elif kind == 37:
        head += bytes(4) + bytes(2) + bytes(24) + bytes(2) + struct.pack("<Q", volume_of(thread).number_of(spot))
    elif kind == 38:
        head += bytes(8) + struct.pack("<Q", volume_of(thread).number_of(spot))
    return head[: _ENTRY_HEADS[kind]].ljust(_ENTRY_HEADS[kind], b"\0") + text
