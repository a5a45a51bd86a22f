"""Calls of inotify."""

from __future__ import annotations

from machine.kernel.linux import open_files as of
from machine.kernel.linux.abi import Fd, Flags, Int, Path, UInt, call
from machine.kernel.linux.errors import Errno, LinuxError
from machine.kernel.linux.notifications import (
    ALL_EVENTS,
    IN_DONT_FOLLOW,
    IN_MASK_ADD,
    IN_MASK_CREATE,
    IN_ONLYDIR,
    Inotify,
)
from machine.kernel.linux.paths import find
from machine.kernel.linux.task import Task

_KNOWN = ALL_EVENTS | 0xF700_E000  # IN_UNMOUNT to IN_IGNORED, and the flags
_READ = 4


@call("inotify_init")
def inotify_init(task: Task) -> int:
    """inotify_init(2)"""
    return inotify_init1(task, 0)


@call("inotify_init1")
def inotify_init1(task: Task, flags: Flags) -> int:
    """inotify_init1(2)"""
    if flags & ~(of.O_CLOEXEC | of.O_NONBLOCK):
        raise LinuxError(Errno.EINVAL)
    return task.files.add(Inotify(flags & of.O_NONBLOCK, task.notifier), bool(flags & of.O_CLOEXEC))


@call("inotify_add_watch")
def inotify_add_watch(task: Task, fd: Fd, path: Path, mask: UInt) -> int:
    """inotify_add_watch(2)"""
    if not mask & _KNOWN:
        raise LinuxError(Errno.EINVAL)
    file = task.files.file(fd)
    both = IN_MASK_ADD | IN_MASK_CREATE
    if mask & both == both or not isinstance(file, Inotify):
        raise LinuxError(Errno.EINVAL)
    location = task.location
    follows = not mask & IN_DONT_FOLLOW
    node = find(task.space.work, location.root, location.directory, path, follows).existing().node
    if mask & IN_ONLYDIR and not node.is_directory:
        raise LinuxError(Errno.ENOTDIR)
    node.check(_READ, task.user, task.group)
    return file.add(node, mask)


@call("inotify_rm_watch")
def inotify_rm_watch(task: Task, fd: Fd, number: Int) -> int:
    """inotify_rm_watch(2)"""
    file = task.files.file(fd)
    if not isinstance(file, Inotify):
        raise LinuxError(Errno.EINVAL)
    file.remove(number)
    return 0
