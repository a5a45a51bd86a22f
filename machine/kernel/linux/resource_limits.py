"""The resource limits of a process (getrlimit(2)): those that it has set, and what they are otherwise."""

from __future__ import annotations

from machine.kernel.linux import signals
from machine.kernel.linux.errors import Errno, LinuxError
from machine.kernel.linux.space import stack_size
from machine.kernel.linux.task import Task

_UNLIMITED = (1 << 64) - 1
_RLIMITS = 16
FSIZE, _DATA, _STACK, _CORE, _NOFILE, _AS, MSGQUEUE = 1, 2, 3, 4, 7, 9, 12
_MSGQUEUE_BYTES = 819_200


def resource_limit(task: Task, resource: int) -> tuple[int, int]:
    """The soft and the hard limit. Raises EINVAL."""
    if not 0 <= resource < _RLIMITS:
        raise LinuxError(Errno.EINVAL)
    memory = task.limits.max_guest_memory
    value = {
        _STACK: stack_size(task.limits), _NOFILE: task.limits.max_open_files, _CORE: 0, _AS: memory, _DATA: memory,
        MSGQUEUE: _MSGQUEUE_BYTES,
    }.get(resource, _UNLIMITED)  # fmt: skip
    most = _UNLIMITED if resource == _STACK else value  # as a login has it: gcc asks for more than it begins with
    return task.threads.resource_limits.get(resource, (value, most))


def check_file_size(task: Task, size: int) -> None:
    """A regular file is to have so many bytes (inode_newsize_ok). Raises EFBIG, and SIGXFSZ."""
    if FSIZE in task.threads.resource_limits and size > task.threads.resource_limits[FSIZE][0]:
        signals.send(task, signals.SIGXFSZ)
        raise LinuxError(Errno.EFBIG)


def file_room(task: Task, start: int, size: int) -> int:
    """How many of `size` bytes a regular file may get from `start` on. Raises EFBIG, and SIGXFSZ, for none."""
    if FSIZE not in task.threads.resource_limits:
        return size
    most = task.threads.resource_limits[FSIZE][0]
    if size and start >= most:
        check_file_size(task, start + 1)
    return min(size, most - start)
