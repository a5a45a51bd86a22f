"""Calls of INT 0x80 with times: timers, sleeps, waits for files and for signals, and the times of files."""

from __future__ import annotations

from machine.kernel.linux.abi import Address, Fd, Flags, Int, Path, Size, UInt, interrupt_call
from machine.kernel.linux.calls import paths, polling, scheduling, signals, timers
from machine.kernel.linux.calls.time import duration, sleep_by
from machine.kernel.linux.paths import AT_FDCWD
from machine.kernel.linux.signal_frame import SIGINFO_BYTES, SignalInfo
from machine.kernel.linux.task import Task
from machine.kernel.outcomes import Result

SHORT_TIME = "ii"  # struct old_timespec32, and old_timeval32
_TWO_TIMES = "4i"
WORD_BITS = 32  # of the words of a set of descriptors
_OLD_SIGNALS, _SIG_SETMASK = (1 << 32) - 1, 2


# --- timers


@interrupt_call("getitimer")
def getitimer(task: Task, which: Int, buffer: Address) -> int:
    """getitimer(2)"""
    return timers.show_interval_timer(task, which, buffer, _TWO_TIMES)


@interrupt_call("setitimer")
def setitimer(task: Task, which: Int, new: Address, old: Address) -> int:
    """setitimer(2)"""
    return timers.change_interval_timer(task, which, new, old, _TWO_TIMES)


@interrupt_call("timer_settime")
def timer_settime(task: Task, number: Int, flags: Flags, new: Address, old: Address) -> int:
    """timer_settime(2)"""
    return timers.set_timer(task, number, flags, new, old, _TWO_TIMES)


@interrupt_call("timer_gettime")
def timer_gettime(task: Task, number: Int, buffer: Address) -> int:
    """timer_gettime(2)"""
    return timers.show_timer(task, number, buffer, _TWO_TIMES)


@interrupt_call("timerfd_settime")
def timerfd_settime(task: Task, fd: Fd, flags: Flags, new: Address, old: Address) -> int:
    """timerfd_settime(2)"""
    return timers.set_timer_file(task, fd, flags, new, old, _TWO_TIMES)


@interrupt_call("timerfd_gettime")
def timerfd_gettime(task: Task, fd: Fd, buffer: Address) -> int:
    """timerfd_gettime(2)"""
    return timers.show_timer_file(task, fd, buffer, _TWO_TIMES)


# --- waits


@interrupt_call("clock_nanosleep")
def clock_nanosleep(task: Task, clock: Int, flags: Flags, wanted: Address, left: Address) -> Result:
    """clock_nanosleep(2)"""
    return sleep_by(task, clock, flags, wanted, left, SHORT_TIME)


@interrupt_call("ppoll")
def ppoll(task: Task, rows: Address, count: UInt, timeout: Address, mask: Address, mask_size: Size) -> Result:
    """ppoll(2)"""
    return polling.poll_under_mask(task, rows, count, timeout, mask, mask_size, SHORT_TIME)


@interrupt_call("pselect6")
def pselect6(
    task: Task, count: Int, reading: Address, writing: Address, failing: Address, timeout: Address, mask: Address
) -> Result:
    """pselect(2)"""
    return _select(task, count, (reading, writing, failing), timeout, mask, SHORT_TIME)


@interrupt_call("pselect6_time64")
def pselect6_time64(
    task: Task, count: Int, reading: Address, writing: Address, failing: Address, timeout: Address, mask: Address
) -> Result:
    """pselect(2) with a time of 64 bits."""
    return _select(task, count, (reading, writing, failing), timeout, mask, "qq")


def _select(task: Task, count: int, sets: tuple[int, int, int], timeout: int, mask: int, layout: str) -> Result:
    address, size = task.space.load_words(mask, "II") if mask else (0, 0)
    wait = duration(task, timeout, layout) if timeout else None
    return polling.select_under_mask(task, count, sets, wait, (address, size), WORD_BITS)


@interrupt_call("rt_sigtimedwait")
def rt_sigtimedwait(task: Task, wanted: Address, info: Address, timeout: Address, size: Size) -> Result:
    """rt_sigtimedwait(2)"""
    return signals.wait_for_signal(task, wanted, info, timeout, size, SHORT_TIME, _short_info)


@interrupt_call("rt_sigtimedwait_time64")
def rt_sigtimedwait_time64(task: Task, wanted: Address, info: Address, timeout: Address, size: Size) -> Result:
    """rt_sigtimedwait(2) with a time of 64 bits."""
    return signals.wait_for_signal(task, wanted, info, timeout, size, "qq", _short_info)


def _short_info(told: SignalInfo) -> bytes:
    """A struct compat_siginfo: an address, or three words."""
    data = told.data
    return (data[:12] + data[16 : 28 if told.address is None else 20]).ljust(SIGINFO_BYTES, b"\0")


@interrupt_call("sigpending")
def sigpending(task: Task, buffer: Address) -> int:
    """sigpending(2) of the first 32 signals."""
    task.space.store_words(buffer, "I", signals.pending_mask(task) & _OLD_SIGNALS)
    return 0


@interrupt_call("sigsuspend")
def sigsuspend(task: Task, _first: Int, _second: Int, mask: UInt) -> Result:
    """sigsuspend(2), likewise."""
    return signals.suspend_under(task, mask)


@interrupt_call("sgetmask")
def sgetmask(task: Task) -> int:
    """sgetmask(2)"""
    return task.blocked & _OLD_SIGNALS


@interrupt_call("ssetmask")
def ssetmask(task: Task, mask: UInt) -> int:
    """ssetmask(2)"""
    before = task.blocked & _OLD_SIGNALS
    signals.change_mask(task, _SIG_SETMASK, mask)
    return before


@interrupt_call("sched_rr_get_interval")
def sched_rr_get_interval(task: Task, process: Int, buffer: Address) -> int:
    """sched_rr_get_interval(2)"""
    return scheduling.show_interval(task, process, buffer, SHORT_TIME)


# --- the times of files


@interrupt_call("utime")
def utime(task: Task, path: Path, times: Address) -> int:
    """utime(2)"""
    return paths.set_times_in_seconds(task, path, times, SHORT_TIME)


@interrupt_call("utimes")
def utimes(task: Task, path: Path, times: Address) -> int:
    """utimes(2)"""
    return paths.set_times_in_microseconds(task, AT_FDCWD, path, times, _TWO_TIMES)


@interrupt_call("futimesat")
def futimesat(task: Task, dirfd: Fd, path: Path, times: Address) -> int:
    """futimesat(2)"""
    return paths.set_times_in_microseconds(task, dirfd, path, times, _TWO_TIMES)


@interrupt_call("utimensat")
def utimensat(task: Task, dirfd: Fd, path: Address, times: Address, flags: Flags) -> int:
    """utimensat(2)"""
    return paths.set_times(task, dirfd, path, times, flags, _TWO_TIMES)
