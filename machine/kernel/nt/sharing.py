"""Who has which file of the drive open, for what, and which ranges of it are locked (CreateFile, LockFileEx).

What a file is known by is a number (`machine.kernel.nt.volume.Spot.identity`).
"""

from __future__ import annotations

from collections import defaultdict
from typing import Protocol

import msgspec

from machine.kernel.nt.objects import KernelObject
from machine.kernel.nt.status import (
    STATUS_FILE_LOCK_CONFLICT,
    STATUS_INSUFFICIENT_RESOURCES,
    STATUS_RANGE_NOT_LOCKED,
    STATUS_SHARING_VIOLATION,
    STATUS_USER_MAPPED_FILE,
    NtError,
)

READS, WRITES, DELETES = 1, 2, 4  # as FILE_SHARE_*
_RIGHTS = {  # FILE_READ_DATA, FILE_EXECUTE, FILE_WRITE_DATA, FILE_APPEND_DATA, DELETE, GENERIC_*
    0x1: READS, 0x20: READS, 0x2: WRITES, 0x4: WRITES, 0x1_0000: DELETES, 0x8000_0000: READS, 0x2000_0000: READS,
    0x4000_0000: WRITES, 0x1000_0000: READS | WRITES | DELETES,
}  # fmt: skip
_MOST_LOCKS = 65_536


def uses_of(access: int) -> int:
    """What an ACCESS_MASK is about, of reading, writing and deleting; 0 for attributes only."""
    found = 0
    for bit, uses in _RIGHTS.items():
        found |= uses if access & bit else 0
    return found


class _Open(msgspec.Struct, frozen=True):
    uses: int
    shares: int


class _Lock(msgspec.Struct, frozen=True):
    owner: KernelObject
    key: int
    first: int
    end: int
    is_exclusive: bool


class Mapping(Protocol):
    """A section of a file."""

    size: int

    @property
    def is_referenced(self) -> bool:
        """Whether a handle or a view has it."""
        ...


class Sharing:
    """The open files of one drive."""

    def __init__(self) -> None:
        self._opens: dict[int, dict[KernelObject, _Open]] = defaultdict(dict)
        self._locks: dict[int, list[_Lock]] = defaultdict(list)
        self._disposed: dict[int, KernelObject] = {}  # by whom
        self._sections: dict[int, list[Mapping]] = {}

    def mapped(self, identity: int, section: Mapping) -> None:
        """A section of a file was made."""
        self._sections[identity] = [*self._mappings(identity), section]

    def check_size(self, identity: int, size: int) -> None:
        """Raises NtError where a section of a file has more than so many bytes."""
        if any(section.size > size for section in self._mappings(identity)):
            raise NtError(STATUS_USER_MAPPED_FILE)

    def _mappings(self, identity: int) -> list[Mapping]:
        """Those sections of a file that somebody has; the others are forgotten."""
        found = [section for section in self._sections.pop(identity, ()) if section.is_referenced]
        if found:
            self._sections[identity] = found
        return found

    def check(self, identity: int, access: int, shares: int) -> None:
        """Raises NtError where an open file does not share what is wanted, or is used for what would not be shared."""
        uses = uses_of(access)
        for other in self._opens.get(identity, {}).values() if uses else ():
            if other.uses and (uses & ~other.shares or other.uses & ~shares):
                raise NtError(STATUS_SHARING_VIOLATION)

    def opened(self, identity: int, file: KernelObject, access: int, shares: int) -> None:
        """A file was opened."""
        self._opens[identity][file] = _Open(uses_of(access), shares)

    def dispose(self, identity: int, file: KernelObject, *, wanted: bool) -> None:
        """The file is to go when nobody has it open any more, or is not."""
        if wanted:
            self._disposed.setdefault(identity, file)
        else:
            self._disposed.pop(identity, None)

    def is_disposed(self, identity: int) -> bool:
        """Whether it is to go."""
        return identity in self._disposed

    def closed(self, identity: int, file: KernelObject) -> KernelObject | None:
        """The last handle of an open file is closed: its locks are gone. Who wanted the file to go, if it goes now."""
        opens, locks = self._opens.get(identity, {}), self._locks.get(identity, [])
        opens.pop(file, None)
        locks[:] = [lock for lock in locks if lock.owner is not file]
        if not opens:
            self._opens.pop(identity, None)
        if not locks:
            self._locks.pop(identity, None)
        return None if opens else self._disposed.pop(identity, None)

    def is_open(self, identity: int) -> bool:
        """Whether somebody has it open."""
        return identity in self._opens

    def is_lockable(self, identity: int, first: int, size: int, *, is_exclusive: bool) -> bool:
        """Whether no lock is in the way of another one."""
        overlapping = self._overlapping(identity, first, size)
        return not any(is_exclusive or lock.is_exclusive for lock in overlapping)

    def lock(self, identity: int, file: KernelObject, key: int, first: int, size: int, *, is_exclusive: bool) -> None:
        """Lock a range that is lockable. Raises NtError where there are too many."""
        locks = self._locks[identity]
        if len(locks) >= _MOST_LOCKS:
            raise NtError(STATUS_INSUFFICIENT_RESOURCES)
        locks.append(_Lock(file, key, first, first + size, is_exclusive))

    def unlock(self, identity: int, file: KernelObject, key: int, first: int, size: int) -> None:
        """Unlock just this range. Raises NtError where it is not locked."""
        for lock in self._locks.get(identity, ()):
            if lock.owner is file and (lock.key, lock.first, lock.end) == (key, first, first + size):
                self._locks[identity].remove(lock)
                return
        raise NtError(STATUS_RANGE_NOT_LOCKED)

    def check_range(self, identity: int, file: KernelObject, first: int, size: int, *, writes: bool) -> None:
        """Raises NtError where a lock keeps a file from reading or writing there."""
        for lock in self._overlapping(identity, first, size):
            if lock.owner is not file if lock.is_exclusive else writes:
                raise NtError(STATUS_FILE_LOCK_CONFLICT)

    def _overlapping(self, identity: int, first: int, size: int) -> list[_Lock]:
        return [lock for lock in self._locks.get(identity, ()) if first < lock.end and lock.first < first + size]
