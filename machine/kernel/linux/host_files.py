"""A folder of the host as the guest's root, and the reasons why nothing outside it can be reached.

Every step goes by one component from a directory that is open already, with O_NOFOLLOW: neither a symbolic link nor a
folder that is exchanged meanwhile is ever followed by the host's kernel. Links are read as text and followed by
`paths`, which starts at the guest's root again, and `..` never reaches the host either. Only regular files and
directories are opened: no devices, FIFOs and sockets. Other file systems inside the folder (/proc, /sys, a mounted
disk) are not entered.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import ParamSpec, TypeVar

from machine.kernel.linux.errors import Errno, LinuxError, from_host
from machine.kernel.linux.nodes import PERMISSION_BITS, Entry, Handle, Node, Status

_P = ParamSpec("_P")
_R = TypeVar("_R")

_LOOK = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
_OPEN = os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY


def _translated(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """OSError becomes LinuxError."""

    @wraps(function)
    def call(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        try:
            return function(*args, **kwargs)
        except OSError as error:
            raise from_host(error) from None

    return call


@dataclass(frozen=True)
class Share:
    """What holds for a whole shown folder."""

    device: int
    writable: bool
    largest_file: int

    def check_writable(self) -> None:
        """Raises EROFS."""
        if not self.writable:
            raise LinuxError(Errno.EROFS)


def show(folder: Path, writable: bool, largest_file: int) -> HostDirectory:
    """The node of a folder that the user names. Raises OSError, ValueError for one that must not be shown."""
    descriptor = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)  # links in the user's own path are fine
    device = os.fstat(descriptor).st_dev
    for system in ("/proc", "/sys", "/dev"):
        try:
            forbidden = os.stat(system).st_dev
        except OSError:
            continue
        if device == forbidden != os.stat("/").st_dev:
            os.close(descriptor)
            raise ValueError(f"{folder} is part of {system}")
    return HostDirectory(descriptor, Share(device, writable, largest_file))


class _HostNode(Node):
    """A node by an O_PATH descriptor, which it owns."""

    def __init__(self, descriptor: int, share: Share) -> None:
        self.descriptor = descriptor
        self._share = share

    def __del__(self) -> None:
        os.close(self.descriptor)

    @_translated
    def status(self) -> Status:
        """As `Node`."""
        return _status(os.fstat(self.descriptor))


class _Special(_HostNode):
    """A device, a FIFO, a socket or another file system: it can be looked at only."""

    def child(self, name: bytes) -> Node:
        """As `Node`."""
        raise LinuxError(Errno.EACCES if stat.S_ISDIR(self.status().mode) else Errno.ENOTDIR)


class _Link(_HostNode):
    """A symbolic link."""

    @_translated
    def target(self) -> bytes | None:
        """As `Node`."""
        return os.readlink(b"", dir_fd=self.descriptor)


class _File(_HostNode):
    """A regular file, with the directory and the name that it was found by."""

    def __init__(self, descriptor: int, share: Share, directory: HostDirectory, name: bytes) -> None:
        super().__init__(descriptor, share)
        self._directory, self._name = directory, name

    @_translated
    def open(self, writable: bool) -> Handle:
        """As `Node`."""
        if writable:
            self._share.check_writable()
        return _Opened(self._reopen(os.O_RDWR if writable else os.O_RDONLY), self._share)

    @_translated
    def set_mode(self, mode: int) -> None:
        """As `Node`."""
        self._share.check_writable()
        descriptor = self._reopen(os.O_RDONLY)
        try:
            os.fchmod(descriptor, mode & PERMISSION_BITS)
        finally:
            os.close(descriptor)

    @_translated
    def set_times(self, accessed: int, modified: int) -> None:
        """As `Node`."""
        self._share.check_writable()
        os.utime(self._name, ns=(accessed, modified), dir_fd=self._directory.descriptor, follow_symlinks=False)

    def _reopen(self, flags: int) -> int:
        """Open by name, and make sure that it is the file that was looked at."""
        descriptor = os.open(self._name, flags | _OPEN, dir_fd=self._directory.descriptor)
        seen, found = os.fstat(self.descriptor), os.fstat(descriptor)
        if (seen.st_dev, seen.st_ino) != (found.st_dev, found.st_ino) or not stat.S_ISREG(found.st_mode):
            os.close(descriptor)
            raise LinuxError(Errno.ENOENT)
        return descriptor


class _Opened:
    """The bytes of an opened regular file."""

    def __init__(self, descriptor: int, share: Share) -> None:
        self._descriptor, self._share = descriptor, share

    def __del__(self) -> None:
        os.close(self._descriptor)

    @_translated
    def read_at(self, offset: int, size: int) -> bytes:
        """As `Handle`."""
        return os.pread(self._descriptor, size, offset)

    @_translated
    def write_at(self, offset: int, data: bytes) -> int:
        """As `Handle`."""
        if offset + len(data) > self._share.largest_file:
            raise LinuxError(Errno.EFBIG)
        return os.pwrite(self._descriptor, data, offset)

    @_translated
    def resize(self, size: int) -> None:
        """As `Handle`."""
        if size > self._share.largest_file:
            raise LinuxError(Errno.EFBIG)
        os.ftruncate(self._descriptor, size)

    @_translated
    def status(self) -> Status:
        """As `Handle`."""
        return _status(os.fstat(self._descriptor))


class HostDirectory(_HostNode):
    """A directory of the shown folder."""

    @property
    def is_directory(self) -> bool:
        """As `Node`."""
        return True

    @_translated
    def child(self, name: bytes) -> Node:
        """As `Node`."""
        descriptor = os.open(name, _LOOK, dir_fd=self.descriptor)
        found = os.fstat(descriptor)
        if stat.S_ISLNK(found.st_mode):
            return _Link(descriptor, self._share)
        if stat.S_ISREG(found.st_mode):
            return _File(descriptor, self._share, self, name)
        if stat.S_ISDIR(found.st_mode) and found.st_dev == self._share.device:
            return HostDirectory(descriptor, self._share)
        return _Special(descriptor, self._share)

    @_translated
    def entries(self) -> Iterable[Entry]:
        """In the order of the host."""
        descriptor = os.open(b".", os.O_RDONLY | os.O_DIRECTORY | _OPEN, dir_fd=self.descriptor)
        try:
            with os.scandir(descriptor) as rows:
                return [Entry(os.fsencode(row.name), row.inode(), _kind(row)) for row in rows]
        finally:
            os.close(descriptor)

    @_translated
    def make_file(self, name: bytes, mode: int) -> Node:
        """As `Node`."""
        self._share.check_writable()
        flags = os.O_CREAT | os.O_EXCL | os.O_RDWR | _OPEN
        os.close(os.open(name, flags, mode & PERMISSION_BITS, dir_fd=self.descriptor))
        return self.child(name)

    @_translated
    def make_directory(self, name: bytes, mode: int) -> None:
        """As `Node`."""
        self._share.check_writable()
        os.mkdir(name, mode & PERMISSION_BITS, dir_fd=self.descriptor)

    @_translated
    def make_link(self, name: bytes, target: bytes) -> None:
        """As `Node`."""
        self._share.check_writable()
        os.symlink(target, name, dir_fd=self.descriptor)

    @_translated
    def remove_file(self, name: bytes) -> None:
        """As `Node`."""
        self._share.check_writable()
        os.unlink(name, dir_fd=self.descriptor)

    @_translated
    def remove_directory(self, name: bytes) -> None:
        """As `Node`."""
        self._share.check_writable()
        os.rmdir(name, dir_fd=self.descriptor)

    @_translated
    def rename(self, name: bytes, other: Node, new_name: bytes) -> None:
        """As `Node`."""
        if not isinstance(other, HostDirectory):
            raise LinuxError(Errno.EXDEV)
        self._share.check_writable()
        os.rename(name, new_name, src_dir_fd=self.descriptor, dst_dir_fd=other.descriptor)

    @_translated
    def add_name(self, name: bytes, directory: Node, old_name: bytes) -> None:
        """As `Node`."""
        if not isinstance(directory, HostDirectory):
            raise LinuxError(Errno.EXDEV)
        self._share.check_writable()
        os.link(old_name, name, src_dir_fd=directory.descriptor, dst_dir_fd=self.descriptor, follow_symlinks=False)

    @_translated
    def set_mode(self, mode: int) -> None:
        """As `Node`."""
        self._share.check_writable()
        descriptor = os.open(b".", os.O_RDONLY | os.O_DIRECTORY | _OPEN, dir_fd=self.descriptor)
        try:
            os.fchmod(descriptor, mode & PERMISSION_BITS)
        finally:
            os.close(descriptor)

    @_translated
    def set_times(self, accessed: int, modified: int) -> None:
        """As `Node`."""
        self._share.check_writable()
        os.utime(b".", ns=(accessed, modified), dir_fd=self.descriptor, follow_symlinks=False)


def _kind(row: os.DirEntry[str]) -> int:
    if row.is_symlink():
        return stat.S_IFLNK
    if row.is_dir(follow_symlinks=False):
        return stat.S_IFDIR
    return stat.S_IFREG if row.is_file(follow_symlinks=False) else 0


def _status(row: os.stat_result) -> Status:
    return Status(
        mode=row.st_mode, inode=row.st_ino, size=row.st_size, links=row.st_nlink, device=row.st_dev,
        user=row.st_uid, group=row.st_gid, special=row.st_rdev, blocks=row.st_blocks,
        accessed=row.st_atime_ns, modified=row.st_mtime_ns, changed=row.st_ctime_ns,
    )  # fmt: skip
