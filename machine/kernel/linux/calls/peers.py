"""Calls on other processes: what stands for one (pidfd), its memory, its files, and what two of them share."""

from __future__ import annotations

from machine.kernel.linux import signals
from machine.kernel.linux.abi import Address, Fd, Flags, Int, UInt, Word, call
from machine.kernel.linux.calls.memory import advise, check_advice
from machine.kernel.linux.calls.transfers import buffers
from machine.kernel.linux.errors import Errno, LinuxError, Refused
from machine.kernel.linux.event_files import ProcessFile
from machine.kernel.linux.open_files import O_NONBLOCK
from machine.kernel.linux.signals import SIGNALS
from machine.kernel.linux.task import Task, ThreadGroup

_ADVICE_FOR_OTHERS = (3, 20, 21, 25)  # MADV_WILLNEED, COLD, PAGEOUT and COLLAPSE
_FILE, _VM, _FILES, _FS, _SIGHAND, _IO, _SYSVSEM, _EPOLL = range(8)


def reachable(task: Task, process: int) -> Task:
    """A thread of another process whose memory and files the caller may use. Raises ESRCH and EPERM."""
    target = next((each for each in task.threads.everybody.values() if each.tid == process), None)
    if target is None:
        raise LinuxError(Errno.ESRCH)
    if task.user and target.threads is not task.threads and not target.threads.is_dumpable:
        raise LinuxError(Errno.EPERM)
    return target


def process_of(task: Task, fd: int) -> ThreadGroup:
    """The process that a descriptor stands for. Raises EBADF."""
    file = task.files.reference(fd)
    if not isinstance(file, ProcessFile):
        raise LinuxError(Errno.EBADF)
    return file.group


@call("pidfd_open")
def pidfd_open(task: Task, process: Int, flags: Flags) -> int:
    """pidfd_open(2), of processes."""
    if flags & ~O_NONBLOCK or process <= 0:
        raise LinuxError(Errno.EINVAL)
    group = task.threads.table.get(process)
    if group is None:
        is_thread = any(each.tid == process for each in task.threads.everybody.values())
        raise LinuxError(Errno.ENOENT if is_thread else Errno.ESRCH)
    return task.files.add(ProcessFile(group, flags), close_on_exec=True)


@call("pidfd_send_signal")
def pidfd_send_signal(task: Task, fd: Fd, signal: Int, info: Address, flags: Flags) -> int:
    """pidfd_send_signal(2), with what kill tells."""
    if flags:
        raise LinuxError(Errno.EINVAL)
    group = process_of(task, fd)
    if info:
        raise Refused(Errno.EPERM)
    if not 0 <= signal <= SIGNALS:
        raise LinuxError(Errno.EINVAL)
    if group.pid not in group.table:
        raise LinuxError(Errno.ESRCH)
    if signal:
        signals.send_to_group(group, signals.from_user(task, signal))
    return 0


@call("pidfd_getfd")
def pidfd_getfd(task: Task, fd: Fd, number: Fd, flags: Flags) -> int:
    """pidfd_getfd(2)"""
    if flags:
        raise LinuxError(Errno.EINVAL)
    group = process_of(task, fd)
    if group.has_ended:
        raise LinuxError(Errno.ESRCH)
    target = reachable(task, group.pid)
    return task.files.add(target.files.reference(number), close_on_exec=True)


# --- memory


@call("process_madvise")
def process_madvise(task: Task, fd: Fd, vectors: Address, count: Word, advice: Int, flags: Flags) -> int:
    """process_madvise(2): as madvise for each range; of another process it is root's."""
    if flags:
        raise LinuxError(Errno.EINVAL)
    rows = buffers(task, vectors, count)
    group = process_of(task, fd)
    if group.pid not in group.table or group.has_ended:
        raise LinuxError(Errno.ESRCH)
    target = reachable(task, group.pid)
    check_advice(advice)
    if target.space is not task.space:
        if advice not in _ADVICE_FOR_OTHERS:
            raise LinuxError(Errno.EINVAL)
        if task.user:
            raise LinuxError(Errno.EPERM)
    done = 0
    for address, size in rows:
        try:
            advise(target, address, size, advice)
        except LinuxError:
            if not done:
                raise
            break
        done += size
    return done


@call("process_vm_readv")
def process_vm_readv(
    task: Task, process: Int, own: Address, own_count: Word, other: Address, other_count: Word, flags: Word
) -> int:
    """process_vm_readv(2)"""
    return _transfer(task, process, (own, own_count), (other, other_count), flags, is_read=True)


@call("process_vm_writev")
def process_vm_writev(
    task: Task, process: Int, own: Address, own_count: Word, other: Address, other_count: Word, flags: Word
) -> int:
    """process_vm_writev(2)"""
    return _transfer(task, process, (own, own_count), (other, other_count), flags, is_read=False)


def _transfer(
    task: Task, process: int, own: tuple[int, int], other: tuple[int, int], flags: int, *, is_read: bool
) -> int:
    """Up to the first byte that one of both has no right to. Raises EFAULT where that is the first one."""
    if flags:
        raise LinuxError(Errno.EINVAL)
    here = buffers(task, *own)
    there = buffers(task, *other) if here else []
    if not there:
        return 0
    target, done = reachable(task, process), 0
    while here and there:
        (to, room), (at, size) = here[0], there[0]
        length = min(room, size)
        source, sink = ((target, at), (task, to)) if is_read else ((task, to), (target, at))
        data = source[0].space.load_up_to(source[1], length)
        stored = sink[0].space.room(sink[1], len(data))
        sink[0].space.store(sink[1], data[:stored])
        done += stored
        if stored < length:
            break
        here[:1] = [(to + length, room - length)] if room > length else []
        there[:1] = [(at + length, size - length)] if size > length else []
    if not done:
        raise LinuxError(Errno.EFAULT)
    return done


# --- what two have together


@call("kcmp")
def kcmp(task: Task, first: Int, second: Int, kind: Int, one: UInt, other: UInt) -> int:
    """kcmp(2): 0 for the same, else an order, which is that of the process ids."""
    tasks = reachable(task, first), reachable(task, second)
    if not 0 <= kind <= _EPOLL:
        raise LinuxError(Errno.EINVAL)
    if kind == _EPOLL:
        raise Refused(Errno.EOPNOTSUPP)
    if kind == _FILE:
        files = tuple(each.files.reference(number) for each, number in zip(tasks, (one, other), strict=True))
        return 0 if files[0] is files[1] else 1 + ((first, one) > (second, other))
    parts = tuple(
        {_VM: each.space, _FILES: each.files, _FS: each.location, _SIGHAND: each.actions, _IO: None}.get(
            kind, each.threads
        )
        for each in tasks
    )
    return 0 if parts[0] is parts[1] else 1 + (first > second)


@call("setfsuid")
def setfsuid(task: Task, user: Int) -> int:
    """setfsuid(2): the one that it was, which it stays."""
    return task.user


@call("setfsgid")
def setfsgid(task: Task, group: Int) -> int:
    """setfsgid(2), likewise."""
    return task.group


# --- the kernel's messages

_READ_ALL, _SIZE_OF_BUFFER, _LAST_ACTION = 3, 10, 10
_LOG_BYTES = 1 << 18


@call("syslog")
def syslog(task: Task, action: Int, buffer: Address, size: Int) -> int:
    """syslog(2): there are no messages, and they are root's besides."""
    if task.user:  # /proc/sys/kernel/dmesg_restrict
        raise LinuxError(Errno.EPERM)
    if not 0 <= action <= _LAST_ACTION:
        raise LinuxError(Errno.EINVAL)
    if action == _SIZE_OF_BUFFER:
        return _LOG_BYTES
    if action in (2, _READ_ALL, 4) and (not buffer or size < 0):
        raise LinuxError(Errno.EINVAL)
    return 0
