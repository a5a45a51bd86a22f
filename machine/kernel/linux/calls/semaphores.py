"""Calls on System V's semaphores."""

from __future__ import annotations

import struct

from machine.kernel.linux.abi import Address, Flags, Int, Size, Word, call
from machine.kernel.linux.calls.time import duration
from machine.kernel.linux.errors import Errno, LinuxError
from machine.kernel.linux.system_v import (
    IPC_INFO,
    IPC_RMID,
    IPC_SET,
    IPC_STAT,
    LARGEST_VALUE,
    MOST_SETS,
    READ,
    WRITE,
    IpcObject,
    SemaphoreSet,
    SemaphoreWaiter,
    attempt,
    serve,
)
from machine.kernel.linux.task import NANOSECONDS, Task
from machine.kernel.outcomes import Result, Wait
from machine.memory import PER_ITEM

_MOST_IN_A_SET, _MOST_OPERATIONS = 32_000, 500  # SEMMSL, SEMOPM
_GETPID, _GETVAL, _GETALL, _GETNCNT, _GETZCNT, _SETVAL, _SETALL = range(11, 18)
_SEM_STAT, _SEM_INFO, _SEM_STAT_ANY = 18, 19, 20
_OF_ONE = (_GETPID, _GETVAL, _GETNCNT, _GETZCNT)
_STATUS = struct.Struct("<48sqQqQQ16x")  # struct semid64_ds
_PERMISSION_BYTES = 48


@call("semget")
def semget(task: Task, key: Int, count: Int, flags: Flags) -> int:
    """semget(2)"""
    if not 0 <= count <= _MOST_IN_A_SET:
        raise LinuxError(Errno.EINVAL)

    def check(row: SemaphoreSet) -> None:
        if count > len(row.values):
            raise LinuxError(Errno.EINVAL)

    def make(row: IpcObject) -> SemaphoreSet:
        if not count:
            raise LinuxError(Errno.EINVAL)
        task.ipc.charge_values(count)
        return SemaphoreSet(
            row.key, row.mode, row.owner, row.group, row.maker, changed=row.changed, values=[0] * count,
            changers=[0] * count,
        )  # fmt: skip

    return task.ipc.sets.get(task, key, flags, check, make)


@call("semop")
def semop(task: Task, identifier: Int, operations: Address, count: Word) -> Result:
    """semop(2)"""
    return semtimedop(task, identifier, operations, count & 0xFFFF_FFFF, 0)


@call("semtimedop")
def semtimedop(task: Task, identifier: Int, address: Address, count: Size, timeout: Address) -> Result:
    """semtimedop(2)"""
    count &= 0xFFFF_FFFF
    deadline = task.clock.elapsed() + duration(task, timeout) if timeout else None
    if count < 1 or identifier < 0:
        raise LinuxError(Errno.EINVAL)
    if count > _MOST_OPERATIONS:
        raise LinuxError(Errno.E2BIG)
    task.space.work.charge(PER_ITEM * count)
    words = task.space.load_words(address, "Hhh" * count)
    operations = list(zip(words[::3], words[1::3], words[2::3], strict=True))
    row = task.ipc.sets.find(identifier)
    if max(words[::3]) >= len(row.values):
        raise LinuxError(Errno.EFBIG)
    alters = any(words[1::3])
    row.check(task, WRITE if alters else READ)
    blocked = attempt(row, task, operations)
    if blocked is None:
        if alters:
            serve(row)
        return 0
    waiter = SemaphoreWaiter(task, operations, blocked)
    row.waiters.append(waiter)

    def give_up(error: Errno) -> int:
        if waiter in row.waiters:
            row.waiters.remove(waiter)
        return -error

    def then(late: bool) -> Result:
        if waiter.result is not None:
            return waiter.result
        return give_up(Errno.EIDRM if row.removed else Errno.EAGAIN)

    return Wait(lambda: waiter.result is not None or row.removed, deadline, then, lambda: give_up(Errno.EINTR))


@call("semctl")
def semctl(task: Task, identifier: Int, number: Int, command: Int, argument: Word) -> int:
    """semctl(2)"""
    if identifier < 0:
        raise LinuxError(Errno.EINVAL)
    if command in (IPC_INFO, _SEM_INFO):
        return _tell_limits(task, command, argument)
    if command in (IPC_STAT, _SEM_STAT, _SEM_STAT_ANY):
        row = task.ipc.sets.find(identifier) if command == IPC_STAT else task.ipc.sets.at(identifier)
        if command != _SEM_STAT_ANY:
            row.check(task, READ)
        status = _STATUS.pack(row.permissions(), row.operated, 0, row.changed, 0, len(row.values))
        task.space.store(argument, status)
        return 0 if command == IPC_STAT else row.identifier
    if command in (IPC_SET, IPC_RMID):
        data = task.space.load(argument, _STATUS.size)[:_PERMISSION_BYTES] if command == IPC_SET else b""
        row = task.ipc.sets.find(identifier)
        row.check_owner(task)
        if command == IPC_SET:
            row.set_permissions(data, task.now // NANOSECONDS)
        else:
            task.ipc.sets.remove(row)
            task.ipc.charge_values(-len(row.values))
        return 0
    if command == _SETVAL:
        return _set_value(task, identifier, number, argument & 0xFFFF_FFFF)
    if command in (*_OF_ONE, _GETALL, _SETALL):
        return _values(task, task.ipc.sets.find(identifier), number, command, argument)
    raise LinuxError(Errno.EINVAL)


def _tell_limits(task: Task, command: int, address: int) -> int:
    sets = task.ipc.sets
    used = (len(sets), sum(len(row.values) for row in sets)) if command == _SEM_INFO else (20, LARGEST_VALUE)
    most = _MOST_IN_A_SET * MOST_SETS
    task.space.store_words(
        address, "10i", most, MOST_SETS, most, most, _MOST_IN_A_SET, _MOST_OPERATIONS, _MOST_OPERATIONS, used[0],
        LARGEST_VALUE, used[1],
    )  # fmt: skip
    return sets.highest


def _set_value(task: Task, identifier: int, number: int, word: int) -> int:
    value = (word ^ 1 << 31) - (1 << 31)
    if not 0 <= value <= LARGEST_VALUE:
        raise LinuxError(Errno.ERANGE)
    row = task.ipc.sets.find(identifier)
    if not 0 <= number < len(row.values):
        raise LinuxError(Errno.EINVAL)
    row.check(task, WRITE)
    _put(task, row, {number: value})
    return 0


def _put(task: Task, row: SemaphoreSet, values: dict[int, int]) -> None:
    """Values that nobody takes back any more."""
    for number, value in values.items():
        row.values[number], row.changers[number] = value, task.process.pid
        for adjustments in row.undo.values():
            adjustments[number] = 0
    row.changed = task.now // NANOSECONDS
    serve(row)


def _values(task: Task, row: SemaphoreSet, number: int, command: int, address: int) -> int:
    row.check(task, WRITE if command == _SETALL else READ)
    task.space.work.charge(PER_ITEM * len(row.values))
    if command == _GETALL:
        task.space.store_words(address, f"{len(row.values)}H", *row.values)
        return 0
    if command == _SETALL:
        values = task.space.load_words(address, f"{len(row.values)}H")
        if max(values) > LARGEST_VALUE:
            raise LinuxError(Errno.ERANGE)
        _put(task, row, dict(enumerate(values)))
        return 0
    if not 0 <= number < len(row.values):
        raise LinuxError(Errno.EINVAL)
    if command == _GETVAL:
        return row.values[number]
    if command == _GETPID:
        return row.changers[number]
    waits_for_zero = command == _GETZCNT
    blocked = (waiter.blocked_at for waiter in row.waiters)
    return sum(at == number and (not change) == waits_for_zero for at, change, _ in blocked)
