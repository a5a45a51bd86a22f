"""Calls on open descriptors: duplicates, pipes, flags, positions, status, sizes. transfers.py has those with bytes."""

from __future__ import annotations

from machine.kernel.linux import interfaces, open_files as of, pipe_buffers, pipes, structures
from machine.kernel.linux.abi import Address, Fd, Flags, Int, Long, Size, UInt, Word, call
from machine.kernel.linux.calls.locks import RANGE_COMMANDS, lock_range
from machine.kernel.linux.calls.terminals import terminal_request
from machine.kernel.linux.errors import Errno, LinuxError, Refused
from machine.kernel.linux.memory_files import SealedFile
from machine.kernel.linux.nodes import TMPFS
from machine.kernel.linux.notifications import IN_ACCESS, IN_ATTRIB, IN_MODIFY
from machine.kernel.linux.open_files import DirectoryFile, OpenFile, RegularFile
from machine.kernel.linux.pipes import EventCounter, InputStream, OutputStream, PipeEnd
from machine.kernel.linux.resource_limits import check_file_size
from machine.kernel.linux.sockets import AF_UNIX, Socket
from machine.kernel.linux.task import Task
from machine.kernel.linux.terminal_files import TerminalFile
from machine.kernel.outcomes import Result
from machine.memory import PAGE, PIECE

F_DUPFD, F_GETFD, F_SETFD, F_GETFL, F_SETFL = range(5)
F_SETOWN, F_GETOWN, F_SETSIG, F_GETSIG = 8, 9, 10, 11
F_GETLEASE, F_DUPFD_CLOEXEC, F_SETPIPE_SZ, F_GETPIPE_SZ = 1025, 1030, 1031, 1032
F_ADD_SEALS, F_GET_SEALS = 1033, 1034
_FOR_REFERENCES = (F_DUPFD, F_DUPFD_CLOEXEC, F_GETFD, F_SETFD, F_GETFL)  # what O_PATH leaves of fcntl
_FD_CLOEXEC = 1
_F_UNLCK = 2

_SOCKET_REQUESTS = 0x89  # SIOC*
_FILE_REQUESTS = (0x8008_6601, 0x4008_6602, 0x8008_7601, 0xC020_660B, 0x4004_9409, 0x801C_581F)  # FS_IOC_*, FICLONE
FIONREAD, FIONBIO, FIOCLEX, FIONCLEX = 0x541B, 0x5421, 0x5451, 0x5450

_CLOSE_RANGE_UNSHARE, _CLOSE_RANGE_CLOEXEC = 2, 4
_EFD_SEMAPHORE = 1
_MFD_CLOEXEC, _MFD_KNOWN, _MFD_HUGETLB, _LONGEST_MEMORY_NAME = 1, 0x1B, 4, 249
_MFD_ALLOW_SEALING, _MFD_NOEXEC_SEAL, _MFD_RIGHTS = 2, 8, 0x18  # the last: NOEXEC_SEAL and EXEC, not both
_MOST_ADVICE = 5
_STREAMS = (PipeEnd, OutputStream, InputStream)


# --- the table


@call("close")
def close(task: Task, fd: Fd) -> int:
    """close(2)"""
    task.files.close(fd)
    return 0


@call("close_range")
def close_range(task: Task, first: UInt, last: UInt, flags: Flags) -> int:
    """close_range(2)"""
    if first > last or flags & ~(_CLOSE_RANGE_UNSHARE | _CLOSE_RANGE_CLOEXEC):
        raise LinuxError(Errno.EINVAL)
    for number in task.files.numbers():
        if first <= number <= last:
            if flags & _CLOSE_RANGE_CLOEXEC:
                task.files.row(number).close_on_exec = True
            else:
                task.files.close(number)
    return 0


@call("dup")
def dup(task: Task, fd: Fd) -> int:
    """dup(2)"""
    return task.files.add(task.files.reference(fd))


@call("dup2")
def dup2(task: Task, fd: Fd, target: Fd) -> int:
    """dup2(2)"""
    file = task.files.reference(fd)
    if fd != target:
        task.files.replace(target, file)
    return target


@call("dup3")
def dup3(task: Task, fd: Fd, target: Fd, flags: Flags) -> int:
    """dup3(2)"""
    if fd == target or flags & ~of.O_CLOEXEC:
        raise LinuxError(Errno.EINVAL)
    task.files.replace(target, task.files.reference(fd), bool(flags & of.O_CLOEXEC))
    return target


# --- new files without a path


@call("pipe")
def pipe(task: Task, buffer: Address) -> int:
    """pipe(2)"""
    return pipe2(task, buffer, 0)


@call("pipe2")
def pipe2(task: Task, buffer: Address, flags: Flags) -> int:
    """pipe2(2)"""
    if flags & ~(of.O_CLOEXEC | of.O_NONBLOCK):
        raise LinuxError(Errno.EINVAL)
    if task.space.room(buffer, 8) < 8:
        raise LinuxError(Errno.EFAULT)
    ends = pipes.new_pipe(flags & of.O_NONBLOCK, task.store.new_inode())
    task.space.store_words(buffer, "ii", *task.files.add_pair(ends, bool(flags & of.O_CLOEXEC)))
    return 0


@call("eventfd")
def eventfd(task: Task, count: UInt) -> int:
    """eventfd of the kernel, which has no flags."""
    return eventfd2(task, count, 0)


@call("eventfd2")
def eventfd2(task: Task, count: UInt, flags: Flags) -> int:
    """eventfd(2)"""
    if flags & ~(_EFD_SEMAPHORE | of.O_CLOEXEC | of.O_NONBLOCK):
        raise LinuxError(Errno.EINVAL)
    counter = EventCounter(flags & of.O_NONBLOCK, count, bool(flags & _EFD_SEMAPHORE))
    return task.files.add(counter, bool(flags & of.O_CLOEXEC))


@call("memfd_create")
def memfd_create(task: Task, name_address: Address, flags: Flags) -> int:
    """memfd_create(2), without huge pages."""
    if flags & ~(_MFD_KNOWN | _MFD_HUGETLB) or flags & _MFD_RIGHTS == _MFD_RIGHTS:
        raise LinuxError(Errno.EINVAL)
    if flags & _MFD_HUGETLB:
        raise Refused(Errno.ENOSYS)
    try:
        name = task.space.load_string(name_address, _LONGEST_MEMORY_NAME + 1)
    except LinuxError as error:
        raise LinuxError(Errno.EINVAL) if error.number is Errno.ENAMETOOLONG else error from None
    seals = 0 if flags & (_MFD_ALLOW_SEALING | _MFD_NOEXEC_SEAL) else SealedFile.SEAL
    if flags & _MFD_NOEXEC_SEAL:
        file = SealedFile(task.store, 0o666, name, seals | SealedFile.EXEC)
    else:
        file = SealedFile(task.store, 0o777, name, seals)
    return task.files.add(RegularFile(of.O_RDWR | of.O_LARGEFILE, None, file), bool(flags & _MFD_CLOEXEC))


# --- flags, sizes of pipes, seals


@call("fcntl")
def fcntl(task: Task, fd: Fd, command: Int, argument: Word) -> Result:
    """fcntl(2)"""
    row = task.files.row(fd)
    if row.file.is_reference and command not in _FOR_REFERENCES:
        raise LinuxError(Errno.EBADF)
    if command in (F_DUPFD, F_DUPFD_CLOEXEC):
        if argument & 0xFFFF_FFFF >= task.files.limit:
            raise LinuxError(Errno.EINVAL)
        return task.files.add(row.file, command == F_DUPFD_CLOEXEC, argument & 0xFFFF_FFFF)
    if command == F_GETFD:
        return _FD_CLOEXEC if row.close_on_exec else 0
    if command == F_SETFD:
        row.close_on_exec = bool(argument & _FD_CLOEXEC)
    elif command == F_GETFL:
        return row.file.flags
    elif command == F_SETFL:
        row.file.flags = row.file.flags & ~of.SETTABLE_FLAGS | argument & of.SETTABLE_FLAGS
    elif command in RANGE_COMMANDS:
        return lock_range(task, row.file, command, argument)
    elif command in (F_SETPIPE_SZ, F_GETPIPE_SZ):
        return _pipe_size(row.file, None if command == F_GETPIPE_SZ else argument & 0xFFFF_FFFF)
    elif command in (F_ADD_SEALS, F_GET_SEALS):
        return _seals(task, row.file, None if command == F_GET_SEALS else argument & 0xFFFF_FFFF)
    elif command == F_GETLEASE:
        return _F_UNLCK
    elif command not in (F_SETOWN, F_GETOWN, F_SETSIG, F_GETSIG):  # nobody sends signals about files
        raise LinuxError(Errno.EINVAL)
    return 0


def _pipe_size(file: OpenFile, wanted: int | None) -> int:
    """The size of a pipe, set to a power of two of at least `wanted` bytes first unless that is None."""
    if not isinstance(file, _STREAMS):
        raise LinuxError(Errno.EBADF)
    if wanted is not None:
        if wanted > 1 << 31:
            raise LinuxError(Errno.EINVAL)
        size = 1 << (max(wanted, PAGE) - 1).bit_length()
        if size > pipes.LARGEST_PIPE or not isinstance(file, PipeEnd):
            raise LinuxError(Errno.EPERM)
        file.set_capacity(size)
    return file.capacity if isinstance(file, PipeEnd) else pipe_buffers.PIPE_BYTES


def _seals(task: Task, file: OpenFile, more: int | None) -> int:
    """The seals of a file of memory, or 0 when more have been added."""
    handle = file.handle if isinstance(file, RegularFile) else None
    if not isinstance(handle, SealedFile):
        raise LinuxError(Errno.EINVAL)
    if more is None:
        return handle.seals
    if not file.writable:
        raise LinuxError(Errno.EPERM)
    handle.check_seals(more)
    if more & SealedFile.WRITE and _is_mapped_to_write(task, handle):
        raise LinuxError(Errno.EBUSY)
    handle.add_seals(more)
    return 0


def _is_mapped_to_write(task: Task, file: SealedFile) -> bool:
    """Whether a process has a file mapped that it may write so."""
    pages = file.mapped.find()
    spaces = {id(each.space): each.space for each in task.threads.everybody.values()}
    return pages is not None and any(space.writes(pages) for space in spaces.values())


@call("ioctl")
def ioctl(task: Task, fd: Fd, request: UInt, argument: Word) -> int:
    """ioctl(2): of pseudoterminals, sockets, and what all files have; nothing else is a terminal."""
    file = task.files.file(fd)
    if request in (FIOCLEX, FIONCLEX):
        task.files.row(fd).close_on_exec = request == FIOCLEX
    elif request == FIONBIO:
        wanted = of.O_NONBLOCK if task.space.load_words(argument, "i")[0] else 0
        file.flags = file.flags & ~of.O_NONBLOCK | wanted
    elif request == FIONREAD:
        task.space.store_words(argument, "I", file.available() & 0xFFFF_FFFF)
    elif isinstance(file, TerminalFile):
        return terminal_request(task, file, request, argument)
    elif isinstance(file, Socket) and request >> 8 == _SOCKET_REQUESTS:
        _interface_request(task, file, request, argument)
    else:
        is_refused = request in _FILE_REQUESTS
        raise (Refused if is_refused else LinuxError)(Errno.ENOTTY)
    return 0


def _interface_request(task: Task, file: Socket, request: int, argument: int) -> None:
    """What is asked about network interfaces."""
    present = interfaces.present(task.network.outside is not None)
    if request == interfaces.GET_ROWS:
        size, buffer = task.space.load_words(argument, "iI8x")[0], task.space.load_words(argument + 8, "Q")[0]
        data = interfaces.rows(present)
        if buffer:
            data = data[: max(0, size) // interfaces.ROW_BYTES * interfaces.ROW_BYTES]
            task.space.store(buffer, data)
        task.space.store_words(argument, "i", len(data))
        return
    row = task.space.load(argument, interfaces.ROW_BYTES)
    told = interfaces.answer(request, row, present, is_inet=file.family != AF_UNIX)
    if told is None:
        raise Refused(Errno.ENOTTY)
    task.space.store(argument, told)


# --- status, positions, directories


@call("fstat")
def fstat(task: Task, fd: Fd, buffer: Address) -> int:
    """fstat(2)"""
    task.space.store(buffer, structures.stat(task.files.reference(fd).status()))
    return 0


@call("fstatfs")
def fstatfs(task: Task, fd: Fd, buffer: Address) -> int:
    """fstatfs(2)"""
    task.space.store(buffer, structures.file_system(file_system_below(task, fd), task.store.bytes_left))
    return 0


def file_system_below(task: Task, fd: int) -> int:
    """The kind of the file system (`Node.file_system`) of an open file."""
    place = task.files.reference(fd).place
    return TMPFS if place is None else place.node.file_system


@call("fchmod")
def fchmod(task: Task, fd: Fd, mode: UInt) -> int:
    """fchmod(2)"""
    file = task.files.file(fd)
    file.set_mode(mode)
    task.notifier.file(file, IN_ATTRIB)
    return 0


@call("lseek")
def lseek(task: Task, fd: Fd, offset: Long, whence: Int) -> int:
    """lseek(2)"""
    file = task.files.file(fd)
    if not of.SEEK_SET <= whence <= of.SEEK_HOLE:
        raise LinuxError(Errno.EINVAL)
    return file.seek(offset, whence)


@call("getdents64")
def getdents64(task: Task, fd: Fd, buffer: Address, size: UInt) -> int:
    """getdents64(2)"""
    return list_directory(task, fd, buffer, size, structures.directory_entry)


@call("getdents")
def getdents(task: Task, fd: Fd, buffer: Address, size: UInt) -> int:
    """getdents(2)"""
    return list_directory(task, fd, buffer, size, structures.old_directory_entry)


def list_directory(task: Task, fd: int, buffer: int, size: int, layout: structures.EntryLayout) -> int:
    """As many of the next entries as there is room for."""
    file = task.files.file(fd)
    if not isinstance(file, DirectoryFile):
        raise LinuxError(Errno.ENOTDIR)
    entries, position, result, size = file.entries(task.space.work), file.position, bytearray(), min(size, PIECE)
    while position < len(entries):
        row = layout(entries[position], position + 1)
        if len(result) + len(row) > size:
            if not result:
                raise LinuxError(Errno.EINVAL)
            break
        result += row
        position += 1
    task.space.store(buffer, bytes(result))
    file.position = position
    task.notifier.file(file, IN_ACCESS)
    return len(result)


# --- what has been written, and sizes


@call("fsync", "fdatasync")
def fsync(task: Task, fd: Fd) -> int:
    """fsync(2) and fdatasync(2): nothing is ever held back."""
    if not isinstance(task.files.file(fd), RegularFile | DirectoryFile):
        raise LinuxError(Errno.EINVAL)
    return 0


@call("sync")
def sync(task: Task) -> int:
    """sync(2)"""
    return 0


@call("syncfs")
def syncfs(task: Task, fd: Fd) -> int:
    """syncfs(2)"""
    task.files.file(fd)
    return 0


@call("sync_file_range")
def sync_file_range(task: Task, fd: Fd, offset: Long, length: Long, flags: Flags) -> int:
    """sync_file_range(2)"""
    file = task.files.file(fd)
    if flags & ~7 or offset < 0 or length < 0 or offset + length > of.LARGEST_OFFSET:
        raise LinuxError(Errno.EINVAL)
    if not isinstance(file, RegularFile | DirectoryFile):
        raise LinuxError(Errno.ESPIPE)
    return 0


@call("fadvise64")
def fadvise64(task: Task, fd: Fd, offset: Long, length: Long, advice: Int) -> int:
    """posix_fadvise(2): taken note of."""
    file = task.files.file(fd)
    if isinstance(file, _STREAMS):
        raise LinuxError(Errno.ESPIPE)
    if length < 0 or not 0 <= advice <= _MOST_ADVICE:
        raise LinuxError(Errno.EINVAL)
    return 0


@call("readahead")
def readahead(task: Task, fd: Fd, offset: Long, size: Size) -> int:
    """readahead(2): taken note of."""
    if not isinstance(task.files.for_reading(fd), RegularFile):
        raise LinuxError(Errno.EINVAL)
    return 0


@call("ftruncate")
def ftruncate(task: Task, fd: Fd, length: Long) -> int:
    """ftruncate(2)"""
    if length < 0:
        raise LinuxError(Errno.EINVAL)
    file = task.files.file(fd)
    if not isinstance(file, RegularFile) or not file.writable:
        raise LinuxError(Errno.EINVAL)
    check_file_size(task, length)
    file.handle.resize(length)
    task.notifier.file(file, IN_MODIFY)
    return 0
