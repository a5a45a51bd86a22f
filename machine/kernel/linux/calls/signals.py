"""Signals of a process to itself. Handlers are remembered but not run: a signal that has one is dropped and counted.

A signal that is blocked stays pending. One whose default action ends the process ends it with 128 + its number, as a
shell tells it. Timers are kept, but none ever goes off.
"""

from __future__ import annotations

import struct

from machine.kernel.linux.abi import Address, Int, Size, UInt, call
from machine.kernel.linux.errors import Errno, LinuxError
from machine.kernel.linux.task import NANOSECONDS, SignalAction, Task
from machine.kernel.outcomes import Exit, Result, Wait

SIGPIPE = 13
_SIGNALS = 64
_SIGKILL, _SIGSTOP, _SIGCONT = 9, 19, 18
_STOPS = (_SIGSTOP, 20, 21, 22)
_IGNORED = (17, _SIGCONT, 23, 28)  # CHLD, CONT, URG, WINCH
_HARMLESS = frozenset((*_IGNORED, *_STOPS))  # nobody would continue a process that is stopped
_SYNCHRONOUS = (4, 5, 7, 8, 11, 31)  # ILL, TRAP, BUS, FPE, SEGV, SYS
_SIG_DFL, _SIG_IGN = 0, 1
_SET_BYTES = 8
_SIG_BLOCK, _SIG_UNBLOCK, _SIG_SETMASK = 0, 1, 2
_UNBLOCKABLE = 1 << (_SIGKILL - 1) | 1 << (_SIGSTOP - 1)
_SS_ONSTACK, _SS_DISABLE, _SS_AUTODISARM = 1, 2, 1 << 31
_SMALLEST_STACK = 2048
_ACTION_FLAGS = 0xDC00_0807  # SA_*, without those that nobody knows
_SI_USER, _SI_TKILL = 0, -6
_SIGINFO_BYTES = 128
_LONGEST_WAIT = 1 << 33  # seconds
_ITIMER_REAL, _TIMERS = 0, 3


@call("rt_sigaction")
def rt_sigaction(task: Task, signal: Int, new: Address, old: Address, size: Size) -> int:
    """rt_sigaction(2)"""
    if size != _SET_BYTES:
        raise LinuxError(Errno.EINVAL)
    words = task.space.load_words(new, "4Q") if new else None
    if not 1 <= signal <= _SIGNALS or (words and signal in (_SIGKILL, _SIGSTOP)):
        raise LinuxError(Errno.EINVAL)
    present = task.actions.get(signal, SignalAction())
    if words:
        handler, flags, restorer, mask = words
        task.actions[signal] = SignalAction(handler, flags & _ACTION_FLAGS, restorer, mask & ~_UNBLOCKABLE)
        if handler == _SIG_IGN or (handler == _SIG_DFL and signal in _IGNORED):
            _forget(task, (signal,))
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
        _block(task, {_SIG_BLOCK: present | mask, _SIG_UNBLOCK: present & ~mask, _SIG_SETMASK: mask}[how])
    if old:
        task.space.store_words(old, "Q", present)
    return 0


def _block(task: Task, mask: int) -> bool:
    """Block these signals; pending ones that no longer are come now. Whether a handler should have run."""
    task.blocked, handled = mask & ~_UNBLOCKABLE, False
    for pending, signal in _in_order(task):
        if not _is_blocked(task, signal) and task.process.alive:
            pending.remove(signal)
            handled = _deliver(task, signal) or handled
    return handled


def _in_order(task: Task) -> list[tuple[set[int], int]]:
    """Pending signals as they are delivered, with the set that each is in: the thread's own first, then by number."""
    rows = [(pending, signal) for pending in (task.pending, task.threads.pending) for signal in pending]
    return sorted(rows, key=lambda row: (row[0] is not task.pending, row[1] not in _SYNCHRONOUS, row[1]))


def _forget(task: Task, signals: tuple[int, ...]) -> None:
    """Of all threads of the process."""
    for pending in (task.threads.pending, *(each.pending for each in task.threads.tasks.values())):
        pending.difference_update(signals)


def _is_blocked(task: Task, signal: int) -> bool:
    return bool(task.blocked >> (signal - 1) & 1)


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
        return [row for row in _in_order(task) if mask >> (row[1] - 1) & 1]

    for pending, signal in wanted():
        pending.remove(signal)
        if info:
            code = _SI_TKILL if pending is task.pending else _SI_USER
            words = struct.pack("<iiiiII", signal, 0, code, 0, task.process.pid, task.user)
            task.space.store(info, words.ljust(_SIGINFO_BYTES, b"\0"))
        return signal

    def then(late: bool) -> Result:
        if late:
            raise LinuxError(Errno.EAGAIN)
        return _take(task, mask, info, deadline)

    return Wait(lambda: bool(wanted()), deadline, then)


@call("sigaltstack")
def sigaltstack(task: Task, new: Address, old: Address) -> int:
    """sigaltstack(2)"""
    present = task.alternate_stack
    if new:
        pointer, flags, size = task.space.load_words(new, "QixxxxQ")
        mode = flags & ~_SS_AUTODISARM & 0xFFFF_FFFF
        if mode not in (0, _SS_ONSTACK, _SS_DISABLE):
            raise LinuxError(Errno.EINVAL)
        if mode != _SS_DISABLE and size < _SMALLEST_STACK:
            raise LinuxError(Errno.ENOMEM)
        task.alternate_stack = (0, flags, 0) if mode == _SS_DISABLE else (pointer, flags & ~_SS_ONSTACK, size)
    if old:
        task.space.store_words(old, "QiiQ", present[0], present[1], 0, present[2])
    return 0


@call("kill")
def kill(task: Task, process: Int, signal: Int) -> int:
    """kill(2), to the own process only."""
    if process not in (task.process.pid, 0, -task.process.pid, -1):
        raise LinuxError(Errno.ESRCH)
    if _is_raised(signal):
        _send(task, signal, None)
    return 0


@call("tkill")
def tkill(task: Task, thread: Int, signal: Int) -> int:
    """tkill(2), to threads of the own process only."""
    if thread <= 0:
        raise LinuxError(Errno.EINVAL)
    if thread not in task.threads.tasks:
        raise LinuxError(Errno.ESRCH)
    if _is_raised(signal):
        _send(task, signal, task.threads.tasks[thread])
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
    if not 0 <= signal <= _SIGNALS:
        raise LinuxError(Errno.EINVAL)
    return signal != 0


def send(task: Task, signal: int) -> None:
    """Raise a signal for the thread itself."""
    _send(task, signal, task)


def _send(task: Task, signal: int, target: Task | None) -> None:
    """Raise a signal for a thread, or for whichever does not block it: it stays pending where all do."""
    if signal in _STOPS:
        _forget(task, (_SIGCONT,))
    elif signal == _SIGCONT:
        _forget(task, _STOPS)
    takers = [each for each in task.threads.tasks.values() if target in (None, each) and not _is_blocked(each, signal)]
    if takers:
        _deliver(takers[0], signal)
    else:
        (task.threads if target is None else target).pending.add(signal)


def _deliver(task: Task, signal: int) -> bool:
    """Whether a handler should have run."""
    handler = task.actions.get(signal, SignalAction()).handler
    if handler == _SIG_DFL and signal not in _HARMLESS:
        task.process.exit(128 + signal)
    return handler not in (_SIG_DFL, _SIG_IGN)


@call("pause")
def pause(task: Task) -> Result:
    """pause(2): until a signal ends the process."""
    return Wait()


@call("rt_sigsuspend")
def rt_sigsuspend(task: Task, address: Address, size: Size) -> Result:
    """rt_sigsuspend(2): pending signals come under the other mask; without one that has a handler, as pause."""
    if size != _SET_BYTES:
        raise LinuxError(Errno.EINVAL)
    (mask,) = task.space.load_words(address, "Q")
    present = task.blocked
    if not _block(task, mask):
        return Wait()
    task.blocked = present
    raise LinuxError(Errno.EINTR)


@call("rt_sigreturn")
def rt_sigreturn(task: Task) -> Result:
    """rt_sigreturn(2): no handler is ever entered, so there is no frame to return from."""
    return Exit(128 + 11)


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
