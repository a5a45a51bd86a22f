"""Object files that were compiled before, kept in a folder of the user's: what is compiled once need not be again.
Beside them is what was searched for in libraries (`machine.processor.kept_places`).

What lies there is executed, so only files are read that nobody else can have written: folder and file are opened
without following links, and must belong to the user, and be writable by nobody else. Names are hashes of all that the
code follows from; they say which file is meant, not that it can be trusted. Where the folder cannot be had, or a file
cannot be read or written, everything is compiled, as if there were no cache.

`HDS_CACHE` names the folder; empty, nothing is kept. Without it, it is `hds` in XDG_CACHE_HOME or ~/.cache.
"""

from __future__ import annotations

import contextlib
import os
import stat
import zlib
from collections.abc import Iterator

try:
    from _blake2 import blake2b  # what hashlib has: that loads OpenSSL as well, which takes 2 ms
except ImportError:
    from hashlib import blake2b

MOST_CACHED_BYTES = 64 << 20  # of all files; the oldest go
_LARGEST = 8 << 20  # bytes of one file
_LOOKS = (
    "0"  # how names begin behind which the folder is looked at, one in 16: looking at thousands of files takes 10 ms
)
_MAGIC = b"hds1"
_SUFFIX = ".o"
_MAY_WRITE = stat.S_IWGRP | stat.S_IWOTH


def key_of(*parts: str) -> str:
    """The name of what follows from these texts."""
    digest = blake2b(digest_size=32)
    for part in parts:
        data = part.encode()
        digest.update(len(data).to_bytes(8, "little") + data)
    return digest.hexdigest()


def read(key: str) -> bytes | None:
    """What was kept under this name; None where there is nothing that may be used."""
    with contextlib.suppress(OSError), _folder(make=False) as folder:
        descriptor = os.open(key + _SUFFIX, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
        with open(descriptor, "rb", buffering=0) as file:
            status = os.fstat(descriptor)
            if stat.S_ISREG(status.st_mode) and _is_ours(status) and status.st_size <= _LARGEST:
                return _content(file.read(_LARGEST))
    return None


def keep(key: str, data: bytes) -> None:
    """Keep it, if that can be done."""
    if len(data) > _LARGEST // 2:
        return
    with contextlib.suppress(OSError), _folder(make=True) as folder:
        temporary = f".{os.urandom(8).hex()}"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with open(os.open(temporary, flags, 0o600, dir_fd=folder), "wb") as file:
            try:
                file.write(_MAGIC + zlib.crc32(data).to_bytes(4, "little") + data)
                file.flush()
                os.replace(temporary, key + _SUFFIX, src_dir_fd=folder, dst_dir_fd=folder)
            except OSError:
                os.unlink(temporary, dir_fd=folder)
                raise
        if key.startswith(_LOOKS):
            _make_room(folder)


def kept_within(folder: str | os.PathLike[str]) -> str | None:
    """Where the files are kept, or would be, if that is somewhere in this folder; else None."""
    path, above = _path(), os.path.realpath(folder)
    return path if path is not None and os.path.commonpath((os.path.realpath(path), above)) == above else None


def _content(data: bytes | None) -> bytes | None:
    """What was written, unless it is damaged: the checksum finds files that were not written to the end."""
    if not data or not data.startswith(_MAGIC) or zlib.crc32(data[8:]) != int.from_bytes(data[4:8], "little"):
        return None
    return data[8:]


def _is_ours(status: os.stat_result) -> bool:
    return status.st_uid == os.geteuid() and not status.st_mode & _MAY_WRITE


def _path() -> str | None:
    named = os.environ.get("HDS_CACHE")
    if named is not None:
        return _itself(named) if named else None
    home = os.environ.get("XDG_CACHE_HOME", "")
    if not os.path.isabs(home):  # the specification says that others are to be ignored
        home = os.path.expanduser("~/.cache")
    return os.path.join(home, "hds") if os.path.isabs(home) else None


def _itself(path: str) -> str:
    """A path without slashes and dots at its end, with which a link would be followed."""
    while path.endswith(("/", "/.")) and path.strip("/."):
        path = path.removesuffix(".").rstrip("/")
    return path


@contextlib.contextmanager
def _folder(*, make: bool) -> Iterator[int]:
    """The folder's descriptor. Raises OSError where there is none that may be used."""
    path = _path()
    if path is None:
        raise FileNotFoundError
    if make:
        os.makedirs(path, 0o700, exist_ok=True)
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        if not _is_ours(os.fstat(descriptor)):
            raise PermissionError(path)
        yield descriptor
    finally:
        os.close(descriptor)


def _make_room(folder: int) -> None:
    """Remove the oldest files until the others have room."""
    with os.scandir(folder) as entries:
        found = [(status.st_mtime_ns, status.st_size, entry.name) for entry in entries if (status := entry.stat())]
    total = sum(size for _, size, _ in found)
    for _, size, name in sorted(found):
        if total <= MOST_CACHED_BYTES:
            break
        with contextlib.suppress(OSError):
            os.unlink(name, dir_fd=folder)
        total -= size
