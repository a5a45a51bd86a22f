"""Opened files: regular ones, directories and devices (pipes.py has the others), and the table of descriptors."""

from __future__ import annotations

import ctypes
import stat
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, ClassVar

import msgspec

from machine.kernel.linux.errors import Errno, LinuxError, WouldWait
from machine.kernel.linux.memory_files import Device, MemoryFile, nothing
from machine.kernel.linux.nodes import Entry, Handle, Status
from machine.kernel.linux.paths import Place
from machine.kernel.quick import DESCRIPTORS, FileCells, InMachineCode, Reads, Seeks, Writes
from machine.memory import PER_ITEM, KernelWork

if TYPE_CHECKING:
    from machine.kernel.linux.task import Task

O_ACCMODE, O_RDONLY, O_WRONLY, O_RDWR = 3, 0, 1, 2
O_CREAT, O_EXCL, O_NOCTTY, O_TRUNC, O_APPEND, O_NONBLOCK = 0o100, 0o200, 0o400, 0o1000, 0o2000, 0o4000
O_DSYNC, O_ASYNC, O_DIRECT, O_LARGEFILE, O_DIRECTORY = 0o10000, 0o20000, 0o40000, 0o100000, 0o200000
O_NOFOLLOW, O_NOATIME, O_CLOEXEC, O_SYNC, O_PATH = 0o400000, 0o1000000, 0o2000000, 0o4010000, 0o10000000
O_TMPFILE = 0o20000000  # the bit; programs pass O_DIRECTORY with it
SETTABLE_FLAGS = O_APPEND | O_NONBLOCK | O_ASYNC | O_NOATIME
FLAGS_OF_REFERENCES = O_DIRECTORY | O_NOFOLLOW | O_PATH | O_CLOEXEC  # what O_PATH leaves of the others
_FLAGS_OF_OPENING = O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_CLOEXEC  # never seen again

SEEK_SET, SEEK_CUR, SEEK_END, SEEK_DATA, SEEK_HOLE = range(5)
LARGEST_OFFSET = (1 << 63) - 1


class OpenFile:
    """An open file description; every operation is refused here. `place` is where it was opened, if by a path.

    With O_PATH it is a reference to the place only. `seekable` says whether reads and writes have an offset.
    """

    seekable: ClassVar[bool] = False
    label: ClassVar[str] = ""  # what /proc/PID/fd calls it where no path leads to it

    def __init__(self, flags: int, place: Place | None = None) -> None:
        self.flags = flags & ~_FLAGS_OF_OPENING
        self.place = place
        self.users = 0  # descriptors that stand for it
        self.cells: FileCells | None = None  # what machine code may do with it
        access = None if flags & O_PATH else flags & O_ACCMODE
        self.readable = access in (O_RDONLY, O_RDWR)
        self.writable = access in (O_WRONLY, O_RDWR)

    @property
    def is_reference(self) -> bool:
        """Whether it was opened with O_PATH."""
        return bool(self.flags & O_PATH)

    def would_wait(self, until: Callable[[], bool]) -> LinuxError:
        """What to raise where there is nothing to do until then."""
        return LinuxError(Errno.EAGAIN) if self.flags & O_NONBLOCK else WouldWait(until)

    def status(self) -> Status:
        """What fstat tells."""
        if self.place is None:
            raise LinuxError(Errno.EBADF)
        return self.place.node.status()

    def set_mode(self, mode: int) -> None:
        """fchmod."""
        if self.place is None:
            raise LinuxError(Errno.EOPNOTSUPP)
        self.place.node.set_mode(mode)

    def read(self, size: int) -> bytes:
        """The next bytes; none at the end."""
        raise LinuxError(Errno.EINVAL)

    def write(self, data: bytes) -> int:
        """How many bytes were taken."""
        raise LinuxError(Errno.EINVAL)

    def read_at(self, offset: int, size: int) -> bytes:
        """The bytes from an offset on, without moving the position."""
        raise LinuxError(Errno.ESPIPE)

    def write_at(self, offset: int, data: bytes) -> int:
        """How many bytes were taken at an offset, without moving the position."""
        raise LinuxError(Errno.ESPIPE)

    def at_end(self, size: int, offset: int | None = None) -> bool:
        """Whether a read of `size` bytes, at an offset or the position, would give nothing. Raises what it would."""
        return False

    def swallows(self, size: int) -> bool:
        """Whether writing `size` bytes does not look at them. Raises what a write of any bytes would."""
        return False

    def before_fault(self, readable: int, size: int) -> int:
        """How many bytes of a write of `size` are taken where the first `readable` of them can be read only."""
        return readable

    def available(self) -> int:
        """The bytes that can be read at once (FIONREAD)."""
        raise LinuxError(Errno.ENOTTY)

    def seek(self, offset: int, whence: int) -> int:
        """lseek."""
        raise LinuxError(Errno.ESPIPE)

    def ready(self) -> tuple[bool, bool, bool]:
        """Whether reading and writing would not wait, and whether the other end is gone."""
        return True, True, False

    @property
    def news(self) -> int:
        """Grows when something new may be done with it that could be done before (epoll with EPOLLET)."""
        return 0

    @property
    def other_conditions(self) -> int:
        """POLL* that `ready` has no word for."""
        return 0

    @property
    def waits_for_room(self) -> bool:
        """Whether a write goes on until all is written."""
        return False

    @property
    def has_messages(self) -> bool:
        """Whether a read takes a message as a whole."""
        return False

    def asked_by(self, task: Task) -> None:
        """Who is about to read it, or to ask whether it is ready."""

    def closed(self) -> None:
        """The last descriptor is gone."""


class RegularFile(OpenFile):
    """The bytes of a file, with a position."""

    seekable: ClassVar[bool] = True

    def __init__(self, flags: int, place: Place | None, handle: Handle) -> None:
        self._cells = FileCells(seeks=Seeks.MOVES)
        super().__init__(flags, place)
        self.handle = handle
        self.cells = self._cells
        if isinstance(handle, InMachineCode):
            if self.readable:
                handle.show(self._cells)
            if self.writable:
                handle.show_writes(self._cells)

    @property
    def flags(self) -> int:
        """Those of open(2) and fcntl(2) that stay."""
        return self._flags

    @flags.setter
    def flags(self, flags: int) -> None:
        self._flags = flags
        self._cells.appends = flags & O_APPEND

    @property
    def offset(self) -> int:
        """The position."""
        return self._cells.position

    @offset.setter
    def offset(self, position: int) -> None:
        self._cells.position = position

    def status(self) -> Status:
        """As `OpenFile`."""
        return self.handle.status()

    def set_mode(self, mode: int) -> None:
        """As `OpenFile`; a file of memory is its own node."""
        if isinstance(self.handle, MemoryFile):
            self.handle.set_mode(mode)
        else:
            super().set_mode(mode)

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
        written = self.write_at(self.offset, data)
        self.offset += written
        return written

    def read_at(self, offset: int, size: int) -> bytes:
        """As `OpenFile`."""
        return self.handle.read_at(offset, size)

    def write_at(self, offset: int, data: bytes) -> int:
        """As `OpenFile`; O_APPEND comes before the offset (pwrite(2), BUGS)."""
        if not data:
            return 0
        return self.handle.write_at(self.handle.status().size if self.flags & O_APPEND else offset, data)

    def at_end(self, size: int, offset: int | None = None) -> bool:
        """As `OpenFile`."""
        return not self.handle.read_at(self.offset if offset is None else offset, 1)

    def available(self) -> int:
        """As `OpenFile`; less than 0 where the position is behind the end."""
        return self.handle.status().size - self.offset

    def seek(self, offset: int, whence: int) -> int:
        """As `OpenFile`."""
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

    seekable: ClassVar[bool] = True

    def __init__(self, flags: int, place: Place) -> None:
        super().__init__(flags, place)
        self.position = 0
        self._entries: list[Entry] | None = None

    def entries(self, work: KernelWork) -> list[Entry]:
        """All entries, `.` and `..` first. Raises EINTR when the run is to end."""
        if self._entries is None:
            assert self.place is not None
            if not self.status().links:
                raise LinuxError(Errno.ENOENT)
            node, parent = self.place.node, (self.place.parent or self.place).node
            dots = [Entry(name, here.status().inode, stat.S_IFDIR) for name, here in ((b".", node), (b"..", parent))]
            found = []
            for entry in node.entries():
                work.charge(PER_ITEM)
                if work.is_ending():
                    raise LinuxError(Errno.EINTR)
                found.append(entry)
            self._entries = dots + found
        return self._entries

    def seek(self, offset: int, whence: int) -> int:
        """rewinddir and seekdir."""
        target = offset + (self.position if whence == SEEK_CUR else 0)
        if whence not in (SEEK_SET, SEEK_CUR) or not 0 <= target <= LARGEST_OFFSET:
            raise LinuxError(Errno.EINVAL)
        self.position = target
        if target == 0:
            self._entries = None
        return target

    def read(self, size: int) -> bytes:
        """As `OpenFile`."""
        raise LinuxError(Errno.EISDIR)

    def read_at(self, offset: int, size: int) -> bytes:
        """As `OpenFile`."""
        raise LinuxError(Errno.EISDIR)

    def at_end(self, size: int, offset: int | None = None) -> bool:
        """As `OpenFile`."""
        raise LinuxError(Errno.EISDIR)


_READS: Mapping[Callable[[int], bytes], Reads] = {nothing: Reads.NOTHING, bytes: Reads.ZEROS}


class DeviceFile(OpenFile):
    """A character device."""

    seekable: ClassVar[bool] = True

    def __init__(self, flags: int, place: Place, device: Device) -> None:
        super().__init__(flags, place)
        self.device = device
        self.cells = FileCells(seeks=Seeks.STAYS)
        if self.readable:
            self.cells.reads = _READS.get(device.read, Reads.BY_PYTHON)
        if self.writable and device.write_error is None and not device.reads_writes:
            self.cells.writes = Writes.SWALLOWS

    def read(self, size: int) -> bytes:
        """As `OpenFile`."""
        return self.device.read(size)

    def write(self, data: bytes) -> int:
        """As `OpenFile`."""
        if self.device.write_error is not None:
            raise LinuxError(self.device.write_error)
        return len(data)

    def read_at(self, offset: int, size: int) -> bytes:
        """As `OpenFile`: there are no offsets."""
        return self.read(size)

    def write_at(self, offset: int, data: bytes) -> int:
        """As `OpenFile`: there are no offsets."""
        return self.write(data)

    def at_end(self, size: int, offset: int | None = None) -> bool:
        """As `OpenFile`."""
        return not self.device.read(1)

    def swallows(self, size: int) -> bool:
        """As `OpenFile`."""
        if self.device.write_error is not None:
            raise LinuxError(self.device.write_error)
        return not self.device.reads_writes

    def seek(self, offset: int, whence: int) -> int:
        """As `OpenFile`: the position is always 0."""
        return 0


class Descriptor(msgspec.Struct):
    """One row of the table."""

    file: OpenFile
    close_on_exec: bool = False


Closed = Callable[["DescriptorTable", OpenFile], None]


class DescriptorTable:
    """The descriptors of one process, at most `limit`; `on_close` is told of each that is closed."""

    def __init__(self, limit: int, on_close: Closed = lambda table, file: None) -> None:
        self.limit = limit
        self._on_close = on_close
        self.users = 1  # threads
        self._rows: dict[int, Descriptor] = {}
        self._cells = (ctypes.c_uint64 * DESCRIPTORS)()

    @property
    def address(self) -> int:
        """Of the addresses of what machine code may do with the files, by descriptor."""
        return ctypes.addressof(self._cells)

    def row(self, number: int) -> Descriptor:
        """Raises EBADF."""
        row = self._rows.get(number)
        if row is None:
            raise LinuxError(Errno.EBADF)
        return row

    def reference(self, number: int) -> OpenFile:
        """What a descriptor stands for, opened or only referred to (O_PATH). Raises EBADF."""
        return self.row(number).file

    def file(self, number: int) -> OpenFile:
        """An opened file. Raises EBADF, also for a mere reference."""
        file = self.row(number).file
        if file.is_reference:
            raise LinuxError(Errno.EBADF)
        return file

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

    def add_pair(self, files: tuple[OpenFile, OpenFile], close_on_exec: bool) -> tuple[int, int]:
        """Both or none. Raises EMFILE."""
        first = self.add(files[0], close_on_exec)
        try:
            return first, self.add(files[1], close_on_exec)
        except LinuxError:
            self.close(first)
            raise

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
        file = self.reference(number)
        del self._rows[number]
        if number < DESCRIPTORS:
            self._cells[number] = 0
        file.users -= 1
        self._on_close(self, file)
        if not file.users:
            file.closed()

    def copy(self) -> DescriptorTable:
        """Another table, the same at first."""
        copy = DescriptorTable(self.limit, self._on_close)
        for number, row in self._rows.items():
            copy._put(number, row.file, row.close_on_exec)
        return copy

    def let_go(self) -> None:
        """A thread does not use the table any more; what nobody uses is closed."""
        self.users -= 1
        if not self.users:
            for number in self.numbers():
                self.close(number)

    def close_on_exec(self) -> None:
        """Another program begins: close what is to be closed then."""
        for number in [number for number, row in self._rows.items() if row.close_on_exec]:
            self.close(number)

    def numbers(self) -> list[int]:
        """All open descriptors."""
        return sorted(self._rows)

    def _put(self, number: int, file: OpenFile, close_on_exec: bool) -> None:
        self._rows[number] = Descriptor(file, close_on_exec)
        if number < DESCRIPTORS:
            self._cells[number] = 0 if file.cells is None else ctypes.addressof(file.cells)
        file.users += 1
