"""Calls on open descriptors: reading, writing, positions, duplicates, pipes, status."""

from __future__ import annotations

from collections.abc import Callable

from machine.kernel.linux import open_files as of
from machine.kernel.linux import structures
from machine.kernel.linux.errors import Errno, LinuxError
from machine.kernel.linux.open_files import DirectoryFile, OpenFile, RegularFile, new_pipe
from machine.kernel.linux.task import Task

_MOST_BYTES = 0x7FFF_F000  # of one read or write (MAX_RW_COUNT)
_MOST_VECTORS = 1024
_PIECE = 1 << 20  # bytes that sendfile and its kin move at a time

F_DUPFD, F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_GETLK, F_SETLK, F_SETLKW = range(8)
F_DUPFD_CLOEXEC = 1030
_FD_CLOEXEC = 1
_F_UNLCK = 2

TCGETS, TIOCGWINSZ, FIONREAD, FIONBIO, FIOCLEX, FIONCLEX = 0x5401, 0x5413, 0x541B, 0x5421, 0x5451, 0x5450


def read(task: Task, fd: int, buffer: int, size: int) -> int:
    """read(2)"""
    file = task.files.for_reading(fd)
    return _read_into(task, file.read, buffer, size)


def _read_into(task: Task, source: Callable[[int], bytes], buffer: int, size: int) -> int:
    size = min(size, _MOST_BYTES)
    data = source(task.space.writable(buffer, size))
    task.space.store(buffer, data)
    return len(data)


def write(task: Task, fd: int, buffer: int, size: int) -> int:
    """write(2)"""
    file = task.files.for_writing(fd)
    return file.write(task.space.load_some(buffer, min(size, _MOST_BYTES)))


def pread64(task: Task, fd: int, buffer: int, size: int, offset: int) -> int:
    """pread(2)"""
    file = _positioned(task.files.for_reading(fd), offset)
    return _read_into(task, lambda length: file.handle.read_at(offset, length), buffer, size)


def pwrite64(task: Task, fd: int, buffer: int, size: int, offset: int) -> int:
    """pwrite(2)"""
    file = _positioned(task.files.for_writing(fd), offset)
    data = task.space.load_some(buffer, min(size, _MOST_BYTES))
    return file.handle.write_at(offset, data) if data else 0


def _positioned(file: OpenFile, offset: int) -> RegularFile:
    if offset < 0:
        raise LinuxError(Errno.EINVAL)
    if isinstance(file, DirectoryFile):
        raise LinuxError(Errno.EISDIR)
    if not isinstance(file, RegularFile):
        raise LinuxError(Errno.ESPIPE)
    return file


def readv(task: Task, fd: int, vectors: int, count: int) -> int:
    """readv(2)"""
    file = task.files.for_reading(fd)
    done = 0
    for address, size in _vectors(task, vectors, count):
        try:
            got = _read_into(task, file.read, address, size)
        except LinuxError:
            if done:
                break
            raise
        done += got
        if got < size:
            break
    return done


def writev(task: Task, fd: int, vectors: int, count: int) -> int:
    """writev(2); the parts are written as one."""
    file = task.files.for_writing(fd)
    parts = [task.space.load_some(address, size) for address, size in _vectors(task, vectors, count) if size]
    return file.write(b"".join(parts))


def _vectors(task: Task, address: int, count: int) -> list[tuple[int, int]]:
    if not 0 <= count <= _MOST_VECTORS:
        raise LinuxError(Errno.EINVAL)
    words = task.space.load_words(address, f"{2 * count}Q")
    pairs = list(zip(words[::2], words[1::2], strict=True))
    if sum(size for _, size in pairs) > _MOST_BYTES:
        raise LinuxError(Errno.EINVAL)
    return pairs


def close(task: Task, fd: int) -> int:
    """close(2)"""
    task.files.close(fd)
    return 0


def close_range(task: Task, first: int, last: int, flags: int) -> int:
    """close_range(2)"""
    if first > last:
        raise LinuxError(Errno.EINVAL)
    for number in task.files.numbers():
        if first <= number <= last:
            if flags & 4:
                task.files.row(number).close_on_exec = True
            else:
                task.files.close(number)
    return 0


def fstat(task: Task, fd: int, buffer: int) -> int:
    """fstat(2)"""
    task.space.store(buffer, structures.stat(task.files.file(fd).status()))
    return 0


def lseek(task: Task, fd: int, offset: int, whence: int) -> int:
    """lseek(2)"""
    file = task.files.file(fd)
    if isinstance(file, RegularFile | DirectoryFile):
        return file.seek(offset, whence)
    if isinstance(file, of.DeviceFile):
        return 0
    raise LinuxError(Errno.ESPIPE)


def dup(task: Task, fd: int) -> int:
    """dup(2)"""
    return task.files.add(task.files.file(fd))


def dup2(task: Task, fd: int, target: int) -> int:
    """dup2(2)"""
    file = task.files.file(fd)
    if fd != target:
        task.files.replace(target, file)
    return target


def dup3(task: Task, fd: int, target: int, flags: int) -> int:
    """dup3(2)"""
    if fd == target or flags & ~of.O_CLOEXEC:
        raise LinuxError(Errno.EINVAL)
    task.files.replace(target, task.files.file(fd), bool(flags & of.O_CLOEXEC))
    return target


def pipe(task: Task, buffer: int) -> int:
    """pipe(2)"""
    return pipe2(task, buffer, 0)


def pipe2(task: Task, buffer: int, flags: int) -> int:
    """pipe2(2)"""
    if flags & ~(of.O_CLOEXEC | of.O_NONBLOCK):
        raise LinuxError(Errno.EINVAL)
    task.space.writable(buffer, 8)
    reading, writing = new_pipe(flags & of.O_NONBLOCK, task.store.new_inode())
    first = task.files.add(reading, bool(flags & of.O_CLOEXEC))
    try:
        second = task.files.add(writing, bool(flags & of.O_CLOEXEC))
    except LinuxError:
        task.files.close(first)
        raise
    task.space.store_words(buffer, "ii", first, second)
    return 0


def fcntl(task: Task, fd: int, command: int, argument: int) -> int:
    """fcntl(2)"""
    row = task.files.row(fd)
    if command in (F_DUPFD, F_DUPFD_CLOEXEC):
        if argument >= task.files.limit:
            raise LinuxError(Errno.EINVAL)
        return task.files.add(row.file, command == F_DUPFD_CLOEXEC, argument)
    if command == F_GETFD:
        return _FD_CLOEXEC if row.close_on_exec else 0
    if command == F_SETFD:
        row.close_on_exec = bool(argument & _FD_CLOEXEC)
    elif command == F_GETFL:
        return row.file.flags & ~of.O_CLOEXEC | _LARGE_FILE
    elif command == F_SETFL:
        row.file.flags = row.file.flags & ~of.SETTABLE_FLAGS | argument & of.SETTABLE_FLAGS
    elif command == F_GETLK:
        task.space.store_words(argument, "h", _F_UNLCK)
    elif command not in (F_SETLK, F_SETLKW):  # nobody else is there to lock against
        raise LinuxError(Errno.EINVAL)
    return 0


_LARGE_FILE = 0o100000  # every 64-bit process has it


def flock(task: Task, fd: int, operation: int) -> int:
    """flock(2): nobody else is there."""
    task.files.file(fd)
    return 0


def ioctl(task: Task, fd: int, request: int, argument: int) -> int:
    """ioctl(2): nothing is a terminal."""
    row = task.files.row(fd)
    if request in (FIOCLEX, FIONCLEX):
        row.close_on_exec = request == FIOCLEX
    elif request == FIONBIO:
        wanted = of.O_NONBLOCK if task.space.load_words(argument, "i")[0] else 0
        row.file.flags = row.file.flags & ~of.O_NONBLOCK | wanted
    elif request == FIONREAD and isinstance(row.file, RegularFile):
        task.space.store_words(argument, "i", max(0, row.file.status().size - row.file.offset) & 0x7FFF_FFFF)
    else:
        raise LinuxError(Errno.ENOTTY)
    return 0


def getdents64(task: Task, fd: int, buffer: int, size: int) -> int:
    """getdents64(2)"""
    file = task.files.for_reading(fd)
    if not isinstance(file, DirectoryFile):
        raise LinuxError(Errno.ENOTDIR)
    entries, position, result = file.entries(), file.position, b""
    while position < len(entries):
        row = structures.directory_entry(entries[position], position + 1)
        if len(result) + len(row) > size:
            if not result:
                raise LinuxError(Errno.EINVAL)
            break
        result += row
        position += 1
    task.space.store(buffer, result)
    file.position = position
    return len(result)


def fsync(task: Task, fd: int) -> int:
    """fsync(2)"""
    if isinstance(task.files.file(fd), of.PipeEnd | of.OutputStream | of.InputStream):
        raise LinuxError(Errno.EINVAL)
    return 0


def ftruncate(task: Task, fd: int, size: int) -> int:
    """ftruncate(2)"""
    file = task.files.file(fd)
    if size < 0 or not isinstance(file, RegularFile) or not file.writable:
        raise LinuxError(Errno.EINVAL)
    file.handle.resize(size)
    return 0


def fallocate(task: Task, fd: int, mode: int, offset: int, size: int) -> int:
    """fallocate(2): extending only."""
    file = task.files.for_writing(fd)
    if not isinstance(file, RegularFile):
        raise LinuxError(Errno.ESPIPE)
    if mode:
        raise LinuxError(Errno.EOPNOTSUPP)
    if offset < 0 or size <= 0:
        raise LinuxError(Errno.EINVAL)
    if offset + size > file.status().size:
        file.handle.resize(offset + size)
    return 0


def fadvise64(task: Task, fd: int, offset: int, size: int, advice: int) -> int:
    """posix_fadvise(2): taken note of."""
    if not isinstance(task.files.file(fd), RegularFile | DirectoryFile):
        raise LinuxError(Errno.ESPIPE)
    return 0


def fchmod(task: Task, fd: int, mode: int) -> int:
    """fchmod(2)"""
    place = task.files.file(fd).place
    if place is None:
        raise LinuxError(Errno.EPERM)
    place.node.set_mode(mode)
    return 0


def fstatfs(task: Task, fd: int, buffer: int) -> int:
    """fstatfs(2)"""
    task.files.file(fd)
    task.space.store(buffer, structures.file_system(task.store.bytes_left))
    return 0


def sendfile(task: Task, out_fd: int, in_fd: int, offset_address: int, size: int) -> int:
    """sendfile(2)"""
    target, source = task.files.for_writing(out_fd), task.files.for_reading(in_fd)
    if not isinstance(source, RegularFile):
        raise LinuxError(Errno.EINVAL)
    return _transfer(task, source, target, offset_address, 0, size)


def copy_file_range(task: Task, in_fd: int, in_offset: int, out_fd: int, out_offset: int, size: int, flags: int) -> int:
    """copy_file_range(2)"""
    source, target = task.files.for_reading(in_fd), task.files.for_writing(out_fd)
    if not isinstance(source, RegularFile) or not isinstance(target, RegularFile) or flags:
        raise LinuxError(Errno.EINVAL)
    return _transfer(task, source, target, in_offset, out_offset, size)


def _transfer(task: Task, source: RegularFile, target: OpenFile, in_offset: int, out_offset: int, size: int) -> int:
    """Copy; offsets are addresses of 64-bit offsets that replace the files' own, or 0."""
    here = task.space.load_words(in_offset, "q")[0] if in_offset else source.offset
    there = task.space.load_words(out_offset, "q")[0] if out_offset else None
    if here < 0 or (there is not None and there < 0):
        raise LinuxError(Errno.EINVAL)
    done, size = 0, min(size, _MOST_BYTES)
    while done < size:
        data = source.handle.read_at(here + done, min(_PIECE, size - done))
        if not data:
            break
        try:
            if there is None:
                written = target.write(data)
            else:
                assert isinstance(target, RegularFile)
                written = target.handle.write_at(there + done, data)
        except LinuxError:
            if not done:
                raise
            break
        done += written
        if written < len(data):
            break
    if in_offset:
        task.space.store_words(in_offset, "q", here + done)
    else:
        source.offset = here + done
    if there is not None:
        task.space.store_words(out_offset, "q", there + done)
    return done
