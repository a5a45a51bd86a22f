"""Clocks and waiting: all time is virtual (machine.schedule.clock), so a sleep takes no time of the user's."""

from __future__ import annotations

from machine.kernel.linux.abi import Address, Flags, Int, call
from machine.kernel.linux.errors import Errno, LinuxError, Refused
from machine.kernel.linux.quick import ELAPSED_CLOCKS, REALTIME_CLOCKS
from machine.kernel.linux.task import NANOSECONDS, Task
from machine.kernel.outcomes import Result, Wait

_OWN_CLOCKS = (2, 3)  # the time of the process; its threads are not told apart
_TIMER_ABSTIME = 1
LONGEST_SLEEP = 1 << 33  # seconds: no virtual clock needs to go further in one step
_KIND_OF_CLOCK, _NO_CLOCK, _OF_A_THREAD = (
    3,
    0,
    4,
)  # of a clock of a process by its number, the complement of its id and the kind
_WITHOUT_SLEEP = (3, 4, 5, 6)  # the thread's CPU time, MONOTONIC_RAW and the coarse ones


def time_of(task: Task, clock: int) -> int:
    if clock in REALTIME_CLOCKS:
        return task.now
    if clock in _OWN_CLOCKS:
        return task.process.cpu_time
    if clock in ELAPSED_CLOCKS:
        return task.clock.elapsed()
    if clock < 0 and clock & _KIND_OF_CLOCK != _KIND_OF_CLOCK:
        return _time_of_another(task, ~(clock >> 3), is_thread=bool(clock & _OF_A_THREAD))
    raise LinuxError(Errno.EINVAL)


def _time_of_another(task: Task, number: int, *, is_thread: bool) -> int:
    """The time of a process that is there, or of a thread of the own one; 0 is the own."""
    own = task.threads
    if not number or (is_thread and number in own.tasks):
        return own.time_used
    if is_thread or number not in own.table:
        raise LinuxError(Errno.EINVAL)
    return own.table[number].time_used


@call("clock_gettime")
def clock_gettime(task: Task, clock: Int, buffer: Address) -> int:
    """clock_gettime(2)"""
    task.space.store_words(buffer, "qq", *divmod(time_of(task, clock), NANOSECONDS))
    return 0


@call("clock_getres")
def clock_getres(task: Task, clock: Int, buffer: Address) -> int:
    """clock_getres(2): one nanosecond."""
    time_of(task, clock)
    if buffer:
        task.space.store_words(buffer, "qq", 0, 1)
    return 0


@call("clock_settime")
def clock_settime(task: Task, clock: Int, wanted: Address) -> int:
    """clock_settime(2): refused of the clocks that root may set, the real-time one and those of processes."""
    if clock != 0 and (clock > 0 or ~clock & _KIND_OF_CLOCK == _NO_CLOCK):
        raise LinuxError(Errno.EINVAL)
    duration(task, wanted)
    raise Refused(Errno.EPERM)


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
    return sleep(task, duration(task, wanted), left)


@call("clock_nanosleep")
def clock_nanosleep(task: Task, clock: Int, flags: Flags, wanted: Address, left: Address) -> Result:
    """clock_nanosleep(2)"""
    return sleep_by(task, clock, flags, wanted, left)


def sleep_by(task: Task, clock: int, flags: int, wanted: int, left: int, layout: str = "qq") -> Result:
    """The same; `layout` is that of the times."""
    now = time_of(task, clock)
    if clock in _WITHOUT_SLEEP:
        raise LinuxError(Errno.EOPNOTSUPP)
    time = duration(task, wanted, layout)
    if flags & _TIMER_ABSTIME:
        return sleep(task, max(0, time - now), 0)
    return sleep(task, time, left, layout)


def sleep(task: Task, time: int, left: int, layout: str = "qq") -> Result:
    """With the address of what a signal leaves of the sleep, if that is wanted."""
    end = task.clock.elapsed() + time

    def interrupted() -> Result:
        if left:
            task.space.store_words(left, layout, *divmod(max(0, end - task.clock.elapsed()), NANOSECONDS))
        raise LinuxError(Errno.EINTR)

    return Wait(deadline=end, then=lambda late: 0, interrupted=interrupted)


def duration(task: Task, address: int, layout: str = "qq") -> int:
    """A struct timespec in nanoseconds. Raises EINVAL."""
    seconds, nanoseconds = task.space.load_words(address, layout)
    if seconds < 0 or not 0 <= nanoseconds < NANOSECONDS:
        raise LinuxError(Errno.EINVAL)
    return min(seconds, LONGEST_SLEEP) * NANOSECONDS + nanoseconds
