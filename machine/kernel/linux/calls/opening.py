"""Calls that open files by a path."""

from __future__ import annotations

from stat import S_ISFIFO

import msgspec
from msgspec.structs import replace

from machine.kernel.linux import open_files as of, pipe_buffers
from machine.kernel.linux.abi import Address, Fd, Flags, Path, Size, UInt, call
from machine.kernel.linux.calls.paths import start_of
from machine.kernel.linux.errors import Errno, LinuxError
from machine.kernel.linux.memory_files import Device, Fifo
from machine.kernel.linux.nodes import PERMISSION_BITS, Node
from machine.kernel.linux.notifications import IN_CREATE, IN_MODIFY, IN_OPEN
from machine.kernel.linux.open_files import DeviceFile, DirectoryFile, OpenFile, RegularFile
from machine.kernel.linux.paths import AT_FDCWD, Place, Resolve, Spot, find, find_name
from machine.kernel.linux.pipes import PipeEnd
from machine.kernel.linux.proc import OpenedNode
from machine.kernel.linux.task import Task
from machine.kernel.linux.terminal_files import TerminalNode
from machine.kernel.outcomes import AGAIN, Result, Wait
from machine.memory import PAGE

_KNOWN_FLAGS = (
    of.O_ACCMODE | of.O_CREAT | of.O_EXCL | of.O_NOCTTY | of.O_TRUNC | of.O_APPEND | of.O_NONBLOCK | of.O_SYNC
    | of.O_DSYNC | of.O_ASYNC | of.O_DIRECT | of.O_LARGEFILE | of.O_DIRECTORY | of.O_NOFOLLOW | of.O_NOATIME
    | of.O_CLOEXEC | of.O_PATH | of.O_TMPFILE
)  # fmt: skip
_KNOWN_MODE = 0o7777
_READ, _WRITE = 4, 2
_KNOWN_RESOLVE = sum(Resolve)
_OPEN_HOW = 24  # bytes of the first struct open_how


class _How(msgspec.Struct, frozen=True):
    """What openat2 is asked for, and the other calls with what they have of it."""

    flags: int
    mode: int
    resolve: Resolve = Resolve.FREELY

    @property
    def creates(self) -> bool:
        """Whether a file is made where there is none."""
        return bool(self.flags & of.O_CREAT)

    @property
    def follows(self) -> bool:
        """Whether a symbolic link at the end is followed."""
        exclusive = of.O_CREAT | of.O_EXCL
        return not self.flags & of.O_NOFOLLOW and self.flags & exclusive != exclusive

    def check(self) -> None:
        """Raises EINVAL for flags that do not go together."""
        if self.flags & of.O_TMPFILE:
            writes = self.flags & of.O_ACCMODE in (of.O_WRONLY, of.O_RDWR)
            if not self.flags & of.O_DIRECTORY or self.flags & of.O_CREAT or not writes:
                raise LinuxError(Errno.EINVAL)
        elif self.flags & of.O_DIRECTORY and self.creates:
            raise LinuxError(Errno.EINVAL)


@call("open")
def open_(task: Task, path: Path, flags: Flags, mode: UInt) -> Result:
    """open(2)"""
    return openat(task, AT_FDCWD, path, flags, mode)


@call("creat")
def creat(task: Task, path: Path, mode: UInt) -> Result:
    """creat(2)"""
    return openat(task, AT_FDCWD, path, of.O_CREAT | of.O_WRONLY | of.O_TRUNC, mode)


@call("openat")
def openat(task: Task, dirfd: Fd, path: Path, flags: Flags, mode: UInt) -> Result:
    """openat(2): flags that nobody knows are passed over."""
    flags &= _KNOWN_FLAGS
    if flags & of.O_PATH:
        flags &= of.FLAGS_OF_REFERENCES
    return _open_path(task, dirfd, path, _How(flags, mode))


@call("openat2")
def openat2(task: Task, dirfd: Fd, path: Path, address: Address, size: Size) -> Result:
    """openat2(2): flags that nobody knows are refused."""
    if size < _OPEN_HOW:
        raise LinuxError(Errno.EINVAL)
    if size > PAGE or any(task.space.load(address + _OPEN_HOW, size - _OPEN_HOW)):
        raise LinuxError(Errno.E2BIG)
    flags, mode, resolve = task.space.load_words(address, "3Q")
    makes = flags & (of.O_CREAT | of.O_TMPFILE)
    if flags & ~_KNOWN_FLAGS or resolve & ~_KNOWN_RESOLVE or mode & ~(_KNOWN_MODE if makes else 0):
        raise LinuxError(Errno.EINVAL)
    rooted = Resolve.BENEATH | Resolve.IN_ROOT
    if resolve & rooted == rooted or (flags & of.O_PATH and flags & ~of.FLAGS_OF_REFERENCES):
        raise LinuxError(Errno.EINVAL)
    how = _How(flags, mode, Resolve(resolve))
    how.check()
    if resolve & Resolve.CACHED and flags & (of.O_TRUNC | of.O_CREAT | of.O_TMPFILE):
        raise LinuxError(Errno.EAGAIN)
    return _open_path(task, dirfd, path, how)


def _open_path(task: Task, dirfd: int, path: bytes, how: _How) -> Result:
    how.check()
    if how.flags & of.O_TMPFILE:
        return _open_nameless(task, dirfd, path, how)
    begin, work = start_of(task, dirfd, path), task.space.work
    if how.creates and path.endswith(b"/") and find_name(work, task.location.root, begin, path).is_proper:
        raise LinuxError(Errno.EISDIR)
    spot = _find(task, dirfd, path, how)
    if spot.place is None:
        if not how.creates:
            raise LinuxError(Errno.ENOENT)
        if spot.slash:
            raise LinuxError(Errno.EISDIR)
        spot.directory.node.make_file(spot.name, how.mode & PERMISSION_BITS & ~task.location.umask)
        task.notifier.entry(spot.directory.node, spot.name, IN_CREATE, is_directory=False)
        how = replace(how, flags=how.flags & ~of.O_TRUNC)
        return _add(task, _open(_find(task, dirfd, path, how), how), how)
    if how.creates and how.flags & of.O_EXCL:
        raise LinuxError(Errno.EEXIST)
    place = spot.place
    _check_rights(task, place.node, how.flags)
    if isinstance(place.node, Fifo) and not how.flags & of.O_PATH:
        if how.flags & of.O_DIRECTORY:
            raise LinuxError(Errno.ENOTDIR)
        return _open_fifo(task, place, place.node, how)
    if isinstance(place.node, TerminalNode) and not how.flags & of.O_PATH:
        if how.flags & of.O_DIRECTORY:
            raise LinuxError(Errno.ENOTDIR)
        return _add(task, place.node.opened(task, how.flags | of.O_LARGEFILE, place), how)
    return _add(task, _open(spot, how), how)


def _check_rights(task: Task, node: Node, flags: int) -> None:
    """Raises EACCES and EROFS; what is wrong with a directory or a link that is opened is said elsewhere."""
    if flags & of.O_PATH or node.target() is not None:
        return
    access = flags & of.O_ACCMODE
    wanted = _READ * (access != of.O_WRONLY) | _WRITE * (access != of.O_RDONLY or bool(flags & of.O_TRUNC))
    if not node.is_directory:
        node.check(wanted, task.user, task.group)
        if wanted & _WRITE:
            task.check_not_executed(node)
    elif wanted == _READ and not flags & of.O_CREAT:
        node.check(_READ, task.user, task.group)


def _find(task: Task, dirfd: int, path: bytes, how: _How) -> Spot:
    begin, work = start_of(task, dirfd, path, how.resolve), task.space.work
    return find(work, task.location.root, begin, path, how.follows, how.resolve)


def _add(task: Task, file: OpenFile, how: _How) -> int:
    number = task.files.add(file, bool(how.flags & of.O_CLOEXEC))
    task.notifier.file(file, IN_OPEN)
    if how.flags & of.O_TRUNC and isinstance(file, RegularFile):
        task.notifier.file(file, IN_MODIFY)
    return number


def _open_fifo(task: Task, place: Place, node: Fifo, how: _How) -> Result:
    """A FIFO is opened when both sides are, unless that is for reading and writing, or O_NONBLOCK (fifo_open)."""
    pipe, flags, access = node.pipe, how.flags | of.O_LARGEFILE, how.flags & of.O_ACCMODE

    def opened() -> int:
        return _add(task, PipeEnd(flags, pipe, node.status().inode, place), how)

    reads, is_patient = access == of.O_RDONLY, not flags & of.O_NONBLOCK
    if access not in (of.O_RDONLY, of.O_WRONLY) or (pipe.writers if reads else pipe.readers):
        return opened()
    if not is_patient:
        if not reads:
            raise LinuxError(Errno.ENXIO)
        return opened()
    opener = pipe_buffers.Opener(reads, lambda: task.process.alive and not task.thread.ended)
    pipe.openers.append(opener)
    before = pipe.write_opens if reads else pipe.read_opens

    def is_there() -> bool:
        others = pipe.writers if reads else pipe.readers
        return bool(others) or (pipe.write_opens if reads else pipe.read_opens) != before

    def then(late: bool) -> Result:
        pipe.openers.remove(opener)
        return opened()

    def stop() -> Result:
        pipe.openers.remove(opener)
        return AGAIN

    return Wait(is_there, then=then, interrupted=stop)


def _open_nameless(task: Task, dirfd: int, path: bytes, how: _How) -> int:
    """O_TMPFILE: the path is the directory's."""
    node = _find(task, dirfd, path, how).existing().node
    if not node.is_directory:
        raise LinuxError(Errno.ENOTDIR)
    made = node.make_nameless(how.mode & PERMISSION_BITS & ~task.location.umask)
    made.can_be_named = not how.flags & of.O_EXCL
    place = Place(made, task.location.root, b"")
    return _add(task, RegularFile(how.flags | of.O_LARGEFILE, place, made.open(writable=True)), how)


def _open(spot: Spot, how: _How) -> OpenFile:
    place, flags = spot.existing(), how.flags
    node = place.node
    if flags & of.O_DIRECTORY and not node.is_directory:
        raise LinuxError(Errno.ENOTDIR)
    if flags & of.O_PATH:
        return OpenFile(flags, place)
    flags |= of.O_LARGEFILE
    if node.target() is not None:
        raise LinuxError(Errno.ELOOP)
    writable = flags & of.O_ACCMODE != of.O_RDONLY
    if node.is_directory:
        if writable or how.creates or flags & of.O_TRUNC:
            raise LinuxError(Errno.EISDIR)
        return DirectoryFile(flags, place)
    if isinstance(node, Device):
        return DeviceFile(flags, place, node)
    if isinstance(node, OpenedNode) and S_ISFIFO(node.status().mode):
        return node.opened(flags)
    handle = node.open(writable or bool(flags & of.O_TRUNC))
    if flags & of.O_TRUNC:
        handle.resize(0)
    return RegularFile(flags, place, handle)
