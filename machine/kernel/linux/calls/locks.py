"""Calls that lock files: flock, and the part of fcntl that locks ranges."""

from __future__ import annotations

from machine.kernel.linux import open_files as of
from machine.kernel.linux.abi import Fd, Int, call
from machine.kernel.linux.errors import Errno, LinuxError
from machine.kernel.linux.file_locks import RangeLock
from machine.kernel.linux.open_files import LARGEST_OFFSET, OpenFile, RegularFile
from machine.kernel.linux.task import Task
from machine.kernel.outcomes import AGAIN, Result, Wait

F_GETLK, F_SETLK, F_SETLKW = 5, 6, 7
F_OFD_GETLK, F_OFD_SETLK, F_OFD_SETLKW = 36, 37, 38
RANGE_COMMANDS = (F_GETLK, F_SETLK, F_SETLKW, F_OFD_GETLK, F_OFD_SETLK, F_OFD_SETLKW)
_OF_DESCRIPTIONS = (F_OFD_GETLK, F_OFD_SETLK, F_OFD_SETLKW)
_F_RDLCK, _F_WRLCK, _F_UNLCK = 0, 1, 2
_LOCK_SH, _LOCK_EX, _LOCK_NB, _LOCK_UN = 1, 2, 4, 8
_LOCK_MAND = 32  # does nothing any more


@call("flock")
def flock(task: Task, fd: Fd, operation: Int) -> Result:
    """flock(2)"""
    if operation & _LOCK_MAND:
        return 0
    kind = operation & ~_LOCK_NB
    if kind not in (_LOCK_SH, _LOCK_EX, _LOCK_UN):
        raise LinuxError(Errno.EINVAL)
    file, locks = task.files.file(fd), task.locks
    if kind == _LOCK_UN:
        locks.unlock_whole(file)
        return 0
    if locks.lock_whole(file, kind == _LOCK_EX):
        return 0
    if operation & _LOCK_NB:
        raise LinuxError(Errno.EAGAIN)
    return Wait(lambda: locks.can_lock_whole(file, kind == _LOCK_EX))


def lock_range(task: Task, file: OpenFile, command: int, address: int) -> Result:
    """F_GETLK, F_SETLK, F_SETLKW and their kin with the description as the owner."""
    kind, whence, start, length, owner = task.space.load_words(address, "hhxxxxqqi")
    asks, is_ofd = command in (F_GETLK, F_OFD_GETLK), command in _OF_DESCRIPTIONS
    kinds = (_F_RDLCK, _F_WRLCK, _F_UNLCK) if not asks or is_ofd else (_F_RDLCK, _F_WRLCK)
    if whence not in (of.SEEK_SET, of.SEEK_CUR, of.SEEK_END) or (is_ofd and owner):
        raise LinuxError(Errno.EINVAL)
    position = file.offset if isinstance(file, RegularFile) else 0
    start += {of.SEEK_SET: 0, of.SEEK_CUR: position, of.SEEK_END: file.status().size}[whence]
    if start > LARGEST_OFFSET:
        raise LinuxError(Errno.EOVERFLOW)
    if start < 0 or start + length < 0 or kind not in kinds:
        raise LinuxError(Errno.EINVAL)
    if length > 0 and start + length - 1 > LARGEST_OFFSET:
        raise LinuxError(Errno.EOVERFLOW)
    first, last = (start + length, start - 1) if length < 0 else (start, start + length - 1)
    wanted = RangeLock(
        file if is_ofd else task.files, kind == _F_WRLCK, first, last if length else LARGEST_OFFSET,
        -1 if is_ofd else task.process.pid,
    )  # fmt: skip
    if asks:
        return _ask(task, file, wanted, address)
    if (kind == _F_RDLCK and not file.readable) or (kind == _F_WRLCK and not file.writable):
        raise LinuxError(Errno.EBADF)
    if kind == _F_UNLCK:
        task.locks.unlock(file, wanted)
        return 0
    return _lock(task, file, wanted, waits=command in (F_SETLKW, F_OFD_SETLKW))


def _ask(task: Task, file: OpenFile, wanted: RangeLock, address: int) -> int:
    found = task.locks.conflict(file, wanted)
    if found is None:
        task.space.store_words(address, "h", _F_UNLCK)
        return 0
    length = 0 if found.last == LARGEST_OFFSET else found.last - found.start + 1
    kind = _F_WRLCK if found.is_exclusive else _F_RDLCK
    task.space.store_words(address, "hhxxxxqqi", kind, of.SEEK_SET, found.start, length, found.pid)
    return 0


def _lock(task: Task, file: OpenFile, wanted: RangeLock, *, waits: bool) -> Result:
    locks = task.locks
    blocker = locks.conflict(file, wanted)
    if blocker is None:
        locks.lock(file, wanted)
        return 0
    if not waits:
        raise LinuxError(Errno.EAGAIN)
    if wanted.pid >= 0:
        locks.begin_to_wait(wanted.owner, blocker)

    def go_on(late: bool) -> Result:
        locks.end_to_wait(wanted.owner)
        return _lock(task, file, wanted, waits=True)

    def stop() -> Result:
        locks.end_to_wait(wanted.owner)
        return AGAIN

    return Wait(lambda: locks.conflict(file, wanted) is None, then=go_on, interrupted=stop)
