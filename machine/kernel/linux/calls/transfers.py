"""Calls that carry bytes: between files and memory, and between files."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from machine.kernel.linux import open_files as of, signals
from machine.kernel.linux.abi import Address, Fd, Flags, Int, Long, Size, Word, call
from machine.kernel.linux.errors import Errno, LinuxError, WouldWait
from machine.kernel.linux.notifications import IN_ACCESS, IN_MODIFY
from machine.kernel.linux.open_files import LARGEST_OFFSET, DeviceFile, DirectoryFile, OpenFile, RegularFile
from machine.kernel.linux.pipes import EventCounter, PipeEnd
from machine.kernel.linux.resource_limits import file_room
from machine.kernel.linux.space import MOST_BYTES, check_user_range
from machine.kernel.linux.task import Task
from machine.kernel.outcomes import Result, Wait
from machine.memory import PER_ITEM, PIECE

_MOST_VECTORS = 1024
_RWF_NOWAIT, _RWF_APPEND, _RWF_NOAPPEND, _RWF_KNOWN = 8, 0x10, 0x20, 0x3F
_SPLICE_NONBLOCK, _SPLICE_FLAGS = 2, 0xF


@call("read")
def read(task: Task, fd: Fd, buffer: Address, size: Size) -> int:
    """read(2)"""
    return _read_into(task, task.files.for_reading(fd), buffer, size)


def _read_into(task: Task, file: OpenFile, buffer: int, size: int, offset: int | None = None) -> int:
    """Read at the position or an offset. A buffer that cannot be written matters only where there are bytes for it."""
    check_user_range(buffer, size)
    file.asked_by(task)
    size = min(size, MOST_BYTES)
    room = task.space.room(buffer, size)
    if size and not room:
        if file.at_end(size, offset):
            return 0
        raise LinuxError(Errno.EFAULT)
    done = 0
    for start, piece in task.space.pieces(room if file.seekable else min(room, PIECE)):
        data = file.read(piece) if offset is None else file.read_at(offset + start, piece)
        task.space.store(buffer + start, data)
        done += len(data)
        if len(data) < piece:
            break
    if done:
        task.notifier.file(file, IN_ACCESS)
    return done


@call("write")
def write(task: Task, fd: Fd, buffer: Address, size: Size) -> Result:
    """write(2)"""
    return _write_from(task, task.files.for_writing(fd), buffer, size)


def _write_from(task: Task, file: OpenFile, buffer: int, size: int, offset: int | None = None) -> Result:
    """Write at the position or an offset."""
    check_user_range(buffer, size)
    return gather(task, file, [(buffer, min(size, MOST_BYTES))], offset) if size else file.write(b"")


def gather(task: Task, file: OpenFile, rows: list[tuple[int, int]], offset: int | None) -> Result:
    """Write buffers that are not empty as one, up to the first byte that cannot be read; some device takes no look."""
    total = sum(size for _, size in rows)
    file.asked_by(task)
    if _swallows(task, file, total):
        return total
    pieces = gathered(task, before_fault(task, file, rows))
    data = next(pieces, b"")
    if not data:
        raise LinuxError(Errno.EFAULT)
    if file.waits_for_room:
        return _put_all(task, file, pieces, data, 0)
    done = 0
    while data:
        try:
            written = _put(task, file, data, None if offset is None else offset + done)
        except LinuxError:
            if not done:
                raise
            break
        done += written
        if written < len(data) or task.space.work.is_ending():
            break
        data = next(pieces, b"")
    return done


def _put_all(task: Task, pipe: OpenFile, pieces: Iterator[bytes], data: bytes, done: int) -> Result:
    """Write `data` behind the first `done` bytes, then the pieces, and wait as often as the pipe is full."""
    while data:
        try:
            written = _put(task, pipe, data)
        except LinuxError as error:
            if not done:
                raise
            if not isinstance(error, WouldWait):
                return done
            return Wait(error.until, then=partial(_put_rest, task, pipe, pieces, data, done))
        data, done = data[written:] or next(pieces, b""), done + written
        if task.space.work.is_ending():
            break
    return done


def _put_rest(task: Task, pipe: OpenFile, pieces: Iterator[bytes], data: bytes, done: int, late: bool) -> Result:
    return _put_all(task, pipe, pieces, data, done)


def before_fault(task: Task, file: OpenFile, rows: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Buffers as far as a file takes them: where a byte cannot be read, some take nothing of the page before it."""
    readable = 0
    for address, size in rows:
        here = task.space.readable(address, size)
        readable += here
        if here < size:
            return _first(file.before_fault(readable, sum(size for _, size in rows)), rows)
    return rows


def _first(size: int, rows: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The first bytes of some buffers."""
    found = []
    for address, whole in rows:
        found.append((address, min(whole, size)))
        size -= found[-1][1]
    return [row for row in found if row[1]]


def gathered(task: Task, rows: list[tuple[int, int]]) -> Iterator[bytes]:
    """The bytes of these buffers in pieces, up to the first byte that cannot be read."""
    parts, room = list[bytes](), PIECE
    for address, size in rows:
        while size:
            wanted = min(size, room)
            parts.append(task.space.load_up_to(address, wanted))
            if len(parts[-1]) < wanted:
                yield b"".join(parts)
                return
            address, size, room = address + wanted, size - wanted, room - wanted
            if not room:
                yield b"".join(parts)
                parts, room = [], PIECE
    if parts:
        yield b"".join(parts)


def _put(task: Task, file: OpenFile, data: bytes, offset: int | None = None) -> int:
    """Write bytes at the position or an offset."""
    task.space.work.charge(len(data))
    _swallows(task, file, len(data))
    task.notifier.file(file, IN_MODIFY)
    if task.threads.resource_limits and isinstance(file, RegularFile):
        start = file.handle.status().size if file.flags & of.O_APPEND else file.offset if offset is None else offset
        data = data[: file_room(task, start, len(data))]
    return file.write(data) if offset is None else file.write_at(offset, data)


def _swallows(task: Task, file: OpenFile, size: int) -> bool:
    """As the file says; a pipe that nobody reads raises SIGPIPE."""
    try:
        return file.swallows(size)
    except LinuxError as error:
        if error.number is Errno.EPIPE:
            signals.send(task, signals.SIGPIPE)
        raise


@call("pread64")
def pread64(task: Task, fd: Fd, buffer: Address, size: Size, offset: Long) -> int:
    """pread(2)"""
    file = _positioned(task, fd, offset, reading=True)
    check_user_range(buffer, size)
    _check_end(offset, size)
    return _read_into(task, file, buffer, size, offset)


@call("pwrite64")
def pwrite64(task: Task, fd: Fd, buffer: Address, size: Size, offset: Long) -> Result:
    """pwrite(2)"""
    file = _positioned(task, fd, offset, reading=False)
    check_user_range(buffer, size)
    _check_end(offset, size)
    return _write_from(task, file, buffer, size, offset)


def _positioned(task: Task, fd: int, offset: int, *, reading: bool) -> OpenFile:
    """A file that is read or written at an offset. Raises EINVAL, EBADF, ESPIPE."""
    if offset < 0:
        raise LinuxError(Errno.EINVAL)
    file = task.files.file(fd)
    if not file.seekable:
        raise LinuxError(Errno.ESPIPE)
    return task.files.for_reading(fd) if reading else task.files.for_writing(fd)


def _check_end(offset: int, size: int) -> None:
    if offset + size > LARGEST_OFFSET:
        raise LinuxError(Errno.EINVAL)


# --- several buffers at once


@call("readv")
def readv(task: Task, fd: Fd, vectors: Address, count: Int) -> int:
    """readv(2)"""
    return scatter(task, task.files.for_reading(fd), buffers(task, vectors, count), None)


@call("writev")
def writev(task: Task, fd: Fd, vectors: Address, count: Int) -> Result:
    """writev(2); the parts are written as one."""
    file, rows = task.files.for_writing(fd), buffers(task, vectors, count)
    return gather(task, file, rows, None) if rows else 0


@call("preadv")
def preadv(task: Task, fd: Fd, vectors: Address, count: Int, offset: Long) -> int:
    """preadv(2)"""
    file, rows = _positioned(task, fd, offset, reading=True), buffers(task, vectors, count)
    _check_end(offset, sum(size for _, size in rows))
    return scatter(task, file, rows, offset)


@call("pwritev")
def pwritev(task: Task, fd: Fd, vectors: Address, count: Int, offset: Long) -> Result:
    """pwritev(2)"""
    file, rows = _positioned(task, fd, offset, reading=False), buffers(task, vectors, count)
    _check_end(offset, sum(size for _, size in rows))
    return gather(task, file, rows, offset) if rows else 0


@call("preadv2")
def preadv2(task: Task, fd: Fd, vectors: Address, count: Int, offset: Long, _high: Word, flags: Flags) -> int:
    """preadv2(2): the offset -1 stands for the position; the flags ask for nothing that is not so anyway."""
    file = task.files.for_reading(fd) if offset == -1 else _positioned(task, fd, offset, reading=True)
    rows = buffers(task, vectors, count)
    if rows and flags & (~_RWF_KNOWN | _RWF_APPEND | _RWF_NOAPPEND):
        raise LinuxError(Errno.EOPNOTSUPP)
    with _without_waiting(flags & _RWF_NOWAIT):
        return scatter(task, file, rows, None if offset == -1 else offset)


@call("pwritev2")
def pwritev2(task: Task, fd: Fd, vectors: Address, count: Int, offset: Long, _high: Word, flags: Flags) -> Result:
    """pwritev2(2): RWF_APPEND and RWF_NOAPPEND come before what the file was opened with."""
    file = task.files.for_writing(fd) if offset == -1 else _positioned(task, fd, offset, reading=False)
    both = _RWF_APPEND | _RWF_NOAPPEND
    rows = buffers(task, vectors, count)
    if not rows:
        return 0
    if flags & ~_RWF_KNOWN:
        raise LinuxError(Errno.EOPNOTSUPP)
    if flags & both == both:
        raise LinuxError(Errno.EINVAL)
    present = file.flags
    if flags & both:
        file.flags = present & ~of.O_APPEND | (of.O_APPEND if flags & _RWF_APPEND else 0)
    with _without_waiting(flags & _RWF_NOWAIT):
        try:
            return gather(task, file, rows, None if offset == -1 else offset)
        finally:
            file.flags = present


@contextmanager
def _without_waiting(wanted: int) -> Iterator[None]:
    """A stretch in which what would wait fails with EAGAIN, if that is wanted."""
    try:
        yield
    except WouldWait:
        if wanted:
            raise LinuxError(Errno.EAGAIN) from None
        raise


def scatter(task: Task, file: OpenFile, rows: list[tuple[int, int]], offset: int | None) -> int:
    if file.has_messages:
        return spread(task, rows, file.read(min(PIECE, sum(size for _, size in rows))))
    done = 0
    for address, size in rows:
        try:
            got = _read_into(task, file, address, size, None if offset is None else offset + done)
        except LinuxError:
            if done:
                break
            raise
        done += got
        if got < size:
            break
    return done


def spread(task: Task, rows: list[tuple[int, int]], data: bytes, skipped: int = 0) -> int:
    """Store bytes in buffers, behind the first `skipped` bytes of them. The number of bytes."""
    task.space.work.charge(len(data))
    position = 0
    for address, size in rows:
        start = min(size, skipped)
        part = data[position : position + size - start]
        if part:
            task.space.store(address + start, part)
        skipped, position = skipped - start, position + len(part)
    return position


def buffers(task: Task, address: int, count: int, word: str = "Q") -> list[tuple[int, int]]:
    """The addresses and sizes of buffers that are not empty, cut to what one call transfers. Raises EINVAL, EFAULT."""
    if not 0 <= count <= _MOST_VECTORS:
        raise LinuxError(Errno.EINVAL)
    task.space.work.charge(PER_ITEM * count)
    words = task.space.load_words(address, f"{2 * count}{word}")
    rows, left = [], MOST_BYTES
    if max(words[1::2], default=0) > LARGEST_OFFSET:
        raise LinuxError(Errno.EINVAL)
    for start, size in zip(words[::2], words[1::2], strict=True):
        check_user_range(start, size)
        rows.append((start, min(size, left)))
        left -= rows[-1][1]
    return [row for row in rows if row[1]]


# --- between files


@call("sendfile")
def sendfile(task: Task, out_fd: Fd, in_fd: Fd, offset_address: Address, size: Size) -> int:
    """sendfile(2)"""
    offset = task.space.load_words(offset_address, "q")[0] if offset_address else None
    source = task.files.for_reading(in_fd)
    if offset is not None and not source.seekable:
        raise LinuxError(Errno.ESPIPE)
    if offset is not None and offset < 0:
        raise LinuxError(Errno.EINVAL)
    target = task.files.for_writing(out_fd)
    if isinstance(target, PipeEnd):
        _check_room(task, target)
    elif target.flags & of.O_APPEND or not (source.seekable or isinstance(source, EventCounter)):
        raise LinuxError(Errno.EINVAL)
    if not size:
        return 0
    if isinstance(source, DeviceFile):
        return _pour(task, source, target, size)
    if not isinstance(source, RegularFile):
        raise LinuxError(Errno.EINVAL)
    _check_device(target)
    return _copy(task, source, target, offset_address, 0, size)


@call("copy_file_range")
def copy_file_range(
    task: Task, in_fd: Fd, in_offset: Address, out_fd: Fd, out_offset: Address, size: Size, flags: Flags
) -> int:
    """copy_file_range(2)"""
    source, target = task.files.file(in_fd), task.files.file(out_fd)
    here = task.space.load_words(in_offset, "q")[0] if in_offset else None
    there = task.space.load_words(out_offset, "q")[0] if out_offset else None
    if flags:
        raise LinuxError(Errno.EINVAL)
    if isinstance(source, DirectoryFile) or isinstance(target, DirectoryFile):
        raise LinuxError(Errno.EISDIR)
    if not isinstance(source, RegularFile) or not isinstance(target, RegularFile):
        raise LinuxError(Errno.EINVAL)
    if not source.readable or not target.writable or target.flags & of.O_APPEND:
        raise LinuxError(Errno.EBADF)
    if source.status().device != target.status().device:
        raise LinuxError(Errno.EXDEV)
    start, end = source.offset if here is None else here, target.offset if there is None else there
    if start < 0 or end < 0:
        raise LinuxError(Errno.EINVAL)
    if max(start, end) + size > LARGEST_OFFSET:
        raise LinuxError(Errno.EOVERFLOW)
    size = min(size, max(0, source.status().size - start))
    if source.status().inode == target.status().inode and abs(start - end) < size:
        raise LinuxError(Errno.EINVAL)
    return _copy(task, source, target, in_offset, out_offset, size)


@call("splice")
def splice(task: Task, in_fd: Fd, in_offset: Address, out_fd: Fd, out_offset: Address, size: Size, flags: Flags) -> int:
    """splice(2): one of the files is a pipe, or both are."""
    if not size:
        return 0
    if flags & ~_SPLICE_FLAGS:
        raise LinuxError(Errno.EINVAL)
    source, target = task.files.file(in_fd), task.files.file(out_fd)
    if (isinstance(source, PipeEnd) and in_offset) or (isinstance(target, PipeEnd) and out_offset):
        raise LinuxError(Errno.ESPIPE)
    for address in (in_offset, out_offset):
        if address:
            task.space.load(address, 8)
    if not source.readable or not target.writable:
        raise LinuxError(Errno.EBADF)
    with _without_waiting(flags & _SPLICE_NONBLOCK):
        if isinstance(source, PipeEnd) and isinstance(target, PipeEnd):
            return _between_pipes(task, source, target, size, consume=True)
        return _splice(task, source, in_offset, target, out_offset, size)


def _splice(task: Task, source: OpenFile, in_offset: int, target: OpenFile, out_offset: int, size: int) -> int:
    """Between a pipe and something else."""
    if not isinstance(source, PipeEnd) and not isinstance(target, PipeEnd):
        raise LinuxError(Errno.EINVAL)
    if isinstance(target, PipeEnd):
        room = _check_room(task, target)
        if isinstance(source, DeviceFile):
            return _pour(task, source, target, min(size, room))
    _check_device(target)
    if not isinstance(source, PipeEnd | RegularFile) or target.flags & of.O_APPEND:
        raise LinuxError(Errno.EINVAL)
    if isinstance(target, DirectoryFile | EventCounter) or (out_offset and not isinstance(target, RegularFile)):
        raise LinuxError(Errno.EINVAL)
    if isinstance(source, RegularFile):
        return _copy(task, source, target, in_offset, 0, size)
    return _drain(task, source, target, out_offset, size)


@call("vmsplice")
def vmsplice(task: Task, fd: Fd, vectors: Address, count: Word, flags: Flags) -> Result:
    """vmsplice(2): the bytes are copied; a pipe takes as many as it has room for."""
    if flags & ~_SPLICE_FLAGS:
        raise LinuxError(Errno.EINVAL)
    pipe = task.files.file(fd)
    if not (pipe.readable or pipe.writable):
        raise LinuxError(Errno.EBADF)
    rows = buffers(task, vectors, count)
    if not rows:
        return 0
    if not isinstance(pipe, PipeEnd):
        raise LinuxError(Errno.EBADF)
    with _without_waiting(flags & _SPLICE_NONBLOCK):
        if not pipe.writable:
            return scatter(task, pipe, rows, None)
        room, done = _check_room(task, pipe), 0
        for data in gathered(task, rows):
            done += _put(task, pipe, data[: room - done])
            if done == room or task.space.work.is_ending():
                break
    if not done:
        raise LinuxError(Errno.EFAULT)
    return done


@call("tee")
def tee(task: Task, in_fd: Fd, out_fd: Fd, size: Size, flags: Flags) -> int:
    """tee(2): a copy of what is in a pipe, which stays there."""
    if flags & ~_SPLICE_FLAGS:
        raise LinuxError(Errno.EINVAL)
    if not size:
        return 0
    source, target = task.files.file(in_fd), task.files.file(out_fd)
    if not source.readable or not target.writable:
        raise LinuxError(Errno.EBADF)
    if not isinstance(source, PipeEnd) or not isinstance(target, PipeEnd):
        raise LinuxError(Errno.EINVAL)
    with _without_waiting(flags & _SPLICE_NONBLOCK):
        return _between_pipes(task, source, target, size, consume=False)


def _check_room(task: Task, pipe: PipeEnd) -> int:
    """How much a pipe takes. Waits for a full one; raises EPIPE, and SIGPIPE, for one that nobody reads."""
    _swallows(task, pipe, 0)
    return pipe.require_room(1)


def _between_pipes(task: Task, source: PipeEnd, target: PipeEnd, size: int, *, consume: bool) -> int:
    if source.is_of(target):
        raise LinuxError(Errno.EINVAL)
    is_empty = source.at_end(size)
    room = _check_room(task, target)
    if is_empty:
        return 0
    data = source.peek(min(size, room))
    written = _put(task, target, data)
    if consume:
        source.read(written)
    return written


def _drain(task: Task, source: PipeEnd, target: OpenFile, out_offset: int, size: int) -> int:
    """From a pipe into something else."""
    data = source.peek(min(size, MOST_BYTES))
    if not out_offset:
        written = _put(task, target, data)
    else:
        (offset,) = task.space.load_words(out_offset, "q")
        if offset < 0:
            raise LinuxError(Errno.EINVAL)
        written = _put(task, target, data, offset)
        task.space.store_words(out_offset, "q", offset + written)
    source.read(written)
    return written


def _check_device(target: OpenFile) -> None:
    """Raises EINVAL for /dev/full, which takes bytes by write only."""
    if isinstance(target, DeviceFile) and target.device.write_error is not None:
        raise LinuxError(Errno.EINVAL)


def _pour(task: Task, source: DeviceFile, target: OpenFile, size: int) -> int:
    """From a device, which has no offsets. Raises EINVAL for /dev/null, whose bytes are had by read only."""
    if source.at_end(1):
        raise LinuxError(Errno.EINVAL)
    _check_device(target)
    done = 0
    for _, piece in task.space.pieces(min(size, MOST_BYTES)):
        data = source.read(piece)
        task.space.work.charge(piece)
        try:
            written = _put(task, target, data)
        except LinuxError:
            if not done:
                raise
            break
        done += written
        if written < piece:
            break
    return done


def _copy(task: Task, source: RegularFile, target: OpenFile, in_offset: int, out_offset: int, size: int) -> int:
    """Copy; offsets are addresses of 64-bit offsets that replace the files' own, or 0."""
    here = task.space.load_words(in_offset, "q")[0] if in_offset else source.offset
    there = task.space.load_words(out_offset, "q")[0] if out_offset else None
    if here < 0 or (there is not None and there < 0):
        raise LinuxError(Errno.EINVAL)
    done, size = 0, min(size, MOST_BYTES)
    task.notifier.file(source, IN_ACCESS)
    while done < size:
        data = source.handle.read_at(here + done, min(PIECE, size - done))
        if not data:
            break
        try:
            written = _put(task, target, data, None if there is None else there + done)
        except LinuxError:
            if not done:
                raise
            break
        done += written
        if written < len(data) or task.space.work.is_ending():
            break
    if in_offset:
        task.space.store_words(in_offset, "q", here + done)
    else:
        source.offset = here + done
    if there is not None:
        task.space.store_words(out_offset, "q", there + done)
    return done
