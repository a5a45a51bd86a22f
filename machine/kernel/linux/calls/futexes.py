"""Threads that wait for each other at a word of memory, and wake each other."""

from __future__ import annotations

from machine.kernel.linux.abi import Address, UInt, call
from machine.kernel.linux.calls.time import duration
from machine.kernel.linux.errors import Errno, LinuxError, Refused
from machine.kernel.linux.futexes import ANY
from machine.kernel.linux.space import check_user_range
from machine.kernel.linux.task import Task
from machine.kernel.outcomes import AGAIN, Result, Wait

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
