"""Calls that make threads, and those that divide what threads share.

A thread shares memory and signal handlers with its maker, files and directory if it is asked to. Processes are made by
`children`.
"""

from __future__ import annotations

import struct
from contextlib import suppress

from machine.kernel.base import behind_call
from machine.kernel.linux import tracing
from machine.kernel.linux.abi import Address, Size, Word, call
from machine.kernel.linux.calls.children import (
    CLONE_CHILD_CLEARTID,
    CLONE_CHILD_SETTID,
    CLONE_CLEAR_SIGHAND,
    CLONE_FILES,
    CLONE_FS,
    CLONE_PARENT_SETTID,
    CLONE_PIDFD,
    CLONE_SETTLS,
    CLONE_SIGHAND,
    CLONE_THREAD,
    CLONE_VFORK,
    CLONE_VM,
    Child,
    make_process,
)
from machine.kernel.linux.errors import Errno, LinuxError, Refused
from machine.kernel.linux.signals import SIGNALS
from machine.kernel.linux.space import USER_SPACE, check_user_range
from machine.kernel.linux.task import Task
from machine.kernel.outcomes import Result
from machine.memory import PAGE
from machine.schedule import TooManyThreads
from vm.facts.registers import STORAGE_INDEX

_RAX, _RSP = STORAGE_INDEX["rax"], STORAGE_INDEX["rsp"]

# --- threads

_CLONE_NEWNS, _CLONE_NEWUSER, _CLONE_NEWPID = 0x2_0000, 0x1000_0000, 0x2000_0000
_CLONE_INTO_CGROUP = 1 << 33
_NEW_NAMESPACES = 0x7E02_0080  # NEWCGROUP to NEWNET, NEWNS and NEWTIME
_CLONE_SYSVSEM = 0x4_0000
_UNSHARED = CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_VM | CLONE_THREAD | _CLONE_SYSVSEM
_EXIT_SIGNAL = 0xFF
_CLONE_ARGUMENTS = struct.Struct("<11Q")  # struct clone_args of linux/sched.h, as of CLONE_ARGS_SIZE_VER2
_SMALLEST_CLONE_ARGUMENTS = 64


@call("clone")
def clone(task: Task, flags: Word, stack: Address, parent_tid: Address, child_tid: Address, tls: Address) -> Result:
    """clone(2)"""
    signal = flags & _EXIT_SIGNAL
    flags = flags & 0xFFFF_FFFF & ~_EXIT_SIGNAL
    if flags & CLONE_PIDFD and flags & CLONE_PARENT_SETTID:  # one address for both
        raise LinuxError(Errno.EINVAL)
    return _clone(task, Child(flags, stack, parent_tid, child_tid, tls, signal, parent_tid))


@call("clone3")
def clone3(task: Task, arguments: Address, size: Size) -> Result:
    """clone3(2)"""
    if size > PAGE:
        raise LinuxError(Errno.E2BIG)
    if size < _SMALLEST_CLONE_ARGUMENTS:
        raise LinuxError(Errno.EINVAL)
    data = task.space.load(arguments, size)
    if any(data[_CLONE_ARGUMENTS.size :]):
        raise LinuxError(Errno.E2BIG)
    row = _CLONE_ARGUMENTS.unpack(data[: _CLONE_ARGUMENTS.size].ljust(_CLONE_ARGUMENTS.size, b"\0"))
    flags, pidfd, child_tid, parent_tid, signal, stack, stack_size, tls, ids, id_count, _ = row
    if (
        bool(stack) != bool(stack_size)
        or flags & (_EXIT_SIGNAL | _CLONE_INTO_CGROUP)
        or flags >> 34
        or signal > SIGNALS
    ):
        raise LinuxError(Errno.EINVAL)
    if ids or id_count or (flags & CLONE_THREAD and signal):
        raise LinuxError(Errno.EINVAL)
    if stack:
        check_user_range(stack, stack_size)
    return _clone(task, Child(flags, (stack + stack_size) % (1 << 64), parent_tid, child_tid, tls, signal, pidfd))


def _clone(task: Task, child: Child) -> Result:
    _check_flags(child.flags)
    if child.flags & CLONE_SETTLS and child.tls >= USER_SPACE:
        raise LinuxError(Errno.EPERM)
    if not child.flags & CLONE_THREAD:
        return make_process(task, child)
    values = {_RAX: 0, _RSP: child.stack} if child.stack else {_RAX: 0}
    registers = behind_call(task.thread).with_values(values, child.tls if child.flags & CLONE_SETTLS else None)
    try:
        thread = task.process.new_thread(registers)
    except TooManyThreads:
        task.store.reached.add("max_threads")
        raise LinuxError(Errno.EAGAIN) from None
    twin = task.twin(thread, child.flags)
    for flag, address in ((CLONE_PARENT_SETTID, child.parent_tid), (CLONE_CHILD_SETTID, child.child_tid)):
        if child.flags & flag:
            with suppress(LinuxError):  # as on Linux
                task.space.store_words(address, "I", twin.tid)
    if child.flags & CLONE_CHILD_CLEARTID:
        twin.clear_tid = child.child_tid
    tracing.born(task, twin, child.flags)
    return twin.tid


def _check_flags(flags: int) -> None:
    """Raises EINVAL for flags that exclude each other (copy_process), and refuses unusual threads."""
    if flags & CLONE_FS and flags & (_CLONE_NEWNS | _CLONE_NEWUSER):
        raise LinuxError(Errno.EINVAL)
    if flags & CLONE_THREAD and (not flags & CLONE_SIGHAND or flags & (_CLONE_NEWUSER | _CLONE_NEWPID)):
        raise LinuxError(Errno.EINVAL)
    if flags & CLONE_SIGHAND and not flags & CLONE_VM:
        raise LinuxError(Errno.EINVAL)
    if flags & _NEW_NAMESPACES:
        raise LinuxError(Errno.EPERM)
    if flags & CLONE_SIGHAND and flags & CLONE_CLEAR_SIGHAND:
        raise LinuxError(Errno.EINVAL)
    if flags & CLONE_THREAD and flags & (CLONE_VFORK | CLONE_PIDFD):
        raise Refused(Errno.EAGAIN)


@call("unshare")
def unshare(task: Task, flags: Word) -> int:
    """unshare(2): files and directories, of a process; namespaces are refused."""
    if flags & ~(_UNSHARED | _NEW_NAMESPACES):
        raise LinuxError(Errno.EINVAL)
    if flags & _NEW_NAMESPACES:
        raise Refused(Errno.EPERM)
    if flags & (CLONE_THREAD | CLONE_SIGHAND | CLONE_VM) and len(task.threads.tasks) > 1:
        raise LinuxError(Errno.EINVAL)
    if flags & CLONE_FS:
        task.location = task.location.copy()
    if flags & CLONE_FILES and task.files.users > 1:
        task.files.users -= 1
        task.files = task.files.copy()
    return 0
