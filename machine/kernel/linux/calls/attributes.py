"""Calls on extended attributes (xattr(7)): no file has any, and none can be set."""

from __future__ import annotations

from machine.kernel.linux.abi import Address, Fd, Flags, Path, Size, call
from machine.kernel.linux.calls.paths import node_at
from machine.kernel.linux.errors import Errno, LinuxError, Refused
from machine.kernel.linux.paths import AT_FDCWD
from machine.kernel.linux.task import Task

_LONGEST_NAME, _LARGEST_VALUE = 255, 65_536
_SPACES = (b"user.", b"trusted.", b"security.", b"system.")
_FLAGS = 3  # XATTR_CREATE, XATTR_REPLACE


def _name(task: Task, address: int) -> bytes:
    """Raises ERANGE for an empty name and a long one, EOPNOTSUPP for one of no known space."""
    try:
        name = task.space.load_string(address, _LONGEST_NAME + 1)
    except LinuxError as error:
        raise LinuxError(Errno.ERANGE if error.number is Errno.ENAMETOOLONG else error.number) from None
    if not name:
        raise LinuxError(Errno.ERANGE)
    return name


def _missing(name: bytes) -> int:
    """No file has the attribute."""
    raise LinuxError(Errno.ENODATA if name.startswith(_SPACES) else Errno.EOPNOTSUPP)


@call("getxattr")
def getxattr(task: Task, path: Path, name: Address, value: Address, size: Size) -> int:
    """getxattr(2)"""
    text = _name(task, name)
    node_at(task, AT_FDCWD, path)
    return _missing(text)


@call("lgetxattr")
def lgetxattr(task: Task, path: Path, name: Address, value: Address, size: Size) -> int:
    """lgetxattr(2)"""
    text = _name(task, name)
    node_at(task, AT_FDCWD, path, follow=False)
    return _missing(text)


@call("fgetxattr")
def fgetxattr(task: Task, fd: Fd, name: Address, value: Address, size: Size) -> int:
    """fgetxattr(2)"""
    task.files.file(fd)
    return _missing(_name(task, name))


@call("listxattr")
def listxattr(task: Task, path: Path, names: Address, size: Size) -> int:
    """listxattr(2)"""
    node_at(task, AT_FDCWD, path)
    return 0


@call("llistxattr")
def llistxattr(task: Task, path: Path, names: Address, size: Size) -> int:
    """llistxattr(2)"""
    node_at(task, AT_FDCWD, path, follow=False)
    return 0


@call("flistxattr")
def flistxattr(task: Task, fd: Fd, names: Address, size: Size) -> int:
    """flistxattr(2)"""
    task.files.file(fd)
    return 0


@call("removexattr")
def removexattr(task: Task, path: Path, name: Address) -> int:
    """removexattr(2)"""
    return getxattr(task, path, name, 0, 0)


@call("lremovexattr")
def lremovexattr(task: Task, path: Path, name: Address) -> int:
    """lremovexattr(2)"""
    return lgetxattr(task, path, name, 0, 0)


@call("fremovexattr")
def fremovexattr(task: Task, fd: Fd, name: Address) -> int:
    """fremovexattr(2)"""
    return fgetxattr(task, fd, name, 0, 0)


def _refuse(task: Task, name: int, value: int, size: int, flags: int) -> int:
    """What is right is refused by name. Raises EINVAL, E2BIG, ERANGE and EFAULT for what is not."""
    if flags & ~_FLAGS:
        raise LinuxError(Errno.EINVAL)
    _name(task, name)
    if size > _LARGEST_VALUE:
        raise LinuxError(Errno.E2BIG)
    task.space.load(value, size)
    raise Refused(Errno.EOPNOTSUPP)


@call("setxattr")
def setxattr(task: Task, path: Path, name: Address, value: Address, size: Size, flags: Flags) -> int:
    """setxattr(2)"""
    node_at(task, AT_FDCWD, path)
    return _refuse(task, name, value, size, flags)


@call("lsetxattr")
def lsetxattr(task: Task, path: Path, name: Address, value: Address, size: Size, flags: Flags) -> int:
    """lsetxattr(2)"""
    node_at(task, AT_FDCWD, path, follow=False)
    return _refuse(task, name, value, size, flags)


@call("fsetxattr")
def fsetxattr(task: Task, fd: Fd, name: Address, value: Address, size: Size, flags: Flags) -> int:
    """fsetxattr(2)"""
    task.files.file(fd)
    return _refuse(task, name, value, size, flags)
