"""Calls that ask for another place or turn: each process has one CPU, and its threads take turns as they come."""

from __future__ import annotations

from machine.kernel.linux.abi import Address, Flags, Int, Size, call
from machine.kernel.linux.errors import Errno, LinuxError, Refused
from machine.kernel.linux.task import Task

_OTHER, _FIFO, _RR, _BATCH, _IDLE = 0, 1, 2, 3, 5
_MASK_BYTES = 8
_PROCESS, _GROUP, _USER = 1, 2, 3  # IOPRIO_WHO_*
_CLASS_SHIFT, _DATA, _REAL_TIME, _BEST_EFFORT, _LAST_CLASS = 13, 0x1FFF, 1, 2, 3
_DEFAULT_LEVEL = 4

# MEMBARRIER_CMD_*: what has to be registered for one, and what registers.
_QUERY, _GLOBAL, _GLOBAL_EXPEDITED, _REGISTRATIONS = 0, 1, 2, 512
_NEEDED = {8: 16, 32: 64}
_REGISTERING = {4, *_NEEDED.values()}
_COMMANDS = _GLOBAL | _GLOBAL_EXPEDITED | _REGISTRATIONS | sum(_NEEDED) | sum(_REGISTERING)


def _check_there(task: Task, process: int) -> None:
    """Raises ESRCH for another thread than one of the process."""
    if process not in (0, task.process.pid) and process not in task.threads.tasks:
        raise LinuxError(Errno.ESRCH)


@call("sched_setaffinity")
def sched_setaffinity(task: Task, process: Int, size: Size, mask: Address) -> int:
    """sched_setaffinity(2): the only CPU has to be among them."""
    wanted = task.space.load(mask, min(size & 0xFFFF_FFFF, _MASK_BYTES))
    _check_there(task, process)
    if not wanted or not wanted[0] & 1:
        raise LinuxError(Errno.EINVAL)
    return 0


@call("sched_setscheduler")
def sched_setscheduler(task: Task, process: Int, policy: Int, parameter: Address) -> int:
    """sched_setscheduler(2): SCHED_OTHER, which every thread has."""
    if process < 0 or not parameter:
        raise LinuxError(Errno.EINVAL)
    (priority,) = task.space.load_words(parameter, "i")
    _check_there(task, process)
    real_time = policy in (_FIFO, _RR)
    if policy not in (_OTHER, _FIFO, _RR, _BATCH, _IDLE) or not (1 <= priority <= 99 if real_time else priority == 0):
        raise LinuxError(Errno.EINVAL)
    if policy != _OTHER:
        raise Refused(Errno.EPERM)
    return 0


@call("sched_rr_get_interval")
def sched_rr_get_interval(task: Task, process: Int, address: Address) -> int:
    """sched_rr_get_interval(2): no time is told."""
    if process < 0:
        raise LinuxError(Errno.EINVAL)
    _check_there(task, process)
    task.space.store_words(address, "qq", 0, 0)
    return 0


@call("ioprio_get")
def ioprio_get(task: Task, which: Int, who: Int) -> int:
    """ioprio_get(2): of a process what was set, of others what follows from their nice values."""
    if which not in (_PROCESS, _GROUP, _USER):
        raise LinuxError(Errno.EINVAL)
    if which == _PROCESS:
        _check_there(task, who)
        return task.threads.io_priority
    return task.threads.io_priority or _BEST_EFFORT << _CLASS_SHIFT | _DEFAULT_LEVEL


@call("ioprio_set")
def ioprio_set(task: Task, which: Int, who: Int, priority: Int) -> int:
    """ioprio_set(2): it is kept, and nothing follows from it."""
    kind, data = priority >> _CLASS_SHIFT, priority & _DATA
    if kind == _REAL_TIME:
        raise LinuxError(Errno.EPERM)
    if not 0 <= kind <= _LAST_CLASS or (not kind and data) or which not in (_PROCESS, _GROUP, _USER):
        raise LinuxError(Errno.EINVAL)
    if which == _PROCESS:
        _check_there(task, who)
    task.threads.io_priority = priority
    return 0


@call("membarrier")
def membarrier(task: Task, command: Int, flags: Flags, cpu: Int) -> int:
    """membarrier(2): threads take turns, so that each sees what those before it have done."""
    if flags:
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
