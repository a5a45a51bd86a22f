"""Clocks and waiting: all time is virtual (machine.schedule.clock), so a sleep takes no time of the user's."""

from __future__ import annotations

from machine.kernel.linux.abi import Address, Flags, Int, Size, UInt, call
from machine.kernel.linux.errors import Errno, LinuxError
from machine.kernel.linux.space import check_user_range
from machine.kernel.linux.task import NANOSECONDS, Task
from machine.kernel.outcomes import Result, Wait
from machine.memory import PER_ITEM

_REALTIME_CLOCKS = (0, 5, 8, 11)  # REALTIME, REALTIME_COARSE, REALTIME_ALARM, TAI
_ELAPSED_CLOCKS = (1, 4, 6, 7, 9)  # MONOTONIC, the raw, coarse and boot-time ones
_OWN_CLOCKS = (2, 3)  # the time of the process; its threads are not told apart
_TIMER_ABSTIME = 1
_LONGEST_SLEEP = 1 << 33  # seconds: no virtual clock needs to go further in one step

POLLIN, POLLOUT, POLLERR, POLLHUP, POLLNVAL = 1, 4, 8, 0x10, 0x20
_POLL_READING, _POLL_WRITING = 0x41, 0x104  # with RDNORM and WRNORM
_NAMED = POLLIN | POLLOUT  # what `_ready` is asked for; the rest comes by itself
_WANTED = (POLLIN | POLLHUP | POLLERR, POLLOUT | POLLERR, 0)  # of the three sets of select
_SET_BYTES = 8
_WITHOUT_SLEEP = (3, 4, 5, 6)  # the thread's CPU time, MONOTONIC_RAW and the coarse ones


def _clock(task: Task, clock: int) -> int:
    if clock in _REALTIME_CLOCKS:
        return task.now
    if clock in _OWN_CLOCKS:
        return task.process.cpu_time
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
def nanosleep(task: Task, wanted: Address, left: Address) -> Result:
    """nanosleep(2)"""
    return _sleep(task, duration(task, wanted), left)


@call("clock_nanosleep")
def clock_nanosleep(task: Task, clock: Int, flags: Flags, wanted: Address, left: Address) -> Result:
    """clock_nanosleep(2)"""
    now = _clock(task, clock)
    if clock in _WITHOUT_SLEEP:
        raise LinuxError(Errno.EOPNOTSUPP)
    time = duration(task, wanted)
    if flags & _TIMER_ABSTIME:
        return _sleep(task, max(0, time - now), 0)
    return _sleep(task, time, left)


def _sleep(task: Task, time: int, left: int) -> Result:
    """With the address of what a signal leaves of the sleep, if that is wanted."""
    end = task.clock.elapsed() + time

    def interrupted() -> Result:
        if left:
            task.space.store_words(left, "qq", *divmod(max(0, end - task.clock.elapsed()), NANOSECONDS))
        raise LinuxError(Errno.EINTR)

    return Wait(deadline=end, then=lambda late: 0, interrupted=interrupted)


def duration(task: Task, address: int) -> int:
    """A struct timespec in nanoseconds. Raises EINVAL."""
    seconds, nanoseconds = task.space.load_words(address, "qq")
    if seconds < 0 or not 0 <= nanoseconds < NANOSECONDS:
        raise LinuxError(Errno.EINVAL)
    return min(seconds, _LONGEST_SLEEP) * NANOSECONDS + nanoseconds


# --- waiting for files


@call("poll")
def poll(task: Task, rows: Address, count: UInt, timeout: Int) -> Result:
    """poll(2)"""
    return _poll(task, rows, count, _deadline(task, None if timeout < 0 else timeout * 1_000_000))


@call("ppoll")
def ppoll(task: Task, rows: Address, count: UInt, timeout: Address, mask: Address, mask_size: Size) -> Result:
    """ppoll(2)"""
    wait = duration(task, timeout) if timeout else None
    if mask:
        _check_mask(task, mask, mask_size)
    return _poll(task, rows, count, _deadline(task, wait))


def _deadline(task: Task, wait: int | None) -> int | None:
    """In ticks; None to wait for ever."""
    return None if wait is None else task.clock.elapsed() + wait


def _is_past(task: Task, deadline: int | None) -> bool:
    return deadline is not None and deadline <= task.clock.elapsed()


def _check_mask(task: Task, address: int, size: int) -> None:
    """A signal set. Raises EINVAL and EFAULT."""
    if size != _SET_BYTES:
        raise LinuxError(Errno.EINVAL)
    task.space.load(address, size)


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
        reading, writing, gone = task.files.file(number).ready()
    except LinuxError:
        return POLLNVAL
    result = (_POLL_READING if reading else 0) | (_POLL_WRITING if writing else 0)
    result &= wanted
    if gone:
        result |= POLLHUP if task.files.file(number).readable else POLLERR
    return result


@call("select")
def select(task: Task, count: Int, reading: Address, writing: Address, failing: Address, timeout: Address) -> Result:
    """select(2)"""
    wait = None
    if timeout:
        seconds, microseconds = task.space.load_words(timeout, "qq")
        if seconds < 0 or microseconds < 0:
            raise LinuxError(Errno.EINVAL)
        wait = min(seconds, _LONGEST_SLEEP) * NANOSECONDS + microseconds * 1000
    return _select(task, count, (reading, writing, failing), _deadline(task, wait))


@call("pselect6")
def pselect6(
    task: Task, count: Int, reading: Address, writing: Address, failing: Address, timeout: Address, mask: Address
) -> Result:
    """pselect(2)"""
    wait = duration(task, timeout) if timeout else None
    if mask:
        address, size = task.space.load_words(mask, "QQ")
        if address:
            _check_mask(task, address, size)
    return _select(task, count, (reading, writing, failing), _deadline(task, wait))


def _select(task: Task, count: int, sets: tuple[int, int, int], deadline: int | None) -> Result:
    """Sets of descriptors are changed when the wait is over."""
    if count < 0:
        raise LinuxError(Errno.EINVAL)
    count = min(count, task.files.limit)
    size = -(-count // 64) * 8
    rows: list[tuple[int, int, int]] = []  # of a set and a descriptor in it: which set, the number, what is wanted
    for which, (address, wanted) in enumerate(zip(sets, _WANTED, strict=True)):
        if address:
            bits = int.from_bytes(task.space.load(address, size), "little")
            rows += [(which, number, wanted) for number in range(count) if bits >> number & 1]
    states = [_ready(task, number, wanted & _NAMED) for _, number, wanted in rows]
    if any(state & POLLNVAL for state in states):
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
        lambda: any(_ready(task, number, wanted & _NAMED) & (wanted | POLLNVAL) for _, number, wanted in rows),
        deadline,
        lambda late: end([]) if late else _select(task, count, sets, deadline),
    )
