"""What a path of the guest can lead to: the interface of files and directories, whatever they are made of.

A node refuses what it cannot do with the error that Linux gives. Names are single components, never empty, `.` or `..`:
only `paths` looks at paths.
"""

from __future__ import annotations

import stat
from collections.abc import Iterable
from typing import TYPE_CHECKING, Protocol

import msgspec

from machine.kernel.linux.errors import Errno, LinuxError
from machine.memory import Frames, SharedMemory

if TYPE_CHECKING:
    from machine.kernel.linux.paths import Place

BLOCK_BYTES = 4096
TMPFS, PROCFS, SYSFS = 0x0102_1994, 0x9FA0, 0x6265_6572  # what statfs calls file systems
PERMISSION_BITS = 0o777  # set-user-id and its kin are never stored: nothing here could honour them


class Status(msgspec.Struct, frozen=True):
    """What the stat family tells. Times are nanoseconds since 1970."""

    mode: int
    inode: int
    size: int = 0
    links: int = 1
    device: int = 1
    user: int = 1000
    group: int = 1000
    special: int = 0  # the device that a device file stands for
    blocks: int = 0  # units of 512 bytes
    accessed: int = 0
    modified: int = 0
    changed: int = 0


class Entry(msgspec.Struct, frozen=True):
    """One name in a directory; `kind` is the file type of a mode."""

    name: bytes
    inode: int
    kind: int


def granted(status: Status, user: int, group: int) -> int:
    """What somebody may do with a file: 4 to read, 2 to write, 1 to execute it (path_resolution(7))."""
    if user == 0:
        return 7 if stat.S_ISDIR(status.mode) or status.mode & 0o111 else 6
    return status.mode >> (6 if user == status.user else 3 if group == status.group else 0) & 7


class Handle(Protocol):
    """The bytes of an opened file."""

    def read_at(self, offset: int, size: int) -> bytes:
        """Up to `size` bytes."""
        ...

    def write_at(self, offset: int, data: bytes) -> int:
        """How many bytes were written, at least 1."""
        ...

    def resize(self, size: int) -> None:
        """Cut or extend by zeros."""
        ...

    def status(self) -> Status:
        """As of the node."""
        ...

    def pages(self, source: Frames) -> SharedMemory:
        """Its pages, for mappings that are shared (machine.kernel.linux.mapped_files). Raises ENODEV."""
        ...


class Node:
    """A file of any type; every operation is refused here. At a mount point another file system begins."""

    is_mount_point = False
    can_be_named = False  # of a file without a name: it may get one
    file_system: int = TMPFS

    def status(self) -> Status:
        """What the stat family tells."""
        raise NotImplementedError

    @property
    def is_directory(self) -> bool:
        """Whether paths go on here."""
        return False

    def target(self) -> bytes | None:
        """Where a symbolic link leads; None for everything else."""
        return None

    def jump(self) -> Place | None:
        """Where a link leads that has no need of its text (a magic link of /proc); None for everything else."""
        return None

    def check(self, wanted: int, user: int, group: int) -> None:
        """Whether somebody may read (4), write (2), execute or search (1) it, by its mode. Raises EACCES."""
        status = self.status()
        if wanted & ~granted(status, user, group):
            raise LinuxError(Errno.EACCES)

    def open(self, writable: bool) -> Handle:
        """The bytes of a regular file."""
        raise LinuxError(Errno.EISDIR if self.is_directory else Errno.EACCES)

    # --- directories

    def child(self, name: bytes) -> Node:
        """The node of this name. Raises ENOENT."""
        raise LinuxError(Errno.ENOTDIR)

    def entries(self) -> Iterable[Entry]:
        """The names, without `.` and `..`."""
        raise LinuxError(Errno.ENOTDIR)

    def holder(self, name: bytes) -> Node:
        """The directory that has, or gets, the entry of this name: this one, unless it only covers another."""
        return self

    def make_file(self, name: bytes, mode: int) -> Node:
        """A new empty file. Raises EEXIST."""
        raise LinuxError(Errno.ENOTDIR)

    def make_nameless(self, mode: int) -> Node:
        """A new empty file that no name leads to (O_TMPFILE)."""
        raise LinuxError(Errno.EOPNOTSUPP)

    def make_socket(self, name: bytes, mode: int) -> Node:
        """A new name of a socket. Raises EEXIST, and EPERM where there can be none."""
        raise LinuxError(Errno.EPERM if self.is_directory else Errno.ENOTDIR)

    def make_fifo(self, name: bytes, mode: int) -> Node:
        """A new FIFO. Raises EEXIST, and EPERM where there can be none."""
        raise LinuxError(Errno.EPERM if self.is_directory else Errno.ENOTDIR)

    def make_directory(self, name: bytes, mode: int) -> None:
        """A new empty directory. Raises EEXIST."""
        raise LinuxError(Errno.ENOTDIR)

    def make_link(self, name: bytes, target: bytes) -> None:
        """A new symbolic link. Raises EEXIST."""
        raise LinuxError(Errno.ENOTDIR)

    def remove_file(self, name: bytes) -> None:
        """Remove a name that is not a directory."""
        raise LinuxError(Errno.ENOTDIR)

    def remove_directory(self, name: bytes) -> None:
        """Remove an empty directory."""
        raise LinuxError(Errno.ENOTDIR)

    def rename(self, name: bytes, other: Node, new_name: bytes) -> None:
        """Move an entry of this directory into `other`, replacing what stands there. Raises EXDEV between systems."""
        raise LinuxError(Errno.EXDEV)

    def exchange(self, name: bytes, other: Node, new_name: bytes) -> None:
        """Let an entry of this directory and one of `other` change places. Raises EXDEV between systems."""
        raise LinuxError(Errno.EXDEV)

    def add_node(self, name: bytes, node: Node) -> None:
        """One more name here, or a first one, for a regular file, whatever it is called elsewhere."""
        raise LinuxError(Errno.EXDEV)

    def add_name(self, name: bytes, directory: Node, old_name: bytes) -> None:
        """A hard link here to an entry of another directory."""
        raise LinuxError(Errno.EXDEV)

    # --- attributes

    def set_mode(self, mode: int) -> None:
        """Set the permission bits."""
        raise LinuxError(Errno.EPERM)

    def set_times(self, accessed: int, modified: int) -> None:
        """Nanoseconds since 1970."""
        raise LinuxError(Errno.EPERM)
