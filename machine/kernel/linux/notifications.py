"""inotify: who wants to know what happens to files, and what waits for them to be read (inotify(7)).

A file is known by its inode. A directory's watches are told of what happens in it, with the name. What the host does to
a folder that guests are shown is not told.
"""

from __future__ import annotations

import stat
import struct
from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

import msgspec

from machine.kernel.linux.errors import Errno, LinuxError
from machine.kernel.linux.nodes import Node, Status
from machine.kernel.linux.open_files import O_PATH, O_RDONLY, OpenFile

if TYPE_CHECKING:
    from machine.kernel.linux.paths import Place

IN_ACCESS, IN_MODIFY, IN_ATTRIB, IN_CLOSE_WRITE, IN_CLOSE_NOWRITE, IN_OPEN = 1, 2, 4, 8, 0x10, 0x20
IN_MOVED_FROM, IN_MOVED_TO, IN_CREATE, IN_DELETE, IN_DELETE_SELF, IN_MOVE_SELF = 0x40, 0x80, 0x100, 0x200, 0x400, 0x800
IN_OVERFLOW, IN_IGNORED, IN_ISDIR = 0x4000, 0x8000, 1 << 30
IN_ONLYDIR, IN_DONT_FOLLOW, IN_EXCL_UNLINK = 1 << 24, 1 << 25, 1 << 26
IN_MASK_CREATE, IN_MASK_ADD, IN_ONESHOT = 1 << 28, 1 << 29, 1 << 31
ALL_EVENTS = 0xFFF
_MOST_EVENTS, _MOST_WATCHES, _MOST_INSTANCES = 16_384, 65_536, 128  # /proc/sys/fs/inotify
_EVENT = struct.Struct("<iIII")  # struct inotify_event, without the name

Key = tuple[int, int]


class _Event(msgspec.Struct, frozen=True):
    watch: int
    mask: int
    cookie: int
    name: bytes

    def bytes(self) -> bytes:
        size = -(-(len(self.name) + 1) // _EVENT.size) * _EVENT.size if self.name else 0
        return _EVENT.pack(self.watch, self.mask, self.cookie, size) + self.name.ljust(size, b"\0")


class _Watch(msgspec.Struct, eq=False):
    instance: Inotify
    number: int
    key: Key
    mask: int


class Inotify(OpenFile):
    """An inotify instance."""

    label: ClassVar[str] = "inotify"

    def __init__(self, flags: int, notifier: Notifier) -> None:
        """Raises EMFILE."""
        super().__init__(flags | O_RDONLY)
        if notifier.instances >= _MOST_INSTANCES:
            raise LinuxError(Errno.EMFILE)
        notifier.instances += 1
        self._notifier = notifier
        self._events: list[_Event] = []
        self._watches: dict[int, _Watch] = {}
        self._last = 0
        self._arrived = 0

    def status(self) -> Status:
        """As `OpenFile`."""
        return Status(mode=0o600, inode=1)

    def add(self, node: Node, mask: int) -> int:
        """Watch a file, or watch it otherwise; the number of the watch. Raises EEXIST, ENOSPC."""
        key = _key(node.status())
        found = next((row for row in self._watches.values() if row.key == key), None)
        kept = mask & (ALL_EVENTS | IN_EXCL_UNLINK | IN_ONESHOT)
        if found is not None:
            if mask & IN_MASK_CREATE:
                raise LinuxError(Errno.EEXIST)
            found.mask = found.mask | kept if mask & IN_MASK_ADD else kept
            return found.number
        self._last += 1
        watch = _Watch(self, self._last, key, kept)
        self._notifier.add(key, watch)
        self._watches[watch.number] = watch
        return watch.number

    def remove(self, number: int) -> None:
        """Watch a file no more, and tell that. Raises EINVAL."""
        watch = self._watches.pop(number, None)
        if watch is None:
            raise LinuxError(Errno.EINVAL)
        self._notifier.remove(watch)
        self.tell(number, IN_IGNORED, 0, b"")

    def tell(self, number: int, mask: int, cookie: int, name: bytes) -> None:
        """Something has happened; the same thing twice in a row is told once."""
        event = _Event(number, mask, cookie, name)
        last = self._events[-1] if self._events else None
        if last is not None and (last.watch, last.mask, last.name) == (number, mask, name):
            return
        if len(self._events) >= _MOST_EVENTS:
            if last is not None and last.mask != IN_OVERFLOW:
                self._events.append(_Event(-1, IN_OVERFLOW, 0, b""))
            return
        self._events.append(event)
        self._arrived += 1

    def read(self, size: int) -> bytes:
        """As `OpenFile`: as many events as have room. Raises EINVAL where none has."""
        if not self._events:
            raise self.would_wait(lambda: bool(self._events))
        result, taken = b"", 0
        for event in self._events:
            row = event.bytes()
            if len(result) + len(row) > size:
                break
            result, taken = result + row, taken + 1
        if not taken:
            raise LinuxError(Errno.EINVAL)
        del self._events[:taken]
        return result

    def seek(self, offset: int, whence: int) -> int:
        """As `OpenFile`: the position is always 0."""
        return 0

    @property
    def has_messages(self) -> bool:
        """As `OpenFile`."""
        return True

    def at_end(self, size: int, offset: int | None = None) -> bool:
        """As `OpenFile`."""
        if not self._events:
            raise self.would_wait(lambda: bool(self._events))
        return False

    def available(self) -> int:
        """As `OpenFile`."""
        return sum(len(event.bytes()) for event in self._events)

    def ready(self) -> tuple[bool, bool, bool]:
        """As `OpenFile`."""
        return bool(self._events), False, False

    @property
    def news(self) -> int:
        """As `OpenFile`."""
        return self._arrived

    def closed(self) -> None:
        """As `OpenFile`."""
        for watch in self._watches.values():
            self._notifier.remove(watch)
        self._watches.clear()
        self._notifier.instances -= 1


class Notifier:
    """The watches of all guests, by inode. `is_open` says whether anybody has a file open."""

    def __init__(self, is_open: Callable[[Key], bool]) -> None:
        self.instances = 0
        self._is_open = is_open
        self._watches: dict[Key, list[_Watch]] = {}
        self._count = self._cookies = 0

    @property
    def is_asked(self) -> bool:
        """Whether anybody watches anything."""
        return bool(self._watches)

    def add(self, key: Key, watch: _Watch) -> None:
        """One more. Raises ENOSPC."""
        if self._count >= _MOST_WATCHES:
            raise LinuxError(Errno.ENOSPC)
        self._count += 1
        self._watches.setdefault(key, []).append(watch)

    def remove(self, watch: _Watch) -> None:
        """One less."""
        rows = self._watches[watch.key]
        rows.remove(watch)
        self._count -= 1
        if not rows:
            del self._watches[watch.key]

    def _tell(self, key: Key, mask: int, name: bytes = b"", cookie: int = 0, *, is_unlinked: bool = False) -> None:
        for watch in tuple(self._watches.get(key, ())):
            if not watch.mask & mask & ALL_EVENTS or (is_unlinked and name and watch.mask & IN_EXCL_UNLINK):
                continue
            watch.instance.tell(watch.number, mask, cookie, name)
            if watch.mask & IN_ONESHOT:
                watch.instance.remove(watch.number)

    # --- what happens

    def entry(self, directory: Node, name: bytes, mask: int, is_directory: bool, cookie: int = 0) -> None:
        """An entry of a directory is made, removed or moved."""
        if self._watches:
            self._tell(_key(directory.status()), mask | IN_ISDIR * is_directory, name, cookie)

    def node(self, node: Node, mask: int) -> None:
        """Something has become of a file that its directory is not told of."""
        if self._watches:
            status = node.status()
            self._tell(_key(status), mask | IN_ISDIR * stat.S_ISDIR(status.mode))

    def place(self, place: Place, mask: int) -> None:
        """A file was opened, read, changed: its directory is told, and it itself."""
        if self._watches:
            self._both(place, place.node.status(), mask)

    def file(self, file: OpenFile, mask: int) -> None:
        """As `place`, of an open file."""
        if self._watches and file.place is not None and not file.flags & O_PATH:
            self._both(file.place, file.status(), mask)

    def _both(self, place: Place, status: Status, mask: int) -> None:
        mask |= IN_ISDIR * stat.S_ISDIR(status.mode)
        if place.parent is not None and place.name:
            above = _key(place.parent.node.status())
            self._tell(above, mask, place.name, is_unlinked=not status.links)
        self._tell(_key(status), mask)

    def moved(self, source: tuple[Node, bytes], target: tuple[Node, bytes], node: Node, replaced: Node | None) -> None:
        """A file has another name."""
        if not self._watches:
            return
        self._cookies += 1
        is_directory = node.is_directory
        self.entry(*source, IN_MOVED_FROM, is_directory, self._cookies)
        self.entry(*target, IN_MOVED_TO, is_directory, self._cookies)
        if replaced is not None:
            self._tell(_key(replaced.status()), IN_ATTRIB | IN_ISDIR * replaced.is_directory)
        self._tell(_key(node.status()), IN_MOVE_SELF | IN_ISDIR * is_directory)

    def lost(self, status: Status) -> None:
        """A file has lost a name, or a description; `status` is that of now. Without any it goes, with its watches."""
        key = _key(status)
        if key not in self._watches or status.links or self._is_open(key):
            return
        self._tell(key, IN_DELETE_SELF)
        for watch in tuple(self._watches.get(key, ())):
            watch.instance.remove(watch.number)


def _key(status: Status) -> Key:
    return status.device, status.inode
