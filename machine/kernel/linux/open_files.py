"""Opened files: regular ones, directories, devices, pipes and the standard streams, and the table of descriptors."""

from __future__ import annotations

import os
import select
import stat
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from machine.kernel.linux.errors import Errno, LinuxError
from machine.kernel.linux.memory_files import Device
from machine.kernel.linux.nodes import Entry, Handle, Status
from machine.kernel.linux.paths import Place

O_ACCMODE, O_RDONLY, O_WRONLY, O_RDWR = 3, 0, 1, 2
O_CREAT, O_EXCL, O_NOCTTY, O_TRUNC, O_APPEND, O_NONBLOCK = 0o100, 0o200, 0o400, 0o1000, 0o2000, 0o4000
O_DIRECTORY, O_NOFOLLOW, O_CLOEXEC, O_PATH, O_TMPFILE = 0o200000, 0o400000, 0o2000000, 0o10000000, 0o20000000
SETTABLE_FLAGS = O_APPEND | O_NONBLOCK

SEEK_SET, SEEK_CUR, SEEK_END, SEEK_DATA, SEEK_HOLE = range(5)
LARGEST_OFFSET = (1 << 63) - 1
PIPE_BYTES = 65536

_LOOK_AROUND = 20  # milliseconds of a wait for the host


class OpenFile:
    """An open file description; every operation is refused here. `place` is where it was opened, if by a path."""

    def __init__(self, flags: int, place: Place | None = None) -> None:
        self.flags = flags
        self.place = place
        self.users = 0  # descriptors that stand for it
        access = None if flags & O_PATH else flags & O_ACCMODE
        self.readable = access not in (None, O_WRONLY)
        self.writable = access not in (None, O_RDONLY)

    def status(self) -> Status:
        """What fstat tells."""
        if self.place is None:
            raise LinuxError(Errno.EBADF)
        return self.place.node.status()

    def read(self, size: int) -> bytes:
        """The next bytes; none at the end."""
        raise LinuxError(Errno.EINVAL)

    def write(self, data: bytes) -> int:
        """How many bytes were taken."""
        raise LinuxError(Errno.EINVAL)

    def ready(self) -> tuple[bool, bool, bool]:
        """Whether reading and writing would not wait, and whether the other end is gone."""
        return True, True, False

    def closed(self) -> None:
        """The last descriptor is gone."""


class RegularFile(OpenFile):
    """The bytes of a file, with a position."""

    def __init__(self, flags: int, place: Place | None, handle: Handle) -> None:
        super().__init__(flags, place)
        self.handle = handle
        self.offset = 0

    def status(self) -> Status:
        """As `OpenFile`."""
        return self.handle.status()

    def read(self, size: int) -> bytes:
        """As `OpenFile`."""
        data = self.handle.read_at(self.offset, size)
        self.offset += len(data)
        return data

    def write(self, data: bytes) -> int:
        """As `OpenFile`."""
        if not data:
            return 0
        if self.flags & O_APPEND:
            self.offset = self.handle.status().size
        written = self.handle.write_at(self.offset, data)
        self.offset += written
        return written

    def seek(self, offset: int, whence: int) -> int:
        """lseek."""
        size = self.handle.status().size
        if whence in (SEEK_DATA, SEEK_HOLE):
            if not 0 <= offset < size:
                raise LinuxError(Errno.ENXIO)
            target = offset if whence == SEEK_DATA else size
        elif whence in (SEEK_SET, SEEK_CUR, SEEK_END):
            target = offset + {SEEK_SET: 0, SEEK_CUR: self.offset, SEEK_END: size}[whence]
        else:
            raise LinuxError(Errno.EINVAL)
        if not 0 <= target <= LARGEST_OFFSET:
            raise LinuxError(Errno.EINVAL)
        self.offset = target
        return target


class DirectoryFile(OpenFile):
    """The entries of a directory as they were when the reading began."""

    def __init__(self, flags: int, place: Place) -> None:
        super().__init__(flags, place)
        self.position = 0
        self._entries: list[Entry] | None = None

    def entries(self) -> list[Entry]:
        """All entries, `.` and `..` first."""
        if self._entries is None:
            assert self.place is not None
            node, parent = self.place.node, (self.place.parent or self.place).node
            dots = [Entry(name, here.status().inode, stat.S_IFDIR) for name, here in ((b".", node), (b"..", parent))]
            self._entries = dots + list(node.entries())
        return self._entries

    def seek(self, offset: int, whence: int) -> int:
        """rewinddir and seekdir."""
        if whence != SEEK_SET or offset < 0:
            raise LinuxError(Errno.EINVAL)
        self.position = offset
        if offset == 0:
            self._entries = None
        return offset

    def read(self, size: int) -> bytes:
        """As `OpenFile`."""
        raise LinuxError(Errno.EISDIR)


class DeviceFile(OpenFile):
    """A character device."""

    def __init__(self, flags: int, place: Place, device: Device) -> None:
        super().__init__(flags, place)
        self._device = device

    def read(self, size: int) -> bytes:
        """As `OpenFile`."""
        return self._device.read(size)

    def write(self, data: bytes) -> int:
        """As `OpenFile`."""
        if self._device.write_error is not None:
            raise LinuxError(self._device.write_error)
        return len(data)


class OutputStream(OpenFile):
    """Standard output or error: a pipe, as far as the guest can tell."""

    def __init__(self, sink: Callable[[bytes], None], inode: int) -> None:
        super().__init__(O_WRONLY)
        self._sink, self._inode = sink, inode

    def status(self) -> Status:
        """As `OpenFile`."""
        return Status(mode=stat.S_IFIFO | 0o600, inode=self._inode)

    def write(self, data: bytes) -> int:
        """As `OpenFile`."""
        self._sink(data)
        return len(data)

    def ready(self) -> tuple[bool, bool, bool]:
        """As `OpenFile`."""
        return False, True, False


class InputStream(OpenFile):
    """Standard input: what the descriptor `source` of this process gives. A wait ends with EINTR if `ending()`."""

    def __init__(self, source: int, inode: int, ending: Callable[[], bool]) -> None:
        super().__init__(O_RDONLY)
        self._source, self._inode, self._ending = source, inode, ending

    def status(self) -> Status:
        """As `OpenFile`."""
        return Status(mode=stat.S_IFIFO | 0o600, inode=self._inode)

    def read(self, size: int) -> bytes:
        """As `OpenFile`."""
        waiting = select.poll()
        waiting.register(self._source, select.POLLIN)
        while not waiting.poll(_LOOK_AROUND):
            if self._ending():
                raise LinuxError(Errno.EINTR)
        try:
            return os.read(self._source, size)
        except OSError:
            raise LinuxError(Errno.EIO) from None

    def ready(self) -> tuple[bool, bool, bool]:
        """As `OpenFile`."""
        return True, False, False


@dataclass
class _Pipe:
    chunks: deque[bytes] = field(default_factory=deque)
    size: int = 0
    readers: int = 1
    writers: int = 1


class PipeEnd(OpenFile):
    """One end of a pipe. With one thread nobody could end a wait, so what would wait fails with EAGAIN."""

    def __init__(self, flags: int, pipe: _Pipe, inode: int) -> None:
        super().__init__(flags)
        self._pipe, self._inode = pipe, inode

    def status(self) -> Status:
        """As `OpenFile`."""
        return Status(mode=stat.S_IFIFO | 0o600, inode=self._inode)

    def read(self, size: int) -> bytes:
        """As `OpenFile`."""
        pipe = self._pipe
        if not pipe.chunks:
            if pipe.writers and size:
                raise LinuxError(Errno.EAGAIN)
            return b""
        data = pipe.chunks.popleft()
        if len(data) > size:
            pipe.chunks.appendleft(data[size:])
            data = data[:size]
        pipe.size -= len(data)
        return data

    def write(self, data: bytes) -> int:
        """As `OpenFile`."""
        pipe = self._pipe
        if not pipe.readers:
            raise LinuxError(Errno.EPIPE)
        data = data[: PIPE_BYTES - pipe.size]
        if not data:
            raise LinuxError(Errno.EAGAIN)
        pipe.chunks.append(data)
        pipe.size += len(data)
        return len(data)

    def ready(self) -> tuple[bool, bool, bool]:
        """As `OpenFile`."""
        pipe = self._pipe
        if self.readable:
            return bool(pipe.chunks) or not pipe.writers, False, not pipe.writers
        return False, pipe.size < PIPE_BYTES, not pipe.readers

    def closed(self) -> None:
        """As `OpenFile`."""
        if self.readable:
            self._pipe.readers -= 1
        else:
            self._pipe.writers -= 1


def new_pipe(flags: int, inode: int) -> tuple[PipeEnd, PipeEnd]:
    """The reading and the writing end."""
    pipe = _Pipe()
    return PipeEnd(flags | O_RDONLY, pipe, inode), PipeEnd(flags | O_WRONLY, pipe, inode)


@dataclass
class Descriptor:
    """One row of the table."""

    file: OpenFile
    close_on_exec: bool = False


class DescriptorTable:
    """The descriptors of one process, at most `limit`."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._rows: dict[int, Descriptor] = {}

    def row(self, number: int) -> Descriptor:
        """Raises EBADF."""
        row = self._rows.get(number)
        if row is None:
            raise LinuxError(Errno.EBADF)
        return row

    def file(self, number: int) -> OpenFile:
        """Raises EBADF."""
        return self.row(number).file

    def for_reading(self, number: int) -> OpenFile:
        """Raises EBADF."""
        file = self.file(number)
        if not file.readable:
            raise LinuxError(Errno.EBADF)
        return file

    def for_writing(self, number: int) -> OpenFile:
        """Raises EBADF."""
        file = self.file(number)
        if not file.writable:
            raise LinuxError(Errno.EBADF)
        return file

    def add(self, file: OpenFile, close_on_exec: bool = False, lowest: int = 0) -> int:
        """The lowest free number from `lowest` on. Raises EMFILE."""
        for number in range(lowest, self.limit):
            if number not in self._rows:
                self._put(number, file, close_on_exec)
                return number
        raise LinuxError(Errno.EMFILE)

    def replace(self, number: int, file: OpenFile, close_on_exec: bool = False) -> None:
        """Make `number` stand for a file, closing what it stood for. Raises EBADF."""
        if not 0 <= number < self.limit:
            raise LinuxError(Errno.EBADF)
        file.users += 1
        if number in self._rows:
            self.close(number)
        file.users -= 1
        self._put(number, file, close_on_exec)

    def close(self, number: int) -> None:
        """Raises EBADF."""
        file = self.file(number)
        del self._rows[number]
        file.users -= 1
        if not file.users:
            file.closed()

    def numbers(self) -> list[int]:
        """All open descriptors."""
        return sorted(self._rows)

    def _put(self, number: int, file: OpenFile, close_on_exec: bool) -> None:
        self._rows[number] = Descriptor(file, close_on_exec)
        file.users += 1
