"""Calls on paths: status, directories, links, names. Those that open files: opening.py."""

from __future__ import annotations

import stat as modes

from machine.kernel.linux import structures
from machine.kernel.linux.abi import Address, Fd, Flags, Int, Long, Path, Size, UInt, call
from machine.kernel.linux.errors import Errno, LinuxError, Refused
from machine.kernel.linux.nodes import PERMISSION_BITS, Node, Status
from machine.kernel.linux.notifications import IN_ACCESS, IN_ATTRIB, IN_CREATE, IN_DELETE, IN_MODIFY
from machine.kernel.linux.paths import AT_FDCWD, Name, Place, Resolve, Spot, find, find_name
from machine.kernel.linux.resource_limits import check_file_size
from machine.kernel.linux.task import NANOSECONDS, Task
from machine.memory import PER_ITEM

AT_SYMLINK_NOFOLLOW, AT_REMOVEDIR, AT_SYMLINK_FOLLOW, AT_EMPTY_PATH = 0x100, 0x200, 0x400, 0x1000
_AT_EACCESS, _AT_NO_AUTOMOUNT, _AT_STATX_SYNC_TYPE = 0x200, 0x800, 0x6000
_STATX_RESERVED = 0x8000_0000
_RENAME_KNOWN = 7
_RENAME_NOREPLACE, _RENAME_EXCHANGE, _RENAME_WHITEOUT = 1, 2, 4
_UTIME_NOW, _UTIME_OMIT = 0x3FFF_FFFF, 0x3FFF_FFFE
_EARLIEST, _LATEST = -(1 << 31), 1 << 33  # seconds that file systems keep


def start_of(task: Task, dirfd: int, path: bytes, resolve: Resolve = Resolve.FREELY) -> Place:
    """Where a relative path begins; within a root of its own an absolute one, too. Raises EBADF and ENOTDIR."""
    if dirfd == AT_FDCWD or (path.startswith(b"/") and not resolve & Resolve.IN_ROOT):
        return task.location.directory
    if not path:
        raise LinuxError(Errno.ENOENT)
    place = task.files.reference(dirfd).place
    if place is None or not place.node.is_directory:
        raise LinuxError(Errno.ENOTDIR)
    return place


def _find(task: Task, dirfd: int, path: bytes, follow: bool = True) -> Spot:
    return find(task.space.work, task.location.root, start_of(task, dirfd, path), path, follow)


def _find_name(task: Task, dirfd: int, path: bytes) -> Name:
    return find_name(task.space.work, task.location.root, start_of(task, dirfd, path), path)


def node_at(task: Task, dirfd: int, path: bytes, follow: bool = True) -> Node:
    """What a path leads to. Raises ENOENT and what else a path can fail with."""
    return _find(task, dirfd, path, follow).existing().node


# --- status


@call("stat")
def stat(task: Task, path: Path, buffer: Address) -> int:
    """stat(2)"""
    return newfstatat(task, AT_FDCWD, path, buffer, 0)


@call("lstat")
def lstat(task: Task, path: Path, buffer: Address) -> int:
    """lstat(2)"""
    return newfstatat(task, AT_FDCWD, path, buffer, AT_SYMLINK_NOFOLLOW)


@call("newfstatat")
def newfstatat(task: Task, dirfd: Fd, path: Path, buffer: Address, flags: Flags) -> int:
    """fstatat(2)"""
    task.space.store(buffer, structures.stat(status_of(task, dirfd, path, flags)))
    return 0


@call("statx")
def statx(task: Task, dirfd: Fd, path: Path, flags: Flags, mask: UInt, buffer: Address) -> int:
    """statx(2): the basic fields."""
    if mask & _STATX_RESERVED or flags & _AT_STATX_SYNC_TYPE == _AT_STATX_SYNC_TYPE:
        raise LinuxError(Errno.EINVAL)
    task.space.store(buffer, structures.statx(status_of(task, dirfd, path, flags)))
    return 0


def status_of(task: Task, dirfd: int, path: bytes, flags: int) -> Status:
    """What fstatat tells. Raises EINVAL for unknown flags, and what a path raises."""
    if flags & ~(AT_SYMLINK_NOFOLLOW | _AT_NO_AUTOMOUNT | AT_EMPTY_PATH | _AT_STATX_SYNC_TYPE):
        raise LinuxError(Errno.EINVAL)
    if not path and flags & AT_EMPTY_PATH:
        return task.location.directory.node.status() if dirfd == AT_FDCWD else task.files.reference(dirfd).status()
    return node_at(task, dirfd, path, not flags & AT_SYMLINK_NOFOLLOW).status()


@call("access")
def access(task: Task, path: Path, mode: UInt) -> int:
    """access(2)"""
    return faccessat2(task, AT_FDCWD, path, mode, 0)


@call("faccessat")
def faccessat(task: Task, dirfd: Fd, path: Path, mode: UInt) -> int:
    """faccessat of the kernel, which has no flags."""
    return faccessat2(task, dirfd, path, mode, 0)


@call("faccessat2")
def faccessat2(task: Task, dirfd: Fd, path: Path, mode: UInt, flags: Flags) -> int:
    """faccessat(2): what the mode and a shown folder allow."""
    if mode & ~7 or flags & ~(_AT_EACCESS | AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH):
        raise LinuxError(Errno.EINVAL)
    if not path and flags & AT_EMPTY_PATH:
        place = task.location.directory if dirfd == AT_FDCWD else task.files.reference(dirfd).place
        if place is None:
            return 0
        node = place.node
    else:
        node = node_at(task, dirfd, path, not flags & AT_SYMLINK_NOFOLLOW)
    if mode:
        node.check(mode, task.user, task.group)
    return 0


@call("statfs")
def statfs(task: Task, path: Path, buffer: Address) -> int:
    """statfs(2)"""
    task.space.store(buffer, structures.file_system(file_system_of(task, path), task.store.bytes_left))
    return 0


def file_system_of(task: Task, path: bytes) -> int:
    """The kind of the file system (`Node.file_system`) that a path leads to."""
    return node_at(task, AT_FDCWD, path).file_system


# --- the current directory


@call("getcwd")
def getcwd(task: Task, buffer: Address, size: Size) -> int:
    """getcwd of the kernel: the length with its zero."""
    if not task.location.directory.node.status().links:
        raise LinuxError(Errno.ENOENT)
    path = task.location.directory.path() + b"\0"
    task.space.work.charge(PER_ITEM * path.count(b"/"))
    if len(path) > task.limits.max_path_bytes:  # a C library goes up by itself then
        raise LinuxError(Errno.ENAMETOOLONG)
    if len(path) > size:
        raise LinuxError(Errno.ERANGE)
    task.space.store(buffer, path)
    return len(path)


@call("chdir")
def chdir(task: Task, path: Path) -> int:
    """chdir(2)"""
    return _change_directory(task, _find(task, AT_FDCWD, path).existing())


@call("fchdir")
def fchdir(task: Task, fd: Fd) -> int:
    """fchdir(2)"""
    place = task.files.reference(fd).place
    if place is None:
        raise LinuxError(Errno.ENOTDIR)
    return _change_directory(task, place)


def _change_directory(task: Task, place: Place) -> int:
    if not place.node.is_directory:
        raise LinuxError(Errno.ENOTDIR)
    task.location.directory = place
    return 0


# --- names


@call("mkdir")
def mkdir(task: Task, path: Path, mode: UInt) -> int:
    """mkdir(2)"""
    return mkdirat(task, AT_FDCWD, path, mode)


@call("mkdirat")
def mkdirat(task: Task, dirfd: Fd, path: Path, mode: UInt) -> int:
    """mkdirat(2)"""
    end = _find_name(task, dirfd, path)
    end.directory.node.make_directory(end.new(), mode & PERMISSION_BITS & ~task.location.umask)
    task.notifier.entry(end.directory.node, end.name, IN_CREATE, is_directory=True)
    return 0


@call("rmdir")
def rmdir(task: Task, path: Path) -> int:
    """rmdir(2)"""
    return unlinkat(task, AT_FDCWD, path, AT_REMOVEDIR)


@call("unlink")
def unlink(task: Task, path: Path) -> int:
    """unlink(2)"""
    return unlinkat(task, AT_FDCWD, path, 0)


@call("unlinkat")
def unlinkat(task: Task, dirfd: Fd, path: Path, flags: Flags) -> int:
    """unlinkat(2)"""
    if flags & ~AT_REMOVEDIR:
        raise LinuxError(Errno.EINVAL)
    end = _find_name(task, dirfd, path)
    if flags & AT_REMOVEDIR:
        if not end.is_proper:
            raise LinuxError({b"..": Errno.ENOTEMPTY, b".": Errno.EINVAL}.get(end.name, Errno.EBUSY))
        node = end.existing().node
        if not node.is_directory:
            raise LinuxError(Errno.ENOTDIR)
        end.directory.node.remove_directory(end.name)
    else:
        if not end.is_proper or end.existing().node.is_directory:
            raise LinuxError(Errno.EISDIR)
        if end.slash:
            raise LinuxError(Errno.ENOTDIR)
        node = end.existing().node
        end.directory.node.remove_file(end.name)
        task.notifier.node(node, IN_ATTRIB)
    if task.notifier.is_asked:
        task.notifier.lost(node.status())
        task.notifier.entry(end.directory.node, end.name, IN_DELETE, node.is_directory)
    return 0


@call("rename")
def rename(task: Task, path: Path, new_path: Path) -> int:
    """rename(2)"""
    return renameat2(task, AT_FDCWD, path, AT_FDCWD, new_path, 0)


@call("renameat")
def renameat(task: Task, dirfd: Fd, path: Path, new_dirfd: Fd, new_path: Path) -> int:
    """renameat(2)"""
    return renameat2(task, dirfd, path, new_dirfd, new_path, 0)


@call("renameat2")
def renameat2(task: Task, dirfd: Fd, path: Path, new_dirfd: Fd, new_path: Path, flags: Flags) -> int:
    """renameat2(2)"""
    if flags & ~_RENAME_KNOWN or (flags & _RENAME_EXCHANGE and flags & ~_RENAME_EXCHANGE):
        raise LinuxError(Errno.EINVAL)
    if flags & _RENAME_WHITEOUT:
        raise Refused(Errno.EINVAL)
    old, new = _find_name(task, dirfd, path), _find_name(task, new_dirfd, new_path)
    if not old.is_proper:
        raise LinuxError(Errno.EBUSY)
    if not new.is_proper:
        raise LinuxError(Errno.EEXIST if flags & _RENAME_NOREPLACE else Errno.EBUSY)
    moved, replaced = old.existing().node, new.look()
    if replaced is not None and flags & _RENAME_NOREPLACE:
        raise LinuxError(Errno.EEXIST)
    if flags & _RENAME_EXCHANGE:
        if not new.existing().node.is_directory and new.slash:
            raise LinuxError(Errno.ENOTDIR)
        if not moved.is_directory and old.slash:
            raise LinuxError(Errno.ENOTDIR)
        old.directory.node.exchange(old.name, _holder(new, old), new.name)
        task.notifier.moved((old.directory.node, old.name), (new.directory.node, new.name), moved, None)
        if replaced is not None:
            other = replaced.node
            task.notifier.moved((new.directory.node, new.name), (old.directory.node, old.name), other, None)
        return 0
    if not moved.is_directory and (old.slash or new.slash):
        raise LinuxError(Errno.ENOTDIR)
    old.directory.node.rename(old.name, _holder(new, old), new.name)
    _tell_of_move(task, old, new, moved, None if replaced is None else replaced.node)
    return 0


def _tell_of_move(task: Task, old: Name, new: Name, moved: Node, replaced: Node | None) -> None:
    if task.notifier.is_asked:
        task.notifier.moved((old.directory.node, old.name), (new.directory.node, new.name), moved, replaced)
        if replaced is not None:
            task.notifier.lost(replaced.status())


@call("link")
def link(task: Task, path: Path, new_path: Path) -> int:
    """link(2)"""
    return linkat(task, AT_FDCWD, path, AT_FDCWD, new_path, 0)


@call("linkat")
def linkat(task: Task, dirfd: Fd, path: Path, new_dirfd: Fd, new_path: Path, flags: Flags) -> int:
    """linkat(2)"""
    if flags & ~(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH):
        raise LinuxError(Errno.EINVAL)
    if not path and flags & AT_EMPTY_PATH and dirfd != AT_FDCWD:
        place = task.files.reference(dirfd).place
        if place is None:
            raise LinuxError(Errno.EXDEV)
        old = Spot(place.parent or place, place.name, place, False)
    else:
        old = _find(task, dirfd, path, bool(flags & AT_SYMLINK_FOLLOW))
    linked = old.existing().node
    new = _find_name(task, new_dirfd, new_path)
    name = new.new()
    if new.slash:
        raise LinuxError(Errno.ENOENT)
    if linked.is_directory:
        raise LinuxError(Errno.EPERM)
    if not linked.status().links and not linked.can_be_named:
        raise LinuxError(Errno.ENOENT)
    if not path or linked.can_be_named:
        new.directory.node.add_node(name, linked)
    else:
        new.directory.node.add_name(name, _holder(old, new), old.name)
    task.notifier.node(linked, IN_ATTRIB)
    task.notifier.entry(new.directory.node, name, IN_CREATE, is_directory=False)
    return 0


@call("mknod")
def mknod(task: Task, path: Path, mode: UInt, device: UInt) -> int:
    """mknod(2)"""
    return mknodat(task, AT_FDCWD, path, mode, device)


@call("mknodat")
def mknodat(task: Task, dirfd: Fd, path: Path, mode: UInt, device: UInt) -> int:
    """mknodat(2): regular files, and FIFOs and sockets in directories in memory."""
    kind = modes.S_IFMT(mode & 0xFFFF)
    if kind in (modes.S_IFCHR, modes.S_IFBLK, modes.S_IFDIR):
        end = _find_name(task, dirfd, path)
        if kind != modes.S_IFDIR:
            end.new()
        raise LinuxError(Errno.EPERM)
    if kind not in (0, modes.S_IFREG, modes.S_IFIFO, modes.S_IFSOCK):
        raise LinuxError(Errno.EINVAL)
    end = _find_name(task, dirfd, path)
    name, directory = end.new(), end.directory.node
    if end.slash:
        raise LinuxError(Errno.ENOENT)
    make = {modes.S_IFIFO: directory.make_fifo, modes.S_IFSOCK: directory.make_socket}.get(kind, directory.make_file)
    make(name, mode & PERMISSION_BITS & ~task.location.umask)
    task.notifier.entry(directory, name, IN_CREATE, is_directory=False)
    return 0


def _holder(spot: Spot | Name, other: Spot | Name) -> Node:
    """The directory of a spot. Raises EBUSY for a mount point, and EXDEV when the other is of another file system."""
    node = spot.directory.node.holder(spot.name)
    if spot.directory.mount() is not other.directory.mount():
        raise LinuxError(Errno.EXDEV)
    return node


@call("symlink")
def symlink(task: Task, target: Path, path: Path) -> int:
    """symlink(2)"""
    return symlinkat(task, target, AT_FDCWD, path)


@call("symlinkat")
def symlinkat(task: Task, target: Path, dirfd: Fd, path: Path) -> int:
    """symlinkat(2)"""
    if not target:
        raise LinuxError(Errno.ENOENT)
    end = _find_name(task, dirfd, path)
    name = end.new()
    if end.slash:
        raise LinuxError(Errno.ENOENT)
    end.directory.node.make_link(name, target)
    task.notifier.entry(end.directory.node, name, IN_CREATE, is_directory=False)
    return 0


@call("readlink")
def readlink(task: Task, path: Path, buffer: Address, size: Int) -> int:
    """readlink(2)"""
    return readlinkat(task, AT_FDCWD, path, buffer, size)


@call("readlinkat")
def readlinkat(task: Task, dirfd: Fd, path: Path, buffer: Address, size: Int) -> int:
    """readlinkat(2)"""
    if size <= 0:
        raise LinuxError(Errno.EINVAL)
    if path:
        node: Node | None = node_at(task, dirfd, path, follow=False)
    else:
        place = None if dirfd == AT_FDCWD else task.files.reference(dirfd).place
        node = None if place is None else place.node
    target = None if node is None else node.target()
    if target is None:
        raise LinuxError(Errno.EINVAL if path else Errno.ENOENT)
    task.space.store(buffer, target[:size])
    return min(len(target), size)


# --- attributes


@call("chmod")
def chmod(task: Task, path: Path, mode: UInt) -> int:
    """chmod(2)"""
    return fchmodat(task, AT_FDCWD, path, mode)


@call("fchmodat")
def fchmodat(task: Task, dirfd: Fd, path: Path, mode: UInt) -> int:
    """fchmodat of the kernel, which has no flags."""
    place = _find(task, dirfd, path).existing()
    place.node.set_mode(mode)
    task.notifier.place(place, IN_ATTRIB)
    return 0


@call("chown")
def chown(task: Task, path: Path, user: Int, group: Int) -> int:
    """chown(2)"""
    return fchownat(task, AT_FDCWD, path, user, group, 0)


@call("lchown")
def lchown(task: Task, path: Path, user: Int, group: Int) -> int:
    """lchown(2)"""
    return fchownat(task, AT_FDCWD, path, user, group, AT_SYMLINK_NOFOLLOW)


@call("fchownat")
def fchownat(task: Task, dirfd: Fd, path: Path, user: Int, group: Int, flags: Flags) -> int:
    """fchownat(2): to oneself only."""
    if flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH):
        raise LinuxError(Errno.EINVAL)
    status_of(task, dirfd, path, flags)
    return _check_owner(task, user, group)


@call("fchown")
def fchown(task: Task, fd: Fd, user: Int, group: Int) -> int:
    """fchown(2): to oneself only."""
    task.files.file(fd)
    return _check_owner(task, user, group)


def _check_owner(task: Task, user: int, group: int) -> int:
    if user not in (-1, task.user) or group not in (-1, task.group):
        raise LinuxError(Errno.EPERM)
    return 0


@call("truncate")
def truncate(task: Task, path: Path, size: Long) -> int:
    """truncate(2)"""
    if size < 0:
        raise LinuxError(Errno.EINVAL)
    place = _find(task, AT_FDCWD, path).existing()
    node = place.node
    if not node.is_directory and not modes.S_ISREG(node.status().mode):
        raise LinuxError(Errno.EINVAL)
    handle = node.open(writable=True)
    task.check_not_executed(node)
    check_file_size(task, size)
    handle.resize(size)
    task.notifier.place(place, IN_MODIFY)
    return 0


@call("utimensat")
def utimensat(task: Task, dirfd: Fd, path_address: Address, times: Address, flags: Flags) -> int:
    """utimensat(2)"""
    return set_times(task, dirfd, path_address, times, flags)


def set_times(task: Task, dirfd: int, path_address: int, times: int, flags: int, layout: str = "4q") -> int:
    """The same; `layout` is that of two times."""
    words = task.space.load_words(times, layout) if times else (0, _UTIME_NOW, 0, _UTIME_NOW)
    if words[1] == words[3] == _UTIME_OMIT:
        return 0
    if flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH) or (flags and not path_address and dirfd != AT_FDCWD):
        raise LinuxError(Errno.EINVAL)
    if path_address:
        path = task.space.load_string(path_address, task.limits.max_path_bytes)
        place: Place | None = _find(task, dirfd, path, not flags & AT_SYMLINK_NOFOLLOW).existing()
    else:
        if dirfd == AT_FDCWD:
            raise LinuxError(Errno.EFAULT)
        place = task.files.file(dirfd).place
    if place is None:
        raise LinuxError(Errno.EINVAL)
    status = place.node.status()
    accessed = _time(words[0], words[1], task.now, status.accessed)
    modified = _time(words[2], words[3], task.now, status.modified)
    place.node.set_times(accessed, modified)
    kept = words[1] == _UTIME_OMIT, words[3] == _UTIME_OMIT
    task.notifier.place(place, IN_ACCESS if kept[1] else IN_MODIFY if kept[0] else IN_ATTRIB)
    return 0


def _time(seconds: int, nanoseconds: int, now: int, present: int) -> int:
    if nanoseconds == _UTIME_NOW:
        return now
    if nanoseconds == _UTIME_OMIT:
        return present
    if not 0 <= nanoseconds < NANOSECONDS:
        raise LinuxError(Errno.EINVAL)
    return min(max(seconds, _EARLIEST), _LATEST) * NANOSECONDS + nanoseconds


@call("utimes")
def utimes(task: Task, path: Path, times: Address) -> int:
    """utimes(2)"""
    return futimesat(task, AT_FDCWD, path, times)


@call("futimesat")
def futimesat(task: Task, dirfd: Fd, path: Path, times: Address) -> int:
    """futimesat(2)"""
    return set_times_in_microseconds(task, dirfd, path, times)


def set_times_in_microseconds(task: Task, dirfd: int, path: bytes, times: int, layout: str = "4q") -> int:
    """The same, likewise."""
    accessed = modified = task.now
    if times:
        words = task.space.load_words(times, layout)
        if not all(0 <= micro < 1_000_000 for micro in words[1::2]):
            raise LinuxError(Errno.EINVAL)
        accessed, modified = (_time(words[at], words[at + 1] * 1000, 0, 0) for at in (0, 2))
    place = _find(task, dirfd, path).existing()
    place.node.set_times(accessed, modified)
    task.notifier.place(place, IN_ATTRIB)
    return 0


@call("utime")
def utime(task: Task, path: Path, times: Address) -> int:
    """utime(2)"""
    return set_times_in_seconds(task, path, times)


def set_times_in_seconds(task: Task, path: bytes, times: int, layout: str = "qq") -> int:
    """The same, likewise."""
    accessed, modified = task.space.load_words(times, layout) if times else (task.now // NANOSECONDS,) * 2
    place = _find(task, AT_FDCWD, path).existing()
    place.node.set_times(_time(accessed, 0, 0, 0), _time(modified, 0, 0, 0))
    task.notifier.place(place, IN_ATTRIB)
    return 0


@call("umask")
def umask(task: Task, mode: UInt) -> int:
    """umask(2)"""
    previous, task.location.umask = task.location.umask, mode & PERMISSION_BITS
    return previous
