"""Calls that make processes, and that wait for them: fork, vfork, clone without CLONE_THREAD, wait4, waitid."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import msgspec

from machine.kernel.base import behind_call
from machine.kernel.linux import family, tracing
from machine.kernel.linux.abi import Address, Int, call
from machine.kernel.linux.errors import Errno, LinuxError
from machine.kernel.linux.event_files import ProcessFile
from machine.kernel.linux.open_files import O_NONBLOCK
from machine.kernel.linux.signal_frame import SignalInfo
from machine.kernel.linux.structures import usage_row
from machine.kernel.linux.task import SIGCHLD, Task, ThreadGroup
from machine.kernel.outcomes import Result, Wait
from machine.schedule import TooManyProcesses
from vm.facts.registers import STORAGE_INDEX

_RAX, _RSP = STORAGE_INDEX["rax"], STORAGE_INDEX["rsp"]

CLONE_VM, CLONE_FS, CLONE_FILES, CLONE_SIGHAND, CLONE_PIDFD = 0x100, 0x200, 0x400, 0x800, 0x1000
CLONE_PTRACE, CLONE_VFORK, CLONE_PARENT, CLONE_THREAD = 0x2000, 0x4000, 0x8000, 0x1_0000
CLONE_SETTLS, CLONE_PARENT_SETTID, CLONE_CHILD_CLEARTID = 0x8_0000, 0x10_0000, 0x20_0000
CLONE_CHILD_SETTID, CLONE_CLEAR_SIGHAND = 0x100_0000, 1 << 32

_WNOHANG, _WUNTRACED, _WEXITED, _WCONTINUED, _WNOWAIT = 1, 2, 4, 8, 0x0100_0000
_WCLONE, _WALL, _WNOTHREAD = 0x8000_0000, 0x4000_0000, 0x2000_0000
_WAIT_OPTIONS = _WNOHANG | _WUNTRACED | _WCONTINUED | _WNOTHREAD | _WALL | _WCLONE
_WAITID_OPTIONS = _WAIT_OPTIONS | _WEXITED | _WNOWAIT
_WAITID_STATES = _WEXITED | _WUNTRACED | _WCONTINUED
_P_ALL, _P_PID, _P_PGID, _P_PIDFD = range(4)
_LOW = 0xFFFF_FFFF
_FIELDS_AT = 16


class Child(msgspec.Struct, frozen=True):
    """What clone and clone3 ask for. `stack` is 0 for that of the maker; `signal` is what its end raises."""

    flags: int
    stack: int
    parent_tid: int
    child_tid: int
    tls: int
    signal: int = SIGCHLD
    pidfd: int = 0  # where the descriptor of CLONE_PIDFD goes


@call("fork")
def fork(task: Task) -> Result:
    """fork(2)"""
    return make_process(task, Child(0, 0, 0, 0, 0))


@call("vfork")
def vfork(task: Task) -> Result:
    """vfork(2)"""
    return make_process(task, Child(CLONE_VM | CLONE_VFORK, 0, 0, 0, 0))


def make_process(task: Task, child: Child) -> Result:
    """A process that is a copy, but for what it shares by CLONE_*. Raises EAGAIN."""
    values = {_RAX: 0, _RSP: child.stack} if child.stack else {_RAX: 0}
    registers = behind_call(task.thread).with_values(values, child.tls if child.flags & CLONE_SETTLS else None)
    maker = task.process.maker
    try:
        if maker is None:
            raise TooManyProcesses
        process = maker.fork(task.process, registers, shares_memory=bool(child.flags & CLONE_VM))
    except TooManyProcesses:
        task.store.reached.add("max_processes")
        raise LinuxError(Errno.EAGAIN) from None
    born = task.child(process, child.flags, child.signal)
    if child.flags & CLONE_CLEAR_SIGHAND:
        born.threads.forget_handlers()
    if child.flags & CLONE_PARENT and task.threads.parent is not None:
        born.threads.parent, born.threads.exit_signal = task.threads.parent, task.threads.exit_signal
    family.enlist(born.threads)
    tracing.born(task, born, child.flags)
    if child.flags & CLONE_PIDFD:
        with suppress(LinuxError):
            fd = task.files.add(ProcessFile(born.threads), close_on_exec=True)
            task.space.store_words(child.pidfd, "i", fd)
    for flag, address, space in (
        (CLONE_PARENT_SETTID, child.parent_tid, task.space),
        (CLONE_CHILD_SETTID, child.child_tid, born.space),
    ):
        if child.flags & flag:
            with suppress(LinuxError):  # as on Linux
                space.store_words(address, "I", born.tid)
    if child.flags & CLONE_CHILD_CLEARTID:
        born.clear_tid = child.child_tid
    if not child.flags & CLONE_VFORK:
        return born.tid
    group = born.threads
    return Wait(lambda: group.has_ended or group.has_executed, then=lambda late: group.pid, heeds_signals=False)


# --- waiting


class _Found(msgspec.Struct, frozen=True):
    """A child that has something to tell."""

    child: ThreadGroup
    status: int
    traced: Task | None = None  # the thread of the child that has stopped for its tracer

    @property
    def id(self) -> int:
        """Of the process, or of the thread."""
        return self.child.pid if self.traced is None else self.traced.tid

    @property
    def info(self) -> SignalInfo:
        """What is told of it."""
        if self.traced is None or self.child.has_ended or self.status & 0xFF != tracing.STOPPED:
            return family.child_info(self.child, self.status)
        return tracing.child_info(self.traced, self.status >> 8)


_Wanted = Callable[[ThreadGroup, int], bool]  # of a process, and the id of it or of its thread that is traced


def _look(task: Task, wanted: _Wanted, options: int) -> _Found | None:
    """The first child with news of these kinds, the oldest first. Raises ECHILD where there is no such child."""
    children = [
        child
        for child in family.selected(task, lambda child: wanted(child, child.pid))
        if _is_waited_for(child, options)
    ]
    traced = [each for each in task.threads.tracees if wanted(each.threads, each.tid)]
    for each in traced:
        if each.trace is not None and each.trace.news is not None:
            return _Found(each.threads, each.trace.news, each)
    if not children and not traced:
        raise LinuxError(Errno.ECHILD)
    for child in children:
        if child.has_ended:
            if not tracing.is_hidden(child):
                return _Found(child, child.status)
        elif child.state_change is not None:
            kind = _WCONTINUED if child.state_change == family.CONTINUED else _WUNTRACED
            if options & kind:
                return _Found(child, child.state_change)
    return None


def _is_waited_for(child: ThreadGroup, options: int) -> bool:
    """Whether the options mean a child that raises this signal at its end, and can still have news of their kinds."""
    if child.has_ended and not options & _WEXITED:
        return False
    return bool(options & _WALL) or (child.exit_signal != SIGCHLD) == bool(options & _WCLONE)


def _has_news(task: Task, wanted: _Wanted, options: int) -> bool:
    try:
        return _look(task, wanted, options) is not None
    except LinuxError:
        return True


def _take(task: Task, found: _Found, options: int) -> None:
    """The news is known, unless it is to stay."""
    if options & _WNOWAIT:
        return
    if found.traced is not None:
        trace = found.traced.trace
        if trace is not None:
            trace.news = None
        if found.child.has_ended or (trace is not None and trace.is_over):
            task.threads.tracees.remove(found.traced)
            family.tell_late(found.child)
    elif found.child.has_ended:
        family.reap(found.child)
    else:
        found.child.state_change = None


@call("wait4")
def wait4(task: Task, process: Int, status: Address, options: Int, usage: Address) -> Result:
    """wait4(2)"""
    return wait_for_child(task, process, status, options, usage)


def wait_for_child(
    task: Task, process: int, status: int, options: int, usage: int, row_of: Callable[[int], bytes] = usage_row
) -> Result:
    """The same; `row_of` gives the struct rusage of so much user time."""
    options &= _LOW
    if options & ~_WAIT_OPTIONS:
        raise LinuxError(Errno.EINVAL)
    if process == -(1 << 31):
        raise LinuxError(Errno.ESRCH)
    own, all_options = task.threads.process_group, options | _WEXITED

    def wanted(child: ThreadGroup, number: int) -> bool:
        if process > 0:
            return number == process
        return process == -1 or child.process_group == (-process or own)

    found = _look(task, wanted, all_options)
    if found is None:
        return 0 if options & _WNOHANG else Wait(lambda: _has_news(task, wanted, all_options))
    _take(task, found, all_options)
    if status:
        task.space.store_words(status, "I", found.status)
    if usage:
        task.space.store(usage, row_of(found.child.time_used + found.child.children_time))
    return found.id


@call("waitid")
def waitid(task: Task, kind: Int, process: Int, info: Address, options: Int, usage: Address) -> Result:
    """waitid(2)"""
    return wait_for_id(task, kind, process, info, options, usage)


def wait_for_id(
    task: Task,
    kind: int,
    process: int,
    info: int,
    options: int,
    usage: int,
    row_of: Callable[[int], bytes] = usage_row,
    fields_at: int = _FIELDS_AT,
) -> Result:
    """The same; likewise, and `fields_at` is where the process stands in a struct siginfo."""
    options &= _LOW
    if options & ~_WAITID_OPTIONS or not options & _WAITID_STATES or not 0 <= kind <= _P_PIDFD:
        raise LinuxError(Errno.EINVAL)
    if kind and process < (kind == _P_PID):
        raise LinuxError(Errno.EINVAL)
    does_not_wait = False
    if kind == _P_PIDFD:
        file = task.files.reference(process)
        if not isinstance(file, ProcessFile):
            raise LinuxError(Errno.EBADF)
        kind, process = _P_PID, file.group.pid
        does_not_wait = bool(file.flags & O_NONBLOCK)
    own = task.threads.process_group

    def wanted(child: ThreadGroup, number: int) -> bool:
        if kind == _P_PID:
            return number == process
        return kind == _P_ALL or child.process_group == (process or own)

    found = _look(task, wanted, options)
    if found is None and not options & _WNOHANG:
        if does_not_wait:
            raise LinuxError(Errno.EAGAIN)
        return Wait(lambda: _has_news(task, wanted, options))
    if found is not None:
        _take(task, found, options)
    if usage and found is not None:
        task.space.store(usage, row_of(found.child.time_used + found.child.children_time))
    if info:
        told = bytes(_FIELDS_AT + 12) if found is None else found.info.data[: _FIELDS_AT + 12]
        task.space.store(info, told[:12].ljust(fields_at, b"\0") + told[_FIELDS_AT:])
    return 0
