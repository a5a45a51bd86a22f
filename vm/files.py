"""Files of the host that people name: opened so that nothing waits, and read within a named limit.

Only regular files are opened, and the null devices, which never wait. A FIFO, terminal or other device could keep hds
waiting for ever where no `--timeout` is looked at. What counts is the kind of the opened descriptor, so it does not
matter what is exchanged meanwhile; the look before it is for devices that act when they are opened.
"""

from __future__ import annotations

import errno
import itertools
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from vm.facts.limits import Limits

_CHUNK = 1 << 20  # bytes
_MOST_LINKS = 40  # that one path follows, as Linux
_QUIET = os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_NULL, _FULL = os.makedev(1, 3), os.makedev(1, 7)  # of Linux
_KINDS: tuple[tuple[Callable[[int], bool], str], ...] = (
    (stat.S_ISDIR, "a directory"),
    (stat.S_ISFIFO, "a FIFO"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


class FileRefused(Exception):  # noqa: N818 - it reads as what happened
    """A file cannot be read or written; the text names it and says why, `reason` only why, `hint` what helps."""

    def __init__(self, message: str, reason: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.reason = reason
        self.hint = hint


class FileTooLarge(FileRefused):
    """It is larger than a named limit."""


def read_file(path: str | Path, limits: Limits, limit: str) -> bytes:
    """The content of a file that has at most as many bytes as the limit of this name. Raises FileRefused.

    A file that is larger is refused before anything is read, and one that grows meanwhile as soon as it is too large.
    """
    largest: int = getattr(limits, limit)
    with _reading(path) as descriptor:
        size = os.fstat(descriptor).st_size
        data = b"" if size > largest else _read_up_to(descriptor, largest + 1)
    if size > largest or len(data) > largest:
        raise too_large(path, limits, limit)
    return data


def read_lines(path: str | Path, limits: Limits, limit: str) -> Iterator[bytes]:
    """The lines of a file of any size, as `lines_of`. Raises FileRefused."""
    with _reading(path) as descriptor, open(descriptor, "rb", closefd=False) as file:
        yield from lines_of(file, path, limits, limit)


def lines_of(file: BinaryIO, path: str | Path, limits: Limits, limit: str) -> Iterator[bytes]:
    """The lines, with their line feeds; the limit of this name bounds a line. Raises FileRefused, OSError."""
    largest: int = getattr(limits, limit)
    for number in itertools.count(1):
        line = file.readline(largest + 1)
        if len(line) > largest:
            raise too_large(f"{path}:{number}", limits, limit)
        if not line:
            return
        yield line


def read_beginning(path: str | Path, size: int) -> bytes:
    """The first bytes of a file, `size` at most. Raises FileRefused."""
    with _reading(path) as descriptor:
        return _read_up_to(descriptor, size)


def too_large(path: str | Path, limits: Limits, limit: str) -> FileTooLarge:
    """What is said of an input that is larger than the limit of this name."""
    size = f"larger than {getattr(limits, limit)} bytes (limit {limit})"
    return FileTooLarge(f"{path} is {size}", f"it is {size}")


def open_for_writing(path: str | Path, *, append: bool = False, guarded: Path | None = None) -> int:
    """A descriptor of a file that is created, or emptied unless `append`. Raises FileRefused.

    `guarded` is a folder that a guest may write to: no symbolic link in it is followed, whatever way leads into it.
    """
    descriptor = _open_as_it_is(path, os.O_APPEND if append else 0, guarded)
    if not append and stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.ftruncate(descriptor, 0)
    return descriptor


def write_file(path: str | Path, data: bytes, *, guarded: Path | None = None) -> None:
    """Make `data` the content of a file, as `open_for_writing`. Raises FileRefused.

    Where the host has no room for it, a file that was there before keeps its content.
    """
    descriptor = _open_as_it_is(path, 0, guarded)
    try:
        with os.fdopen(descriptor, "wb", buffering=0) as file:
            _reserve(descriptor, len(data))
            rest = memoryview(data)
            while rest:
                rest = rest[file.write(rest) :]
            if stat.S_ISREG(os.fstat(descriptor).st_mode):
                os.ftruncate(descriptor, len(data))
    except OSError as error:
        raise FileRefused(f"cannot write {path}: {reason(error)}", reason(error)) from None


def _reserve(descriptor: int, size: int) -> None:
    """Take the room that so many bytes need, before anything is overwritten. Raises OSError where there is none."""
    before = os.fstat(descriptor)
    if not stat.S_ISREG(before.st_mode) or size == 0:
        return
    try:
        os.posix_fallocate(descriptor, 0, size)
    except OSError as error:
        os.ftruncate(descriptor, before.st_size)
        if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL, errno.ENODEV):  # of file systems that reserve nothing
            raise


def _open_as_it_is(path: str | Path, extra: int, guarded: Path | None) -> int:
    """A descriptor to write to a file that is created where there is none. Raises FileRefused."""
    flags = os.O_WRONLY | os.O_CREAT | _QUIET | extra
    try:
        if guarded is not None:
            descriptor = _open_guarded(os.fspath(path), flags, guarded)
        else:
            _check_existing(path, None)
            descriptor = os.open(path, flags, 0o666)
        try:
            _check_kind(os.fstat(descriptor), _NULL, _FULL)
        except BaseException:
            os.close(descriptor)
            raise
    except (OSError, ValueError) as error:
        raise FileRefused(f"cannot write {path}: {reason(error)}", reason(error)) from None
    return descriptor


def reason(error: Exception) -> str:
    """Why the host refuses, in its own words and without the path."""
    return getattr(error, "strerror", None) or str(error)


@contextmanager
def _reading(path: str | Path) -> Iterator[int]:
    """A descriptor to read a file from. Raises FileRefused, also for what fails inside."""
    try:
        _check_kind(os.stat(path), _NULL)
        descriptor = os.open(path, os.O_RDONLY | _QUIET)
        try:
            _check_kind(os.fstat(descriptor), _NULL)
            yield descriptor
        finally:
            os.close(descriptor)
    except (OSError, ValueError) as error:
        hint = "only regular files are read" if isinstance(error, _WrongKindError) else None
        raise FileRefused(f"cannot read {path}: {reason(error)}", reason(error), hint) from None


class _WrongKindError(OSError):
    """What stands there is no regular file."""


def _check_kind(found: os.stat_result, *harmless: int) -> None:
    """Raises _WrongKindError for what is neither a regular file nor one of these devices."""
    if stat.S_ISREG(found.st_mode) or (stat.S_ISCHR(found.st_mode) and found.st_rdev in harmless):
        return
    kind = next((name for is_kind, name in _KINDS if is_kind(found.st_mode)), "no regular file")
    raise _WrongKindError(errno.EINVAL, f"it is {kind}")


def _check_existing(name: str | Path, folder: int | None) -> None:
    """As `_check_kind` for what is to be written to; nothing may stand there."""
    with suppress(FileNotFoundError):
        _check_kind(os.stat(name, dir_fd=folder), _NULL, _FULL)


def _read_up_to(descriptor: int, most: int) -> bytes:
    """All bytes to the end of the file, or the first `most`."""
    parts: list[bytes] = []
    while most > 0:
        part = os.read(descriptor, min(most, _CHUNK))
        if not part:
            break
        parts.append(part)
        most -= len(part)
    return b"".join(parts)


# --- a way that no link leads astray


def _open_guarded(path: str, flags: int, guarded: Path) -> int:
    """`os.open`, folder by folder, that follows no link in the folder `guarded`. Raises OSError, ELOOP for a link."""
    folder, name = _reach(path, guarded)
    try:
        _check_existing(name, folder)
        return os.open(name, flags | os.O_NOFOLLOW, 0o666, dir_fd=folder)
    finally:
        os.close(folder)


def _reach(path: str, guarded: Path) -> tuple[int, str]:
    """A descriptor of the folder that a path ends in, and the name there, which is no link (or does not exist)."""
    boundary = _identity(os.stat(guarded))
    pending = _names(os.path.join(os.getcwd(), path))
    look = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
    here, inside, links = os.open("/", look), False, 0
    try:
        while True:
            inside = inside or _identity(os.fstat(here)) == boundary
            name = pending.pop() if pending else "."
            try:
                found = os.open(name, look, dir_fd=here)
            except FileNotFoundError:
                if pending:
                    raise
                return here, name
            if stat.S_ISLNK(os.fstat(found).st_mode):
                links += 1
                try:
                    if inside or links > _MOST_LINKS:
                        raise OSError(errno.ELOOP, "a symbolic link in the folder that the guest writes to")
                    target = os.readlink("", dir_fd=found)
                finally:
                    os.close(found)
                if target.startswith("/"):
                    os.close(here)
                    here = os.open("/", look)
                pending += _names(target)
            elif pending:
                os.close(here)
                here = found
            else:
                os.close(found)
                return here, name
    except BaseException:
        os.close(here)
        raise


def _identity(found: os.stat_result) -> tuple[int, int]:
    return found.st_dev, found.st_ino


def _names(path: str) -> list[str]:
    """The names of a path, last one first."""
    return [name for name in reversed(path.split("/")) if name]
