"""Opened files that tell of events: epoll instances, which tell of other files, and signalfds."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import ClassVar

import msgspec

from machine.kernel.linux import signals
from machine.kernel.linux.errors import Errno, LinuxError
from machine.kernel.linux.nodes import Status
from machine.kernel.linux.open_files import O_RDONLY, O_RDWR, OpenFile
from machine.kernel.linux.pending import Pending
from machine.kernel.linux.signal_frame import SignalInfo
from machine.kernel.linux.task import Task, ThreadGroup
from machine.memory import PER_ITEM

POLLIN, POLLOUT, POLLERR, POLLHUP = 1, 4, 8, 0x10
_READING, _WRITING = 0x41, 0x104  # with RDNORM and WRNORM
_ALWAYS = POLLERR | POLLHUP
EPOLLEXCLUSIVE, _ONESHOT, _EDGE = 1 << 28, 1 << 30, 1 << 31
_CONDITIONS = 0x0FFF_FFFF  # of an epoll_event: what is waited for, not how
_DEEPEST = 5  # epoll instances that are told of each other
_SI_TIMER = -2
_INFO_BYTES = 128


def conditions(task: Task, file: OpenFile) -> int:
    """POLL* of what is so of a file that a task asks about."""
    file.asked_by(task)
    reading, writing, gone = file.ready()
    result = (_READING if reading else 0) | (_WRITING if writing else 0)
    if gone:
        result |= POLLHUP if file.readable else POLLERR
    return result | file.other_conditions


class _Interest(msgspec.Struct, eq=False):
    """One file of an epoll instance. `told` is what was last told of it."""

    file: OpenFile
    events: int
    data: int
    is_enabled: bool = True
    told: tuple[int, int] | None = None


class EventPoll(OpenFile):
    """An epoll instance. Files that nobody has open any more are forgotten."""

    label: ClassVar[str] = "[eventpoll]"

    def __init__(self) -> None:
        super().__init__(O_RDONLY)
        self._asker: Task | None = None
        self._rows: dict[tuple[int, OpenFile], _Interest] = {}

    def status(self) -> Status:
        """As `OpenFile`."""
        return Status(mode=0o600, inode=1)

    def asked_by(self, task: Task) -> None:
        """As `OpenFile`."""
        self._asker = task

    @property
    def depth(self) -> int:
        """How many instances are told of each other, this one among them. At most `_DEEPEST`, as `add` sees to."""
        inner = (row.file.depth for row in self._rows.values() if isinstance(row.file, EventPoll))
        return 1 + max(inner, default=0)

    def _reaches(self, other: EventPoll) -> bool:
        files = (row.file for row in self._rows.values())
        return any(file is other or (isinstance(file, EventPoll) and file._reaches(other)) for file in files)

    def add(self, number: int, file: OpenFile, events: int, data: int) -> None:
        """Be told of a file. Raises EEXIST, and ELOOP for instances that would be told of each other in a circle."""
        if (number, file) in self._rows:
            raise LinuxError(Errno.EEXIST)
        if isinstance(file, EventPoll) and (file._reaches(self) or file.depth >= _DEEPEST):
            raise LinuxError(Errno.ELOOP)
        self._rows[number, file] = _Interest(file, events, data)

    def change(self, number: int, file: OpenFile, events: int, data: int) -> None:
        """Be told of something else of a file. Raises ENOENT."""
        if (number, file) not in self._rows:
            raise LinuxError(Errno.ENOENT)
        self._rows[number, file] = _Interest(file, events, data)

    def remove(self, number: int, file: OpenFile) -> None:
        """Be told of a file no more. Raises ENOENT."""
        if self._rows.pop((number, file), None) is None:
            raise LinuxError(Errno.ENOENT)

    def _found(self, task: Task) -> Iterator[tuple[_Interest, int, tuple[int, int]]]:
        """What there is to tell, with the conditions that are so."""
        for key, row in list(self._rows.items()):
            task.space.work.charge(PER_ITEM)
            if not row.file.users:
                del self._rows[key]
                continue
            present = conditions(task, row.file) & (row.events & _CONDITIONS | _ALWAYS)
            state = (present, row.file.news)
            if present and row.is_enabled and not (row.events & _EDGE and row.told == state):
                yield row, present, state

    def has_news(self, task: Task) -> bool:
        """Whether there is something to tell."""
        return next(self._found(task), None) is not None

    def take(self, task: Task, most: int) -> list[tuple[int, int]]:
        """Conditions and data of at most so many files."""
        result = []
        for row, present, state in self._found(task):
            row.told = state
            row.is_enabled = not row.events & _ONESHOT
            result.append((present, row.data))
            if len(result) == most:
                break
        for key, row in list(self._rows.items()):  # those that wait longest come first next time
            if row.told is not None and len(result) == most and not row.events & _EDGE:
                self._rows[key] = self._rows.pop(key)
        return result

    def ready(self) -> tuple[bool, bool, bool]:
        """As `OpenFile`."""
        return self._asker is not None and self.has_news(self._asker), False, False


class SignalFile(OpenFile):
    """A signalfd: pending signals of whoever reads it."""

    label: ClassVar[str] = "[signalfd]"

    def __init__(self, flags: int, mask: int) -> None:
        super().__init__(flags | O_RDONLY)
        self.mask = mask & ~signals.UNBLOCKABLE
        self._asker: Task | None = None

    def status(self) -> Status:
        """As `OpenFile`."""
        return Status(mode=0o600, inode=1)

    def asked_by(self, task: Task) -> None:
        """As `OpenFile`."""
        self._asker = task

    def _pending(self, task: Task) -> list[tuple[Pending, int]]:
        return [row for row in signals.in_order(task) if self.mask >> (row[1] - 1) & 1]

    def ready(self) -> tuple[bool, bool, bool]:
        """As `OpenFile`."""
        return self._asker is not None and bool(self._pending(self._asker)), False, False

    def read(self, size: int) -> bytes:
        """As `OpenFile`: a struct signalfd_siginfo for each."""
        task = self._asker
        if size < _INFO_BYTES or task is None:
            raise LinuxError(Errno.EINVAL)
        if not self._pending(task):
            raise self.would_wait(lambda: bool(self._pending(task)))
        rows = b""
        while len(rows) + _INFO_BYTES <= size and (found := self._pending(task)):
            pending, signal = found[0]
            rows += _told(pending.take(signal))
        return rows


def _told(info: SignalInfo) -> bytes:
    """A struct signalfd_siginfo (linux/signalfd.h)."""
    number, error, code, first, second, value, pointer = struct.unpack_from("<iii4xIIi", info.data)[:6] + (
        struct.unpack_from("<Q", info.data, 24)
    )
    is_timer = code == _SI_TIMER
    sender = (0, 0) if is_timer else (first, second)
    timer = (first, second) if is_timer else (0, 0)
    return struct.pack(
        "<IiiIIiIIIIiiQ", number, error, code, *sender, 0, timer[0], 0, timer[1], 0, value, value, pointer
    ).ljust(_INFO_BYTES, b"\0")


class ProcessFile(OpenFile):
    """What stands for a process (pidfd): it can be read when the process has ended, and tells nothing."""

    label: ClassVar[str] = "[pidfd]"

    def __init__(self, group: ThreadGroup, flags: int = 0) -> None:
        super().__init__(O_RDWR | flags)
        self.group = group

    def status(self) -> Status:
        """As `OpenFile`."""
        return Status(mode=0o600, inode=self.group.pid)

    def ready(self) -> tuple[bool, bool, bool]:
        """As `OpenFile`."""
        return self.group.has_ended, False, self.group.has_ended and self.group.pid not in self.group.table
