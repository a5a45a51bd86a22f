"""The nodes of /proc and /sys: made when a path comes to them, of the table in `files`; they hold nothing themselves.

A text is written when a read begins at offset 0, as Linux does it, and kept for what follows of that read.
"""

from __future__ import annotations

import stat
import zlib
from collections.abc import Iterable, Iterator
from typing import assert_never

from machine.kernel.linux.errors import Errno, LinuxError
from machine.kernel.linux.memory_files import SealedFile
from machine.kernel.linux.nodes import PROCFS, SYSFS, Entry, Handle, Node, Status
from machine.kernel.linux.open_files import O_ACCMODE, O_RDONLY, O_WRONLY, OpenFile, RegularFile
from machine.kernel.linux.paths import Place
from machine.kernel.linux.proc import processes
from machine.kernel.linux.proc.files import PID, PROC, SYS, TID, File, SystemFile, TaskFile, TaskLink, TextLink
from machine.kernel.linux.proc.processes import Subject
from machine.kernel.linux.proc.system import System
from machine.memory import Frames, SharedMemory

_Tree = dict[str, "File | _Tree"]
_PROC_DEVICE = 5
_SYS_ROOT = "sys:"
_FD, _FDINFO = "fd", "fdinfo"


def folders(system: System) -> dict[bytes, Node]:
    """/proc and /sys, by their names in the root."""
    return {b"proc": _Folder(system, "", _PROC, None), b"sys": _Folder(system, _SYS_ROOT, _SYS, None)}


def _tree(table: dict[str, File]) -> _Tree:
    root: _Tree = {}
    for path, file in table.items():
        *parents, name = path.split("/")
        here = root
        for parent in parents:
            below = here.setdefault(parent, {})
            assert isinstance(below, dict)  # no path goes on behind a file
            here = below
        here[name] = file
    return root


_PROC, _SYS = _tree(PROC), _tree(SYS)


class _Made(Node):
    """What all of them share. `path` makes its number, which is the same in every run."""

    kind = stat.S_IFREG

    def __init__(self, system: System, path: str, subject: Subject | None, mode: int) -> None:
        self._system, self._path, self._subject, self._mode = system, path, subject, mode
        self.file_system = SYSFS if path.startswith(_SYS_ROOT) else PROCFS

    @property
    def inode(self) -> int:
        """A number of its path, which no other file of the guest has."""
        return 1 << 32 | zlib.crc32(self._path.encode())

    def status(self) -> Status:
        """As `Node`: no size, the time of now."""
        user, group = (0, 0) if self._subject is None else self._subject.identity
        now = self._system.begin() + self._system.elapsed()
        return Status(
            mode=self.kind | self._mode, inode=self.inode, links=2 if self.is_directory else 1, device=_PROC_DEVICE,
            user=user, group=group, accessed=now, modified=now, changed=now,
        )  # fmt: skip


class _Text(_Made):
    """A file."""

    def __init__(self, system: System, path: str, subject: Subject | None, file: SystemFile | TaskFile) -> None:
        super().__init__(system, path, subject, file.mode)
        self._file = file

    def open(self, writable: bool) -> Handle:
        """As `Node`. Raises EACCES."""
        if writable and not (isinstance(self._file, TaskFile) and self._file.write):
            raise LinuxError(Errno.EACCES)
        return _Handle(self)

    def text(self) -> bytes:
        """What it says now. Raises ESRCH."""
        if isinstance(self._file, SystemFile):
            text: str | bytes = self._file.text(self._system)
        else:
            subject = self._subject
            if subject is None or subject.group.table.get(subject.group.pid) is not subject.group:
                raise LinuxError(Errno.ESRCH)
            text = self._file.text(subject)
        return text.encode("utf-8", "surrogateescape") if isinstance(text, str) else text

    def write(self, data: bytes) -> int:
        """All of it. Raises EINVAL."""
        if not isinstance(self._file, TaskFile) or self._file.write is None or self._subject is None:
            raise LinuxError(Errno.EINVAL)
        self._file.write(self._subject, data)
        return len(data)


class _Information(_Text):
    """What fdinfo says about a descriptor."""

    def __init__(self, system: System, path: str, subject: Subject, number: int) -> None:
        super().__init__(system, path, subject, TaskFile(lambda of: processes.fdinfo(of, number)))


class _Handle:
    """An opened text."""

    def __init__(self, node: _Text) -> None:
        self._node = node
        self._data: bytes | None = None

    def read_at(self, offset: int, size: int) -> bytes:
        """As `Handle`: written anew where the beginning is read."""
        if not offset or self._data is None:
            self._data = self._node.text()
            asking = self._node._system.asking()
            if asking is not None:
                asking.space.work.charge(len(self._data))
        return self._data[offset : offset + size]

    def write_at(self, offset: int, data: bytes) -> int:
        """As `Handle`."""
        return self._node.write(data)

    def resize(self, size: int) -> None:
        """O_TRUNC is passed over."""

    def pages(self, source: Frames) -> SharedMemory:
        """As `Handle`."""
        raise LinuxError(Errno.ENODEV)

    def status(self) -> Status:
        """As `Handle`."""
        return self._node.status()


class _Link(_Made):
    """A symbolic link with a text, or with a place where it leads whatever the text is."""

    kind = stat.S_IFLNK

    def __init__(self, system: System, path: str, subject: Subject | None, link: TaskLink | TextLink) -> None:
        super().__init__(system, path, subject, 0o777)
        self._link = link

    def _place(self) -> Place | None:
        return None if isinstance(self._link, TextLink) or self._subject is None else self._link.place(self._subject)

    def target(self) -> bytes | None:
        """As `Node`. Raises ENOENT for those of what has ended."""
        if isinstance(self._link, TextLink):
            text = self._link.target(self._system)
            if text is None:
                raise LinuxError(Errno.ENOENT)
            return text.encode()
        place = self._place()
        if place is None:
            raise LinuxError(Errno.ENOENT)
        return _path_of(place)

    def jump(self) -> Place | None:
        """As `Node`."""
        return self._place()


def _path_of(place: Place) -> bytes:
    """The text of a link to a place: it says so when nothing leads there any more."""
    return place.path() + (b"" if place.node.status().links else b" (deleted)")


def shown(file: OpenFile) -> bytes:
    """What the link in /proc/PID/fd says of an opened file: its path, or what it is."""
    if file.place is not None:
        return _path_of(file.place)
    status = file.status()
    kinds = {stat.S_IFIFO: "pipe:[%d]", stat.S_IFSOCK: "socket:[%d]"}
    text = kinds.get(stat.S_IFMT(status.mode))
    if text is not None:
        return (text % status.inode).encode()
    if isinstance(file, RegularFile):
        return file.handle.label if isinstance(file.handle, SealedFile) else b"/memfd: (deleted)"
    return b"anon_inode:%s" % file.label.encode()


class _DescriptorLink(_Made):
    """What a descriptor stands for."""

    kind = stat.S_IFLNK

    def __init__(self, system: System, path: str, subject: Subject, file: OpenFile) -> None:
        rights = 0o500 * (file.readable or file.is_reference) | 0o300 * file.writable
        super().__init__(system, path, subject, rights)
        self._opened = file

    def target(self) -> bytes | None:
        """As `Node`."""
        return shown(self._opened)

    def jump(self) -> Place | None:
        """As `Node`: what is behind a path anew, everything else as it is opened."""
        return self._opened.place or Place(OpenedNode(self._opened))


class OpenedNode(Node):
    """What a descriptor stands for and no path leads to: a pipe, for example."""

    def __init__(self, file: OpenFile) -> None:
        self.file = file

    def status(self) -> Status:
        """As `Node`."""
        return self.file.status()

    def opened(self, flags: int) -> OpenFile:
        """The end of a pipe itself, which is shared then. Raises EACCES for the other direction."""
        access = flags & O_ACCMODE
        if (access != O_WRONLY and not self.file.readable) or (access != O_RDONLY and not self.file.writable):
            raise LinuxError(Errno.EACCES)
        return self.file

    def open(self, writable: bool) -> Handle:
        """As `Node`. Raises ENXIO for what has no bytes of its own."""
        if isinstance(self.file, RegularFile):
            return self.file.handle
        raise LinuxError(Errno.ENXIO)


class _Folder(_Made):
    """A directory of the table."""

    kind = stat.S_IFDIR

    def __init__(self, system: System, path: str, below: _Tree, subject: Subject | None) -> None:
        super().__init__(system, path, subject, 0o555)
        self._below = below
        self.is_mount_point = path in ("", _SYS_ROOT)

    @property
    def is_directory(self) -> bool:
        """As `Node`."""
        return True

    def child(self, name: bytes) -> Node:
        """As `Node`."""
        text = name.decode("utf-8", "surrogateescape")
        found = self._below.get(text)
        if found is not None and text not in (PID, TID):
            return self._node(text, found)
        if self._is_of_process and text in (_FD, _FDINFO):
            assert self._subject is not None
            return _Descriptors(self._system, self._path, text, self._subject)
        if text.isascii() and text.isdecimal() and text == str(int(text[:20])):
            return self._numbered(text, int(text))
        self._system.missing.look(self._path, text, is_of_process=self._is_of_process)
        raise LinuxError(Errno.ENOENT)

    @property
    def _is_of_process(self) -> bool:
        return self._subject is not None and "stat" in self._below

    def _numbered(self, text: str, number: int) -> Node:
        """A process, or a thread of the process. Raises ENOENT."""
        group = self._system.groups.get(number) if PID in self._below else None
        if group is not None:
            return self._node(text, self._below[PID], Subject(self._system, group, group.pid))
        if TID in self._below and self._subject is not None and number in self._threads():
            return self._node(text, self._below[TID], Subject(self._system, self._subject.group, number))
        raise LinuxError(Errno.ENOENT)

    def _threads(self) -> list[int]:
        assert self._subject is not None
        group = self._subject.group
        return sorted(group.tasks) or [group.pid]

    def _node(self, name: str, found: File | _Tree, subject: Subject | None = None) -> Node:
        subject, path = subject or self._subject, f"{self._path}/{name}"
        if isinstance(found, dict):
            return _Folder(self._system, path, found, subject)
        if isinstance(found, SystemFile | TaskFile):
            return _Text(self._system, path, subject, found)
        if isinstance(found, TaskLink | TextLink):
            return _Link(self._system, path, subject, found)
        assert_never(found)

    def entries(self) -> Iterable[Entry]:
        """As `Node`: the names of the table, then numbers."""
        for name in self._names():
            node = self.child(name.encode())
            assert isinstance(node, _Made)
            yield Entry(name.encode(), node.inode, node.kind)

    def _names(self) -> Iterator[str]:
        yield from (name for name in self._below if name not in (PID, TID))
        if self._is_of_process:
            yield from (_FD, _FDINFO)
        if PID in self._below:
            yield from map(str, sorted(self._system.groups))
        if TID in self._below:
            yield from map(str, self._threads())

    def make_file(self, name: bytes, mode: int) -> Node:
        """As `Node`. Raises ENOENT."""
        raise LinuxError(Errno.ENOENT)

    def make_directory(self, name: bytes, mode: int) -> None:
        """As `Node`. Raises ENOENT."""
        raise LinuxError(Errno.ENOENT)

    def make_link(self, name: bytes, target: bytes) -> None:
        """As `Node`. Raises ENOENT."""
        raise LinuxError(Errno.ENOENT)

    def remove_file(self, name: bytes) -> None:
        """As `Node`. Raises EPERM."""
        raise LinuxError(Errno.EPERM)

    def remove_directory(self, name: bytes) -> None:
        """As `Node`. Raises EPERM."""
        raise LinuxError(Errno.EPERM)

    def rename(self, name: bytes, other: Node, new_name: bytes) -> None:
        """As `Node`. Raises EPERM."""
        raise LinuxError(Errno.EPERM)


class _Descriptors(_Folder):
    """`fd` or `fdinfo` of a process."""

    def __init__(self, system: System, path: str, name: str, subject: Subject) -> None:
        super().__init__(system, f"{path}/{name}", {}, subject)
        self._is_information = name == _FDINFO

    def child(self, name: bytes) -> Node:
        """As `Node`."""
        if self._subject is None or self._subject.task is None or not (name.isdigit() and len(name) < 10):
            raise LinuxError(Errno.ENOENT)
        number, path = int(name), f"{self._path}/{name.decode()}"
        try:
            file = self._subject.task.files.reference(number)
        except LinuxError:
            raise LinuxError(Errno.ENOENT) from None
        if self._is_information:
            return _Information(self._system, path, self._subject, number)
        return _DescriptorLink(self._system, path, self._subject, file)

    def _names(self) -> Iterator[str]:
        task = None if self._subject is None else self._subject.task
        yield from map(str, [] if task is None else task.files.numbers())
