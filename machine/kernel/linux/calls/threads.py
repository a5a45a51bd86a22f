"""Calls that make and end threads, and have them wait for each other: clone, exit, futex, and what goes with them.

A thread shares memory and signal handlers with its maker, files and directory if it is asked to. Processes are made by
`children`.
"""

from __future__ import annotations

import struct
from contextlib import suppress

from machine.kernel.base import behind_call
from machine.kernel.linux import family, tracing
from machine.kernel.linux.abi import Address, Int, Size, UInt, Word, call
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
from machine.kernel.linux.calls.time import duration
from machine.kernel.linux.errors import Errno, LinuxError, Refused
from machine.kernel.linux.futexes import ANY
from machine.kernel.linux.robust_locks import leave_locks
from machine.kernel.linux.signals import SIGNALS
from machine.kernel.linux.space import USER_SPACE, check_user_range
from machine.kernel.linux.task import Task
from machine.kernel.outcomes import AGAIN, Exit, ExitThread, Result, Wait, always
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


@call("gettid")
def gettid(task: Task) -> int:
    """gettid(2): the process's id in its first thread."""
    return task.tid


@call("set_tid_address")
def set_tid_address(task: Task, address: Address) -> int:
    """set_tid_address(2)"""
    task.clear_tid = address
    return task.tid


@call("sched_yield")
def sched_yield(task: Task) -> Result:
    """sched_yield(2): the other threads come first."""
    return Wait(always, then=lambda late: 0)


# --- ending


@call("exit_group")
def exit_group(task: Task, code: Int) -> Result:
    """exit_group(2)"""
    return Exit(code & 0xFF)


@call("exit")
def exit_(task: Task, code: Int) -> Result:
    """exit(2)"""
    return end_thread(task, code & 0xFF)


def end_thread(task: Task, code: int) -> Result:
    """The thread ends; a process whose threads have all ended has the code of its first one."""
    group = task.threads
    if task.tid == task.process.pid:
        group.leader_code = code
    leave_locks(task)
    if task.clear_tid and len(group.tasks) > 1:
        with suppress(LinuxError):
            task.space.store_words(task.clear_tid, "I", 0)
            task.futexes.wake(task.space.word_at(task.clear_tid), 1)
    if len(group.tasks) > 1:
        family.maker_ended(task)
    if task.tid != group.pid or len(group.tasks) == 1:
        tracing.ended(group, task, code << 8)
    task.files.let_go()
    del group.tasks[task.tid], group.everybody[task.thread]
    return ExitThread(group.leader_code)


# --- robust futexes


@call("set_robust_list")
def set_robust_list(task: Task, head: Address, size: Size) -> int:
    """set_robust_list(2)"""
    if size != 24:
        raise LinuxError(Errno.EINVAL)
    task.robust_list = head
    return 0


@call("get_robust_list")
def get_robust_list(task: Task, thread: Int, head: Address, size: Address) -> int:
    """get_robust_list(2), of a thread of the process."""
    of = task.threads.tasks.get(thread) if thread else task
    if of is None:
        raise LinuxError(Errno.ESRCH)
    task.space.store_words(size, "Q", 24)
    task.space.store_words(head, "Q", of.robust_list)
    return 0


# --- futexes

_WAIT, _WAKE, _REQUEUE, _CMP_REQUEUE, _WAKE_OP, _WAIT_BITSET, _WAKE_BITSET = 0, 1, 3, 4, 5, 9, 10
_WAITS, _REQUEUES = (_WAIT, _WAIT_BITSET), (_REQUEUE, _CMP_REQUEUE)
_TWO_WORDS = (*_REQUEUES, _WAKE_OP)
_KNOWN = (*_WAITS, *_TWO_WORDS, _WAKE, _WAKE_BITSET)  # not those with priority inheritance
_PRIVATE, _REALTIME = 0x80, 0x100
_INHERITING = frozenset((6, 7, 8, 11, 12, 13))  # FUTEX_LOCK_PI and its kin
_COMMAND = ~(_PRIVATE | _REALTIME)


@call("futex")
def futex(
    task: Task, address: Address, operation: UInt, value: UInt, timeout: Address, second: Address, third: UInt
) -> Result:
    """futex(2)"""
    return futex_call(task, address, operation, value, timeout, second, third)


def futex_call(
    task: Task, address: int, operation: int, value: int, timeout: int, second: int, third: int, layout: str = "qq"
) -> Result:
    """The same; `layout` is that of the time."""
    command = operation & _COMMAND
    if command in _INHERITING:
        raise Refused(Errno.ENOSYS)
    if command not in _KNOWN or (operation & _REALTIME and command != _WAIT_BITSET):
        raise LinuxError(Errno.ENOSYS)
    wait = duration(task, timeout, layout) if command in _WAITS and timeout else None
    if command in (_WAIT_BITSET, _WAKE_BITSET) and not third:
        raise LinuxError(Errno.EINVAL)
    for word in (address, second) if command in _TWO_WORDS else (address,):
        if word % 4:
            raise LinuxError(Errno.EINVAL)
        check_user_range(word, 4)
    if not operation & _PRIVATE and task.space.is_constant(address):
        raise LinuxError(Errno.EFAULT)
    bits = third if command in (_WAIT_BITSET, _WAKE_BITSET) else ANY
    if command in _WAITS:
        return _wait(task, address, value, bits, _deadline(task, wait, operation))
    if not operation & _PRIVATE:
        task.space.load(address, 4)
    count = max(1, _signed(value))
    if command in _REQUEUES:
        return _requeue(task, (address, second), (_signed(value), _signed(timeout)), third, command)
    if command == _WAKE_OP:
        return _wake_both(task, (address, second), (count, max(1, _signed(timeout))), third)
    return task.futexes.wake(task.space.word_at(address), count, bits)


def _signed(word: int) -> int:
    return (word & 0xFFFF_FFFF ^ 0x8000_0000) - 0x8000_0000


def _deadline(task: Task, wait: int | None, operation: int) -> int | None:
    """In ticks: WAIT has a duration, WAIT_BITSET a point in time."""
    now = task.clock.elapsed()
    if wait is None:
        return None
    if operation & _COMMAND == _WAIT:
        return now + wait
    return wait - task.now + now if operation & _REALTIME else wait


def _wait(task: Task, address: int, value: int, bits: int, deadline: int | None) -> Result:
    if task.space.load_words(address, "I")[0] != value:
        raise LinuxError(Errno.EAGAIN)
    waiter = task.waiter = task.futexes.add(task.space.word_at(address), bits)

    def then(late: bool) -> int:
        task.waiter = None
        if late:
            task.futexes.remove(waiter)
            raise LinuxError(Errno.ETIMEDOUT)
        return 0

    def interrupted() -> Result:
        task.waiter = None
        task.futexes.remove(waiter)
        if deadline is None:
            return AGAIN
        raise LinuxError(Errno.EINTR)

    return Wait(lambda: waiter.woken, deadline, then, interrupted)


def _requeue(task: Task, words: tuple[int, int], counts: tuple[int, int], value: int, command: int) -> int:
    """Wake some and have others wait elsewhere; how many in all."""
    if min(counts) < 0:
        raise LinuxError(Errno.EINVAL)
    if command == _CMP_REQUEUE and task.space.load_words(words[0], "I")[0] != value:
        raise LinuxError(Errno.EAGAIN)
    first, second = map(task.space.word_at, words)
    woken = task.futexes.wake(first, counts[0])
    return woken + task.futexes.requeue(first, second, counts[1])


def _wake_both(task: Task, words: tuple[int, int], counts: tuple[int, int], encoded: int) -> int:
    """FUTEX_WAKE_OP: change the second word, wake at the first, and at the second if its old value says so."""
    operation, comparison = encoded >> 28 & 7, encoded >> 24 & 15
    operand, compared = (((encoded >> shift & 0xFFF) ^ 0x800) - 0x800 for shift in (12, 0))
    if encoded >> 31:
        operand = 1 << (operand & 31)
    (unsigned,) = task.space.load_words(words[1], "I")
    old = _signed(unsigned)
    changed = {0: operand, 1: old + operand, 2: old | operand, 3: old & ~operand, 4: old ^ operand}.get(operation)
    holds = {
        0: old == compared, 1: old != compared, 2: old < compared,
        3: old <= compared, 4: old > compared, 5: old >= compared,
    }.get(comparison)  # fmt: skip
    if changed is None:
        raise LinuxError(Errno.ENOSYS)
    task.space.store_words(words[1], "I", changed & 0xFFFF_FFFF)
    if holds is None:
        raise LinuxError(Errno.ENOSYS)
    first, second = map(task.space.word_at, words)
    woken = task.futexes.wake(first, counts[0])
    return woken + task.futexes.wake(second, counts[1]) if holds else woken
