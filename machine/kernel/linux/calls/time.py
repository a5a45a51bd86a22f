"""Clocks and waiting: all time is virtual (machine.clock), so a sleep takes no time of the user's."""

from __future__ import annotations

from machine.kernel.linux.errors import Errno, LinuxError
from machine.kernel.linux.task import NANOSECONDS, Task

_REALTIME_CLOCKS = (0, 5, 8, 11)  # REALTIME, REALTIME_COARSE, REALTIME_ALARM, TAI
_ELAPSED_CLOCKS = (1, 2, 3, 4, 6, 7, 9)  # MONOTONIC, the CPU times, the coarse and boot-time ones
_TIMER_ABSTIME = 1
_LONGEST_SLEEP = 1 << 33  # seconds: no virtual clock needs to go further in one step

POLLIN, POLLOUT, POLLERR, POLLHUP, POLLNVAL = 1, 4, 8, 0x10, 0x20
_MOST_POLLED = 4096


def _clock(task: Task, clock: int) -> int:
    if clock in _REALTIME_CLOCKS:
        return task.now
    if clock in _ELAPSED_CLOCKS:
        return task.clock.elapsed()
    raise LinuxError(Errno.EINVAL)


def clock_gettime(task: Task, clock: int, buffer: int) -> int:
    """clock_gettime(2)"""
    task.space.store_words(buffer, "qq", *divmod(_clock(task, clock), NANOSECONDS))
    return 0


def clock_getres(task: Task, clock: int, buffer: int) -> int:
    """clock_getres(2): one nanosecond."""
    _clock(task, clock)
    if buffer:
        task.space.store_words(buffer, "qq", 0, 1)
    return 0


def gettimeofday(task: Task, buffer: int, zone: int) -> int:
    """gettimeofday(2), in UTC."""
    if buffer:
        task.space.store_words(buffer, "qq", *divmod(task.now // 1000, 1_000_000))
    if zone:
        task.space.store_words(zone, "ii", 0, 0)
    return 0


def time(task: Task, buffer: int) -> int:
    """time(2)"""
    seconds = task.now // NANOSECONDS
    if buffer:
        task.space.store_words(buffer, "q", seconds)
    return seconds


def nanosleep(task: Task, wanted: int, left: int) -> int:
    """nanosleep(2)"""
    task.sleep(_duration(task, wanted))
    return 0


def clock_nanosleep(task: Task, clock: int, flags: int, wanted: int, left: int) -> int:
    """clock_nanosleep(2)"""
    now, duration = _clock(task, clock), _duration(task, wanted)
    task.sleep(max(0, duration - now) if flags & _TIMER_ABSTIME else duration)
    return 0


def _duration(task: Task, address: int) -> int:
    """A struct timespec in nanoseconds."""
    seconds, nanoseconds = task.space.load_words(address, "qq")
    if seconds < 0 or not 0 <= nanoseconds < NANOSECONDS:
        raise LinuxError(Errno.EINVAL)
    return min(seconds, _LONGEST_SLEEP) * NANOSECONDS + nanoseconds


# --- waiting for files; nothing changes while the only thread waits, so either something is ready or time passes


def poll(task: Task, rows: int, count: int, timeout: int) -> int:
    """poll(2)"""
    return _poll(task, rows, count, None if timeout < 0 else timeout * 1_000_000)


def ppoll(task: Task, rows: int, count: int, timeout: int, mask: int, mask_size: int) -> int:
    """ppoll(2)"""
    return _poll(task, rows, count, _duration(task, timeout) if timeout else None)


def _poll(task: Task, address: int, count: int, wait: int | None) -> int:
    if count > _MOST_POLLED:
        raise LinuxError(Errno.EINVAL)
    words = task.space.load_words(address, "ihh" * count)
    found = 0
    for index in range(count):
        number, wanted = words[3 * index], words[3 * index + 1]
        result = 0 if number < 0 else _ready(task, number, wanted)
        found += result != 0
        task.space.store_words(address + 8 * index + 6, "h", result)
    if not found:
        _wait(task, wait)
    return found


def _ready(task: Task, number: int, wanted: int) -> int:
    try:
        reading, writing, gone = task.files.file(number).ready()
    except LinuxError:
        return POLLNVAL
    result = (POLLIN if reading and wanted & POLLIN else 0) | (POLLOUT if writing and wanted & POLLOUT else 0)
    if gone:
        result |= POLLHUP if task.files.file(number).readable else POLLERR
    return result


def _wait(task: Task, wait: int | None) -> None:
    """Let the time pass; a wait that nobody would end is interrupted."""
    if wait is None:
        raise LinuxError(Errno.EINTR)
    task.sleep(wait)


def select(task: Task, count: int, reading: int, writing: int, failing: int, timeout: int) -> int:
    """select(2)"""
    wait = None
    if timeout:
        seconds, microseconds = task.space.load_words(timeout, "qq")
        if seconds < 0 or microseconds < 0:
            raise LinuxError(Errno.EINVAL)
        wait = min(seconds, _LONGEST_SLEEP) * NANOSECONDS + microseconds * 1000
    return _select(task, count, reading, writing, failing, wait)


def pselect6(task: Task, count: int, reading: int, writing: int, failing: int, timeout: int, mask: int) -> int:
    """pselect(2)"""
    return _select(task, count, reading, writing, failing, _duration(task, timeout) if timeout else None)


def _select(task: Task, count: int, reading: int, writing: int, failing: int, wait: int | None) -> int:
    if not 0 <= count <= 1024:
        raise LinuxError(Errno.EINVAL)
    size = -(-count // 64) * 8
    found = 0
    for address, event in ((reading, POLLIN), (writing, POLLOUT), (failing, 0)):
        if not address:
            continue
        wanted, ready = int.from_bytes(task.space.load(address, size), "little"), 0
        for number in range(count):
            if wanted >> number & 1:
                state = _ready(task, number, event)
                if state & POLLNVAL:
                    raise LinuxError(Errno.EBADF)
                if state & (event | (POLLHUP if event == POLLIN else 0)):
                    ready |= 1 << number
        found += ready.bit_count()
        task.space.store(address, ready.to_bytes(size, "little"))
    if not found:
        _wait(task, wait)
    return found
