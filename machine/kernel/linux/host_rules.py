"""What a guest may do to a folder of the host that it is shown: how much it may add, and where its links may lead.

A symbolic link must stay inside for the host as well, whose tools follow it later. Its target is relative and goes up
only at its beginning, by no more levels than there are above it: then every step of every way through such links ends
inside, whatever else is moved or exchanged. What this forbids is EPERM. A link that lies deeper than it needs to may be
moved upwards, with its directory or by itself, as long as that holds.
"""

from __future__ import annotations

import ctypes
import os
import stat
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING
from weakref import WeakSet, WeakValueDictionary

import msgspec

from machine.kernel.linux.errors import Errno, LinuxError
from machine.kernel.linux.mapped_files import FilePages
from machine.kernel.linux.nodes import Status, granted
from vm.facts.limits import Limits

if TYPE_CHECKING:
    from machine.kernel.linux.host_files import Opened

LOOK = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
OPEN = os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
_DEEPEST = 2048  # directories below the shown one in which links are made

_WRITE = 2
_RENAME_EXCHANGE = 2

Identity = tuple[int, int]  # device and inode


def check_name(name: bytes) -> None:
    """Whether a name leads one step down, or nowhere: kernels resolve paths before. Raises EACCES for all others."""
    if name == b".." or b"/" in name:
        raise LinuxError(Errno.EACCES)


class FolderQuota(msgspec.Struct):
    """What all guests of a machine together add to a writable folder: bytes and names, less what they remove of it.

    That they remove more than they have added gives them nothing (files of the user may be large and take no room).
    `reached` has the names of the limits that refused something.
    """

    limits: Limits
    bytes: int = 0
    files: int = 0
    reached: set[str] = msgspec.field(default_factory=set)
    _handles: Counter[Identity] = msgspec.field(default_factory=Counter)

    def check_size(self, size: int) -> None:
        """Raises EFBIG for a file that would become too large."""
        if size > self.limits.max_file_bytes:
            self.reached.add("max_file_bytes")
            raise LinuxError(Errno.EFBIG)

    def add_bytes(self, count: int) -> None:
        """Charge bytes, or give them back. Raises EDQUOT."""
        if count > 0 and self.bytes + count > self.limits.max_root_bytes:
            self.reached.add("max_root_bytes")
            raise LinuxError(Errno.EDQUOT)
        self.bytes = max(0, self.bytes + count)

    def add_file(self) -> None:
        """Charge a name. Raises EDQUOT."""
        if self.files >= self.limits.max_root_files:
            self.reached.add("max_root_files")
            raise LinuxError(Errno.EDQUOT)
        self.files += 1

    def remove_file(self, found: os.stat_result) -> None:
        """A name was removed, of which this was the status before; an open file keeps its bytes until it is closed."""
        self.files = max(0, self.files - 1)
        if stat.S_ISREG(found.st_mode) and found.st_nlink == 1 and identity(found) not in self._handles:
            self.add_bytes(-found.st_size)

    def opened(self, found: os.stat_result) -> None:
        """A handle of a file was made."""
        self._handles[identity(found)] += 1

    def closed(self, found: os.stat_result) -> None:
        """A handle of a file is given up; the last one of a file without a name frees its bytes."""
        key = identity(found)
        self._handles[key] -= 1
        if not self._handles[key]:
            del self._handles[key]
            if found.st_nlink == 0:
                self.add_bytes(-found.st_size)


class Share(msgspec.Struct, frozen=True):
    """What holds for a whole shown folder. `user` and `group` are the guests'; the host checks its own user's rights.

    If that is root, who may everything, guests that are not are held to the modes of files, to read, search and execute
    them; the folder itself is open. What they make is theirs. They write as the host may, but their own files.
    """

    root: Identity
    writable: bool
    quota: FolderQuota
    user: int = 1000
    group: int = 1000
    mapped: WeakValueDictionary[Identity, FilePages] = msgspec.field(default_factory=WeakValueDictionary)
    opened: WeakSet[Opened] = msgspec.field(default_factory=WeakSet)  # that machine code reads

    @property
    def is_held(self) -> bool:
        """Whether modes have to be looked at here."""
        return self.user != 0 and os.geteuid() == 0

    def check(self, status: Status, wanted: int) -> None:
        """As `Node.check`, where modes have to be looked at."""
        if (status.device, status.inode) == self.root:
            return
        may = granted(status, self.user, self.group)
        if status.user != self.user:
            may |= _WRITE
        if wanted & ~may:
            raise LinuxError(Errno.EACCES)

    def give(self, descriptor: int) -> None:
        """What a guest has made is its own."""
        if self.is_held:
            os.fchown(descriptor, self.user, self.group)

    @property
    def device(self) -> int:
        """The file system that is shown."""
        return self.root[0]

    def check_writable(self) -> None:
        """Raises EROFS."""
        if not self.writable:
            raise LinuxError(Errno.EROFS)

    def check_link(self, target: bytes, directory: int) -> None:
        """Whether a link with this target may lie in a directory. Raises EPERM."""
        if not _stays_inside(target, self._depth(directory)):
            raise LinuxError(Errno.EPERM)

    def check_move(self, name: bytes, directory: int, destination: int) -> None:
        """Whether an entry of a directory may get a name in another one: all links in it. Raises EPERM, OSError."""
        check_name(name)
        found = os.open(name, LOOK, dir_fd=directory)
        try:
            mode = os.fstat(found).st_mode
            if stat.S_ISLNK(mode):
                self.check_link(os.readlink(b"", dir_fd=found), destination)
            elif stat.S_ISDIR(mode):
                depth = self._depth(destination)
                if depth < self._depth(directory) and not all(
                    _stays_inside(target, depth + 1 + level) for target, level in self._links_below(found)
                ):
                    raise LinuxError(Errno.EPERM)
        finally:
            os.close(found)

    def _depth(self, directory: int) -> int:
        """How many levels a directory lies below the shown one, at this moment. Raises EPERM when it does not."""
        here = os.dup(directory)
        try:
            for depth in range(_DEEPEST):
                if identity(os.fstat(here)) == self.root:
                    return depth
                above = os.open(b"..", LOOK, dir_fd=here)
                os.close(here)
                here = above
            raise LinuxError(Errno.EPERM)
        finally:
            os.close(here)

    def _links_below(self, directory: int) -> Iterator[tuple[bytes, int]]:
        """The links in a directory and below: target, and how many levels further down. Raises EPERM for too many."""
        pending, left = [(b".", 0)], self.quota.limits.max_root_files
        while pending:
            path, level = pending.pop()
            opened = os.open(path, os.O_RDONLY | os.O_DIRECTORY | OPEN, dir_fd=directory)
            try:
                with os.scandir(opened) as rows:
                    for row in rows:
                        left -= 1
                        if left < 0:
                            self.quota.reached.add("max_root_files")
                            raise LinuxError(Errno.EPERM)
                        if row.is_symlink():
                            yield os.fsencode(os.readlink(row.name, dir_fd=opened)), level
                        elif row.is_dir(follow_symlinks=False):
                            pending.append((path + b"/" + os.fsencode(row.name), level + 1))
            finally:
                os.close(opened)


def exchange(directory: int, name: bytes, other: int, new_name: bytes) -> None:
    """Let two names change places; Python has no call for it. Raises OSError."""
    check_name(name)
    check_name(new_name)
    library = ctypes.CDLL(None, use_errno=True)
    if library.renameat2(directory, name, other, new_name, _RENAME_EXCHANGE):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def identity(found: os.stat_result) -> Identity:
    """What tells files apart."""
    return found.st_dev, found.st_ino


def _stays_inside(target: bytes, depth: int) -> bool:
    """Whether a link in a directory at this depth can only lead to what lies in the shown folder."""
    names = [name for name in target.split(b"/") if name not in (b"", b".")]
    upwards = next((index for index, name in enumerate(names) if name != b".."), len(names))
    return not target.startswith(b"/") and upwards <= depth and b".." not in names[upwards:]
