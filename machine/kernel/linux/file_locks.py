"""Locks on files, which hold off nobody but those who lock as well: flock's, and those of fcntl on ranges (fs/locks.c).

A range is owned by a table of descriptors (F_SETLK) or an open file description (F_OFD_SETLK), as flock has it always.
Which file it is, its inode says: its names do not matter.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
from msgspec.structs import replace

from machine.kernel.linux.errors import Errno, LinuxError
from machine.kernel.linux.open_files import DescriptorTable, OpenFile

Owner = DescriptorTable | OpenFile
_MOST_LOCKS = 65_536  # of all guests
_MOST_STEPS = 10  # from one who waits to the next, until that is taken for no deadlock (MAX_DEADLK_ITERATIONS)


class RangeLock(msgspec.Struct, frozen=True):
    """Bytes [start, last] that are locked; `pid` is told of the lock, -1 where it belongs to a description."""

    owner: Owner
    is_exclusive: bool
    start: int
    last: int
    pid: int

    def meets(self, other: RangeLock) -> bool:
        """Whether both share a byte."""
        return self.start <= other.last and other.start <= self.last

    def conflicts(self, other: RangeLock) -> bool:
        """Whether the two cannot be held at once."""
        return self.owner is not other.owner and (self.is_exclusive or other.is_exclusive) and self.meets(other)


class FileLocks:
    """The locks of all guests."""

    def __init__(self) -> None:
        self._whole: dict[tuple[int, int], dict[OpenFile, bool]] = {}  # exclusive?
        self._ranges: dict[tuple[int, int], list[RangeLock]] = {}
        self._waiting: dict[Owner, RangeLock] = {}  # what somebody holds whom the owner waits for

    # --- whole files

    def lock_whole(self, file: OpenFile, is_exclusive: bool) -> bool:
        """Whether the file is locked now; what it had before is given up for that (flock(2))."""
        rows = self._whole.setdefault(_key(file), {})
        rows.pop(file, None)
        if rows and (is_exclusive or any(rows.values())):
            return False
        rows[file] = is_exclusive
        return True

    def can_lock_whole(self, file: OpenFile, is_exclusive: bool) -> bool:
        """Whether nobody else's lock is in the way."""
        others = [exclusive for other, exclusive in self._whole.get(_key(file), {}).items() if other is not file]
        return not others or not (is_exclusive or any(others))

    def unlock_whole(self, file: OpenFile) -> None:
        """It is locked no more."""
        self._drop(self._whole, _key(file), file)

    @staticmethod
    def _drop(table: dict[tuple[int, int], dict[OpenFile, bool]], key: tuple[int, int], file: OpenFile) -> None:
        rows = table.get(key)
        if rows is not None:
            rows.pop(file, None)
            if not rows:
                del table[key]

    # --- ranges

    def conflict(self, file: OpenFile, wanted: RangeLock) -> RangeLock | None:
        """The first lock that is in the way."""
        return next((row for row in self._ranges.get(_key(file), ()) if row.conflicts(wanted)), None)

    def lock(self, file: OpenFile, wanted: RangeLock) -> None:
        """Lock, in the place of what the owner has there. Raises ENOLCK."""
        if sum(map(len, self._ranges.values())) >= _MOST_LOCKS:
            raise LinuxError(Errno.ENOLCK)
        self._put(file, wanted, [wanted])

    def unlock(self, file: OpenFile, range_: RangeLock) -> None:
        """The owner has nothing there any more."""
        self._put(file, range_, [])

    def _put(self, file: OpenFile, range_: RangeLock, new: list[RangeLock]) -> None:
        key, kept = _key(file), list[RangeLock]()
        for row in self._ranges.get(key, ()):
            if row.owner is range_.owner and row.meets(range_):
                kept += _outside(row, range_)
            else:
                kept.append(row)
        rows = sorted(kept + new, key=lambda row: row.start)
        if rows:
            self._ranges[key] = list(_joined(rows))
        else:
            self._ranges.pop(key, None)

    def begin_to_wait(self, owner: Owner, blocker: RangeLock) -> None:
        """Somebody is about to wait for what another one holds. Raises EDEADLK where that one waits for this one."""
        here: Owner | None = blocker.owner
        for _ in range(_MOST_STEPS):
            if here is owner:
                raise LinuxError(Errno.EDEADLK)
            held = self._waiting.get(here) if here is not None else None
            if held is None:
                break
            here = held.owner
        self._waiting[owner] = blocker

    def end_to_wait(self, owner: Owner) -> None:
        """It waits no more."""
        self._waiting.pop(owner, None)

    # --- closing

    def closed(self, table: DescriptorTable, file: OpenFile) -> None:
        """A table has lost a descriptor: with it all of its locks on that file, and the description's with the last."""
        self._waiting.pop(table, None)
        if not self._ranges and not self._whole:
            return
        try:
            self._forget(_key(file), table)
            if not file.users:
                self._forget(_key(file), file)
                self.unlock_whole(file)
        except LinuxError:  # a file without a status has no locks
            return

    def _forget(self, key: tuple[int, int], owner: Owner) -> None:
        rows = [row for row in self._ranges.get(key, ()) if row.owner is not owner]
        if rows:
            self._ranges[key] = rows
        else:
            self._ranges.pop(key, None)


def _key(file: OpenFile) -> tuple[int, int]:
    status = file.status()
    return status.device, status.inode


def _outside(row: RangeLock, hole: RangeLock) -> Iterator[RangeLock]:
    """What is left of a lock without the bytes of another one."""
    if row.start < hole.start:
        yield replace(row, last=hole.start - 1)
    if row.last > hole.last:
        yield replace(row, start=hole.last + 1)


def _joined(rows: list[RangeLock]) -> Iterator[RangeLock]:
    """Neighbours of one owner and one kind are one lock."""
    pending: dict[Owner, RangeLock] = {}
    for row in rows:
        before = pending.get(row.owner)
        if before is not None and before.is_exclusive == row.is_exclusive and before.last + 1 >= row.start:
            pending[row.owner] = replace(before, last=max(before.last, row.last))
            continue
        if before is not None:
            yield before
        pending[row.owner] = row
    yield from pending.values()
