"""Calls on paths: opening, status, directories, links, names."""

from __future__ import annotations

from machine.kernel.linux import open_files as of
from machine.kernel.linux import structures
from machine.kernel.linux.errors import Errno, LinuxError
from machine.kernel.linux.memory_files import Device
from machine.kernel.linux.nodes import PERMISSION_BITS, Node, Status
from machine.kernel.linux.open_files import DeviceFile, DirectoryFile, OpenFile, RegularFile
from machine.kernel.linux.paths import Place, Spot, find
from machine.kernel.linux.task import NANOSECONDS, Task

AT_FDCWD = -100
AT_SYMLINK_NOFOLLOW, AT_REMOVEDIR, AT_SYMLINK_FOLLOW, AT_EMPTY_PATH = 0x100, 0x200, 0x400, 0x1000
_RENAME_NOREPLACE = 1
_UTIME_NOW, _UTIME_OMIT = 0x3FFF_FFFF, 0x3FFF_FFFE
_W_OK = 2
_WRITE_BITS = 0o222
_EXECUTE_BITS = 0o111


def _start(task: Task, dirfd: int, path: bytes) -> Place:
    """Where a relative path begins."""
    if path.startswith(b"/") or dirfd == AT_FDCWD:
        return task.directory
    place = task.files.file(dirfd).place
    if place is None or not place.node.is_directory:
        raise LinuxError(Errno.ENOTDIR)
    return place


def _find(task: Task, dirfd: int, path: bytes, follow: bool = True) -> Spot:
    return find(task.root, _start(task, dirfd, path), path, follow)


def _node(task: Task, dirfd: int, path: bytes, follow: bool = True) -> Node:
    return _find(task, dirfd, path, follow).existing().node


# --- opening


def open_(task: Task, path: bytes, flags: int, mode: int) -> int:
    """open(2)"""
    return openat(task, AT_FDCWD, path, flags, mode)


def creat(task: Task, path: bytes, mode: int) -> int:
    """creat(2)"""
    return openat(task, AT_FDCWD, path, of.O_CREAT | of.O_WRONLY | of.O_TRUNC, mode)


def openat(task: Task, dirfd: int, path: bytes, flags: int, mode: int) -> int:
    """openat(2)"""
    if flags & of.O_TMPFILE:
        raise LinuxError(Errno.EOPNOTSUPP)
    create, exclusive = bool(flags & of.O_CREAT), bool(flags & of.O_EXCL)
    follow = not flags & of.O_NOFOLLOW and not (create and exclusive)
    spot = _find(task, dirfd, path, follow)
    if spot.place is None:
        if not create:
            raise LinuxError(Errno.ENOENT)
        if spot.slash:
            raise LinuxError(Errno.EISDIR)
        spot.directory.node.make_file(spot.name, mode & PERMISSION_BITS & ~task.umask)
        spot = _find(task, dirfd, path, follow)
    elif create and exclusive:
        raise LinuxError(Errno.EEXIST)
    return task.files.add(_open(spot.existing(), flags, create), bool(flags & of.O_CLOEXEC))


def _open(place: Place, flags: int, create: bool) -> OpenFile:
    node = place.node
    if flags & of.O_DIRECTORY and not node.is_directory:
        raise LinuxError(Errno.ENOTDIR)
    if flags & of.O_PATH:
        return OpenFile(flags, place)
    if node.target() is not None:
        raise LinuxError(Errno.ELOOP)
    writable = flags & of.O_ACCMODE != of.O_RDONLY
    if node.is_directory:
        if writable or create:
            raise LinuxError(Errno.EISDIR)
        return DirectoryFile(flags, place)
    if isinstance(node, Device):
        return DeviceFile(flags, place, node)
    handle = node.open(writable or bool(flags & of.O_TRUNC))
    if flags & of.O_TRUNC:
        handle.resize(0)
    return RegularFile(flags, place, handle)


# --- status


def stat(task: Task, path: bytes, buffer: int) -> int:
    """stat(2)"""
    return newfstatat(task, AT_FDCWD, path, buffer, 0)


def lstat(task: Task, path: bytes, buffer: int) -> int:
    """lstat(2)"""
    return newfstatat(task, AT_FDCWD, path, buffer, AT_SYMLINK_NOFOLLOW)


def newfstatat(task: Task, dirfd: int, path: bytes, buffer: int, flags: int) -> int:
    """fstatat(2)"""
    task.space.store(buffer, structures.stat(_status(task, dirfd, path, flags)))
    return 0


def statx(task: Task, dirfd: int, path: bytes, flags: int, mask: int, buffer: int) -> int:
    """statx(2): the basic fields."""
    task.space.store(buffer, structures.statx(_status(task, dirfd, path, flags)))
    return 0


def _status(task: Task, dirfd: int, path: bytes, flags: int) -> Status:
    if not path and flags & AT_EMPTY_PATH:
        return task.directory.node.status() if dirfd == AT_FDCWD else task.files.file(dirfd).status()
    return _node(task, dirfd, path, not flags & AT_SYMLINK_NOFOLLOW).status()


def access(task: Task, path: bytes, mode: int) -> int:
    """access(2)"""
    return faccessat2(task, AT_FDCWD, path, mode, 0)


def faccessat(task: Task, dirfd: int, path: bytes, mode: int) -> int:
    """faccessat of the kernel, which has no flags."""
    return faccessat2(task, dirfd, path, mode, 0)


def faccessat2(task: Task, dirfd: int, path: bytes, mode: int, flags: int) -> int:
    """faccessat(2): what the permission bits and a shown folder allow."""
    if mode & ~7:
        raise LinuxError(Errno.EINVAL)
    bits = _status(task, dirfd, path, flags).mode
    if (mode & _W_OK and not bits & _WRITE_BITS) or (mode & 1 and not bits & _EXECUTE_BITS):
        raise LinuxError(Errno.EACCES)
    return 0


def statfs(task: Task, path: bytes, buffer: int) -> int:
    """statfs(2)"""
    _node(task, AT_FDCWD, path)
    task.space.store(buffer, structures.file_system(task.store.bytes_left))
    return 0


# --- the current directory


def getcwd(task: Task, buffer: int, size: int) -> int:
    """getcwd of the kernel: the length with its zero."""
    path = task.directory.path() + b"\0"
    if len(path) > size:
        raise LinuxError(Errno.ERANGE)
    task.space.store(buffer, path)
    return len(path)


def chdir(task: Task, path: bytes) -> int:
    """chdir(2)"""
    return _change_directory(task, _find(task, AT_FDCWD, path).existing())


def fchdir(task: Task, fd: int) -> int:
    """fchdir(2)"""
    place = task.files.file(fd).place
    if place is None:
        raise LinuxError(Errno.ENOTDIR)
    return _change_directory(task, place)


def _change_directory(task: Task, place: Place) -> int:
    if not place.node.is_directory:
        raise LinuxError(Errno.ENOTDIR)
    task.directory = place
    return 0


# --- names


def mkdir(task: Task, path: bytes, mode: int) -> int:
    """mkdir(2)"""
    return mkdirat(task, AT_FDCWD, path, mode)


def mkdirat(task: Task, dirfd: int, path: bytes, mode: int) -> int:
    """mkdirat(2)"""
    spot = _find(task, dirfd, path, follow=False)
    spot.directory.node.make_directory(spot.new_name(), mode & PERMISSION_BITS & ~task.umask)
    return 0


def rmdir(task: Task, path: bytes) -> int:
    """rmdir(2)"""
    return unlinkat(task, AT_FDCWD, path, AT_REMOVEDIR)


def unlink(task: Task, path: bytes) -> int:
    """unlink(2)"""
    return unlinkat(task, AT_FDCWD, path, 0)


def unlinkat(task: Task, dirfd: int, path: bytes, flags: int) -> int:
    """unlinkat(2)"""
    if flags & ~AT_REMOVEDIR:
        raise LinuxError(Errno.EINVAL)
    spot = _find(task, dirfd, path, follow=False)
    if flags & AT_REMOVEDIR:
        if spot.existing().node.is_directory is False:
            raise LinuxError(Errno.ENOTDIR)
        spot.directory.node.remove_directory(spot.old_name())
    else:
        if spot.existing().node.is_directory:
            raise LinuxError(Errno.EISDIR)
        spot.directory.node.remove_file(spot.old_name())
    return 0


def rename(task: Task, path: bytes, new_path: bytes) -> int:
    """rename(2)"""
    return renameat2(task, AT_FDCWD, path, AT_FDCWD, new_path, 0)


def renameat(task: Task, dirfd: int, path: bytes, new_dirfd: int, new_path: bytes) -> int:
    """renameat(2)"""
    return renameat2(task, dirfd, path, new_dirfd, new_path, 0)


def renameat2(task: Task, dirfd: int, path: bytes, new_dirfd: int, new_path: bytes, flags: int) -> int:
    """renameat2(2): RENAME_NOREPLACE only."""
    if flags & ~_RENAME_NOREPLACE:
        raise LinuxError(Errno.EINVAL)
    old, new = _find(task, dirfd, path, follow=False), _find(task, new_dirfd, new_path, follow=False)
    old_name = old.old_name()
    if new.place is not None:
        if flags & _RENAME_NOREPLACE:
            raise LinuxError(Errno.EEXIST)
        new.old_name()
    elif new.slash and not old.existing().node.is_directory:
        raise LinuxError(Errno.ENOTDIR)
    old.directory.node.rename(old_name, _holder(new, old), new.name)
    return 0


def link(task: Task, path: bytes, new_path: bytes) -> int:
    """link(2)"""
    return linkat(task, AT_FDCWD, path, AT_FDCWD, new_path, 0)


def linkat(task: Task, dirfd: int, path: bytes, new_dirfd: int, new_path: bytes, flags: int) -> int:
    """linkat(2)"""
    if flags & ~AT_SYMLINK_FOLLOW:
        raise LinuxError(Errno.EINVAL)
    old = _find(task, dirfd, path, bool(flags & AT_SYMLINK_FOLLOW))
    new = _find(task, new_dirfd, new_path, follow=False)
    if old.existing().node.is_directory:
        raise LinuxError(Errno.EPERM)
    name, old_name = new.new_name(), old.old_name()
    new.directory.node.add_name(name, _holder(old, new), old_name)
    return 0


def _holder(spot: Spot, other: Spot) -> Node:
    """The directory of a spot. Raises EBUSY for a mount point, and EXDEV when the other is of another file system."""
    node = spot.directory.node.holder(spot.name)
    if spot.directory.mount() is not other.directory.mount():
        raise LinuxError(Errno.EXDEV)
    return node


def symlink(task: Task, target: bytes, path: bytes) -> int:
    """symlink(2)"""
    return symlinkat(task, target, AT_FDCWD, path)


def symlinkat(task: Task, target: bytes, dirfd: int, path: bytes) -> int:
    """symlinkat(2)"""
    if not target:
        raise LinuxError(Errno.ENOENT)
    spot = _find(task, dirfd, path, follow=False)
    spot.directory.node.make_link(spot.new_name(), target)
    return 0


def readlink(task: Task, path: bytes, buffer: int, size: int) -> int:
    """readlink(2)"""
    return readlinkat(task, AT_FDCWD, path, buffer, size)


def readlinkat(task: Task, dirfd: int, path: bytes, buffer: int, size: int) -> int:
    """readlinkat(2)"""
    if size <= 0:
        raise LinuxError(Errno.EINVAL)
    target = _node(task, dirfd, path, follow=False).target()
    if target is None:
        raise LinuxError(Errno.EINVAL)
    task.space.store(buffer, target[:size])
    return min(len(target), size)


# --- attributes


def chmod(task: Task, path: bytes, mode: int) -> int:
    """chmod(2)"""
    return fchmodat(task, AT_FDCWD, path, mode)


def fchmodat(task: Task, dirfd: int, path: bytes, mode: int) -> int:
    """fchmodat of the kernel, which has no flags."""
    _node(task, dirfd, path).set_mode(mode)
    return 0


def chown(task: Task, path: bytes, user: int, group: int) -> int:
    """chown(2)"""
    return fchownat(task, AT_FDCWD, path, user, group, 0)


def lchown(task: Task, path: bytes, user: int, group: int) -> int:
    """lchown(2)"""
    return fchownat(task, AT_FDCWD, path, user, group, AT_SYMLINK_NOFOLLOW)


def fchownat(task: Task, dirfd: int, path: bytes, user: int, group: int, flags: int) -> int:
    """fchownat(2): to oneself only."""
    _status(task, dirfd, path, flags)
    return _check_owner(task, user, group)


def fchown(task: Task, fd: int, user: int, group: int) -> int:
    """fchown(2): to oneself only."""
    task.files.file(fd)
    return _check_owner(task, user, group)


def _check_owner(task: Task, user: int, group: int) -> int:
    if user not in (-1, task.user) or group not in (-1, task.group):
        raise LinuxError(Errno.EPERM)
    return 0


def truncate(task: Task, path: bytes, size: int) -> int:
    """truncate(2)"""
    if size < 0:
        raise LinuxError(Errno.EINVAL)
    _node(task, AT_FDCWD, path).open(writable=True).resize(size)
    return 0


def utimensat(task: Task, dirfd: int, path_address: int, times: int, flags: int) -> int:
    """utimensat(2)"""
    if path_address:
        path = task.space.load_string(path_address, task.limits.max_path_bytes)
        node = _node(task, dirfd, path, not flags & AT_SYMLINK_NOFOLLOW)
    else:
        place = task.files.file(dirfd).place
        if place is None:
            raise LinuxError(Errno.EINVAL)
        node = place.node
    status = node.status()
    seconds = task.space.load_words(times, "4q") if times else (0, _UTIME_NOW, 0, _UTIME_NOW)
    accessed = _time(seconds[0], seconds[1], task.now, status.accessed)
    modified = _time(seconds[2], seconds[3], task.now, status.modified)
    node.set_times(accessed, modified)
    return 0


def _time(seconds: int, nanoseconds: int, now: int, present: int) -> int:
    if nanoseconds == _UTIME_NOW:
        return now
    if nanoseconds == _UTIME_OMIT:
        return present
    if not 0 <= nanoseconds < NANOSECONDS or not 0 <= seconds < 1 << 33:
        raise LinuxError(Errno.EINVAL)
    return seconds * NANOSECONDS + nanoseconds


def utimes(task: Task, path: bytes, times: int) -> int:
    """utimes(2)"""
    accessed = modified = task.now
    if times:
        words = task.space.load_words(times, "4q")
        accessed, modified = (_time(words[at], words[at + 1] * 1000, 0, 0) for at in (0, 2))
    _node(task, AT_FDCWD, path).set_times(accessed, modified)
    return 0


def umask(task: Task, mode: int) -> int:
    """umask(2)"""
    previous, task.umask = task.umask, mode & PERMISSION_BITS
    return previous
