"""Drive C: of a Windows guest: the folder of --root, its names found in any case, and the program's own file.

Steps go through the same nodes as a Linux guest's (machine.kernel.linux): what keeps those inside keeps these inside.
A program that does not lie in the folder appears as C:\\prog\\NAME. Without a folder there is no
drive: every name can be opened, files are empty to read and bottomless to write then.
"""

from __future__ import annotations

import stat
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice

import msgspec

from machine.kernel.linux import Errno, FilePages, Handle as FileHandle, LinuxError, Node, Status
from machine.kernel.nt.changes import ATTRIBUTES, DIRECTORY_NAME, FILE_NAME, REMOVED, SIZE, Watch
from machine.kernel.nt.sharing import Sharing
from machine.kernel.nt.status import (
    STATUS_ACCESS_DENIED,
    STATUS_DIRECTORY_NOT_EMPTY,
    STATUS_DISK_FULL,
    STATUS_FILE_IS_A_DIRECTORY,
    STATUS_NOT_A_DIRECTORY,
    STATUS_OBJECT_NAME_COLLISION,
    STATUS_OBJECT_NAME_INVALID,
    STATUS_OBJECT_NAME_NOT_FOUND,
    STATUS_OBJECT_PATH_NOT_FOUND,
    STATUS_UNSUCCESSFUL,
    NtError,
)
from machine.memory import Frames, SharedMemory

_MOST_ENTRIES = 65_536  # of a directory that are looked at
_STATUS = {
    Errno.ENOENT: STATUS_OBJECT_NAME_NOT_FOUND, Errno.EEXIST: STATUS_OBJECT_NAME_COLLISION,
    Errno.ENOTDIR: STATUS_NOT_A_DIRECTORY, Errno.EISDIR: STATUS_FILE_IS_A_DIRECTORY, Errno.ENOSPC: STATUS_DISK_FULL,
    Errno.EACCES: STATUS_ACCESS_DENIED, Errno.EPERM: STATUS_ACCESS_DENIED, Errno.EROFS: STATUS_ACCESS_DENIED,
    Errno.EBADF: STATUS_ACCESS_DENIED, Errno.EFBIG: STATUS_DISK_FULL, Errno.ENAMETOOLONG: STATUS_OBJECT_NAME_INVALID,
}  # fmt: skip
READ_ONLY, HIDDEN, SYSTEM, DIRECTORY, ARCHIVE, NORMAL, SPARSE = 1, 2, 4, 0x10, 0x20, 0x80, 0x200  # FILE_ATTRIBUTE_*
_KEPT = HIDDEN | SYSTEM | ARCHIVE | 0x100 | 0x1000 | 0x2000  # TEMPORARY, OFFLINE, NOT_CONTENT_INDEXED
_MOST_INDEXES = 64  # directories whose names are known in any case
_STEPS = (".", "..")  # resolved by user mode, which leaves \\?\ alone: no names for NT
_OWN_STREAM = "::$data"
_FORBIDDEN = frozenset('/<>:"|?*') | {chr(code) for code in range(32)}


def failure(error: LinuxError) -> NtError:
    """The same failure as NT says it."""
    if error.number.name == "EDQUOT":
        return NtError(STATUS_DISK_FULL)
    if error.number.name == "ENOTEMPTY":
        return NtError(STATUS_DIRECTORY_NOT_EMPTY)
    return NtError(_STATUS.get(error.number, STATUS_UNSUCCESSFUL))


_FIRST_RECORD = 1  # of a file's number: how often its place in NTFS's table was used


class Bytes(msgspec.Struct, frozen=True):
    """The handle of a file whose bytes are known: the program's own."""

    data: bytes

    def read_at(self, offset: int, size: int) -> bytes:
        """As `FileHandle`."""
        return self.data[offset : offset + size]

    def pages(self, source: Frames) -> SharedMemory:
        """As `FileHandle`."""
        return FilePages(source, self)

    def size(self) -> int:
        """In bytes."""
        return len(self.data)

    def status(self) -> Status:
        """As of a file that nobody may write."""
        return Status(stat.S_IFREG | 0o444, 0, len(self.data))

    load = read_at

    def save(self, offset: int, data: bytes) -> None:
        """Nobody writes it."""


class Spot(msgspec.Struct, frozen=True):
    """A place on the drive: the names that lead to it, its directory's node, and its own node where something is there.

    `content` are the bytes of the program's file, which stands in no directory.
    """

    names: tuple[str, ...]
    parent: Node | None
    node: Node | None
    content: bytes | None = None
    is_virtual: bool = False  # the program's folder, which the host does not have
    is_stream: bool = False  # named with ::$DATA, as no directory is

    @property
    def identity(self) -> int:
        """A number that no other file has."""
        return (1 << 63) + len(self.names) if self.node is None else self.node.status().inode

    @property
    def path(self) -> str:
        """With backslashes, from the drive's root on."""
        return "\\" + "\\".join(self.names)

    @property
    def exists(self) -> bool:
        """Whether something is there."""
        return self.node is not None or self.content is not None or self.is_virtual

    @property
    def is_directory(self) -> bool:
        """Whether it is a directory."""
        return self.is_virtual or (self.node is not None and self.node.is_directory)

    @property
    def is_read_only(self) -> bool:
        """Whether it is a file with FILE_ATTRIBUTE_READONLY: one that its owner may not write to."""
        return self.node is not None and not self.is_directory and not self.node.status().mode & stat.S_IWUSR

    @property
    def host_name(self) -> bytes:
        """Its name as its directory has it."""
        return self.names[-1].encode("utf-8", "surrogateescape")

    def open(self, writable: bool) -> FileHandle | Bytes:
        """Its bytes. Raises NtError."""
        if self.content is not None:
            if writable:
                raise NtError(STATUS_ACCESS_DENIED)
            return Bytes(self.content)
        assert self.node is not None
        if writable and self.is_read_only:
            raise NtError(STATUS_ACCESS_DENIED)
        try:
            return self.node.open(writable)
        except LinuxError as error:
            raise failure(error) from None


def without_stream(names: tuple[str, ...]) -> tuple[tuple[str, ...], bool]:
    """Names of a file without ::$DATA, and whether it was there: files have no other stream. Raises NtError."""
    is_stream = bool(names) and len(names[-1]) > len(_OWN_STREAM) and names[-1].lower().endswith(_OWN_STREAM)
    if is_stream:
        names = (*names[:-1], names[-1][: -len(_OWN_STREAM)])
    if any(name in _STEPS or not _FORBIDDEN.isdisjoint(name) for name in names):
        raise NtError(STATUS_OBJECT_NAME_INVALID)
    return names, is_stream


class _Index(msgspec.Struct):
    """The names of a directory, by small letters, as they were when it was last modified at `stamp`."""

    names: dict[str, str]
    stamp: int


class Volume:
    """A drive whose root is a node; `program` is a path and the bytes of the program, where it is not in the folder."""

    def __init__(self, root: Node, program: tuple[tuple[str, ...], bytes] | None) -> None:
        self._root = root
        self._program = program
        self.sharing = Sharing()
        self.watches: list[Watch] = []
        self.made: dict[int, int] = {}  # when files were made, in FILETIME's units, for those that were told so
        self._attributes: dict[int, int] = {}  # of files by identity, besides what the host keeps
        self._indexes: dict[int, _Index] = {}  # of directories, by identity
        self._numbers: dict[int, int] = {}  # that programs were told, by identity
        self._last_number = 0

    def changed(self, spot: Spot, action: int, kinds: int = 0) -> None:
        """The guest has changed something: who watches sees it. Without kinds it is a matter of names."""
        has_bytes = kinds & SIZE and not kinds & ATTRIBUTES
        if self._attributes and has_bytes and (kept := self._attributes.get(spot.identity)) is not None:
            self._attributes[spot.identity] = kept | ARCHIVE
        for watch in self.watches:
            watch.see(spot.names, action, kinds or (DIRECTORY_NAME if spot.is_directory else FILE_NAME))

    def number_of(self, spot: Spot) -> int:
        """The number by which programs know a file again: the same in every run, which the host's is not."""
        identity = spot.identity
        if identity not in self._numbers:
            self._last_number += 1
            self._numbers[identity] = _FIRST_RECORD << 48 | self._last_number
        return self._numbers[identity]

    # --- attributes

    def attributes_of(self, spot: Spot) -> int:
        """FILE_ATTRIBUTE_*."""
        default = DIRECTORY if spot.is_directory else ARCHIVE
        if spot.node is None:
            return default
        kept = self._attributes.get(spot.identity, default) if self._attributes else default
        return kept | READ_ONLY * spot.is_read_only or NORMAL

    def set_attributes(self, spot: Spot, wanted: int) -> None:
        """Keep them: FILE_ATTRIBUTE_READONLY of a file as its mode. Raises NtError."""
        if spot.node is None:
            return
        if not spot.is_directory and bool(wanted & READ_ONLY) != spot.is_read_only:
            mode = spot.node.status().mode
            try:
                spot.node.set_mode(mode & ~0o222 if wanted & READ_ONLY else mode | stat.S_IWUSR)
            except LinuxError as error:
                raise failure(error) from None
        kept = wanted & (_KEPT | READ_ONLY) | DIRECTORY if spot.is_directory else wanted & _KEPT
        self._keep(spot, kept | self._attributes.get(spot.identity, 0) & SPARSE)

    def set_sparse(self, spot: Spot, *, is_sparse: bool) -> None:
        """Whether a file says that it is sparse, which changes nothing else."""
        if spot.node is not None:
            self._keep(spot, self._attributes.get(spot.identity, ARCHIVE) & ~SPARSE | SPARSE * is_sparse)

    def _keep(self, spot: Spot, kept: int) -> None:
        if kept == (DIRECTORY if spot.is_directory else ARCHIVE):
            self._attributes.pop(spot.identity, None)
        else:
            self._attributes[spot.identity] = kept

    def _forget(self, spot: Spot) -> None:
        """A name of a file is gone: with the last one, what is known of it."""
        if spot.node is not None and (spot.is_directory or not spot.node.status().links):
            for table in (self.made, self._attributes, self._indexes, self._numbers):
                table.pop(spot.identity, None)

    # --- names

    @contextmanager
    def naming(self, *directories: Node) -> Iterator[None]:
        """Around changes of names in directories, which are known then as they were before. Raises NtError."""
        try:
            for directory in directories:
                self._index(directory)
            yield
        except LinuxError as error:
            raise failure(error) from None
        finally:
            for directory in directories:
                index = self._indexes.get(directory.status().inode)
                if index is not None:
                    index.stamp = directory.status().modified

    def spelt(self, directory: Node, name: str) -> None:
        """Within `naming`: there is a name."""
        index = self._index(directory, checks=False)
        index.names[name.lower()] = name

    def unspelt(self, directory: Node, name: str) -> None:
        """Within `naming`: there is none any more."""
        self._index(directory, checks=False).names.pop(name.lower(), None)

    def _index(self, directory: Node, *, checks: bool = True) -> _Index:
        """The names of a directory in any case. Raises LinuxError."""
        found = directory.status()
        index = self._indexes.get(found.inode)
        if index is None or (checks and index.stamp != found.modified):
            rows = (row.name.decode("utf-8", "surrogateescape") for row in directory.entries())
            names: dict[str, str] = {}
            for name in islice(rows, _MOST_ENTRIES):
                names.setdefault(name.lower(), name)
            self._indexes.pop(found.inode, None)
            if len(self._indexes) >= _MOST_INDEXES:
                del self._indexes[next(iter(self._indexes))]
            self._indexes[found.inode] = index = _Index(names, found.modified)
        return index

    def find(self, names: tuple[str, ...]) -> Spot:
        """The place that names lead to; of its directory at least there must be something. Raises NtError.

        Directories have no stream of bytes.
        """
        names, is_stream = without_stream(names)
        parent: Node | None = None
        node: Node | None = self._root
        found: list[str] = []
        for index, name in enumerate(names):
            parent, node = node, None
            spelt, node = (name, None) if parent is None else self._child(parent, name)
            found.append(spelt)
            if node is None and index < len(names) - 1 and not self._is_virtual(names[: index + 1]):
                raise NtError(STATUS_OBJECT_PATH_NOT_FOUND)
            if node is not None and index < len(names) - 1 and not node.is_directory:
                raise NtError(STATUS_OBJECT_PATH_NOT_FOUND)
        content = None
        if node is None and self._program is not None and _folded(names) == _folded(self._program[0]):
            content = self._program[1]
        spot = Spot(tuple(found), parent, node, content, node is None and self._is_virtual(names), is_stream)
        if is_stream and spot.is_directory:
            raise NtError(STATUS_FILE_IS_A_DIRECTORY)
        return spot

    def remove(self, spot: Spot) -> None:
        """Remove a file or directory; what the host refuses stays."""
        if spot.parent is None or spot.node is None:
            return
        try:
            with self.naming(spot.parent):
                if spot.is_directory:
                    spot.parent.remove_directory(spot.host_name)
                else:
                    spot.parent.remove_file(spot.host_name)
                self.unspelt(spot.parent, spot.names[-1])
        except NtError:
            return
        self.changed(spot, REMOVED)
        self._forget(spot)

    def _is_virtual(self, names: tuple[str, ...]) -> bool:
        return self._program is not None and _folded(names) == _folded(self._program[0][:-1])

    def _child(self, directory: Node, name: str) -> tuple[str, Node | None]:
        """The entry of this name in any case, as it is spelt."""
        try:
            return name, _real(directory.child(name.encode("utf-8", "surrogateescape")))
        except LinuxError as error:
            if error.number != Errno.ENOENT:
                raise failure(error) from None
        try:
            spelt = self._index(directory).names.get(name.lower())
            if spelt is not None:
                return spelt, _real(directory.child(spelt.encode("utf-8", "surrogateescape")))
        except LinuxError as error:
            if error.number != Errno.ENOENT:
                raise failure(error) from None
        return name, None

    def entries(self, spot: Spot) -> Iterator[tuple[str, Spot]]:
        """Names in a directory by order of the names, and what they are. Raises NtError."""
        names: dict[str, Spot] = {}
        if spot.node is not None:
            try:
                rows = list(islice(spot.node.entries(), _MOST_ENTRIES))
            except LinuxError as error:
                raise failure(error) from None
            for row in rows:
                name = row.name.decode("utf-8", "surrogateescape")
                try:
                    node = _real(spot.node.child(row.name))
                except (LinuxError, NtError):
                    continue
                names[name] = Spot((*spot.names, name), spot.node, node)
        known = {name.lower() for name in names}
        program = self._program
        if program is not None:
            if _folded(program[0][:-1]) == _folded(spot.names) and program[0][-1].lower() not in known:
                names[program[0][-1]] = Spot(program[0], spot.node, None, program[1])
            if not spot.names and program[0][0].lower() not in known:
                names[program[0][0]] = Spot(program[0][:1], spot.node, None, is_virtual=True)
        yield from sorted(names.items(), key=lambda row: row[0].upper())


def _folded(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(name.lower() for name in names)


def _real(node: Node) -> Node:
    """A node that is no link: those of the host are not followed."""
    if node.target() is not None:
        raise NtError(STATUS_ACCESS_DENIED)
    return node
