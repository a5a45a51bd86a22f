"""Calls about signals."""

from __future__ import annotations

import struct
from collections.abc import Callable

from msgspec.structs import replace

from machine.kernel.base import user_values
from machine.kernel.linux import family, signals
from machine.kernel.linux.abi import Address, Int, Size, call
from machine.kernel.linux.calls.time import duration
from machine.kernel.linux.errors import Errno, LinuxError
from machine.kernel.linux.pending import Pending
from machine.kernel.linux.signal_frame import SIGINFO_BYTES, SignalInfo
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
from machine.kernel.linux.task import INIT_ID, SS_DISABLE, SignalAction, Task, ThreadGroup
from machine.kernel.outcomes import Enter, Exit, Result, Wait
from vm.facts.registers import RFLAGS, STORAGE_INDEX

_SET_BYTES = 8
_SIG_BLOCK, _SIG_UNBLOCK, _SIG_SETMASK = 0, 1, 2
_SMALLEST_STACK = 2048
_ACTION_FLAGS = 0xDC00_0807  # SA_*, without those that nobody knows
_RSP = STORAGE_INDEX["rsp"]
_RowOf = Callable[[SignalInfo], bytes]


def _row_of(told: SignalInfo) -> bytes:
    return told.data


@call("rt_sigaction")
def rt_sigaction(task: Task, signal: Int, new: Address, old: Address, size: Size) -> int:
    """rt_sigaction(2)"""
    if size != _SET_BYTES:
        raise LinuxError(Errno.EINVAL)
    words = task.space.load_words(new, "4Q") if new else None
    present = set_action(task, signal, None if words is None else SignalAction(*words))
    if old:
        task.space.store_words(old, "4Q", present.handler, present.flags, present.restorer, present.mask)
    return 0


def set_action(task: Task, signal: int, action: SignalAction | None) -> SignalAction:
    """Let this be done when a signal comes, if it is not None. What was to be done before. Raises EINVAL."""
    if not 1 <= signal <= SIGNALS or (action and signal in (SIGKILL, SIGSTOP)):
        raise LinuxError(Errno.EINVAL)
    present = task.threads.action(signal)
    if action is not None:
        task.actions[signal] = replace(action, flags=action.flags & _ACTION_FLAGS, mask=action.mask & ~UNBLOCKABLE)
        if action.handler == SIG_IGN or (action.handler == SIG_DFL and signal in IGNORED):
            signals.forget(task, (signal,))
    return present


@call("rt_sigprocmask")
def rt_sigprocmask(task: Task, how: Int, new: Address, old: Address, size: Size) -> int:
    """rt_sigprocmask(2)"""
    if size != _SET_BYTES:
        raise LinuxError(Errno.EINVAL)
    present = task.blocked
    if new:
        change_mask(task, how, *task.space.load_words(new, "Q"))
    if old:
        task.space.store_words(old, "Q", present)
    return 0


def change_mask(task: Task, how: int, mask: int, kept: int = 0) -> None:
    """Block, unblock or set these signals; those of `kept` stay blocked. Raises EINVAL."""
    present = task.blocked
    if how not in (_SIG_BLOCK, _SIG_UNBLOCK, _SIG_SETMASK):
        raise LinuxError(Errno.EINVAL)
    wanted = {_SIG_BLOCK: present | mask, _SIG_UNBLOCK: present & ~mask, _SIG_SETMASK: mask}[how]
    signals.block(task, wanted | kept)


@call("rt_sigpending")
def rt_sigpending(task: Task, buffer: Address, size: Size) -> int:
    """rt_sigpending(2)"""
    if size > _SET_BYTES:
        raise LinuxError(Errno.EINVAL)
    task.space.store(buffer, struct.pack("<Q", pending_mask(task))[:size])
    return 0


def pending_mask(task: Task) -> int:
    """The signals that wait for a thread."""
    return sum(1 << (signal - 1) for signal in {*task.pending, *task.threads.pending})


@call("rt_sigtimedwait")
def rt_sigtimedwait(task: Task, wanted: Address, info: Address, timeout: Address, size: Size) -> Result:
    """rt_sigtimedwait(2): a pending signal, now or when somebody raises it."""
    return wait_for_signal(task, wanted, info, timeout, size)


def wait_for_signal(
    task: Task, wanted: int, info: int, timeout: int, size: int, layout: str = "qq", row_of: _RowOf = _row_of
) -> Result:
    """The same; `layout` is that of the time, and `row_of` makes the struct siginfo."""
    if size != _SET_BYTES:
        raise LinuxError(Errno.EINVAL)
    (mask,) = task.space.load_words(wanted, "Q")
    deadline = None
    if timeout:
        deadline = task.clock.elapsed() + duration(task, timeout, layout)
    return _take(task, mask, info, deadline, row_of)


def _take(task: Task, mask: int, info: int, deadline: int | None, row_of: _RowOf) -> Result:
    def wanted() -> list[tuple[Pending, int]]:
        return [row for row in signals.in_order(task) if mask >> (row[1] - 1) & 1]

    for pending, signal in wanted():
        taken = pending.take(signal)
        if info:
            task.space.store(info, row_of(taken))
        return signal

    def then(late: bool) -> Result:
        if late:
            raise LinuxError(Errno.EAGAIN)
        return _take(task, mask, info, deadline, row_of)

    return Wait(lambda: bool(wanted()), deadline, then)


@call("sigaltstack")
def sigaltstack(task: Task, new: Address, old: Address) -> int:
    """sigaltstack(2)"""
    return change_alternate_stack(task, new, old)


def change_alternate_stack(task: Task, new: int, old: int, layout: str = "QixxxxQ") -> int:
    """The same; `layout` is that of a struct sigaltstack."""
    present, on_it = task.alternate_stack, signals.is_on(task, user_values(task.thread)[_RSP])
    if new:
        pointer, flags, size = task.space.load_words(new, layout)
        mode = flags & ~SS_AUTODISARM & 0xFFFF_FFFF
        if mode not in (0, SS_ONSTACK, SS_DISABLE):
            raise LinuxError(Errno.EINVAL)
        if on_it:
            raise LinuxError(Errno.EPERM)
        if mode != SS_DISABLE and size < _SMALLEST_STACK:
            raise LinuxError(Errno.ENOMEM)
        task.alternate_stack = (0, flags, 0) if mode == SS_DISABLE else (pointer, flags & ~SS_ONSTACK, size)
    if old:
        task.space.store_words(old, layout, present[0], present[1] | SS_ONSTACK * on_it, present[2])
    return 0


@call("kill")
def kill(task: Task, process: Int, signal: Int) -> int:
    """kill(2)"""
    targets = [_process(task, process)] if process > 0 else family.chosen_by(task, process)
    if not targets:
        raise LinuxError(Errno.ESRCH)
    for group in targets if _is_raised(signal) else ():
        signals.send_to_group(group, signals.from_user(task, signal))
    return 0


def _process(task: Task, process: int) -> ThreadGroup:
    """A process, which may have ended and not been waited for. Raises ESRCH, and EPERM for init."""
    if process == INIT_ID:
        raise LinuxError(Errno.EPERM)
    group = task.threads.table.get(process)
    if group is None:
        raise LinuxError(Errno.ESRCH)
    return group


@call("tkill")
def tkill(task: Task, thread: Int, signal: Int) -> int:
    """tkill(2)"""
    if thread <= 0:
        raise LinuxError(Errno.EINVAL)
    group = next((group for group in family.living(task.threads) if thread in group.tasks), None)
    return _raise_for(task, group, thread, signal)


def _raise_for(task: Task, group: ThreadGroup | None, thread: int, signal: int) -> int:
    if group is None or thread not in group.tasks:
        raise LinuxError(Errno.ESRCH)
    if _is_raised(signal):
        target = group.tasks[thread]
        signals.send_to(target, signals.from_user(task, signal, signals.SI_TKILL), target)
    return 0


@call("rt_sigqueueinfo")
def rt_sigqueueinfo(task: Task, process: Int, signal: Int, info: Address) -> int:
    """rt_sigqueueinfo(2): with a siginfo of the program's, which does not pretend to be the kernel's."""
    raw = _raw_info(task, info, signal)
    (code,) = struct.unpack_from("<i", raw, 8)
    if process != task.process.pid and (code >= 0 or code == signals.SI_TKILL):
        raise LinuxError(Errno.EPERM)
    group = _process(task, process) if process > 0 else None
    if group is None:
        raise LinuxError(Errno.ESRCH)
    if _is_raised(signal) and group.tasks:
        _queue(next(iter(group.tasks.values())), raw, signal, code, None)
    return 0


@call("rt_tgsigqueueinfo")
def rt_tgsigqueueinfo(task: Task, process: Int, thread: Int, signal: Int, info: Address) -> int:
    """rt_tgsigqueueinfo(2)"""
    if process <= 0 or thread <= 0:
        raise LinuxError(Errno.EINVAL)
    raw = _raw_info(task, info, signal)
    (code,) = struct.unpack_from("<i", raw, 8)
    if thread != task.tid and (code >= 0 or code == signals.SI_TKILL):
        raise LinuxError(Errno.EPERM)
    group = task.threads.table.get(process)
    if group is None or thread not in group.tasks:
        raise LinuxError(Errno.ESRCH)
    if _is_raised(signal):
        _queue(group.tasks[thread], raw, signal, code, group.tasks[thread])
    return 0


def _raw_info(task: Task, address: int, signal: int) -> bytes:
    return struct.pack("<i", signal) + task.space.load(address, SIGINFO_BYTES)[4:]


def _queue(taker: Task, raw: bytes, signal: int, code: int, target: Task | None) -> None:
    if not signals.send_to(taker, SignalInfo(signal, code, raw=raw), target):
        raise LinuxError(Errno.EAGAIN)


@call("tgkill")
def tgkill(task: Task, process: Int, thread: Int, signal: Int) -> int:
    """tgkill(2)"""
    if process <= 0 or thread <= 0:
        raise LinuxError(Errno.EINVAL)
    return _raise_for(task, task.threads.table.get(process), thread, signal)


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
    return suspend_under(task, *task.space.load_words(address, "Q"))


def suspend_under(task: Task, mask: int) -> Result:
    """The same."""
    task.saved_mask = task.blocked
    signals.block(task, mask)
    return Wait(then=_never_again)


@call("rt_sigreturn")
def rt_sigreturn(task: Task) -> Result:
    """rt_sigreturn(2): back to where the signal has come, with what the handler has made of the registers."""
    present = user_values(task.thread)
    registers = signals.leave(task, present[_RSP], present[RFLAGS])
    if registers is None:
        signals.die(task.threads, SIGSEGV)
        return Exit(128 + SIGSEGV)
    return Enter(registers)
