"""Calls on System V's shared memory."""

from __future__ import annotations

import struct

from machine.kernel.linux.abi import Address, Flags, Int, Size, call
from machine.kernel.linux.errors import Errno, LinuxError, Refused
from machine.kernel.linux.space import LOWEST, USER_SPACE, Note, UserSpace
from machine.kernel.linux.system_v import (
    IPC_INFO,
    IPC_RMID,
    IPC_SET,
    IPC_STAT,
    MOST_SEGMENTS,
    READ,
    WRITE,
    IpcObject,
    Segment,
)
from machine.kernel.linux.task import NANOSECONDS, Task
from machine.memory import PAGE, Protection, SizedMemory, page_ceil

_SHM_RDONLY, _SHM_RND, _SHM_REMAP, _SHM_EXEC = 0o10000, 0o20000, 0o40000, 0o100000
_SHM_HUGETLB = 0o4000
_SHM_LOCK, _SHM_UNLOCK, _SHM_STAT, _SHM_INFO, _SHM_STAT_ANY = 11, 12, 13, 14, 15
_LARGEST = (1 << 64) - (1 << 24) - 1  # SHMMAX, and SHMALL in pages
_EXECUTE = 0o111
_STATUS = struct.Struct("<48sQqqqiiQ16x")  # struct shmid64_ds
_PERMISSION_BYTES = 48


@call("shmget")
def shmget(task: Task, key: Int, size: Size, flags: Flags) -> int:
    """shmget(2)"""

    def check(segment: Segment) -> None:
        if size > segment.size:
            raise LinuxError(Errno.EINVAL)

    def make(row: IpcObject) -> Segment:
        if not 1 <= size <= _LARGEST:
            raise LinuxError(Errno.EINVAL)
        if flags & _SHM_HUGETLB:
            raise Refused(Errno.ENOMEM)
        if size > task.space.memory.source.limit:
            raise LinuxError(Errno.ENOSPC)
        return Segment(
            row.key, row.mode, row.owner, row.group, row.maker, changed=row.changed, size=size,
            memory=SizedMemory(task.space.memory.source, page_ceil(size)), maker_id=task.process.pid,
        )  # fmt: skip

    task.ipc.reap(_spaces(task))
    return task.ipc.segments.get(task, key, flags, check, make)


def _spaces(task: Task) -> list[UserSpace]:
    """The address spaces of all processes."""
    return list({id(each.space): each.space for each in task.threads.everybody.values()}.values())


def _find(task: Task, identifier: int) -> Segment:
    task.ipc.reap(_spaces(task))
    return task.ipc.segments.find(identifier)


@call("shmat")
def shmat(task: Task, identifier: Int, address: Address, flags: Flags) -> int:
    """shmat(2)"""
    if address and address % PAGE:
        if not flags & _SHM_RND:
            raise LinuxError(Errno.EINVAL)
        address &= -PAGE
    if not address and flags & _SHM_REMAP:
        raise LinuxError(Errno.EINVAL)
    segment = _find(task, identifier)
    writes = not flags & _SHM_RDONLY
    segment.check(task, READ | WRITE * writes | (_EXECUTE if flags & _SHM_EXEC else 0))
    size, space = page_ceil(segment.size), task.space
    if address:
        if address + size > USER_SPACE - PAGE:
            raise LinuxError(Errno.EINVAL if address + size >= 1 << 64 or not flags & _SHM_REMAP else Errno.ENOMEM)
        if not flags & _SHM_REMAP and space.memory.overlapping(address, size) is not None:
            raise LinuxError(Errno.EINVAL)
        if address < LOWEST:
            raise LinuxError(Errno.EPERM)
        space.unmap(address, address + size)
    else:
        address = space.free_range(size)
    rights = Protection.READ | (Protection.WRITE if writes else 0) | (Protection.EXECUTE if flags & _SHM_EXEC else 0)
    name = f"/SYSV{segment.key & 0xFFFF_FFFF:08x} (deleted)"
    note = None if writes else Note(may_write=False)
    space.map(address, size, Protection(rights), name, backing=segment.memory, tag=note)
    segment.attached, segment.last_id = task.now // NANOSECONDS, task.process.pid
    return address


@call("shmdt")
def shmdt(task: Task, address: Address) -> int:
    """shmdt(2)"""
    area = task.space.memory.area_at(address) if address < USER_SPACE else None
    segment = next((each for each in task.ipc.segments if area is not None and each.memory is area.backing), None)
    if area is None or segment is None or address % PAGE or address - area.start + area.offset:
        raise LinuxError(Errno.EINVAL)
    for part in task.space.memory.areas_within(address, address + page_ceil(segment.size)):
        if part.backing is segment.memory and part.start - address == part.offset:
            task.space.unmap(part.start, part.end)
    segment.detached, segment.last_id = task.now // NANOSECONDS, task.process.pid
    task.ipc.reap(_spaces(task))
    return 0


@call("shmctl")
def shmctl(task: Task, identifier: Int, command: Int, buffer: Address) -> int:
    """shmctl(2)"""
    if identifier < 0 or command < 0:
        raise LinuxError(Errno.EINVAL)
    segments = task.ipc.segments
    task.ipc.reap(_spaces(task))
    if command == IPC_INFO:
        task.space.store_words(buffer, "9Q", _LARGEST, 1, MOST_SEGMENTS, MOST_SEGMENTS, _LARGEST, 0, 0, 0, 0)
        return segments.highest
    if command == _SHM_INFO:
        pages = sum(page_ceil(segment.size) // PAGE for segment in segments)
        task.space.store_words(buffer, "iIQQQQQ", len(segments), 0, pages, 0, 0, 0, 0)
        return segments.highest
    if command in (IPC_STAT, _SHM_STAT, _SHM_STAT_ANY):
        segment = segments.find(identifier) if command == IPC_STAT else segments.at(identifier)
        if command != _SHM_STAT_ANY:
            segment.check(task, READ)
        task.space.store(buffer, _status(task, segment))
        return 0 if command == IPC_STAT else segment.identifier
    if command not in (IPC_SET, IPC_RMID, _SHM_LOCK, _SHM_UNLOCK):
        raise LinuxError(Errno.EINVAL)
    data = task.space.load(buffer, _STATUS.size)[:_PERMISSION_BYTES] if command == IPC_SET else b""
    segment = segments.find(identifier)
    segment.check_owner(task)
    if command == IPC_SET:
        segment.set_permissions(data, task.now // NANOSECONDS)
    elif command == IPC_RMID:
        segment.remove_later()
        task.ipc.reap(_spaces(task))
    else:
        segment.lock(command == _SHM_LOCK)
    return 0


def _status(task: Task, segment: Segment) -> bytes:
    return _STATUS.pack(
        segment.permissions(), segment.size, segment.attached, segment.detached, segment.changed, segment.maker_id,
        segment.last_id, segment.users(_spaces(task)),
    )  # fmt: skip
