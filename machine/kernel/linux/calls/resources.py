"""Resource limits: what is set is remembered and inherited; NOFILE, AS, DATA, FSIZE and STACK are kept to."""

from __future__ import annotations

import struct

from machine.kernel.linux.abi import Address, Int, call
from machine.kernel.linux.calls.processes import thread_of_id
from machine.kernel.linux.errors import Errno, LinuxError
from machine.kernel.linux.resource_limits import resource_limit
from machine.kernel.linux.space import USER_SPACE
from machine.kernel.linux.task import Task

_DATA, _STACK, _NOFILE, _AS = 2, 3, 7, 9


def set_limits(task: Task, resource: int, soft: int, hard: int) -> None:
    """Of one resource. Raises EINVAL for a soft limit above the hard one, EPERM for a hard one above what it was."""
    present = resource_limit(task, resource)
    if soft > hard:
        raise LinuxError(Errno.EINVAL)
    if resource == _NOFILE and hard > task.limits.max_open_files:
        raise LinuxError(Errno.EPERM)
    if hard > present[1] and task.user:
        raise LinuxError(Errno.EPERM)
    task.threads.resource_limits[resource] = soft, hard
    if resource == _NOFILE:
        task.files.limit = soft
    elif resource == _AS:
        task.space.most = soft
    elif resource == _DATA:
        task.space.most_data = soft
    elif resource == _STACK:
        task.space.most_stack = min(soft, USER_SPACE)


@call("getrlimit")
def getrlimit(task: Task, resource: Int, address: Address) -> int:
    """getrlimit(2)"""
    task.space.store(address, struct.pack("<QQ", *resource_limit(task, resource)))
    return 0


@call("setrlimit")
def setrlimit(task: Task, resource: Int, address: Address) -> int:
    """setrlimit(2)"""
    set_limits(task, resource, *task.space.load_words(address, "QQ"))
    return 0


@call("prlimit64")
def prlimit64(task: Task, process: Int, resource: Int, new: Address, old: Address) -> int:
    """prlimit(2)"""
    words = task.space.load_words(new, "QQ") if new else None
    target = thread_of_id(task, process)
    present = resource_limit(target, resource)
    if words is not None:
        set_limits(target, resource, *words)
    if old:
        task.space.store(old, struct.pack("<QQ", *present))
    return 0
