"""Timers: alarm, setitimer, timer_create and timerfd. They go off in virtual time, also while nobody makes calls."""

from __future__ import annotations

import struct

from machine.kernel.linux import open_files as of, timers
from machine.kernel.linux.abi import Address, Fd, Flags, Int, UInt, call
from machine.kernel.linux.errors import Errno, LinuxError
from machine.kernel.linux.signals import SIGALRM, SIGNALS
from machine.kernel.linux.task import NANOSECONDS, Task
from machine.kernel.linux.timers import ITIMER_REAL, ClockTimer, PosixTimer, TimerFile

_TIMERS = 3
_TIMER_ABSTIME = 1
_REALTIME, _CLOCKS = (0, 8, 11), (0, 1, 2, 3, 7, 8, 9, 11)  # with alarms
_FILE_CLOCKS = (0, 1, 7, 8, 9)
_SIGEV_SIGNAL, _SIGEV_NONE, _SIGEV_THREAD, _SIGEV_THREAD_ID = 0, 1, 2, 4
_MOST_TIMERS = 1024  # of a process
_LONGEST = 1 << 33  # seconds


@call("alarm")
def alarm(task: Task, seconds: UInt) -> int:
    """alarm(2): the seconds that were left of the alarm before, rounded as Linux does."""
    left, _ = timers.interval_timer(task, ITIMER_REAL)
    timers.set_interval_timer(task, ITIMER_REAL, seconds * NANOSECONDS, 0)
    whole, rest = divmod(left // 1000, 1_000_000)
    return whole + (rest >= 500_000 or (rest > 0 and not whole))


@call("getitimer")
def getitimer(task: Task, which: Int, buffer: Address) -> int:
    """getitimer(2)"""
    return show_interval_timer(task, which, buffer)


def show_interval_timer(task: Task, which: int, buffer: int, layout: str = "4q") -> int:
    """The same; `layout` is that of a struct itimerval."""
    if not 0 <= which < _TIMERS:
        raise LinuxError(Errno.EINVAL)
    task.space.store_words(buffer, layout, *_timer_row(task, which))
    return 0


@call("setitimer")
def setitimer(task: Task, which: Int, new: Address, old: Address) -> int:
    """setitimer(2)"""
    return change_interval_timer(task, which, new, old)


def change_interval_timer(task: Task, which: int, new: int, old: int, layout: str = "4q") -> int:
    """The same, likewise."""
    words = task.space.load_words(new, layout) if new else (0, 0, 0, 0)
    if any(seconds < 0 or not 0 <= micro < 1_000_000 for seconds, micro in (words[:2], words[2:])):
        raise LinuxError(Errno.EINVAL)
    if not 0 <= which < _TIMERS:
        raise LinuxError(Errno.EINVAL)
    row = _timer_row(task, which)
    interval, value = (min(seconds, _LONGEST) * NANOSECONDS + micro * 1000 for seconds, micro in (words[:2], words[2:]))
    timers.set_interval_timer(task, which, value, interval)
    if old:
        task.space.store_words(old, layout, *row)
    return 0


def _timer_row(task: Task, which: int) -> tuple[int, ...]:
    """The words of a struct itimerval."""
    left, interval = timers.interval_timer(task, which)
    return *divmod(interval // 1000, 1_000_000), *divmod(-(-left // 1000), 1_000_000)


# --- timer_create


@call("timer_create")
def timer_create(task: Task, clock: Int, event: Address, number: Address) -> int:
    """timer_create(2); timers of a process's own time are on the clock, too."""
    if clock not in _CLOCKS:
        raise LinuxError(Errno.EINVAL)
    value, signal, notify, thread_id = b"", SIGALRM, _SIGEV_SIGNAL, 0
    if event:
        raw = task.space.load(event, 64)
        value, (signal, notify, thread_id) = raw[:8], struct.unpack_from("<iii", raw, 8)
    thread = task.threads.tasks.get(thread_id) if notify == _SIGEV_SIGNAL | _SIGEV_THREAD_ID else None
    if notify == _SIGEV_SIGNAL | _SIGEV_THREAD_ID and thread is None:
        raise LinuxError(Errno.EINVAL)
    known = (_SIGEV_SIGNAL, _SIGEV_NONE, _SIGEV_THREAD, _SIGEV_THREAD_ID)
    if notify not in known or (notify != _SIGEV_NONE and not 1 <= signal <= SIGNALS):
        raise LinuxError(Errno.EINVAL)
    mine = task.threads.posix_timers
    if len(mine) >= _MOST_TIMERS:
        raise LinuxError(Errno.EAGAIN)
    chosen = next(each for each in range(_MOST_TIMERS) if each not in mine)
    inner = ClockTimer(task.clock, task.store.work, lambda times: timer.expired(times))
    raised = 0 if notify == _SIGEV_NONE else signal
    told = value or struct.pack("<q", chosen)
    timer = PosixTimer(chosen, task.threads, clock in _REALTIME, raised, told, thread, inner)
    task.space.store_words(number, "i", chosen)
    mine[chosen] = timer
    return 0


def _timer(task: Task, number: int) -> PosixTimer:
    timer = task.threads.posix_timers.get(number)
    if timer is None:
        raise LinuxError(Errno.EINVAL)
    return timer


@call("timer_settime")
def timer_settime(task: Task, number: Int, flags: Flags, new: Address, old: Address) -> int:
    """timer_settime(2)"""
    return set_timer(task, number, flags, new, old)


def set_timer(task: Task, number: int, flags: int, new: int, old: int, layout: str = "4q") -> int:
    """The same; `layout` is that of a struct itimerspec."""
    if not new:
        raise LinuxError(Errno.EINVAL)
    interval, value = _times(task, new, layout)
    timer = _timer(task, number)
    row = _spec(timer.timer)
    timer.begin()
    timer.timer.set(_end(task, value, flags & _TIMER_ABSTIME, timer.is_absolute_realtime), interval)
    if old:
        task.space.store_words(old, layout, *row)
    return 0


@call("timer_gettime")
def timer_gettime(task: Task, number: Int, buffer: Address) -> int:
    """timer_gettime(2)"""
    return show_timer(task, number, buffer)


def show_timer(task: Task, number: int, buffer: int, layout: str = "4q") -> int:
    """The same, likewise."""
    task.space.store_words(buffer, layout, *_spec(_timer(task, number).timer))
    return 0


@call("timer_getoverrun")
def timer_getoverrun(task: Task, number: Int) -> int:
    """timer_getoverrun(2)"""
    return _timer(task, number).look()


@call("timer_delete")
def timer_delete(task: Task, number: Int) -> int:
    """timer_delete(2)"""
    timer = _timer(task, number)
    timer.timer.cancel()
    timer.begin()
    del task.threads.posix_timers[number]
    return 0


# --- timerfd


@call("timerfd_create")
def timerfd_create(task: Task, clock: Int, flags: Flags) -> int:
    """timerfd_create(2)"""
    if flags & ~(of.O_CLOEXEC | of.O_NONBLOCK) or clock not in _FILE_CLOCKS:
        raise LinuxError(Errno.EINVAL)
    file = TimerFile(flags & of.O_NONBLOCK, task.clock, task.store.work, is_realtime=clock in _REALTIME)
    return task.files.add(file, bool(flags & of.O_CLOEXEC))


def _file(task: Task, fd: int) -> TimerFile:
    file = task.files.file(fd)
    if not isinstance(file, TimerFile):
        raise LinuxError(Errno.EINVAL)
    return file


@call("timerfd_settime")
def timerfd_settime(task: Task, fd: Fd, flags: Flags, new: Address, old: Address) -> int:
    """timerfd_settime(2); the clock is never set, so nobody is told that it was."""
    return set_timer_file(task, fd, flags, new, old)


def set_timer_file(task: Task, fd: int, flags: int, new: int, old: int, layout: str = "4q") -> int:
    """The same, likewise."""
    interval, value = _times(task, new, layout)
    if flags & ~3:
        raise LinuxError(Errno.EINVAL)
    file = _file(task, fd)
    row = _spec(file.timer)
    file.set(_end(task, value, flags & _TIMER_ABSTIME, file.is_realtime), interval)
    if old:
        task.space.store_words(old, layout, *row)
    return 0


@call("timerfd_gettime")
def timerfd_gettime(task: Task, fd: Fd, buffer: Address) -> int:
    """timerfd_gettime(2)"""
    return show_timer_file(task, fd, buffer)


def show_timer_file(task: Task, fd: int, buffer: int, layout: str = "4q") -> int:
    """The same, likewise."""
    task.space.store_words(buffer, layout, *_spec(_file(task, fd).timer))
    return 0


def _times(task: Task, address: int, layout: str) -> tuple[int, int]:
    """The interval and the value of a struct itimerspec, in nanoseconds. Raises EINVAL."""
    words = task.space.load_words(address, layout)
    if any(seconds < 0 or not 0 <= nano < NANOSECONDS for seconds, nano in (words[:2], words[2:])):
        raise LinuxError(Errno.EINVAL)
    return (
        min(words[0], _LONGEST) * NANOSECONDS + words[1],
        min(words[2], _LONGEST) * NANOSECONDS + words[3],
    )


def _end(task: Task, value: int, is_absolute: int, is_realtime: bool) -> int:
    """In ticks; 0 for none."""
    now = task.clock.elapsed()
    if not value:
        return 0
    if not is_absolute:
        return now + value
    return max(1, value - task.now + now if is_realtime else value)


def _spec(timer: ClockTimer) -> tuple[int, ...]:
    """The words of a struct itimerspec."""
    return *divmod(timer.interval, NANOSECONDS), *divmod(timer.left, NANOSECONDS)
