"""Opened files that no path leads to: pipes, event counters, and the standard streams, which look like pipes."""

from __future__ import annotations

import stat
from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

from machine.kernel.linux import pipe_buffers
from machine.kernel.linux.errors import Errno, LinuxError
from machine.kernel.linux.nodes import PERMISSION_BITS, Status
from machine.kernel.linux.open_files import O_NONBLOCK, O_RDONLY, O_RDWR, O_WRONLY, OpenFile
from machine.kernel.linux.paths import Place
from machine.kernel.quick import FileCells, Writes
from machine.memory import KernelWork

if TYPE_CHECKING:
    from machine.kernel.linux.standard_input import HostInput

LARGEST_PIPE = 1 << 20  # bytes that F_SETPIPE_SZ can make of it
PIPE_ATOMIC = 4096  # bytes that are written as a whole or not at all (PIPE_BUF)
_LARGEST_COUNT = (1 << 64) - 2  # of an eventfd


class PipeEnd(OpenFile):
    """One end of a pipe, or of a FIFO, of which one may be both."""

    def __init__(self, flags: int, pipe: pipe_buffers.Pipe, inode: int, place: Place | None = None) -> None:
        super().__init__(flags, place)
        self._pipe, self._inode = pipe, inode
        self._before = pipe.write_opens  # nobody has written, or hung up, who came before
        pipe.open(self.readable, self.writable)

    def status(self) -> Status:
        """As `OpenFile`."""
        if self.place is not None:
            return super().status()
        return Status(mode=stat.S_IFIFO | self._pipe.mode, inode=self._inode)

    def set_mode(self, mode: int) -> None:
        """As `OpenFile`."""
        if self.place is not None:
            super().set_mode(mode)
        else:
            self._pipe.mode = mode & PERMISSION_BITS

    def is_of(self, other: PipeEnd) -> bool:
        """Whether both are ends of one pipe."""
        return self._pipe is other._pipe

    def read(self, size: int) -> bytes:
        """As `OpenFile`."""
        data = self.peek(size) if size else b""
        del self._pipe.data[: len(data)]
        self._pipe.taken += bool(data)
        return data

    def peek(self, size: int) -> bytes:
        """What a read would give, which stays in the pipe."""
        pipe = self._pipe
        if not pipe.data and pipe.writers:
            raise self.would_wait(lambda: bool(pipe.data) or not pipe.writers)
        return bytes(pipe.data[:size])

    def write(self, data: bytes) -> int:
        """As `OpenFile`."""
        pipe = self._pipe
        if not data:
            return 0
        self.swallows(len(data))
        room = self.require_room(len(data) if len(data) <= PIPE_ATOMIC else 1)
        pipe.put(data[:room])
        return min(len(data), room)

    def before_fault(self, readable: int, size: int) -> int:
        """As `OpenFile`."""
        joining = self._pipe.joining(size)
        if not joining:
            self.require_room(1)  # a full pipe looks at no buffer
        return pipe_buffers.before_fault(readable, joining)

    @property
    def waits_for_room(self) -> bool:
        """As `OpenFile`."""
        return not self.flags & O_NONBLOCK

    def require_room(self, least: int) -> int:
        """How much the pipe takes, which is `least` or more."""
        pipe = self._pipe

        def room() -> int:
            return pipe.capacity - len(pipe.data)

        if room() < least:
            raise self.would_wait(lambda: room() >= least or not pipe.readers)
        return room()

    def at_end(self, size: int, offset: int | None = None) -> bool:
        """As `OpenFile`."""
        return not self.peek(1)

    def swallows(self, size: int) -> bool:
        """As `OpenFile`."""
        if not self._pipe.readers:
            raise LinuxError(Errno.EPIPE)
        return False

    def available(self) -> int:
        """As `OpenFile`; of both ends."""
        return len(self._pipe.data)

    @property
    def capacity(self) -> int:
        """The bytes that the pipe takes."""
        return self._pipe.capacity

    def set_capacity(self, size: int) -> None:
        """F_SETPIPE_SZ. Raises EBUSY when there is more in the pipe."""
        if size < len(self._pipe.data):
            raise LinuxError(Errno.EBUSY)
        self._pipe.capacity = size

    def ready(self) -> tuple[bool, bool, bool]:
        """As `OpenFile`."""
        pipe = self._pipe
        if self.readable and self.writable:
            return bool(pipe.data), len(pipe.data) < pipe.capacity, False
        if self.readable:
            return bool(pipe.data), False, not pipe.writers and pipe.write_opens != self._before
        return False, len(pipe.data) < pipe.capacity, not pipe.readers

    @property
    def news(self) -> int:
        """As `OpenFile`."""
        return self._pipe.written if self.readable else self._pipe.taken

    def closed(self) -> None:
        """As `OpenFile`."""
        self._pipe.close(self.readable, self.writable)


class EventCounter(OpenFile):
    """An eventfd."""

    label: ClassVar[str] = "[eventfd]"

    def __init__(self, flags: int, count: int, one_by_one: bool) -> None:
        super().__init__(flags | O_RDWR)
        self._count, self._one_by_one = count, one_by_one
        self._written = 0

    def status(self) -> Status:
        """As `OpenFile`."""
        return Status(mode=0o600, inode=1)

    def read(self, size: int) -> bytes:
        """As `OpenFile`."""
        if size < 8:
            raise LinuxError(Errno.EINVAL)
        if not self._count:
            raise self.would_wait(lambda: self._count > 0)
        taken = 1 if self._one_by_one else self._count
        self._count -= taken
        return taken.to_bytes(8, "little")

    def write(self, data: bytes) -> int:
        """As `OpenFile`."""
        self.swallows(len(data))
        added = int.from_bytes(data, "little")
        if added > _LARGEST_COUNT:
            raise LinuxError(Errno.EINVAL)
        if added > _LARGEST_COUNT - self._count:
            raise self.would_wait(lambda: added <= _LARGEST_COUNT - self._count)
        self._count += added
        self._written += 1
        return 8

    @property
    def news(self) -> int:
        """As `OpenFile`."""
        return self._written

    def at_end(self, size: int, offset: int | None = None) -> bool:
        """As `OpenFile`: never; Linux has taken the count when it finds that it cannot be told."""
        self.read(size)
        return False

    def seek(self, offset: int, whence: int) -> int:
        """As `OpenFile`: the position is always 0."""
        return 0

    def swallows(self, size: int) -> bool:
        """As `OpenFile`."""
        if size != 8:
            raise LinuxError(Errno.EINVAL)
        return False

    def before_fault(self, readable: int, size: int) -> int:
        """As `OpenFile`: a part is nothing."""
        return 0

    def ready(self) -> tuple[bool, bool, bool]:
        """As `OpenFile`."""
        return self._count > 0, self._count < _LARGEST_COUNT, False


def new_pipe(flags: int, inode: int) -> tuple[PipeEnd, PipeEnd]:
    """The reading and the writing end."""
    pipe = pipe_buffers.Pipe()
    return PipeEnd(flags | O_RDONLY, pipe, inode), PipeEnd(flags | O_WRONLY, pipe, inode)


class OutputStream(OpenFile):
    """Standard output or error: a pipe, as far as the guest can tell."""

    def __init__(self, sink: Callable[[bytes], None], inode: int, number: int) -> None:
        super().__init__(O_WRONLY)
        self._sink, self._inode = sink, inode
        self.cells = FileCells(writes=Writes.KEEPS, descriptor=number)

    def status(self) -> Status:
        """As `OpenFile`."""
        return Status(mode=stat.S_IFIFO | 0o600, inode=self._inode)

    def available(self) -> int:
        """As `OpenFile`: everything has been read."""
        return 0

    def write(self, data: bytes) -> int:
        """As `OpenFile`."""
        self._sink(data)
        return len(data)

    def before_fault(self, readable: int, size: int) -> int:
        """As `OpenFile`."""
        return pipe_buffers.before_fault(readable)

    def ready(self) -> tuple[bool, bool, bool]:
        """As `OpenFile`."""
        return False, True, False


class InputStream(OpenFile):
    """Standard input: what a descriptor of this process gives. A wait ends with EINTR if the run is to end."""

    def __init__(self, source: HostInput, inode: int, work: KernelWork) -> None:
        super().__init__(O_RDONLY)
        self._source, self._inode, self._work = source, inode, work

    def status(self) -> Status:
        """As `OpenFile`."""
        return Status(mode=stat.S_IFIFO | 0o600, inode=self._inode)

    def read(self, size: int) -> bytes:
        """As `OpenFile`."""
        return self._source.read(size, self._work)

    def available(self) -> int:
        """As `OpenFile`."""
        return self._source.available()

    def ready(self) -> tuple[bool, bool, bool]:
        """As `OpenFile`."""
        return True, False, False
