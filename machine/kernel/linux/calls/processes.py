"""Calls on the process itself: identity, groups, limits, and what the system is."""

from __future__ import annotations

import struct

from machine.kernel.linux import structures
from machine.kernel.linux.abi import Address, Flags, Int, Size, UInt, call
from machine.kernel.linux.errors import Errno, LinuxError
from machine.kernel.linux.space import MOST_BYTES, check_user_range
from machine.kernel.linux.task import INIT_ID, NANOSECONDS, Task, ThreadGroup
from machine.processor import msr

_ARCH_SET_GS, _ARCH_SET_FS, _ARCH_GET_FS, _ARCH_GET_GS = 0x1001, 0x1002, 0x1003, 0x1004
_USER_SPACE = 1 << 47
_RSEQ_UNREGISTER, _RSEQ_BYTES, _NO_CPU = 1, 32, 0xFFFF_FFFF
_REAL_TIME_POLICIES, _OTHER_POLICIES = (1, 2), (0, 3, 5, 6, 7)
_PERSONALITY_QUERY = 0xFFFF_FFFF
_TICKS_PER_SECOND = 100
_GRND_SOURCES = 6  # RANDOM and INSECURE: not both


# --- identity


@call("getpid")
def getpid(task: Task) -> int:
    """getpid(2)"""
    return task.process.pid


@call("getppid")
def getppid(task: Task) -> int:
    """getppid(2)"""
    return task.threads.parent_id


@call("getuid", "geteuid")
def getuid(task: Task) -> int:
    """getuid(2), geteuid(2)"""
    return task.user


@call("getgid", "getegid")
def getgid(task: Task) -> int:
    """getgid(2), getegid(2)"""
    return task.group


@call("setuid")
def setuid(task: Task, user: Int) -> int:
    """setuid(2): to one's own only, as all of these."""
    return _check_ids(task.user, user)


@call("setreuid")
def setreuid(task: Task, real: Int, effective: Int) -> int:
    """setreuid(2)"""
    return _check_ids(task.user, real, effective)


@call("setresuid")
def setresuid(task: Task, real: Int, effective: Int, saved: Int) -> int:
    """setresuid(2)"""
    return _check_ids(task.user, real, effective, saved)


@call("setgid")
def setgid(task: Task, group: Int) -> int:
    """setgid(2)"""
    return _check_ids(task.group, group)


@call("setregid")
def setregid(task: Task, real: Int, effective: Int) -> int:
    """setregid(2)"""
    return _check_ids(task.group, real, effective)


@call("setresgid")
def setresgid(task: Task, real: Int, effective: Int, saved: Int) -> int:
    """setresgid(2)"""
    return _check_ids(task.group, real, effective, saved)


def _check_ids(own: int, *identities: int) -> int:
    if any(identity not in (own, -1) for identity in identities):
        raise LinuxError(Errno.EPERM)
    return 0


@call("getresuid")
def getresuid(task: Task, real: Address, effective: Address, saved: Address) -> int:
    """getresuid(2)"""
    return _store_ids(task, task.user, real, effective, saved)


@call("getresgid")
def getresgid(task: Task, real: Address, effective: Address, saved: Address) -> int:
    """getresgid(2)"""
    return _store_ids(task, task.group, real, effective, saved)


def _store_ids(task: Task, identity: int, *addresses: int) -> int:
    for address in addresses:
        task.space.store_words(address, "I", identity)
    return 0


@call("getgroups")
def getgroups(task: Task, count: Int, buffer: Address) -> int:
    """getgroups(2): the own group only."""
    if count < 0:
        raise LinuxError(Errno.EINVAL)
    if count:
        task.space.store_words(buffer, "I", task.group)
    return 1


@call("getpgrp")
def getpgrp(task: Task) -> int:
    """getpgrp(2)"""
    return task.threads.process_group


@call("setsid")
def setsid(task: Task) -> int:
    """setsid(2): a group and a session of its own, unless there is a group of its id already."""
    own = task.threads
    if any(group.process_group == own.pid for group in own.table.values()):
        raise LinuxError(Errno.EPERM)
    own.process_group = own.session = own.pid
    own.terminal = None
    return own.pid


@call("getpgid")
def getpgid(task: Task, process: Int) -> int:
    """getpgid(2)"""
    return INIT_ID if process == INIT_ID else _group_of(task, process).process_group


@call("getsid")
def getsid(task: Task, process: Int) -> int:
    """getsid(2)"""
    return INIT_ID if process == INIT_ID else _group_of(task, process).session


def _group_of(task: Task, process: int) -> ThreadGroup:
    """A process by its id or that of one of the own threads; 0 is the own one. Raises ESRCH."""
    own = task.threads
    if process in (0, own.pid) or process in own.tasks:
        return own
    if process not in own.table:
        raise LinuxError(Errno.ESRCH)
    return own.table[process]


def thread_of_id(task: Task, process: int) -> Task:
    """A thread by its id or that of its process, 0 for the own one. Raises ESRCH."""
    if not process:
        return task
    found = next((each for each in task.threads.everybody.values() if each.tid == process), None)
    if found is None:
        raise LinuxError(Errno.ESRCH)
    return found


@call("setpgid")
def setpgid(task: Task, process: Int, group: Int) -> int:
    """setpgid(2): of the process itself, or of a child that executes the same program still."""
    if group < 0:
        raise LinuxError(Errno.EINVAL)
    own, target = task.threads, _group_of(task, process)
    group = group or target.pid
    if target is not own:
        if target.parent is not own:
            raise LinuxError(Errno.ESRCH)
        if target.session != own.session:
            raise LinuxError(Errno.EPERM)
        if target.has_executed:
            raise LinuxError(Errno.EACCES)
    if target.session == target.pid:
        raise LinuxError(Errno.EPERM)
    others = [each for each in own.table.values() if each.process_group == group and each.session == own.session]
    if group != target.pid and not others:
        raise LinuxError(Errno.EPERM)
    target.process_group = group
    return 0


# --- priorities and scheduling: there is nobody to compete with


@call("getpriority")
def getpriority(task: Task, which: Int, who: Int) -> int:
    """getpriority of the kernel: 20 minus the lowest nice value."""
    return max(20 - group.nice for group in _groups_of(task, which, who))


@call("setpriority")
def setpriority(task: Task, which: Int, who: Int, nice: Int) -> int:
    """setpriority(2): kept, without effect. Only the superuser may become less nice."""
    nice = max(-20, min(nice, 19))
    groups = _groups_of(task, which, who)
    for group in groups:
        if nice >= group.nice or not task.user:
            group.nice = nice
    if any(group.nice != nice for group in groups):
        raise LinuxError(Errno.EACCES)
    return 0


def _groups_of(task: Task, which: int, who: int) -> list[ThreadGroup]:
    """A process, those of a group, or a user's. Raises EINVAL, and ESRCH for none."""
    if not 0 <= which <= 2:
        raise LinuxError(Errno.EINVAL)
    own = task.threads
    if which == 0:
        return [thread_of_id(task, who).threads]
    living = [each for each in own.table.values() if not each.has_ended]
    wanted = who or own.process_group
    found = [each for each in living if which == 2 or each.process_group == wanted]
    if not found or (which == 2 and who not in (0, task.user)):
        raise LinuxError(Errno.ESRCH)
    return found


@call("sched_get_priority_max")
def sched_get_priority_max(task: Task, policy: Int) -> int:
    """sched_get_priority_max(2)"""
    return _priority(policy, 99)


@call("sched_get_priority_min")
def sched_get_priority_min(task: Task, policy: Int) -> int:
    """sched_get_priority_min(2)"""
    return _priority(policy, 1)


def _priority(policy: int, real_time: int) -> int:
    if policy not in (*_REAL_TIME_POLICIES, *_OTHER_POLICIES):
        raise LinuxError(Errno.EINVAL)
    return real_time if policy in _REAL_TIME_POLICIES else 0


# --- the CPU and the thread


@call("arch_prctl")
def arch_prctl(task: Task, code: Int, address: Address) -> int:
    """arch_prctl(2): the bases of FS and GS."""
    cpu = task.process.cpu
    if code in (_ARCH_SET_FS, _ARCH_SET_GS):
        if address >= _USER_SPACE:
            raise LinuxError(Errno.EPERM)
        cpu.write_msr(_BASES[code], address)
    elif code in (_ARCH_GET_FS, _ARCH_GET_GS):
        task.space.store_words(address, "Q", cpu.read_msr(_BASES[code]))
    else:
        raise LinuxError(Errno.EINVAL)
    return 0


_BASES: dict[int, int] = {
    _ARCH_SET_FS: msr.FS_BASE, _ARCH_GET_FS: msr.FS_BASE, _ARCH_SET_GS: msr.GS_BASE, _ARCH_GET_GS: msr.GS_BASE,
}  # fmt: skip


@call("rseq")
def rseq(task: Task, address: Address, size: UInt, flags: Flags, signature: UInt) -> int:
    """rseq(2): what is registered is remembered. No thread is ever moved, so no sequence is ever restarted."""
    if flags & ~_RSEQ_UNREGISTER:
        raise LinuxError(Errno.EINVAL)
    if task.rseq is not None or flags:
        if task.rseq is None or task.rseq[:2] != (address, size):
            raise LinuxError(Errno.EINVAL)
        if task.rseq[2] != signature:
            raise LinuxError(Errno.EPERM)
        if not flags:
            raise LinuxError(Errno.EBUSY)
    elif size < _RSEQ_BYTES or address % _RSEQ_BYTES:
        raise LinuxError(Errno.EINVAL)
    check_user_range(address, size)
    task.space.store_words(address, "II", *((0, _NO_CPU) if flags else (0, 0)))
    task.rseq = None if flags else (address, size, signature)
    return 0


@call("sched_getaffinity")
def sched_getaffinity(task: Task, process: Int, size: UInt, mask: Address) -> int:
    """sched_getaffinity of the kernel: one CPU; the bytes that were written."""
    if size < 8 or size % 8:
        raise LinuxError(Errno.EINVAL)
    thread_of_id(task, process)
    task.space.store_words(mask, "Q", 1)
    return 8


@call("getcpu")
def getcpu(task: Task, cpu: Address, node: Address, cache: Address) -> int:
    """getcpu(2)"""
    for address in (cpu, node):
        if address:
            task.space.store_words(address, "I", 0)
    return 0


@call("personality")
def personality(task: Task, persona: UInt) -> int:
    """personality(2): the one before; it is kept and inherited, and nothing follows from it."""
    before = task.personality
    if persona != _PERSONALITY_QUERY:
        task.personality = persona
    return before


# --- the system


@call("uname")
def uname(task: Task, buffer: Address) -> int:
    """uname(2)"""
    task.space.store(buffer, structures.system_name())
    return 0


@call("sysinfo")
def sysinfo(task: Task, buffer: Address) -> int:
    """sysinfo(2)"""
    seconds, memory, free = uptime_and_memory(task)
    row = struct.pack("<q3Q6QHHIQQI", seconds, 0, 0, 0, memory, free, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1)
    task.space.store(buffer, row.ljust(112, b"\0"))
    return 0


def uptime_and_memory(task: Task) -> tuple[int, int, int]:
    """Seconds since the start, and bytes: all, and those that no guest has."""
    memory = task.limits.max_guest_memory
    return task.clock.elapsed() // NANOSECONDS, memory, memory - task.space.memory.source.used


@call("getrusage")
def getrusage(task: Task, who: Int, buffer: Address) -> int:
    """getrusage(2): user time is virtual time."""
    task.space.store(buffer, structures.usage_row(time_spent_by(task, who)))
    return 0


def time_spent_by(task: Task, who: int) -> int:
    """By the process, or by the children that it has waited for (RUSAGE_*), in nanoseconds. Raises EINVAL."""
    if who not in (-1, 0, 1):
        raise LinuxError(Errno.EINVAL)
    return task.threads.children_time if who == -1 else task.process.cpu_time


@call("times")
def times(task: Task, buffer: Address) -> int:
    """times(2)"""
    own, children, ticks = clock_ticks(task)
    if buffer:
        task.space.store_words(buffer, "qqqq", own, 0, children, 0)
    return ticks


def clock_ticks(task: Task) -> tuple[int, ...]:
    """The time of the process, of its children and since the start, in hundredths of seconds."""
    spent = task.process.cpu_time, task.threads.children_time, task.clock.elapsed()
    return tuple(time * _TICKS_PER_SECOND // NANOSECONDS for time in spent)


@call("getrandom")
def getrandom(task: Task, buffer: Address, size: Size, flags: Flags) -> int:
    """getrandom(2), from the seed."""
    if flags & ~7 or flags & _GRND_SOURCES == _GRND_SOURCES:
        raise LinuxError(Errno.EINVAL)
    check_user_range(buffer, min(size, MOST_BYTES))
    size = task.space.writable(buffer, min(size, 0x1FF_FFFF))
    done = 0
    for start, piece in task.space.pieces(size):
        task.space.store(buffer + start, task.generator.randbytes(piece))
        done += piece
    return done
