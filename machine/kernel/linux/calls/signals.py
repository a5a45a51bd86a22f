"""Calls about signals of a process to itself, and timers, which are kept, but none ever goes off."""

from __future__ import annotations

import struct

from machine.kernel.base import user_values
from machine.kernel.linux import signals
from machine.kernel.linux.abi import Address, Int, Size, UInt, call
from machine.kernel.linux.errors import Errno, LinuxError
from machine.kernel.linux.signals import (
    IGNORED,
    SIG_DFL,
    SIG_IGN,
    SIGKILL,
    SIGNALS,
    SIGSEGV,
    SIGSTOP,
    SS_AUTODISARM,
    SS_ONSTACK,
    UNBLOCKABLE,
)
from machine.kernel.linux.task import NANOSECONDS, SS_DISABLE, SignalAction, Task
from machine.kernel.outcomes import Enter, Exit, Result, Wait
from vm.facts.registers import RFLAGS, STORAGE_INDEX

_SET_BYTES = 8
_SIG_BLOCK, _SIG_UNBLOCK, _SIG_SETMASK = 0, 1, 2
_SMALLEST_STACK = 2048
_ACTION_FLAGS = 0xDC00_0807  # SA_*, without those that nobody knows
_LONGEST_WAIT = 1 << 33  # seconds
_ITIMER_REAL, _TIMERS = 0, 3
_RSP = STORAGE_INDEX["rsp"]


@call("rt_sigaction")
def rt_sigaction(task: Task, signal: Int, new: Address, old: Address, size: Size) -> int:
    """rt_sigaction(2)"""
    if size != _SET_BYTES:
        raise LinuxError(Errno.EINVAL)
    words = task.space.load_words(new, "4Q") if new else None
    if not 1 <= signal <= SIGNALS or (words and signal in (SIGKILL, SIGSTOP)):
        raise LinuxError(Errno.EINVAL)
    present = task.actions.get(signal, SignalAction())
    if words:
        handler, flags, restorer, mask = words
        task.actions[signal] = SignalAction(handler, flags & _ACTION_FLAGS, restorer, mask & ~UNBLOCKABLE)
        if handler == SIG_IGN or (handler == SIG_DFL and signal in IGNORED):
            signals.forget(task, (signal,))
    if old:
        task.space.store_words(old, "4Q", present.handler, present.flags, present.restorer, present.mask)
    return 0


@call("rt_sigprocmask")
def rt_sigprocmask(task: Task, how: Int, new: Address, old: Address, size: Size) -> int:
    """rt_sigprocmask(2)"""
    if size != _SET_BYTES:
        raise LinuxError(Errno.EINVAL)
    present = task.blocked
    if new:
        (mask,) = task.space.load_words(new, "Q")
        if how not in (_SIG_BLOCK, _SIG_UNBLOCK, _SIG_SETMASK):
            raise LinuxError(Errno.EINVAL)
        signals.block(task, {_SIG_BLOCK: present | mask, _SIG_UNBLOCK: present & ~mask, _SIG_SETMASK: mask}[how])
    if old:
        task.space.store_words(old, "Q", present)
    return 0


@call("rt_sigpending")
def rt_sigpending(task: Task, buffer: Address, size: Size) -> int:
    """rt_sigpending(2)"""
    if size > _SET_BYTES:
        raise LinuxError(Errno.EINVAL)
    mask = sum(1 << (signal - 1) for signal in task.pending | task.threads.pending)
    task.space.store(buffer, struct.pack("<Q", mask)[:size])
    return 0


@call("rt_sigtimedwait")
def rt_sigtimedwait(task: Task, wanted: Address, info: Address, timeout: Address, size: Size) -> Result:
    """rt_sigtimedwait(2): a pending signal, now or when somebody raises it."""
    if size != _SET_BYTES:
        raise LinuxError(Errno.EINVAL)
    (mask,) = task.space.load_words(wanted, "Q")
    deadline = None
    if timeout:
        seconds, nanoseconds = task.space.load_words(timeout, "qq")
        if seconds < 0 or not 0 <= nanoseconds < NANOSECONDS:
            raise LinuxError(Errno.EINVAL)
        deadline = task.clock.elapsed() + min(seconds, _LONGEST_WAIT) * NANOSECONDS + nanoseconds
    return _take(task, mask, info, deadline)


def _take(task: Task, mask: int, info: int, deadline: int | None) -> Result:
    def wanted() -> list[tuple[set[int], int]]:
        return [row for row in signals.in_order(task) if mask >> (row[1] - 1) & 1]

    for pending, signal in wanted():
        pending.remove(signal)
        if info:
            task.space.store(info, signals.info_of(task, pending, signal).data)
        return signal

    def then(late: bool) -> Result:
        if late:
            raise LinuxError(Errno.EAGAIN)
        return _take(task, mask, info, deadline)

    return Wait(lambda: bool(wanted()), deadline, then)


@call("sigaltstack")
def sigaltstack(task: Task, new: Address, old: Address) -> int:
    """sigaltstack(2)"""
    present, on_it = task.alternate_stack, signals.is_on(task, user_values(task.thread)[_RSP])
    if new:
        pointer, flags, size = task.space.load_words(new, "QixxxxQ")
        mode = flags & ~SS_AUTODISARM & 0xFFFF_FFFF
        if mode not in (0, SS_ONSTACK, SS_DISABLE):
            raise LinuxError(Errno.EINVAL)
        if on_it:
            raise LinuxError(Errno.EPERM)
        if mode != SS_DISABLE and size < _SMALLEST_STACK:
            raise LinuxError(Errno.ENOMEM)
        task.alternate_stack = (0, flags, 0) if mode == SS_DISABLE else (pointer, flags & ~SS_ONSTACK, size)
    if old:
        task.space.store_words(old, "QIiQ", present[0], present[1] | SS_ONSTACK * on_it, 0, present[2])
    return 0


@call("kill")
def kill(task: Task, process: Int, signal: Int) -> int:
    """kill(2), to the own process only."""
    if process not in (task.process.pid, 0, -task.process.pid, -1):
        raise LinuxError(Errno.ESRCH)
    if _is_raised(signal):
        signals.send_to(task, signal, None)
    return 0


@call("tkill")
def tkill(task: Task, thread: Int, signal: Int) -> int:
    """tkill(2), to threads of the own process only."""
    if thread <= 0:
        raise LinuxError(Errno.EINVAL)
    if thread not in task.threads.tasks:
        raise LinuxError(Errno.ESRCH)
    if _is_raised(signal):
        signals.send_to(task, signal, task.threads.tasks[thread])
    return 0


@call("tgkill")
def tgkill(task: Task, process: Int, thread: Int, signal: Int) -> int:
    """tgkill(2), to threads of the own process only."""
    if process <= 0 or thread <= 0:
        raise LinuxError(Errno.EINVAL)
    if process != task.process.pid:
        raise LinuxError(Errno.ESRCH)
    return tkill(task, thread, signal)


def _is_raised(signal: int) -> bool:
    """False for 0, which only asks. Raises EINVAL."""
    if not 0 <= signal <= SIGNALS:
        raise LinuxError(Errno.EINVAL)
    return signal != 0


def _never_again(late: bool) -> Result:
    raise LinuxError(Errno.EINTR)


@call("pause")
def pause(task: Task) -> Result:
    """pause(2): until a signal has come."""
    return Wait(then=_never_again)


@call("rt_sigsuspend")
def rt_sigsuspend(task: Task, address: Address, size: Size) -> Result:
    """rt_sigsuspend(2): until a signal has come that the other mask lets through; the mask comes back behind it."""
    if size != _SET_BYTES:
        raise LinuxError(Errno.EINVAL)
    (mask,) = task.space.load_words(address, "Q")
    task.saved_mask = task.blocked
    signals.block(task, mask)
    return Wait(then=_never_again)


@call("rt_sigreturn")
def rt_sigreturn(task: Task) -> Result:
    """rt_sigreturn(2): back to where the signal has come, with what the handler has made of the registers."""
    present = user_values(task.thread)
    registers = signals.leave(task, present[_RSP], present[RFLAGS])
    return Exit(128 + SIGSEGV) if registers is None else Enter(registers)


# --- timers


@call("alarm")
def alarm(task: Task, seconds: UInt) -> int:
    """alarm(2): the seconds that were left of the alarm before, rounded as Linux does."""
    left, _ = _timer(task, _ITIMER_REAL)
    _set_timer(task, _ITIMER_REAL, seconds * NANOSECONDS, 0)
    whole, rest = divmod(left // 1000, 1_000_000)
    return whole + (rest >= 500_000 or (rest > 0 and not whole))


@call("getitimer")
def getitimer(task: Task, which: Int, buffer: Address) -> int:
    """getitimer(2)"""
    if not 0 <= which < _TIMERS:
        raise LinuxError(Errno.EINVAL)
    task.space.store(buffer, _timer_row(task, which))
    return 0


@call("setitimer")
def setitimer(task: Task, which: Int, new: Address, old: Address) -> int:
    """setitimer(2)"""
    words = task.space.load_words(new, "4q") if new else (0, 0, 0, 0)
    if any(seconds < 0 or not 0 <= micro < 1_000_000 for seconds, micro in (words[:2], words[2:])):
        raise LinuxError(Errno.EINVAL)
    if not 0 <= which < _TIMERS:
        raise LinuxError(Errno.EINVAL)
    row = _timer_row(task, which)
    interval, value = (seconds * NANOSECONDS + micro * 1000 for seconds, micro in (words[:2], words[2:]))
    _set_timer(task, which, value, interval)
    if old:
        task.space.store(old, row)
    return 0


def _timer(task: Task, which: int) -> tuple[int, int]:
    """The nanoseconds that are left of a timer, and its interval."""
    end, interval = task.threads.timers.get(which, (0, 0))
    return max(0, end - task.clock.elapsed()), interval


def _set_timer(task: Task, which: int, value: int, interval: int) -> None:
    task.threads.timers[which] = (task.clock.elapsed() + value if value else 0, interval)


def _timer_row(task: Task, which: int) -> bytes:
    """A struct itimerval."""
    left, interval = _timer(task, which)
    return struct.pack("<4q", *divmod(interval // 1000, 1_000_000), *divmod(-(-left // 1000), 1_000_000))
