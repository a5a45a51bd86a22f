"""Waiting for files: poll, select, epoll; and signalfd."""

from __future__ import annotations

import struct
from collections.abc import Callable

from machine.kernel.linux import open_files as of, signals
from machine.kernel.linux.abi import Address, Fd, Flags, Int, Size, UInt, call
from machine.kernel.linux.calls.time import LONGEST_SLEEP, duration
from machine.kernel.linux.errors import Errno, LinuxError
from machine.kernel.linux.event_files import (
    EPOLLEXCLUSIVE,
    POLLERR,
    POLLHUP,
    POLLIN,
    POLLOUT,
    EventPoll,
    SignalFile,
    conditions,
)
from machine.kernel.linux.open_files import DirectoryFile, OpenFile, RegularFile
from machine.kernel.linux.space import check_user_range
from machine.kernel.linux.task import NANOSECONDS, Task
from machine.kernel.outcomes import Result, Wait
from machine.memory import PER_ITEM

_POLLNVAL = 0x20
_NAMED = POLLIN | POLLOUT  # what `_ready` is asked for; the rest comes by itself
_WANTED = (POLLIN | POLLHUP | POLLERR, POLLOUT | POLLERR, 0)  # of the three sets of select
_SET_BYTES = 8
_ADD, _DELETE, _MODIFY = 1, 2, 3
_EVENT = struct.Struct("<IQ")  # struct epoll_event, packed
_MOST_EVENTS = (1 << 31) // _EVENT.size


@call("poll")
def poll(task: Task, rows: Address, count: UInt, timeout: Int) -> Result:
    """poll(2)"""
    return _poll(task, rows, count, _deadline(task, None if timeout < 0 else timeout * 1_000_000))


@call("ppoll")
def ppoll(task: Task, rows: Address, count: UInt, timeout: Address, mask: Address, mask_size: Size) -> Result:
    """ppoll(2)"""
    return poll_under_mask(task, rows, count, timeout, mask, mask_size)


def poll_under_mask(
    task: Task, rows: int, count: int, timeout: int, mask: int, mask_size: int, layout: str = "qq"
) -> Result:
    """The same; `layout` is that of the time."""
    wait = duration(task, timeout, layout) if timeout else None
    deadline = _deadline(task, wait)
    return _under_mask(task, mask, mask_size, lambda: _poll(task, rows, count, deadline))


def _deadline(task: Task, wait: int | None) -> int | None:
    """In ticks; None to wait for ever."""
    return None if wait is None else task.clock.elapsed() + wait


def _is_past(task: Task, deadline: int | None) -> bool:
    return deadline is not None and deadline <= task.clock.elapsed()


def _under_mask(task: Task, address: int, size: int, body: Callable[[], Result]) -> Result:
    """What a call comes to that blocks other signals meanwhile, if there is an address. Raises EINVAL and EFAULT.

    Where a signal ends it, the mask comes back behind the handler.
    """
    if not address:
        return body()
    if size != _SET_BYTES:
        raise LinuxError(Errno.EINVAL)
    (mask,) = task.space.load_words(address, "Q")
    task.saved_mask = task.blocked
    signals.block(task, mask)
    return _restoring(task, body)


def _restoring(task: Task, body: Callable[[], Result]) -> Result:
    """As the body, and the mask comes back when that is over."""
    try:
        result = body()
    except LinuxError:
        _restore(task)
        raise
    if isinstance(result, Wait):
        wait = result
        return Wait(wait.until, wait.deadline, lambda late: _restoring(task, lambda: wait.then(late)))
    _restore(task)
    return result


def _restore(task: Task) -> None:
    if task.saved_mask is not None:
        mask, task.saved_mask = task.saved_mask, None
        signals.block(task, mask)


def _poll(task: Task, address: int, count: int, deadline: int | None) -> Result:
    if count > task.files.limit:
        raise LinuxError(Errno.EINVAL)
    check_user_range(address, 8 * count)
    words = task.space.load_words(address, "ihh" * count)
    rows = [(number, wanted) for number, wanted in zip(words[::3], words[1::3], strict=True) if number >= 0]
    found = 0
    for index in range(count):
        number, wanted = words[3 * index], words[3 * index + 1]
        result = 0 if number < 0 else _ready(task, number, wanted)
        found += result != 0
        task.space.store_words(address + 8 * index + 6, "h", result)
    if found or _is_past(task, deadline):
        return found
    return Wait(
        lambda: any(_ready(task, *row) for row in rows),
        deadline,
        lambda late: 0 if late else _poll(task, address, count, deadline),
    )


def _ready(task: Task, number: int, wanted: int) -> int:
    task.space.work.charge(PER_ITEM)
    try:
        return conditions(task, task.files.file(number)) & (wanted | POLLERR | POLLHUP)
    except LinuxError:
        return _POLLNVAL


@call("select")
def select(task: Task, count: Int, reading: Address, writing: Address, failing: Address, timeout: Address) -> Result:
    """select(2)"""
    wait = None
    if timeout:
        seconds, microseconds = task.space.load_words(timeout, "qq")
        if seconds < 0 or microseconds < 0:
            raise LinuxError(Errno.EINVAL)
        wait = min(seconds, LONGEST_SLEEP) * NANOSECONDS + microseconds * 1000
    return select_until(task, count, (reading, writing, failing), wait)


def select_until(task: Task, count: int, sets: tuple[int, int, int], wait: int | None, word: int = 64) -> Result:
    """select(2), for so many nanoseconds; sets have words of so many bits."""
    return _select(task, count, sets, _deadline(task, wait), word)


@call("pselect6")
def pselect6(
    task: Task, count: Int, reading: Address, writing: Address, failing: Address, timeout: Address, mask: Address
) -> Result:
    """pselect(2)"""
    address, size = task.space.load_words(mask, "QQ") if mask else (0, 0)
    wait = duration(task, timeout) if timeout else None
    return select_under_mask(task, count, (reading, writing, failing), wait, (address, size))


def select_under_mask(
    task: Task, count: int, sets: tuple[int, int, int], wait: int | None, mask: tuple[int, int], word: int = 64
) -> Result:
    """As `select_until`, with a mask at an address and of a size."""
    deadline = _deadline(task, wait)
    return _under_mask(task, *mask, lambda: _select(task, count, sets, deadline, word))


def _select(task: Task, count: int, sets: tuple[int, int, int], deadline: int | None, word: int) -> Result:
    """Sets of descriptors are changed when the wait is over."""
    if count < 0:
        raise LinuxError(Errno.EINVAL)
    count = min(count, task.files.limit)
    size = -(-count // word) * word // 8
    rows: list[tuple[int, int, int]] = []  # of a set and a descriptor in it: which set, the number, what is wanted
    for which, (address, wanted) in enumerate(zip(sets, _WANTED, strict=True)):
        if address:
            bits = int.from_bytes(task.space.load(address, size), "little")
            rows += [(which, number, wanted) for number in range(count) if bits >> number & 1]
    states = [_ready(task, number, wanted & _NAMED) for _, number, wanted in rows]
    if any(state & _POLLNVAL for state in states):
        raise LinuxError(Errno.EBADF)
    found = [row for row, state in zip(rows, states, strict=True) if state & row[2]]

    def end(rows: list[tuple[int, int, int]]) -> int:
        for which, address in enumerate(sets):
            if address:
                bits = sum(1 << number for of, number, _ in rows if of == which)
                task.space.store(address, bits.to_bytes(size, "little"))
        return len(rows)

    if found or _is_past(task, deadline):
        return end(found)
    return Wait(
        lambda: any(_ready(task, number, wanted & _NAMED) & (wanted | _POLLNVAL) for _, number, wanted in rows),
        deadline,
        lambda late: end([]) if late else _select(task, count, sets, deadline, word),
    )


# --- epoll


@call("epoll_create")
def epoll_create(task: Task, size: Int) -> int:
    """epoll_create(2)"""
    if size <= 0:
        raise LinuxError(Errno.EINVAL)
    return task.files.add(EventPoll())


@call("epoll_create1")
def epoll_create1(task: Task, flags: Flags) -> int:
    """epoll_create1(2)"""
    if flags & ~of.O_CLOEXEC:
        raise LinuxError(Errno.EINVAL)
    return task.files.add(EventPoll(), bool(flags & of.O_CLOEXEC))


def _instance(task: Task, fd: int) -> EventPoll:
    file = task.files.file(fd)
    if not isinstance(file, EventPoll):
        raise LinuxError(Errno.EINVAL)
    return file


@call("epoll_ctl")
def epoll_ctl(task: Task, fd: Fd, operation: Int, target: Fd, address: Address) -> int:
    """epoll_ctl(2)"""
    events, data = (0, 0) if operation == _DELETE else _EVENT.unpack(task.space.load(address, _EVENT.size))
    instance, file = task.files.file(fd), task.files.file(target)
    if isinstance(file, RegularFile | DirectoryFile):
        raise LinuxError(Errno.EPERM)
    if instance is file or not isinstance(instance, EventPoll):
        raise LinuxError(Errno.EINVAL)
    if events & EPOLLEXCLUSIVE and (operation == _MODIFY or isinstance(file, EventPoll)):
        raise LinuxError(Errno.EINVAL)
    if operation == _ADD:
        instance.add(target, file, events, data)
    elif operation == _MODIFY:
        instance.change(target, file, events, data)
    elif operation == _DELETE:
        instance.remove(target, file)
    else:
        raise LinuxError(Errno.EINVAL)
    return 0


@call("epoll_wait")
def epoll_wait(task: Task, fd: Fd, rows: Address, most: Int, timeout: Int) -> Result:
    """epoll_wait(2)"""
    return _epoll(task, fd, rows, most, _deadline(task, None if timeout < 0 else timeout * 1_000_000))


@call("epoll_pwait")
def epoll_pwait(task: Task, fd: Fd, rows: Address, most: Int, timeout: Int, mask: Address, size: Size) -> Result:
    """epoll_pwait(2)"""
    deadline = _deadline(task, None if timeout < 0 else timeout * 1_000_000)
    return _under_mask(task, mask, size, lambda: _epoll(task, fd, rows, most, deadline))


@call("epoll_pwait2")
def epoll_pwait2(task: Task, fd: Fd, rows: Address, most: Int, timeout: Address, mask: Address, size: Size) -> Result:
    """epoll_pwait2(2)"""
    deadline = _deadline(task, duration(task, timeout) if timeout else None)
    return _under_mask(task, mask, size, lambda: _epoll(task, fd, rows, most, deadline))


def _epoll(task: Task, fd: int, address: int, most: int, deadline: int | None) -> Result:
    if not 0 < most <= _MOST_EVENTS:
        raise LinuxError(Errno.EINVAL)
    check_user_range(address, most * _EVENT.size)
    instance = _instance(task, fd)

    def tell() -> int:
        found = instance.take(task, most)
        task.space.store(address, b"".join(_EVENT.pack(*row) for row in found))
        return len(found)

    if instance.has_news(task):
        return tell()
    if _is_past(task, deadline):
        return 0
    return Wait(lambda: instance.has_news(task), deadline, lambda late: 0 if late else tell(), _never_again)


def _never_again() -> Result:
    raise LinuxError(Errno.EINTR)


# --- signalfd


@call("signalfd")
def signalfd(task: Task, fd: Fd, mask: Address, size: Size) -> int:
    """signalfd of the kernel, which has no flags."""
    return signalfd4(task, fd, mask, size, 0)


@call("signalfd4")
def signalfd4(task: Task, fd: Fd, mask: Address, size: Size, flags: Flags) -> int:
    """signalfd(2)"""
    if size != _SET_BYTES:
        raise LinuxError(Errno.EINVAL)
    (bits,) = task.space.load_words(mask, "Q")
    if flags & ~(of.O_CLOEXEC | of.O_NONBLOCK):
        raise LinuxError(Errno.EINVAL)
    if fd == -1:
        return task.files.add(SignalFile(flags & of.O_NONBLOCK, bits), bool(flags & of.O_CLOEXEC))
    file: OpenFile = task.files.file(fd)
    if not isinstance(file, SignalFile):
        raise LinuxError(Errno.EINVAL)
    file.mask = bits & ~signals.UNBLOCKABLE
    return fd
