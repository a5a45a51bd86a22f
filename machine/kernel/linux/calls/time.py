"""Clocks and waiting: all time is virtual (machine.schedule.clock), so a sleep takes no time of the user's."""

from __future__ import annotations

from machine.kernel.linux.abi import Address, Flags, Int, Size, UInt, call
from machine.kernel.linux.errors import Errno, LinuxError
from machine.kernel.linux.space import check_user_range
from machine.kernel.linux.task import NANOSECONDS, Task

_REALTIME_CLOCKS = (0, 5, 8, 11)  # REALTIME, REALTIME_COARSE, REALTIME_ALARM, TAI
_ELAPSED_CLOCKS = (1, 2, 3, 4, 6, 7, 9)  # MONOTONIC, the CPU times, the coarse and boot-time ones
_TIMER_ABSTIME = 1
_LONGEST_SLEEP = 1 << 33  # seconds: no virtual clock needs to go further in one step

POLLIN, POLLOUT, POLLERR, POLLHUP, POLLNVAL = 1, 4, 8, 0x10, 0x20
_POLL_READING, _POLL_WRITING = 0x41, 0x104  # with RDNORM and WRNORM
_SET_BYTES = 8
_WITHOUT_SLEEP = (3, 4, 5, 6)  # the thread's CPU time, MONOTONIC_RAW and the coarse ones


def _clock(task: Task, clock: int) -> int:
    if clock in _REALTIME_CLOCKS:
        return task.now
    if clock in _ELAPSED_CLOCKS:
        return task.clock.elapsed()
    raise LinuxError(Errno.EINVAL)


@call("clock_gettime")
def clock_gettime(task: Task, clock: Int, buffer: Address) -> int:
    """clock_gettime(2)"""
    task.space.store_words(buffer, "qq", *divmod(_clock(task, clock), NANOSECONDS))
    return 0


@call("clock_getres")
def clock_getres(task: Task, clock: Int, buffer: Address) -> int:
    """clock_getres(2): one nanosecond."""
    _clock(task, clock)
    if buffer:
        task.space.store_words(buffer, "qq", 0, 1)
    return 0


@call("gettimeofday")
def gettimeofday(task: Task, buffer: Address, zone: Address) -> int:
    """gettimeofday(2), in UTC."""
    if buffer:
        task.space.store_words(buffer, "qq", *divmod(task.now // 1000, 1_000_000))
    if zone:
        task.space.store_words(zone, "ii", 0, 0)
    return 0


@call("time")
def time(task: Task, buffer: Address) -> int:
    """time(2)"""
    seconds = task.now // NANOSECONDS
    if buffer:
        task.space.store_words(buffer, "q", seconds)
    return seconds


@call("nanosleep")
def nanosleep(task: Task, wanted: Address, left: Address) -> int:
    """nanosleep(2)"""
    task.sleep(duration(task, wanted))
    return 0


@call("clock_nanosleep")
def clock_nanosleep(task: Task, clock: Int, flags: Flags, wanted: Address, left: Address) -> int:
    """clock_nanosleep(2)"""
    now = _clock(task, clock)
    if clock in _WITHOUT_SLEEP:
        raise LinuxError(Errno.EOPNOTSUPP)
    time = duration(task, wanted)
    task.sleep(max(0, time - now) if flags & _TIMER_ABSTIME else time)
    return 0


def duration(task: Task, address: int) -> int:
    """A struct timespec in nanoseconds. Raises EINVAL."""
    seconds, nanoseconds = task.space.load_words(address, "qq")
    if seconds < 0 or not 0 <= nanoseconds < NANOSECONDS:
        raise LinuxError(Errno.EINVAL)
    return min(seconds, _LONGEST_SLEEP) * NANOSECONDS + nanoseconds


# --- waiting for files; nothing changes while the only thread waits, so either something is ready or time passes


@call("poll")
def poll(task: Task, rows: Address, count: UInt, timeout: Int) -> int:
    """poll(2)"""
    return _poll(task, rows, count, None if timeout < 0 else timeout * 1_000_000)


@call("ppoll")
def ppoll(task: Task, rows: Address, count: UInt, timeout: Address, mask: Address, mask_size: Size) -> int:
    """ppoll(2)"""
    wait = duration(task, timeout) if timeout else None
    if mask:
        _check_mask(task, mask, mask_size)
    return _poll(task, rows, count, wait)


def _check_mask(task: Task, address: int, size: int) -> None:
    """A signal set. Raises EINVAL and EFAULT."""
    if size != _SET_BYTES:
        raise LinuxError(Errno.EINVAL)
    task.space.load(address, size)


def _poll(task: Task, address: int, count: int, wait: int | None) -> int:
    if count > task.files.limit:
        raise LinuxError(Errno.EINVAL)
    check_user_range(address, 8 * count)
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
    result = (_POLL_READING if reading else 0) | (_POLL_WRITING if writing else 0)
    result &= wanted
    if gone:
        result |= POLLHUP if task.files.file(number).readable else POLLERR
    return result


def _wait(task: Task, wait: int | None) -> None:
    """Let the time pass; a wait that nobody would end is interrupted."""
    if wait is None:
        raise LinuxError(Errno.EINTR)
    task.sleep(wait)


@call("select")
def select(task: Task, count: Int, reading: Address, writing: Address, failing: Address, timeout: Address) -> int:
    """select(2)"""
    wait = None
    if timeout:
        seconds, microseconds = task.space.load_words(timeout, "qq")
        if seconds < 0 or microseconds < 0:
            raise LinuxError(Errno.EINVAL)
        wait = min(seconds, _LONGEST_SLEEP) * NANOSECONDS + microseconds * 1000
    return _select(task, count, reading, writing, failing, wait)


@call("pselect6")
def pselect6(
    task: Task, count: Int, reading: Address, writing: Address, failing: Address, timeout: Address, mask: Address
) -> int:
    """pselect(2)"""
    wait = duration(task, timeout) if timeout else None
    if mask:
        address, size = task.space.load_words(mask, "QQ")
        if address:
            _check_mask(task, address, size)
    return _select(task, count, reading, writing, failing, wait)


def _select(task: Task, count: int, reading: int, writing: int, failing: int, wait: int | None) -> int:
    if count < 0:
        raise LinuxError(Errno.EINVAL)
    count = min(count, task.files.limit)
    size = -(-count // 64) * 8
    found, results = 0, []
    for address, event, ends in (
        (reading, POLLIN, POLLHUP | POLLERR), (writing, POLLOUT, POLLERR), (failing, 0, 0)
    ):  # fmt: skip
        if not address:
            continue
        wanted, ready = int.from_bytes(task.space.load(address, size), "little"), 0
        for number in range(count):
            if wanted >> number & 1:
                state = _ready(task, number, event)
                if state & POLLNVAL:
                    raise LinuxError(Errno.EBADF)
                if state & (event | ends):
                    ready |= 1 << number
        found += ready.bit_count()
        results.append((address, ready.to_bytes(size, "little")))
    for address, data in results:
        task.space.store(address, data)
    if not found:
        _wait(task, wait)
    return found
