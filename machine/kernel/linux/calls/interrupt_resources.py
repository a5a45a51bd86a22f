"""Calls of INT 0x80 on resources: limits, what was used, waits for children, the system, file systems, turns."""

from __future__ import annotations

import struct

from machine.kernel.linux import structures
from machine.kernel.linux.abi import Address, Fd, Flags, Int, Path, Size, UInt, interrupt_call
from machine.kernel.linux.calls import children, descriptors, execution, paths, processes, resources, signals
from machine.kernel.linux.errors import Errno, LinuxError
from machine.kernel.linux.nodes import BLOCK_BYTES, TMPFS, Entry
from machine.kernel.linux.resource_limits import resource_limit
from machine.kernel.linux.task import NANOSECONDS, Task
from machine.kernel.outcomes import Result
from machine.memory import PAGE

_LARGEST, _UNLIMITED, _UNLIMITED_64 = (1 << 31) - 1, (1 << 32) - 1, (1 << 64) - 1
_USAGE_BYTES = 72
_CHILD_AT = 12  # of a struct compat_siginfo: the process
_STATFS64_BYTES = 84
_LONGEST_NAME = 255
_AFFINITY_BYTES = 8
_WORD = 4
_NAME_BYTES, _OLD_NAME_BYTES = 65, 9  # of each field of the structures of uname


# --- limits


def _show_limit(task: Task, resource: int, buffer: int, most: int) -> int:
    task.space.store_words(buffer, "II", *(min(value, most) for value in resource_limit(task, resource)))
    return 0


@interrupt_call("getrlimit")
def getrlimit(task: Task, resource: Int, buffer: Address) -> int:
    """getrlimit(2) as it was: no limit is higher than a signed number."""
    return _show_limit(task, resource, buffer, _LARGEST)


@interrupt_call("ugetrlimit")
def ugetrlimit(task: Task, resource: Int, buffer: Address) -> int:
    """getrlimit(2)"""
    return _show_limit(task, resource, buffer, _UNLIMITED)


@interrupt_call("setrlimit")
def setrlimit(task: Task, resource: Int, buffer: Address) -> int:
    """setrlimit(2)"""
    words = task.space.load_words(buffer, "II")
    resources.set_limits(task, resource, *(_UNLIMITED_64 if word == _UNLIMITED else word for word in words))
    return 0


# --- what was used, and children


def _usage_row(ticks: int) -> bytes:
    """A struct compat_rusage of so much user time."""
    return structures.packed("II", *divmod(ticks * 1_000_000 // NANOSECONDS, 1_000_000)).ljust(_USAGE_BYTES, b"\0")


@interrupt_call("getrusage")
def getrusage(task: Task, who: Int, buffer: Address) -> int:
    """getrusage(2)"""
    task.space.store(buffer, _usage_row(processes.time_spent_by(task, who)))
    return 0


@interrupt_call("wait4")
def wait4(task: Task, process: Int, status: Address, options: Int, usage: Address) -> Result:
    """wait4(2)"""
    return children.wait_for_child(task, process, status, options, usage, _usage_row)


@interrupt_call("waitid")
def waitid(task: Task, kind: Int, process: Int, info: Address, options: Int, usage: Address) -> Result:
    """waitid(2)"""
    return children.wait_for_id(task, kind, process, info, options, usage, _usage_row, _CHILD_AT)


@interrupt_call("execveat")
def execveat(task: Task, fd: Fd, path: Path, arguments: Address, environment: Address, flags: Flags) -> Result:
    """execveat(2)"""
    return execution.execute_at(task, fd, path, (arguments, environment), flags, "I")


# --- the system


@interrupt_call("sysinfo")
def sysinfo(task: Task, buffer: Address) -> int:
    """sysinfo(2): memory is told in units that are as large as need be."""
    seconds, memory, free = processes.uptime_and_memory(task)
    unit = 1
    while memory // unit > _UNLIMITED or (memory > _UNLIMITED and unit < PAGE):
        unit *= 2
    row = structures.packed("10I2H3I", seconds, 0, 0, 0, memory // unit, free // unit, 0, 0, 0, 0, 1, 0, 0, 0, unit)
    task.space.store(buffer, row.ljust(64, b"\0"))
    return 0


def _store_name(task: Task, buffer: int, size: int, fields: int) -> int:
    name = structures.system_name()
    rows = (name[at : at + _NAME_BYTES].rstrip(b"\0") for at in range(0, fields * _NAME_BYTES, _NAME_BYTES))
    task.space.store(buffer, b"".join(row[: size - 1].ljust(size, b"\0") for row in rows))
    return 0


@interrupt_call("olduname")
def olduname(task: Task, buffer: Address) -> int:
    """uname(2) without the domain."""
    return _store_name(task, buffer, _NAME_BYTES, 5)


@interrupt_call("oldolduname")
def oldolduname(task: Task, buffer: Address) -> int:
    """uname(2) with fields of eight letters."""
    return _store_name(task, buffer, _OLD_NAME_BYTES, 5)


# --- file systems and directories


def _show_file_system(task: Task, kind: int, buffer: int) -> int:
    """A struct compat_statfs. Raises EOVERFLOW."""
    blocks = task.store.bytes_left // BLOCK_BYTES if kind == TMPFS else 0
    if blocks > _UNLIMITED:
        raise LinuxError(Errno.EOVERFLOW)
    free = (blocks,) * 3
    row = struct.pack("<7I2i3I", kind, BLOCK_BYTES, *free, 0, 0, 0, 0, _LONGEST_NAME, PAGE, structures.MOUNT_FLAGS)
    task.space.store(buffer, row.ljust(64, b"\0"))
    return 0


def _show_large_file_system(task: Task, kind: int, size: int, buffer: int) -> int:
    """A struct compat_statfs64. Raises EINVAL for another size of it."""
    if size != _STATFS64_BYTES:
        raise LinuxError(Errno.EINVAL)
    blocks = task.store.bytes_left // BLOCK_BYTES if kind == TMPFS else 0
    free = (blocks,) * 3
    row = struct.pack("<II5Q2i3I", kind, BLOCK_BYTES, *free, 0, 0, 0, 0, _LONGEST_NAME, PAGE, structures.MOUNT_FLAGS)
    task.space.store(buffer, row.ljust(_STATFS64_BYTES, b"\0"))
    return 0


@interrupt_call("statfs")
def statfs(task: Task, path: Path, buffer: Address) -> int:
    """statfs(2)"""
    return _show_file_system(task, paths.file_system_of(task, path), buffer)


@interrupt_call("fstatfs")
def fstatfs(task: Task, fd: Fd, buffer: Address) -> int:
    """fstatfs(2)"""
    return _show_file_system(task, descriptors.file_system_below(task, fd), buffer)


@interrupt_call("statfs64")
def statfs64(task: Task, path: Path, size: Size, buffer: Address) -> int:
    """statfs(2)"""
    return _show_large_file_system(task, paths.file_system_of(task, path), size, buffer)


@interrupt_call("fstatfs64")
def fstatfs64(task: Task, fd: Fd, size: Size, buffer: Address) -> int:
    """fstatfs(2)"""
    return _show_large_file_system(task, descriptors.file_system_below(task, fd), size, buffer)


def _directory_entry(entry: Entry, next_position: int) -> bytes:
    """A struct compat_linux_dirent, whose last byte is the type."""
    size = (10 + len(entry.name) + 2 + 3) & -4
    head = structures.packed("IIH", entry.inode, next_position, size)
    return (head + entry.name).ljust(size - 1, b"\0") + bytes([entry.kind >> 12])


@interrupt_call("getdents")
def getdents(task: Task, fd: Fd, buffer: Address, size: UInt) -> int:
    """getdents(2)"""
    return descriptors.list_directory(task, fd, buffer, size, _directory_entry)


# --- turns, and the alternate stack


@interrupt_call("sched_getaffinity")
def sched_getaffinity(task: Task, process: Int, size: UInt, mask: Address) -> int:
    """sched_getaffinity of the kernel: one CPU; the bytes that were written."""
    if not size or size % _WORD:
        raise LinuxError(Errno.EINVAL)
    processes.thread_of_id(task, process)
    told = (1).to_bytes(_AFFINITY_BYTES, "little")[:size]
    task.space.store(mask, told)
    return len(told)


@interrupt_call("sigaltstack")
def sigaltstack(task: Task, new: Address, old: Address) -> int:
    """sigaltstack(2)"""
    return signals.change_alternate_stack(task, new, old, "IiI")
