"""The call that gives files room and makes holes in them: fallocate."""

from __future__ import annotations

from machine.kernel.linux import open_files as of
from machine.kernel.linux.abi import Fd, Int, Long, call
from machine.kernel.linux.errors import Errno, LinuxError
from machine.kernel.linux.memory_files import SealedFile
from machine.kernel.linux.nodes import BLOCK_BYTES, Handle
from machine.kernel.linux.notifications import IN_MODIFY
from machine.kernel.linux.open_files import DirectoryFile, RegularFile
from machine.kernel.linux.pipes import InputStream, OutputStream, PipeEnd
from machine.kernel.linux.resource_limits import check_file_size
from machine.kernel.linux.task import Task
from machine.memory import PIECE

_KEEP_SIZE, _PUNCH_HOLE, _COLLAPSE_RANGE, _ZERO_RANGE, _INSERT_RANGE = 1, 2, 8, 0x10, 0x20
_MODES = (
    0,
    _PUNCH_HOLE | _KEEP_SIZE,
    _COLLAPSE_RANGE,
    _ZERO_RANGE,
    _ZERO_RANGE | _KEEP_SIZE,
    _INSERT_RANGE,
    _KEEP_SIZE,
)
_MODES_OF_MEMORY = (0, _KEEP_SIZE, _PUNCH_HOLE | _KEEP_SIZE)  # of tmpfs, where memfd_create's files are


@call("fallocate")
def fallocate(task: Task, fd: Fd, mode: Int, offset: Long, length: Long) -> int:
    """fallocate(2), as on ext4; on files of memfd_create as on tmpfs."""
    file = task.files.file(fd)
    if offset < 0 or length <= 0:
        raise LinuxError(Errno.EINVAL)
    if mode not in _MODES:
        raise LinuxError(Errno.EOPNOTSUPP)
    if not file.writable:
        raise LinuxError(Errno.EBADF)
    if not isinstance(file, RegularFile):
        is_pipe = isinstance(file, PipeEnd | InputStream | OutputStream)
        raise LinuxError(Errno.ESPIPE if is_pipe else Errno.EISDIR if isinstance(file, DirectoryFile) else Errno.ENODEV)
    if offset + length > of.LARGEST_OFFSET:
        raise LinuxError(Errno.EFBIG)
    handle = file.handle
    if isinstance(handle, SealedFile) and mode not in _MODES_OF_MEMORY:
        raise LinuxError(Errno.EOPNOTSUPP)
    size = handle.status().size
    task.notifier.file(file, IN_MODIFY)
    if mode & (_COLLAPSE_RANGE | _INSERT_RANGE):
        _shift(task, handle, mode, offset, length, size)
        return 0
    if mode & (_PUNCH_HOLE | _ZERO_RANGE):
        if isinstance(handle, SealedFile) and handle.is_sealed:
            raise LinuxError(Errno.EPERM)
        _empty(task, handle, offset, min(offset + length, size))
    if not mode & _KEEP_SIZE and offset + length > size:
        check_file_size(task, offset + length)
        handle.resize(offset + length)
    return 0


def _empty(task: Task, handle: Handle, start: int, end: int) -> None:
    task.space.work.charge(max(0, end - start))
    while start < end:
        start += handle.write_at(start, bytes(min(PIECE, end - start)))


def _shift(task: Task, handle: Handle, mode: int, offset: int, length: int, size: int) -> None:
    """Take whole blocks out of a file, or put empty ones in."""
    if offset % BLOCK_BYTES or length % BLOCK_BYTES:
        raise LinuxError(Errno.EINVAL)
    if offset >= size or (mode == _COLLAPSE_RANGE and offset + length >= size):
        raise LinuxError(Errno.EINVAL)
    task.space.work.charge(size - offset)
    if mode == _COLLAPSE_RANGE:
        for start in range(offset + length, size, PIECE):
            _copy(handle, start, start - length, min(PIECE, size - start))
        handle.resize(size - length)
        return
    check_file_size(task, size + length)
    handle.resize(size + length)
    end = size
    while end > offset:
        start = max(offset, end - PIECE)
        _copy(handle, start, start + length, end - start)
        end = start
    _empty(task, handle, offset, min(offset + length, size))


def _copy(handle: Handle, start: int, target: int, size: int) -> None:
    data = handle.read_at(start, size)
    while data:
        written = handle.write_at(target, data)
        target, data = target + written, data[written:]
