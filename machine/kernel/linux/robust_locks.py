"""Robust locks: those that a thread holds at its end are marked, so that somebody else can have them (futex(2)).

Their list is in the guest's memory, and is walked when the thread ends, and when its process does.
"""

from __future__ import annotations

from contextlib import suppress

from machine.kernel.linux.errors import LinuxError
from machine.kernel.linux.task import Task
from machine.memory import PER_ITEM

_MOST_LOCKS = 2048  # ROBUST_LIST_LIMIT
_OWNER, _OWNER_DIED, _WAITERS = 0x3FFF_FFFF, 0x4000_0000, 0x8000_0000


def leave_locks(task: Task) -> None:
    """Mark the locks that a thread holds at its end, and wake one waiter of each (exit_robust_list)."""
    if not task.robust_list:
        return
    with suppress(LinuxError):  # a list that cannot be read ends
        entry, offset, pending = task.space.load_words(task.robust_list, "QqQ")
        for _ in range(_MOST_LOCKS):
            if entry & ~1 == task.robust_list:
                break
            task.space.work.charge(PER_ITEM)
            (following,) = task.space.load_words(entry & ~1, "Q")
            if entry & ~1 != pending & ~1:
                _owner_died(task, (entry & ~1) + offset)
            entry = following
        if pending & ~1:
            _owner_died(task, (pending & ~1) + offset)


def _owner_died(task: Task, address: int) -> None:
    (word,) = task.space.load_words(address, "I")
    if address % 4 or word & _OWNER != task.tid:
        return
    task.space.store_words(address, "I", word & _WAITERS | _OWNER_DIED)
    if word & _WAITERS:
        task.futexes.wake(task.space.word_at(address), 1)
