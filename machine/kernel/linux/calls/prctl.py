"""prctl(2): one function for each option. What is set is remembered; children inherit it as Linux has it."""

from __future__ import annotations

from collections.abc import Callable

from machine.kernel.linux.abi import UInt, Word, call
from machine.kernel.linux.calls.confinement import add_filter, confine
from machine.kernel.linux.calls.memory import name_mapping
from machine.kernel.linux.errors import Errno, LinuxError
from machine.kernel.linux.task import Mode, Task

_SIGNALS = 64
_LAST_CAPABILITY = 40
_NAME_BYTES = 16
_TSC_ENABLED = 1
_NAME_OF_MEMORY, _LONGEST_NAME_OF_MEMORY = 0, 80  # PR_SET_VMA_ANON_NAME; with its zero
_KILL_DEFAULT = 2
_AMBIENT = _, _RAISE, _, _CLEAR_ALL = 1, 2, 3, 4  # PR_CAP_AMBIENT_*


def _flag(value: int) -> bool:
    if value > 1:
        raise LinuxError(Errno.EINVAL)
    return bool(value)


def _none(*arguments: int) -> None:
    if any(arguments):
        raise LinuxError(Errno.EINVAL)


def _set_name(task: Task, value: int, *others: int) -> int:
    task.name = task.space.load_some(value, _NAME_BYTES).split(b"\0")[0][: _NAME_BYTES - 1]
    return 0


def _name(task: Task, value: int, *others: int) -> int:
    task.space.store(value, task.name[: _NAME_BYTES - 1].ljust(_NAME_BYTES, b"\0"))
    return 0


def _set_death_signal(task: Task, value: int, *others: int) -> int:
    if value > _SIGNALS:
        raise LinuxError(Errno.EINVAL)
    task.parent_death_signal = value
    return 0


def _death_signal(task: Task, value: int, *others: int) -> int:
    task.space.store_words(value, "i", task.parent_death_signal)
    return 0


def _set_dumpable(task: Task, value: int, *others: int) -> int:
    task.threads.is_dumpable = _flag(value)
    return 0


def _dumpable(task: Task, *others: int) -> int:
    return int(task.threads.is_dumpable)


def _set_keeps_capabilities(task: Task, value: int, *others: int) -> int:
    task.threads.keeps_capabilities = _flag(value)
    return 0


def _keeps_capabilities(task: Task, *others: int) -> int:
    return int(task.threads.keeps_capabilities)


def _set_subreaper(task: Task, value: int, *others: int) -> int:
    task.threads.is_subreaper = bool(value)
    return 0


def _subreaper(task: Task, value: int, *others: int) -> int:
    task.space.store_words(value, "i", task.threads.is_subreaper)
    return 0


def _set_no_new_privileges(task: Task, value: int, *others: int) -> int:
    if value != 1:
        raise LinuxError(Errno.EINVAL)
    _none(*others)
    task.no_new_privileges = True
    return 0


def _no_new_privileges(task: Task, *arguments: int) -> int:
    _none(*arguments)
    return int(task.no_new_privileges)


def _set_slack(task: Task, value: int, *others: int) -> int:
    task.timer_slack = value or task.default_timer_slack
    return 0


def _slack(task: Task, *others: int) -> int:
    return task.timer_slack


def _capability(task: Task, value: int, *others: int) -> int:
    if value > _LAST_CAPABILITY:
        raise LinuxError(Errno.EINVAL)
    return 1


def _refused(task: Task, *arguments: int) -> int:
    raise LinuxError(Errno.EPERM)


def _ambient(task: Task, operation: int, value: int, *others: int) -> int:
    """PR_CAP_AMBIENT: there is none, and none can be raised."""
    if any(others) or operation not in _AMBIENT or value > (0 if operation == _CLEAR_ALL else _LAST_CAPABILITY):
        raise LinuxError(Errno.EINVAL)
    return _refused(task) if operation == _RAISE else 0


def _seccomp(task: Task, *others: int) -> int:
    return task.confinement


def _set_seccomp(task: Task, mode: int, filters: int, *others: int) -> int:
    if mode == Mode.STRICT:
        return confine(task, Mode.STRICT)
    if mode != Mode.FILTER:
        raise LinuxError(Errno.EINVAL)
    return add_filter(task, 0, filters)


def _timing(task: Task, *others: int) -> int:
    return 0


def _set_timing(task: Task, value: int, *others: int) -> int:
    _none(value)
    return 0


def _time_stamps(task: Task, value: int, *others: int) -> int:
    task.space.store_words(value, "i", _TSC_ENABLED)
    return 0


def _kill_policy(task: Task, *arguments: int) -> int:
    _none(*arguments)
    return _KILL_DEFAULT


def _huge_pages_disabled(task: Task, *arguments: int) -> int:
    _none(*arguments)
    return int(task.threads.has_no_huge_pages)


def _thread_address(task: Task, value: int, *others: int) -> int:
    task.space.store_words(value, "Q", task.clear_tid)
    return 0


def _set_huge_pages(task: Task, value: int, *others: int) -> int:
    _none(*others)
    task.threads.has_no_huge_pages = bool(value)
    return 0


def _set_memory(task: Task, operation: int, address: int, size: int, name_address: int) -> int:
    """PR_SET_VMA: a name for anonymous memory; 0 takes it away."""
    if operation != _NAME_OF_MEMORY:
        raise LinuxError(Errno.EINVAL)
    if not name_address:
        return name_mapping(task, address, size, None)
    try:
        name = task.space.load_string(name_address, _LONGEST_NAME_OF_MEMORY)
    except LinuxError as error:
        raise LinuxError(Errno.EINVAL) if error.number is Errno.ENAMETOOLONG else error from None
    if any(not 0x1F < byte < 0x7F or byte in b"\\`$[]" for byte in name):
        raise LinuxError(Errno.EINVAL)
    return name_mapping(task, address, size, name.decode())


def _nothing(task: Task, *arguments: int) -> int:
    return 0


_OPTIONS: dict[int, Callable[..., int]] = {
    1: _set_death_signal,
    2: _death_signal,
    3: _dumpable,
    4: _set_dumpable,
    7: _keeps_capabilities,
    8: _set_keeps_capabilities,
    13: _timing,
    14: _set_timing,
    15: _set_name,
    16: _name,
    21: _seccomp,
    22: _set_seccomp,
    23: _capability,
    24: _refused,  # to drop a capability
    25: _time_stamps,
    27: _nothing,  # the securebits
    28: _refused,
    29: _set_slack,
    30: _slack,
    34: _kill_policy,
    36: _set_subreaper,
    37: _subreaper,
    38: _set_no_new_privileges,
    39: _no_new_privileges,
    31: _nothing,  # of performance counters
    32: _nothing,
    40: _thread_address,
    41: _set_huge_pages,
    42: _huge_pages_disabled,
    47: _ambient,
    0x53564D41: _set_memory,
}


@call("prctl")
def prctl(task: Task, option: UInt, value: Word, third: Word, fourth: Word, fifth: Word) -> int:
    """prctl(2)"""
    if option not in _OPTIONS:
        raise LinuxError(Errno.EINVAL)
    return _OPTIONS[option](task, value, third, fourth, fifth)
