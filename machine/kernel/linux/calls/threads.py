"""Calls of a thread on itself: its id, its turn, its end, and the locks that it holds then."""

from __future__ import annotations

from contextlib import suppress

from machine.kernel.linux import family, tracing
from machine.kernel.linux.abi import Address, Int, Size, call
from machine.kernel.linux.errors import Errno, LinuxError
from machine.kernel.linux.robust_locks import leave_locks
from machine.kernel.linux.task import Task
from machine.kernel.outcomes import Exit, ExitThread, Result, Wait, always


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
