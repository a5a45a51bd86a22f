"""Calls on POSIX message queues. Names come without the slash, which the library takes off."""

from __future__ import annotations

import struct
from contextlib import suppress

from machine.kernel.linux import open_files as of
from machine.kernel.linux.abi import Address, Fd, Int, Path, Size, UInt, call
from machine.kernel.linux.calls.time import duration
from machine.kernel.linux.errors import Errno, LinuxError
from machine.kernel.linux.netlink_sockets import NetlinkSocket
from machine.kernel.linux.posix_queues import PRIORITIES, Message, Notification, PosixQueue, QueueFile, check_access
from machine.kernel.linux.resource_limits import MSGQUEUE, resource_limit
from machine.kernel.linux.signal_frame import SignalInfo
from machine.kernel.linux.signals import SIGNALS, send_to_group
from machine.kernel.linux.sockets import Socket
from machine.kernel.linux.task import Task
from machine.kernel.outcomes import AGAIN, Result, Wait
from machine.memory import PER_ITEM

_ATTRIBUTES = "4q"  # the first words of struct mq_attr: flags, most messages, their size, how many there are
_SIGEV_SIGNAL, _SIGEV_NONE, _SIGEV_THREAD = 0, 1, 2
_SIGEV_BYTES = 64
_SI_MESGQ = -3
_COOKIE_BYTES, _WOKEN_UP, _REMOVED = 32, 1, 2  # NOTIFY_* of linux/mqueue.h
_PERMISSIONS = 0o777


@call("mq_open")
def mq_open(task: Task, name: Path, flags: Int, mode: UInt, attributes: Address) -> int:
    """mq_open(2)"""
    words = task.space.load_words(attributes, "8q") if attributes else None
    queue = task.queues.find(name)
    if queue is None:
        if not flags & of.O_CREAT:
            raise LinuxError(Errno.ENOENT)
        sizes = None if words is None else (words[1], words[2])
        permissions = mode & _PERMISSIONS & ~task.location.umask
        queue = task.queues.make(task, name, permissions, sizes, resource_limit(task, MSGQUEUE)[0])
    else:
        if flags & of.O_CREAT and flags & of.O_EXCL:
            raise LinuxError(Errno.EEXIST)
        if flags & of.O_ACCMODE == of.O_ACCMODE:
            raise LinuxError(Errno.EINVAL)
        check_access(task, queue, flags)
    return task.files.add(QueueFile(flags & (of.O_ACCMODE | of.O_NONBLOCK), queue), close_on_exec=True)


@call("mq_unlink")
def mq_unlink(task: Task, name: Path) -> int:
    """mq_unlink(3)"""
    task.queues.unlink(task, name)
    return 0


def _deadline(task: Task, address: int) -> int | None:
    """When a wait is to end, in ticks. Raises EINVAL."""
    return duration(task, address) - task.now + task.clock.elapsed() if address else None


def _queue_file(file: of.OpenFile) -> QueueFile:
    if not isinstance(file, QueueFile):
        raise LinuxError(Errno.EBADF)
    return file


@call("mq_timedsend")
def mq_timedsend(task: Task, fd: Fd, address: Address, size: Size, priority: UInt, timeout: Address) -> Result:
    """mq_timedsend(2)"""
    deadline = _deadline(task, timeout)
    if priority >= PRIORITIES:
        raise LinuxError(Errno.EINVAL)
    file = _queue_file(task.files.for_writing(fd))
    if size > file.queue.largest:
        raise LinuxError(Errno.EMSGSIZE)
    return _send(task, file, Message(priority, task.space.load(address, size)), deadline)


def _send(task: Task, file: QueueFile, message: Message, deadline: int | None) -> Result:
    queue = file.queue
    task.space.work.charge(PER_ITEM * (1 + len(queue.messages)))
    if not queue.is_full:
        queue.put(task, message)
        return 0
    if file.flags & of.O_NONBLOCK:
        raise LinuxError(Errno.EAGAIN)

    def then(late: bool) -> Result:
        if late:
            raise LinuxError(Errno.ETIMEDOUT)
        return _send(task, file, message, deadline)

    return Wait(lambda: not queue.is_full, deadline, then, lambda: AGAIN)


@call("mq_timedreceive")
def mq_timedreceive(task: Task, fd: Fd, address: Address, size: Size, priority: Address, timeout: Address) -> Result:
    """mq_timedreceive(2)"""
    deadline = _deadline(task, timeout)
    file = _queue_file(task.files.for_reading(fd))
    if size < file.queue.largest:
        raise LinuxError(Errno.EMSGSIZE)
    return _receive(task, file, (address, priority), deadline)


def _receive(task: Task, file: QueueFile, places: tuple[int, int], deadline: int | None) -> Result:
    queue = file.queue
    task.space.work.charge(PER_ITEM * (1 + len(queue.messages)))
    if queue.messages:
        message, (address, priority) = queue.take(), places
        if priority:
            task.space.store_words(priority, "I", message.priority)
        task.space.store(address, message.data)
        return len(message.data)
    if file.flags & of.O_NONBLOCK:
        raise LinuxError(Errno.EAGAIN)

    def then(late: bool) -> Result:
        queue.receivers.discard(task)
        if late:
            raise LinuxError(Errno.ETIMEDOUT)
        return _receive(task, file, places, deadline)

    def interrupted() -> Result:
        queue.receivers.discard(task)
        return AGAIN

    queue.receivers.add(task)
    return Wait(lambda: bool(queue.messages), deadline, then, interrupted)


@call("mq_notify")
def mq_notify(task: Task, fd: Fd, event: Address) -> int:
    """mq_notify(2): by a signal, by a message to a socket of AF_NETLINK (the library's SIGEV_THREAD), or not at all."""
    raw = task.space.load(event, _SIGEV_BYTES) if event else None
    signal, kind = (0, _SIGEV_NONE) if raw is None else struct.unpack_from("<ii", raw, 8)
    if kind not in (_SIGEV_SIGNAL, _SIGEV_NONE, _SIGEV_THREAD) or (
        kind == _SIGEV_SIGNAL and not 0 <= signal <= SIGNALS
    ):
        raise LinuxError(Errno.EINVAL)
    value = b"" if raw is None else raw[:8]
    socket, cookie = None, b""
    if kind == _SIGEV_THREAD:
        cookie = task.space.load(int.from_bytes(value, "little"), _COOKIE_BYTES)
        socket = _netlink_socket(task.files.file(signal))
    queue = _queue_file(task.files.file(fd)).queue
    if raw is None:
        if queue.notification is not None and queue.notification.table is task.files:
            queue.forget_notification()
        return 0
    if queue.notification is not None:
        raise LinuxError(Errno.EBUSY)
    if socket is not None:
        queue.notification = _by_socket(task, socket, cookie)
    else:
        queue.notification = _by_signal(task, kind, signal, value)
    return 0


def _netlink_socket(file: of.OpenFile) -> NetlinkSocket:
    """Raises ENOTSOCK and EINVAL."""
    if not isinstance(file, Socket):
        raise LinuxError(Errno.ENOTSOCK)
    if not isinstance(file, NetlinkSocket):
        raise LinuxError(Errno.EINVAL)
    return file


def _by_signal(task: Task, kind: int, signal: int, value: bytes) -> Notification:
    group = task.threads

    def tell(sender: Task) -> None:
        if kind == _SIGEV_SIGNAL and signal:
            by = (sender.process.pid, sender.user)
            send_to_group(group, SignalInfo(signal, _SI_MESGQ, sender=by, more=value))

    number = signal if kind == _SIGEV_SIGNAL else 0
    return Notification(task.files, tell, _text(task, kind, number), lambda: None)


def _by_socket(task: Task, socket: NetlinkSocket, cookie: bytes) -> Notification:
    """The cookie comes to the socket, whose last byte says what has happened."""

    def send(what: int) -> None:
        with suppress(LinuxError):
            socket.tell(cookie[:-1] + bytes([what]))

    text = _text(task, _SIGEV_THREAD, 0)
    return Notification(task.files, lambda sender: send(_WOKEN_UP), text, lambda: send(_REMOVED))


def _text(task: Task, kind: int, signal: int) -> str:
    return f"NOTIFY:{kind:<5} SIGNO:{signal:<5} NOTIFY_PID:{task.process.pid:<6}"


@call("mq_getsetattr")
def mq_getsetattr(task: Task, fd: Fd, new: Address, old: Address) -> int:
    """mq_getsetattr(2): O_NONBLOCK is all that can be set."""
    flags = task.space.load_words(new, "8q")[0] if new else None
    if flags is not None and flags & ~of.O_NONBLOCK:
        raise LinuxError(Errno.EINVAL)
    file = _queue_file(task.files.file(fd))
    row = _attributes(file.queue, file.flags & of.O_NONBLOCK)
    if flags is not None:
        file.flags = file.flags & ~of.O_NONBLOCK | flags
    if old:
        task.space.store(old, row)
    return 0


def _attributes(queue: PosixQueue, flags: int) -> bytes:
    return struct.pack("<" + _ATTRIBUTES + "32x", flags, queue.most, queue.largest, len(queue.messages))
