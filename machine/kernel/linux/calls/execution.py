"""Calls that let another program take a process's place: execve and execveat, of ELF files and of scripts."""

from __future__ import annotations

import struct

import msgspec

from machine.kernel.linux.abi import Address, Fd, Flags, Path, call
from machine.kernel.linux.calls.paths import start_of
from machine.kernel.linux.errors import Errno, LinuxError
from machine.kernel.linux.memory_files import Device, ProgramFile, SealedFile
from machine.kernel.linux.nodes import Handle, Status, granted
from machine.kernel.linux.open_files import DirectoryFile, RegularFile
from machine.kernel.linux.paths import AT_FDCWD, Place, find
from machine.kernel.linux.task import Program, Task
from machine.kernel.outcomes import Result
from machine.loaders import BEGINNING, LOOKED_AT, MOST_SCRIPTS, interpreter_of
from machine.memory import PER_ITEM

_AT_SYMLINK_NOFOLLOW, _AT_EMPTY_PATH = 0x100, 0x1000
_LONGEST_TEXT = 1 << 17  # of an argument, with its zero (MAX_ARG_STRLEN)
_MOST_BYTES = 1 << 21  # of all of them: a quarter of the stack


class _File(msgspec.Struct, frozen=True):
    """A file that may be executed; `path` is the text by which it was found, `name` what the process is called then."""

    handle: Handle
    path: bytes
    place: Place
    name: bytes


@call("execve")
def execve(task: Task, path: Path, arguments: Address, environment: Address) -> Result:
    """execve(2)"""
    return _execute(task, _by_path(task, AT_FDCWD, path), arguments, environment)


def execute_with_short_pointers(task: Task, path: bytes, arguments: int, environment: int) -> Result:
    """The same with lists of pointers of 32 bits."""
    return _execute(task, _by_path(task, AT_FDCWD, path), arguments, environment, "I")


@call("execveat")
def execveat(task: Task, fd: Fd, path: Path, arguments: Address, environment: Address, flags: Flags) -> Result:
    """execveat(2)"""
    return execute_at(task, fd, path, (arguments, environment), flags)


def execute_at(task: Task, fd: int, path: bytes, lists: tuple[int, int], flags: int, word: str = "Q") -> Result:
    """The same with lists of such pointers."""
    if flags & ~(_AT_SYMLINK_NOFOLLOW | _AT_EMPTY_PATH):
        raise LinuxError(Errno.EINVAL)
    if not path and flags & _AT_EMPTY_PATH and fd != AT_FDCWD:
        return _execute(task, _by_descriptor(task, fd), *lists, word)
    return _execute(task, _by_path(task, fd, path, not flags & _AT_SYMLINK_NOFOLLOW), *lists, word)


def _execute(task: Task, file: _File, arguments: int, environment: int, word: str = "Q") -> Result:
    left = _MOST_BYTES
    texts, left = _texts(task, arguments, left, word)
    variables, _ = _texts(task, environment, left, word)
    name, shown = file.name, file.path
    texts = texts or [b""]
    for _ in range(MOST_SCRIPTS + 1):
        first = file.handle.read_at(0, LOOKED_AT)
        if not first.startswith(BEGINNING):
            size = file.handle.status().size
            if size > task.limits.max_guest_memory:
                raise LinuxError(Errno.ENOMEM)
            task.space.work.charge(size)
            program = Program(file.handle.read_at(0, size), shown, file.place, name)
            return task.execute(task, program, texts, variables)
        interpreter = interpreter_of(first)
        if interpreter is None:
            raise LinuxError(Errno.ENOEXEC)
        texts = [*interpreter.arguments(file.path), *texts[1:]]
        file = _by_path(task, AT_FDCWD, interpreter.path)
        shown = interpreter.path
    raise LinuxError(Errno.ELOOP)


def _texts(task: Task, address: int, left: int, word: str = "Q") -> tuple[list[bytes], int]:
    """The texts of a list that ends with a zero, and what is left of so many bytes. Raises EFAULT and E2BIG."""
    found: list[bytes] = []
    while address:
        (pointer,) = task.space.load_words(address + struct.calcsize(word) * len(found), word)
        if not pointer:
            break
        task.space.work.charge(PER_ITEM)
        try:
            found.append(task.space.load_string(pointer, min(_LONGEST_TEXT, left)))
        except LinuxError as error:
            raise LinuxError(Errno.E2BIG) if error.number is Errno.ENAMETOOLONG else error from None
        left -= len(found[-1]) + 9
        if left <= 0:
            raise LinuxError(Errno.E2BIG)
    return found, left


# --- what is executed


def _by_path(task: Task, fd: int, path: bytes, follows: bool = True) -> _File:
    """Raises ENOENT, ENOTDIR, EACCES, ELOOP."""
    place = find(task.space.work, task.location.root, start_of(task, fd, path), path, follows).existing()
    shown = path if fd == AT_FDCWD or path.startswith(b"/") else b"/dev/fd/%d/%s" % (fd, path)
    return _of_place(task, place, shown)


def _by_descriptor(task: Task, fd: int) -> _File:
    file, shown = task.files.reference(fd), b"/dev/fd/%d" % fd
    if isinstance(file, RegularFile):
        _check_rights(task, file.status())
        if file.place is not None:
            _check_unwritten(task, file.status())
        place = file.place or _of_memory(task, file.handle)
        return _File(file.handle, shown, place, place.name.removesuffix(b" (deleted)"))
    if file.place is None or isinstance(file, DirectoryFile):
        raise LinuxError(Errno.EACCES)
    return _of_place(task, file.place, shown)


def _of_place(task: Task, place: Place, path: bytes) -> _File:
    node = place.node
    if node.target() is not None:
        raise LinuxError(Errno.ELOOP)
    if node.is_directory or isinstance(node, Device):
        raise LinuxError(Errno.EACCES)
    _check_rights(task, node.status())
    _check_unwritten(task, node.status())
    return _File(node.open(writable=False), path, place, path.rpartition(b"/")[2])


def _of_memory(task: Task, handle: Handle) -> Place:
    """The place of a file that no path leads to."""
    data = handle.read_at(0, min(handle.status().size, task.limits.max_guest_memory))
    label = handle.label[1:] if isinstance(handle, SealedFile) else b"memfd: (deleted)"
    return Place(ProgramFile(task.store, data), task.location.root, label)


def _check_rights(task: Task, status: Status) -> None:
    """Raises EACCES where the guest's user may not execute a file."""
    if not granted(status, task.user, task.group) & 1:
        raise LinuxError(Errno.EACCES)


def _check_unwritten(task: Task, status: Status) -> None:
    """Raises ETXTBSY for a file that somebody has open for writing, or mapped so."""
    key = status.device, status.inode
    for space in {id(each.space): each.space for each in task.threads.everybody.values()}.values():
        for pages in space.written_files():
            found = pages.file.status()
            if (found.device, found.inode) == key and not isinstance(pages.file, SealedFile):
                raise LinuxError(Errno.ETXTBSY)
    for table in {id(each.files): each.files for each in task.threads.everybody.values()}.values():
        numbers = table.numbers()
        task.space.work.charge(PER_ITEM * len(numbers))
        for number in numbers:
            file = table.reference(number)
            if not (isinstance(file, RegularFile) and file.writable and file.place is not None):
                continue
            found = file.status()
            if (found.device, found.inode) == key:
                raise LinuxError(Errno.ETXTBSY)
