"""Signals of a process to itself. Handlers are remembered but not run: a signal that has one is dropped and counted.

A signal whose default action ends the process ends it with 128 + its number, as a shell tells it.
"""

from __future__ import annotations

from machine.kernel.linux.errors import Errno, LinuxError
from machine.kernel.linux.task import SignalAction, Task

_SIGNALS = 64
_SIGKILL, _SIGSTOP = 9, 19
_HARMLESS = frozenset((17, 18, 19, 20, 21, 22, 23, 28))  # CHLD, CONT, the stops (nobody would continue), URG, WINCH
_SIG_DFL, _SIG_IGN = 0, 1
_SET_BYTES = 8
_SIG_BLOCK, _SIG_UNBLOCK, _SIG_SETMASK = 0, 1, 2
_UNBLOCKABLE = 1 << (_SIGKILL - 1) | 1 << (_SIGSTOP - 1)
_SS_DISABLE = 2


def rt_sigaction(task: Task, signal: int, new: int, old: int, size: int) -> int:
    """rt_sigaction(2)"""
    if size != _SET_BYTES or not 1 <= signal <= _SIGNALS or (new and signal in (_SIGKILL, _SIGSTOP)):
        raise LinuxError(Errno.EINVAL)
    present = task.actions.get(signal, SignalAction())
    action = SignalAction(*task.space.load_words(new, "4Q")) if new else present
    if old:
        task.space.store_words(old, "4Q", present.handler, present.flags, present.restorer, present.mask)
    task.actions[signal] = action
    return 0


def rt_sigprocmask(task: Task, how: int, new: int, old: int, size: int) -> int:
    """rt_sigprocmask(2)"""
    if size != _SET_BYTES:
        raise LinuxError(Errno.EINVAL)
    present = task.blocked
    if new:
        (mask,) = task.space.load_words(new, "Q")
        if how not in (_SIG_BLOCK, _SIG_UNBLOCK, _SIG_SETMASK):
            raise LinuxError(Errno.EINVAL)
        blocked = {_SIG_BLOCK: present | mask, _SIG_UNBLOCK: present & ~mask, _SIG_SETMASK: mask}[how]
        task.blocked = blocked & ~_UNBLOCKABLE
    if old:
        task.space.store_words(old, "Q", present)
    return 0


def rt_sigpending(task: Task, buffer: int, size: int) -> int:
    """rt_sigpending(2): none."""
    task.space.store(buffer, bytes(_SET_BYTES))
    return 0


def sigaltstack(task: Task, new: int, old: int) -> int:
    """sigaltstack(2)"""
    present = task.alternate_stack
    if new:
        pointer, flags, size = task.space.load_words(new, "QixxxxQ")
        task.alternate_stack = (pointer, flags, size) if not flags & _SS_DISABLE else (0, _SS_DISABLE, 0)
    if old:
        task.space.store_words(old, "QiiQ", present[0], present[1], 0, present[2])
    return 0


def kill(task: Task, process: int, signal: int) -> int:
    """kill(2), to oneself only."""
    if process not in (task.process.pid, 0, -task.process.pid, -1):
        raise LinuxError(Errno.ESRCH)
    return _deliver(task, signal)


def tkill(task: Task, thread: int, signal: int) -> int:
    """tkill(2), to oneself only."""
    if thread != task.process.pid:
        raise LinuxError(Errno.ESRCH)
    return _deliver(task, signal)


def tgkill(task: Task, process: int, thread: int, signal: int) -> int:
    """tgkill(2), to oneself only."""
    if process != task.process.pid:
        raise LinuxError(Errno.ESRCH)
    return tkill(task, thread, signal)


def _deliver(task: Task, signal: int) -> int:
    if not 0 <= signal <= _SIGNALS:
        raise LinuxError(Errno.EINVAL)
    handler = task.actions.get(signal, SignalAction()).handler
    blocked = bool(signal and task.blocked >> (signal - 1) & 1)
    if signal and handler == _SIG_DFL and signal not in _HARMLESS and not blocked:
        task.process.exit(128 + signal)
    return 0


def pause(task: Task) -> int:
    """pause(2) and rt_sigsuspend(2): nobody would end the wait."""
    raise LinuxError(Errno.EINTR)


def rt_sigsuspend(task: Task, mask: int, size: int) -> int:
    """rt_sigsuspend(2)"""
    return pause(task)


def alarm(task: Task, seconds: int) -> int:
    """alarm(2): accepted; no alarm ever goes off."""
    return 0


def rt_sigreturn(task: Task) -> int:
    """rt_sigreturn(2): no handler is ever entered, so there is no frame to return from."""
    task.process.exit(128 + 11)
    return 0


def setitimer(task: Task, which: int, new: int, old: int) -> int:
    """setitimer(2): accepted; no timer ever goes off."""
    if not 0 <= which <= 2:
        raise LinuxError(Errno.EINVAL)
    if old:
        task.space.store(old, bytes(32))
    return 0
