"""Calls that ask for another place or turn: each process has one CPU, and its threads take turns as they come."""

from __future__ import annotations

import struct

from machine.kernel.linux.abi import Address, Flags, Int, Size, UInt, call
from machine.kernel.linux.calls.processes import thread_of_id
from machine.kernel.linux.errors import Errno, LinuxError
from machine.kernel.linux.task import Task
from machine.memory import PAGE

_OTHER, _FIFO, _RR, _BATCH, _IDLE = 0, 1, 2, 3, 5
_RESET_ON_FORK = 1 << 30
_MASK_BYTES = 8
_PROCESS, _GROUP, _USER = 1, 2, 3  # IOPRIO_WHO_*
_CLASS_SHIFT, _DATA, _REAL_TIME, _BEST_EFFORT, _LAST_CLASS = 13, 0x1FFF, 1, 2, 3
_DEFAULT_LEVEL = 4

# MEMBARRIER_CMD_*: what has to be registered for one, and what registers.
_QUERY, _GLOBAL, _GLOBAL_EXPEDITED, _REGISTRATIONS = 0, 1, 2, 512
_NEEDED = {8: 16, 32: 64, 128: 256}
_RSEQ, _ON_ONE_CPU = 128, 1  # MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ, which may have MEMBARRIER_CMD_FLAG_CPU
_REGISTERING = {4, *_NEEDED.values()}
_COMMANDS = _GLOBAL | _GLOBAL_EXPEDITED | _REGISTRATIONS | sum(_NEEDED) | sum(_REGISTERING)


@call("sched_setaffinity")
def sched_setaffinity(task: Task, process: Int, size: Size, mask: Address) -> int:
    """sched_setaffinity(2): the only CPU has to be among them."""
    wanted = task.space.load(mask, min(size & 0xFFFF_FFFF, _MASK_BYTES))
    thread_of_id(task, process)
    if not wanted or not wanted[0] & 1:
        raise LinuxError(Errno.EINVAL)
    return 0


def _thread(task: Task, process: int) -> Task:
    """A thread by its id, 0 for the own one. Raises EINVAL and ESRCH."""
    if process < 0:
        raise LinuxError(Errno.EINVAL)
    found = [each for each in task.threads.everybody.values() if each.tid == process] if process else [task]
    if not found:
        raise LinuxError(Errno.ESRCH)
    return found[0]


def _set_policy(task: Task, process: int, policy: int, priority: int, own: bool = False) -> int:
    """It is kept, and nothing follows from it. Real-time policies are root's."""
    target = _thread(task, process)
    policy = target.policy if own else policy & ~_RESET_ON_FORK
    real_time = policy in (_FIFO, _RR)
    if policy not in (_OTHER, _FIFO, _RR, _BATCH, _IDLE) or not (1 <= priority <= 99 if real_time else priority == 0):
        raise LinuxError(Errno.EINVAL)
    if real_time and task.user:
        raise LinuxError(Errno.EPERM)
    target.policy, target.priority = policy, priority
    return 0


@call("sched_setscheduler")
def sched_setscheduler(task: Task, process: Int, policy: Int, parameter: Address) -> int:
    """sched_setscheduler(2)"""
    if process < 0 or not parameter or policy < 0:
        raise LinuxError(Errno.EINVAL)
    (priority,) = task.space.load_words(parameter, "i")
    return _set_policy(task, process, policy, priority)


@call("sched_setparam")
def sched_setparam(task: Task, process: Int, parameter: Address) -> int:
    """sched_setparam(2)"""
    if process < 0 or not parameter:
        raise LinuxError(Errno.EINVAL)
    (priority,) = task.space.load_words(parameter, "i")
    return _set_policy(task, process, 0, priority, own=True)


@call("sched_getscheduler")
def sched_getscheduler(task: Task, process: Int) -> int:
    """sched_getscheduler(2)"""
    return _thread(task, process).policy


@call("sched_getparam")
def sched_getparam(task: Task, process: Int, address: Address) -> int:
    """sched_getparam(2)"""
    if process < 0 or not address:
        raise LinuxError(Errno.EINVAL)
    task.space.store_words(address, "i", _thread(task, process).priority)
    return 0


_ATTRIBUTES = struct.Struct("<IIQiIQQQII")  # struct sched_attr
_SMALLEST_ATTRIBUTES = 48
_SLICE = 2_800_000  # nanoseconds, of a thread that is not real-time


@call("sched_getattr")
def sched_getattr(task: Task, process: Int, address: Address, size: UInt, flags: Flags) -> int:
    """sched_getattr(2)"""
    if not address or process < 0 or flags or not _SMALLEST_ATTRIBUTES <= size <= PAGE:
        raise LinuxError(Errno.EINVAL)
    target, told = _thread(task, process), min(size, _ATTRIBUTES.size)
    slice_ = 0 if target.priority or target.policy == _IDLE else _SLICE
    row = told, target.policy, 0, 0 if target.priority else target.threads.nice, target.priority, slice_, 0, 0, 0, 1024
    task.space.store(address, _ATTRIBUTES.pack(*row)[:told])
    return 0


@call("sched_setattr")
def sched_setattr(task: Task, process: Int, address: Address, flags: Flags) -> int:
    """sched_setattr(2): the policy, and the nice value of one that is not real-time."""
    if not address or process < 0 or flags:
        raise LinuxError(Errno.EINVAL)
    (size,) = task.space.load_words(address, "I")
    size = size or _SMALLEST_ATTRIBUTES
    if not _SMALLEST_ATTRIBUTES <= size <= PAGE:
        task.space.store_words(address, "I", _ATTRIBUTES.size)
        raise LinuxError(Errno.E2BIG)
    data = task.space.load(address, size)
    if any(data[_ATTRIBUTES.size :]):
        raise LinuxError(Errno.E2BIG)
    row = _ATTRIBUTES.unpack(data[: _ATTRIBUTES.size].ljust(_ATTRIBUTES.size, b"\0"))
    policy, nice, priority = row[1], max(-20, min(row[3], 19)), row[4]
    if policy >> 31:
        raise LinuxError(Errno.EINVAL)
    target = _thread(task, process)
    if policy in (_OTHER, _BATCH) and nice < target.threads.nice and task.user:
        raise LinuxError(Errno.EPERM)
    _set_policy(task, process, policy, priority)
    if policy in (_OTHER, _BATCH):
        target.threads.nice = nice
    return 0


@call("sched_rr_get_interval")
def sched_rr_get_interval(task: Task, process: Int, address: Address) -> int:
    """sched_rr_get_interval(2): no time is told."""
    return show_interval(task, process, address)


def show_interval(task: Task, process: int, address: int, layout: str = "qq") -> int:
    """The same; `layout` is that of the time."""
    if process < 0:
        raise LinuxError(Errno.EINVAL)
    thread_of_id(task, process)
    task.space.store_words(address, layout, 0, 0)
    return 0


@call("ioprio_get")
def ioprio_get(task: Task, which: Int, who: Int) -> int:
    """ioprio_get(2): of a process what was set, of others what follows from their nice values."""
    if which not in (_PROCESS, _GROUP, _USER):
        raise LinuxError(Errno.EINVAL)
    if which == _PROCESS:
        return thread_of_id(task, who).threads.io_priority
    return task.threads.io_priority or _BEST_EFFORT << _CLASS_SHIFT | _DEFAULT_LEVEL


@call("ioprio_set")
def ioprio_set(task: Task, which: Int, who: Int, priority: Int) -> int:
    """ioprio_set(2): it is kept, and nothing follows from it."""
    kind, data = priority >> _CLASS_SHIFT, priority & _DATA
    if kind == _REAL_TIME:
        raise LinuxError(Errno.EPERM)
    if not 0 <= kind <= _LAST_CLASS or (not kind and data) or which not in (_PROCESS, _GROUP, _USER):
        raise LinuxError(Errno.EINVAL)
    target = thread_of_id(task, who) if which == _PROCESS else task
    target.threads.io_priority = priority
    return 0


@call("membarrier")
def membarrier(task: Task, command: Int, flags: Flags, cpu: Int) -> int:
    """membarrier(2): threads take turns, so that each sees what those before it have done."""
    if flags and (command != _RSEQ or flags != _ON_ONE_CPU):
        raise LinuxError(Errno.EINVAL)
    if command == _QUERY:
        return _COMMANDS
    if command == _REGISTRATIONS:
        return task.threads.barriers
    if command in _REGISTERING:
        task.threads.barriers |= command
    elif command in _NEEDED:
        if not task.threads.barriers & _NEEDED[command]:
            raise LinuxError(Errno.EPERM)
    elif command not in (_GLOBAL, _GLOBAL_EXPEDITED):
        raise LinuxError(Errno.EINVAL)
    return 0
