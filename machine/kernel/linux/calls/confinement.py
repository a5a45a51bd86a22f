"""seccomp(2), and what prctl(2) says of it: a thread confines itself to some calls, for ever."""

from __future__ import annotations

from machine.kernel.linux import seccomp
from machine.kernel.linux.abi import Address, Flags, UInt, call
from machine.kernel.linux.errors import Errno, LinuxError, Refused
from machine.kernel.linux.seccomp import Filter
from machine.kernel.linux.task import Mode, Task

_SET_STRICT, _SET_FILTER, _IS_AVAILABLE, _NOTIFICATION_SIZES = range(4)
_TSYNC, _LOG, _SPECULATION, _LISTENER, _TSYNC_ESRCH, _KILLABLE = (1 << bit for bit in range(6))
_ALL_FLAGS = _TSYNC | _LOG | _SPECULATION | _LISTENER | _TSYNC_ESRCH | _KILLABLE
_SIZES = 80, 24, 64  # of the structures that listeners are sent


@call("seccomp")
def seccomp_(task: Task, operation: UInt, flags: Flags, address: Address) -> int:
    """seccomp(2); nobody can listen."""
    if operation == _SET_STRICT:
        if flags or address:
            raise LinuxError(Errno.EINVAL)
        return confine(task, Mode.STRICT)
    if operation == _SET_FILTER:
        return add_filter(task, flags, address)
    if operation == _IS_AVAILABLE:
        if flags:
            raise LinuxError(Errno.EINVAL)
        if task.space.load_words(address, "I")[0] not in set(seccomp.Action):
            raise LinuxError(Errno.EOPNOTSUPP)
        return 0
    if operation == _NOTIFICATION_SIZES and not flags:
        task.space.store_words(address, "HHH", *_SIZES)
        return 0
    raise LinuxError(Errno.EINVAL)


def confine(task: Task, mode: Mode) -> int:
    """From now on a thread is in this mode. Raises EINVAL if it is in another one already."""
    if task.confinement not in (Mode.DISABLED, mode):
        raise LinuxError(Errno.EINVAL)
    task.confinement = mode
    task.look_at_calls()
    return 0


def add_filter(task: Task, flags: int, address: int) -> int:
    """One more filter, of this thread or of all of the process's. Raises EINVAL, EACCES, EFAULT, ENOMEM, ESRCH."""
    if flags & ~_ALL_FLAGS or (flags & _KILLABLE and not flags & _LISTENER):
        raise LinuxError(Errno.EINVAL)
    if flags & _LISTENER and flags & _TSYNC and not flags & _TSYNC_ESRCH:
        raise LinuxError(Errno.EINVAL)
    length, rows = task.space.load_words(address, "HxxxxxxQ")
    if not 0 < length <= seccomp.LONGEST:
        raise LinuxError(Errno.EINVAL)
    if task.user and not task.no_new_privileges:
        raise LinuxError(Errno.EACCES)
    added = Filter.of(task.space.load(rows, length * seccomp.INSTRUCTION_BYTES))
    if flags & _LISTENER:
        raise Refused(Errno.EINVAL)
    if task.confinement is Mode.STRICT:
        raise LinuxError(Errno.EINVAL)
    filters = (*task.filters, added)
    if sum(each.cost for each in filters) > seccomp.MOST_INSTRUCTIONS:
        raise LinuxError(Errno.ENOMEM)
    threads = [task]
    if flags & _TSYNC:
        for other in task.threads.tasks.values():
            is_before = other.filters == task.filters[: len(other.filters)]
            if other is not task and (other.confinement is Mode.STRICT or not is_before):
                if flags & _TSYNC_ESRCH:
                    raise LinuxError(Errno.ESRCH)
                return other.tid
        threads = list(task.threads.tasks.values())
    task.look_at_calls()
    for each in threads:
        each.filters, each.confinement = filters, Mode.FILTER
        each.no_new_privileges = task.no_new_privileges or each.no_new_privileges
    return 0
