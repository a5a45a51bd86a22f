"""Calls on System V's message queues."""

from __future__ import annotations

import struct

from machine.kernel.linux.abi import Address, Flags, Int, Long, Size, call
from machine.kernel.linux.errors import Errno, LinuxError
from machine.kernel.linux.system_v import (
    IPC_INFO,
    IPC_NOWAIT,
    IPC_RMID,
    IPC_SET,
    IPC_STAT,
    MOST_QUEUES,
    QUEUE_BYTES,
    READ,
    WRITE,
    IpcObject,
    MessageQueue,
    charged_bytes,
)
from machine.kernel.linux.task import NANOSECONDS, Task
from machine.kernel.outcomes import Result, Wait
from machine.memory import PER_ITEM

_LARGEST_MESSAGE = 8192  # MSGMAX
_MSG_NOERROR, _MSG_EXCEPT, _MSG_COPY = 0o10000, 0o20000, 0o40000
_MSG_STAT, _MSG_INFO, _MSG_STAT_ANY = 11, 12, 13
_STATUS = struct.Struct("<48sqqqQQQii16x")  # struct msqid64_ds
_PERMISSION_BYTES = 48
_TYPE_BYTES = 8


@call("msgget")
def msgget(task: Task, key: Int, flags: Flags) -> int:
    """msgget(2)"""

    def make(row: IpcObject) -> MessageQueue:
        return MessageQueue(row.key, row.mode, row.owner, row.group, row.maker, changed=row.changed)

    return task.ipc.queues.get(task, key, flags, lambda row: None, make)


@call("msgsnd")
def msgsnd(task: Task, identifier: Int, address: Address, size: Size, flags: Flags) -> Result:
    """msgsnd(2)"""
    (kind,) = task.space.load_words(address, "q")
    if size > _LARGEST_MESSAGE or identifier < 0 or kind < 1:
        raise LinuxError(Errno.EINVAL)
    data = task.space.load(address + _TYPE_BYTES, size)
    queue = task.ipc.queues.find(identifier)
    return _send(task, queue, kind, data, flags)


def _send(task: Task, queue: MessageQueue, kind: int, data: bytes, flags: int) -> Result:
    if queue.removed:
        raise LinuxError(Errno.EIDRM)
    queue.check(task, WRITE)
    task.space.work.charge(PER_ITEM * (1 + len(queue.messages)))
    if not _has_room(queue, data):
        if flags & IPC_NOWAIT:
            raise LinuxError(Errno.EAGAIN)
        return Wait(
            lambda: queue.removed or _has_room(queue, data),
            then=lambda late: _send(task, queue, kind, data, flags), interrupted=lambda: -Errno.EINTR,
        )  # fmt: skip
    try:
        task.ipc.store.take(charged_bytes(data))
    except LinuxError:
        raise LinuxError(Errno.ENOMEM) from None
    queue.messages.append((kind, data))
    queue.sent, queue.last_sender = task.now // NANOSECONDS, task.process.pid
    return 0


def _has_room(queue: MessageQueue, data: bytes) -> bool:
    return len(queue.messages) < queue.most_bytes and queue.bytes + len(data) <= queue.most_bytes


@call("msgrcv")
def msgrcv(task: Task, identifier: Int, address: Address, size: Size, kind: Long, flags: Flags) -> Result:
    """msgrcv(2)"""
    if identifier < 0 or size >> 63:
        raise LinuxError(Errno.EINVAL)
    if flags & _MSG_COPY and (flags & _MSG_EXCEPT or not flags & IPC_NOWAIT):
        raise LinuxError(Errno.EINVAL)
    return _receive(task, task.ipc.queues.find(identifier), (address, size), kind, flags)


def _receive(task: Task, queue: MessageQueue, buffer: tuple[int, int], kind: int, flags: int) -> Result:
    if queue.removed:
        raise LinuxError(Errno.EIDRM)
    queue.check(task, READ)
    task.space.work.charge(PER_ITEM * (1 + len(queue.messages)))
    found = _wanted(queue, kind, flags)
    if found is None:
        if flags & IPC_NOWAIT:
            raise LinuxError(Errno.ENOMSG)
        return Wait(
            lambda: queue.removed or _wanted(queue, kind, flags) is not None,
            then=lambda late: _receive(task, queue, buffer, kind, flags), interrupted=lambda: -Errno.EINTR,
        )  # fmt: skip
    kind, data = queue.messages[found]
    address, size = buffer
    if len(data) > size and not flags & _MSG_NOERROR:
        raise LinuxError(Errno.E2BIG)
    if not flags & _MSG_COPY:
        del queue.messages[found]
        task.ipc.store.give_back(charged_bytes(data))
        queue.received, queue.last_receiver = task.now // NANOSECONDS, task.process.pid
    data = data[:size]
    task.space.store(address, struct.pack("<q", kind) + data)
    return len(data)


def _wanted(queue: MessageQueue, kind: int, flags: int) -> int | None:
    """The place of the message that is asked for, if there is one."""
    if flags & _MSG_COPY:
        return kind if 0 <= kind < len(queue.messages) else None
    kinds = [each for each, _ in queue.messages]
    if kind < 0:
        lowest = min(kinds, default=0)
        return kinds.index(lowest) if kinds and lowest <= -kind else None
    if kind and flags & _MSG_EXCEPT:
        return next((place for place, each in enumerate(kinds) if each != kind), None)
    if kind:
        return kinds.index(kind) if kind in kinds else None
    return 0 if kinds else None


@call("msgctl")
def msgctl(task: Task, identifier: Int, command: Int, buffer: Address) -> int:
    """msgctl(2)"""
    if identifier < 0 or command < 0:
        raise LinuxError(Errno.EINVAL)
    queues = task.ipc.queues
    if command in (IPC_INFO, _MSG_INFO):
        pool, mapped, total = MOST_QUEUES * QUEUE_BYTES // 1024, QUEUE_BYTES, QUEUE_BYTES
        if command == _MSG_INFO:
            pool, mapped = len(queues), sum(len(queue.messages) for queue in queues)
            total = sum(queue.bytes for queue in queues)
        task.space.store_words(
            buffer, "7iH2x", pool, mapped, _LARGEST_MESSAGE, QUEUE_BYTES, MOST_QUEUES, 16, total, 0xFFFF
        )
        return queues.highest
    if command in (IPC_STAT, _MSG_STAT, _MSG_STAT_ANY):
        queue = queues.find(identifier) if command == IPC_STAT else queues.at(identifier)
        if command != _MSG_STAT_ANY:
            queue.check(task, READ)
        task.space.store(buffer, _status(queue))
        return 0 if command == IPC_STAT else queue.identifier
    if command not in (IPC_SET, IPC_RMID):
        raise LinuxError(Errno.EINVAL)
    data = task.space.load(buffer, _STATUS.size) if command == IPC_SET else b""
    queue = queues.find(identifier)
    queue.check_owner(task)
    if command == IPC_RMID:
        queues.remove(queue)
        task.ipc.store.give_back(sum(charged_bytes(data) for _, data in queue.messages))
        return 0
    most = _STATUS.unpack(data)[6]
    if most > QUEUE_BYTES and task.user:
        raise LinuxError(Errno.EPERM)
    queue.most_bytes = most
    queue.set_permissions(data[:_PERMISSION_BYTES], task.now // NANOSECONDS)
    return 0


def _status(queue: MessageQueue) -> bytes:
    return _STATUS.pack(
        queue.permissions(), queue.sent, queue.received, queue.changed, queue.bytes, len(queue.messages),
        queue.most_bytes, queue.last_sender, queue.last_receiver,
    )  # fmt: skip
