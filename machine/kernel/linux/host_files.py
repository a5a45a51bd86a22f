"""A folder of the host as the guest's root, and the reasons why nothing outside it can be reached.

Every step goes by one component from a directory that is open already, with O_NOFOLLOW: neither a symbolic link nor a
folder that is exchanged meanwhile is ever followed by the host's kernel. Links are read as text and followed by
`paths`, which starts at the guest's root again, and `..` never reaches the host either. Only regular files and
directories are opened: no devices, FIFOs and sockets. Other file systems inside the folder (/proc, /sys, a mounted
disk) are not entered. What a guest may add and which links it may make is said in `host_rules`.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import wraps
from pathlib import Path
from typing import ParamSpec, TypeVar

from machine.kernel.linux.errors import Errno, LinuxError, from_host
from machine.kernel.linux.host_rules import LOOK, OPEN, FolderQuota, Share, check_name, exchange, identity
from machine.kernel.linux.mapped_files import FilePages
from machine.kernel.linux.nodes import PERMISSION_BITS, Entry, Handle, Node, Status
from machine.kernel.quick import FileCells, InMachineCode, Reads
from machine.memory import Frames
from vm.native import code_cache

_P = ParamSpec("_P")
_R = TypeVar("_R")


def _translated(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """OSError becomes LinuxError."""

    @wraps(function)
    def call(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        try:
            return function(*args, **kwargs)
        except OSError as error:
            raise from_host(error) from None

    return call


def show_folder(folder: Path, writable: bool, quota: FolderQuota, user: int, group: int) -> HostDirectory:
    """The node of a folder that guests of a user are shown. Raises OSError, ValueError if that must not be."""
    descriptor = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)  # links in the user's own path are fine
    found = os.fstat(descriptor)
    for system in ("/proc", "/sys", "/dev"):
        try:
            forbidden = os.stat(system).st_dev
        except OSError:
            continue
        if found.st_dev == forbidden != os.stat("/").st_dev:
            os.close(descriptor)
            raise ValueError(f"{folder} is part of {system}")
    kept = code_cache.kept_within(folder) if writable else None
    if kept is not None:
        os.close(descriptor)
        raise ValueError(f"machine code of hds is kept in {kept}, which guests would write to: set HDS_CACHE")
    return HostDirectory(descriptor, Share(identity(found), writable, quota, user, group))


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

    @_translated
    def check(self, wanted: int, user: int, group: int) -> None:
        """As `Node`. Raises EROFS as well; where the host's user is not root, the host says what may be done."""
        if wanted & os.W_OK and not stat.S_ISCHR(self.status().mode):
            self._share.check_writable()
        if self._share.is_held:
            self._share.check(self.status(), wanted)
        elif not os.access(f"/proc/self/fd/{self.descriptor}", wanted, effective_ids=True):
            raise LinuxError(Errno.EACCES)


class _Special(_HostNode):
    """A device, a FIFO, a socket or another file system: it can be looked at only."""

    def child(self, name: bytes) -> Node:
        """As `Node`."""
        raise LinuxError(Errno.EACCES if stat.S_ISDIR(self.status().mode) else Errno.ENOTDIR)


class _Named(_HostNode):
    """A node with the directory and the name that it was found by."""

    def __init__(self, descriptor: int, share: Share, directory: HostDirectory, name: bytes) -> None:
        super().__init__(descriptor, share)
        self._directory, self._name = directory, name

    @_translated
    def set_times(self, accessed: int, modified: int) -> None:
        """As `Node`."""
        self._share.check_writable()
        os.utime(self._name, ns=(accessed, modified), dir_fd=self._directory.descriptor, follow_symlinks=False)


class _Link(_Named):
    """A symbolic link."""

    @_translated
    def target(self) -> bytes | None:
        """As `Node`."""
        return os.readlink(b"", dir_fd=self.descriptor)


class _File(_Named):
    """A regular file."""

    @_translated
    def open(self, writable: bool) -> Handle:
        """As `Node`."""
        if writable:
            self._share.check_writable()
        return Opened(self._reopen(os.O_RDWR if writable else os.O_RDONLY), self._share, writable)

    @_translated
    def set_mode(self, mode: int) -> None:
        """As `Node`."""
        self._share.check_writable()
        _change_mode(self._reopen(os.O_RDONLY), mode)

    def _reopen(self, flags: int) -> int:
        """Open by name, and make sure that it is the file that was looked at."""
        descriptor = os.open(self._name, flags | OPEN, dir_fd=self._directory.descriptor)
        seen, found = os.fstat(self.descriptor), os.fstat(descriptor)
        if identity(seen) != identity(found) or not stat.S_ISREG(found.st_mode):
            os.close(descriptor)
            raise LinuxError(Errno.ENOENT)
        return descriptor


class _Nameless(_HostNode):
    """A regular file that no name leads to, by a descriptor that reads and writes it."""

    @_translated
    def open(self, writable: bool) -> Handle:
        """As `Node`."""
        return Opened(os.dup(self.descriptor), self._share, writable)

    @_translated
    def set_mode(self, mode: int) -> None:
        """As `Node`."""
        os.fchmod(self.descriptor, mode & PERMISSION_BITS)

    @_translated
    def set_times(self, accessed: int, modified: int) -> None:
        """As `Node`."""
        os.utime(self.descriptor, ns=(accessed, modified))


class Opened(InMachineCode):
    """The bytes of an opened regular file."""

    def __init__(self, descriptor: int, share: Share, writable: bool) -> None:
        found = os.fstat(descriptor)
        self._descriptor, self._share, self._quota = descriptor, share, share.quota
        self.writable = writable
        self._identity = identity(found)
        self._quota.opened(found)
        self._shown: list[FileCells] = []

    def show(self, file: FileCells) -> None:
        """As `InMachineCode`: not what pages show, too, from the time on when they do."""
        file.descriptor = self._descriptor
        if self._identity not in self._share.mapped:
            file.reads = Reads.HOST
            self._share.opened.add(self)
        self._shown.append(file)

    def hide(self, identity: tuple[int, int]) -> None:
        """A file is mapped: Python reads it from now on."""
        if identity == self._identity:
            for file in self._shown:
                file.reads = Reads.BY_PYTHON

    def __del__(self) -> None:
        self._quota.closed(os.fstat(self._descriptor))
        os.close(self._descriptor)
        self._descriptor = -1  # mapped pages that go with it must not take the next file for it

    @_translated
    def read_at(self, offset: int, size: int) -> bytes:
        """As `Handle`."""
        data, pages = os.pread(self._descriptor, size, offset), self._share.mapped.get(self._identity)
        return data if pages is None else pages.shown(offset, data)

    @_translated
    def write_at(self, offset: int, data: bytes) -> int:
        """As `Handle`."""
        self._quota.check_size(offset + len(data))
        before, pages = os.fstat(self._descriptor).st_size, self._share.mapped.get(self._identity)
        growth = max(0, offset + len(data) - before)
        self._quota.add_bytes(growth)
        written = 0
        try:
            written = os.pwrite(self._descriptor, data, offset)
        finally:
            self._quota.add_bytes(max(0, offset + written - before) - growth)
        if pages is not None:
            if offset + written > before:
                pages.resized(before, offset + written)
            pages.written(offset, data[:written])
        return written

    @_translated
    def resize(self, size: int) -> None:
        """As `Handle`."""
        self._quota.check_size(size)
        before, pages = os.fstat(self._descriptor).st_size, self._share.mapped.get(self._identity)
        self._quota.add_bytes(size - before)
        try:
            os.ftruncate(self._descriptor, size)
        except OSError:
            self._quota.add_bytes(before - size)
            raise
        if pages is not None:
            pages.resized(before, size)

    @_translated
    def status(self) -> Status:
        """As `Handle`."""
        return _status(os.fstat(self._descriptor))

    def pages(self, source: Frames) -> FilePages:
        """As `Handle`."""
        pages = self._share.mapped.get(self._identity)
        if pages is None:
            self._share.mapped[self._identity] = pages = FilePages(source, _Bytes(self))
            for opened in self._share.opened:
                opened.hide(self._identity)
        elif self.writable and isinstance(pages.file, _Bytes) and not pages.file.opened.writable:
            pages.file.opened = self
        return pages

    @property
    def descriptor(self) -> int:
        """The host's."""
        return self._descriptor


class _Bytes:
    """What mapped pages have beneath them: the file by a handle that writes it, if anybody who has mapped it may.

    What the host refuses is as natively where a disk fails: nobody is told.
    """

    def __init__(self, opened: Opened) -> None:
        self.opened = opened

    def size(self) -> int:
        """As `mapped_files.Bytes`."""
        try:
            return os.fstat(self.opened.descriptor).st_size
        except OSError:
            return 0

    def status(self) -> Status:
        """As `mapped_files.Bytes`."""
        return self.opened.status()

    def load(self, offset: int, size: int) -> bytes:
        """As `mapped_files.Bytes`."""
        try:
            return os.pread(self.opened.descriptor, size, offset)
        except OSError:
            return b""

    def save(self, offset: int, data: bytes) -> None:
        """As `mapped_files.Bytes`."""
        if self.opened.writable:
            with suppress(OSError):
                os.pwrite(self.opened.descriptor, data, offset)


class HostDirectory(_HostNode):
    """A directory of the shown folder."""

    @property
    def is_directory(self) -> bool:
        """As `Node`."""
        return True

    @_translated
    def child(self, name: bytes) -> Node:
        """As `Node`."""
        check_name(name)
        if self._share.is_held:
            self._share.check(self.status(), os.X_OK)
        descriptor = os.open(name, LOOK, dir_fd=self.descriptor)
        found = os.fstat(descriptor)
        if stat.S_ISLNK(found.st_mode):
            return _Link(descriptor, self._share, self, name)
        if stat.S_ISREG(found.st_mode):
            return _File(descriptor, self._share, self, name)
        if stat.S_ISDIR(found.st_mode) and found.st_dev == self._share.device:
            return HostDirectory(descriptor, self._share)
        return _Special(descriptor, self._share)

    @contextmanager
    def _new_name(self, name: bytes) -> Iterator[None]:
        """Around what makes a name: it is charged if that succeeds. Raises EROFS, EDQUOT, and as `check_name`."""
        check_name(name)
        self._share.check_writable()
        self._share.quota.add_file()
        try:
            yield
        except BaseException:
            self._share.quota.files -= 1
            raise

    def _look(self, name: bytes) -> os.stat_result | None:
        """The status of an entry; None when there is none. Raises as `check_name`."""
        check_name(name)
        try:
            return os.stat(name, dir_fd=self.descriptor, follow_symlinks=False)
        except FileNotFoundError:
            return None

    def _removed(self, found: os.stat_result | None) -> None:
        if found is not None:
            self._share.quota.remove_file(found)

    def put_back(self) -> None:
        """Let files that are mapped have what their pages hold."""
        for pages in tuple(self._share.mapped.values()):
            pages.put_back()

    @_translated
    def entries(self) -> Iterable[Entry]:
        """In the order of the host."""
        descriptor = os.open(b".", os.O_RDONLY | os.O_DIRECTORY | OPEN, dir_fd=self.descriptor)
        try:
            with os.scandir(descriptor) as rows:
                return [Entry(os.fsencode(row.name), row.inode(), _kind(row)) for row in rows]
        finally:
            os.close(descriptor)

    @_translated
    def make_file(self, name: bytes, mode: int) -> Node:
        """As `Node`."""
        flags = os.O_CREAT | os.O_EXCL | os.O_RDWR | OPEN
        with self._new_name(name):
            descriptor = os.open(name, flags, mode & PERMISSION_BITS, dir_fd=self.descriptor)
            self._share.give(descriptor)
            os.close(descriptor)
        return self.child(name)

    @_translated
    def make_nameless(self, mode: int) -> Node:
        """As `Node`."""
        self._share.check_writable()
        flags = os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC
        descriptor = os.open(b".", flags, mode & PERMISSION_BITS, dir_fd=self.descriptor)
        self._share.give(descriptor)
        return _Nameless(descriptor, self._share)

    @_translated
    def make_directory(self, name: bytes, mode: int) -> None:
        """As `Node`."""
        with self._new_name(name):
            os.mkdir(name, mode & PERMISSION_BITS, dir_fd=self.descriptor)
            if self._share.is_held:
                made = os.open(name, os.O_RDONLY | os.O_DIRECTORY | OPEN, dir_fd=self.descriptor)
                self._share.give(made)
                os.close(made)

    @_translated
    def make_link(self, name: bytes, target: bytes) -> None:
        """As `Node`."""
        with self._new_name(name):
            self._share.check_link(target, self.descriptor)
            os.symlink(target, name, dir_fd=self.descriptor)

    @_translated
    def remove_file(self, name: bytes) -> None:
        """As `Node`."""
        self._share.check_writable()
        found = self._look(name)
        os.unlink(name, dir_fd=self.descriptor)
        self._removed(found)

    @_translated
    def remove_directory(self, name: bytes) -> None:
        """As `Node`."""
        self._share.check_writable()
        found = self._look(name)
        os.rmdir(name, dir_fd=self.descriptor)
        self._removed(found)

    @_translated
    def rename(self, name: bytes, other: Node, new_name: bytes) -> None:
        """As `Node`."""
        if not isinstance(other, HostDirectory):
            raise LinuxError(Errno.EXDEV)
        self._share.check_writable()
        self._share.check_move(name, self.descriptor, other.descriptor)
        moved, replaced = self._look(name), other._look(new_name)
        os.rename(name, new_name, src_dir_fd=self.descriptor, dst_dir_fd=other.descriptor)
        if replaced is not None and moved is not None and identity(moved) != identity(replaced):
            self._removed(replaced)

    @_translated
    def exchange(self, name: bytes, other: Node, new_name: bytes) -> None:
        """As `Node`."""
        if not isinstance(other, HostDirectory):
            raise LinuxError(Errno.EXDEV)
        self._share.check_writable()
        self._share.check_move(name, self.descriptor, other.descriptor)
        self._share.check_move(new_name, other.descriptor, self.descriptor)
        exchange(self.descriptor, name, other.descriptor, new_name)

    @_translated
    def add_node(self, name: bytes, node: Node) -> None:
        """As `Node`."""
        if not isinstance(node, _Nameless | _File):
            raise LinuxError(Errno.EXDEV)
        with self._new_name(name):
            os.link(f"/proc/self/fd/{node.descriptor}", name, dst_dir_fd=self.descriptor, follow_symlinks=True)

    @_translated
    def add_name(self, name: bytes, directory: Node, old_name: bytes) -> None:
        """As `Node`."""
        if not isinstance(directory, HostDirectory):
            raise LinuxError(Errno.EXDEV)
        with self._new_name(name):
            self._share.check_move(old_name, directory.descriptor, self.descriptor)
            os.link(old_name, name, src_dir_fd=directory.descriptor, dst_dir_fd=self.descriptor, follow_symlinks=False)

    @_translated
    def set_mode(self, mode: int) -> None:
        """As `Node`."""
        self._share.check_writable()
        _change_mode(os.open(b".", os.O_RDONLY | os.O_DIRECTORY | OPEN, dir_fd=self.descriptor), mode)

    @_translated
    def set_times(self, accessed: int, modified: int) -> None:
        """As `Node`."""
        self._share.check_writable()
        os.utime(b".", ns=(accessed, modified), dir_fd=self.descriptor, follow_symlinks=False)


def _change_mode(descriptor: int, mode: int) -> None:
    """Set the permissions of what is open, and close it."""
    try:
        os.fchmod(descriptor, mode & PERMISSION_BITS)
    finally:
        os.close(descriptor)


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
