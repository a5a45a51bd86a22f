"""Open files: of the drive, of the standard streams, of devices."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from machine.kernel.linux import Handle as FileHandle, LinuxError
from machine.kernel.nt.changes import Watch
from machine.kernel.nt.objects import Completion, KernelObject
from machine.kernel.nt.rights import FILE
from machine.kernel.nt.sharing import DELETES, READS, WRITES, Sharing
from machine.kernel.nt.status import (
    STATUS_ACCESS_DENIED,
    STATUS_END_OF_FILE,
    STATUS_INVALID_DEVICE_REQUEST,
    NtError,
)
from machine.kernel.nt.volume import Bytes, Spot, failure

if TYPE_CHECKING:
    from machine.schedule import Thread

DISK, PIPE, NULL = 7, 0x11, 0x15  # FILE_DEVICE_DISK, FILE_DEVICE_NAMED_PIPE, FILE_DEVICE_NULL


class File(KernelObject, eq=False):
    """An open file. `position` is where calls without an offset go on; `port` hears of what is over, by a key."""

    kind = "File"
    rights = FILE
    widens = False
    device: int = DISK
    position: int = 0
    is_directory: bool = False
    is_append: bool = False
    is_asynchronous: bool = False
    pending: int = 0  # operations that are under way
    port: tuple[Completion, int] | None = None
    listing: Iterator[tuple[str, Spot]] | None = None  # what is left of it, of a directory
    pattern: str = ""

    def is_signalled(self, thread: Thread) -> bool:
        """As `KernelObject`."""
        return not self.pending

    @property
    def size(self) -> int:
        """In bytes."""
        return 0

    def read(self, offset: int | None, size: int) -> bytes:
        """Up to `size` bytes, from `offset` or where the last call ended. Raises NtError, at the end too."""
        raise NtError(STATUS_END_OF_FILE)

    def write(self, offset: int | None, data: bytes) -> int:
        """How many bytes were written. Raises NtError."""
        return len(data)

    def resize(self, size: int) -> None:
        """Cut or extend. Raises NtError."""


_PIECE = 1 << 20


class StreamFile(File, eq=False):
    """A standard stream: what is written goes to `sink`, what is read comes from `source`."""

    device: int = PIPE
    sink: Callable[[bytes], None] | None = None
    source: Callable[[int], bytes] | None = None

    def read(self, offset: int | None, size: int) -> bytes:
        """As `File`."""
        data = b"" if self.source is None else self.source(size)
        if not data:
            raise NtError(STATUS_END_OF_FILE)
        return data

    def write(self, offset: int | None, data: bytes) -> int:
        """As `File`."""
        if self.sink is None:
            raise NtError(STATUS_INVALID_DEVICE_REQUEST)
        self.sink(data)
        return len(data)


class DriveFile(File, eq=False, kw_only=True):
    """A file or directory of the drive; `handle` has the bytes of one that is no directory.

    `uses` is what it was opened for, of reading, writing and deleting. When it is closed the file goes with its last
    handle if it `deletes`, and its name at once if it `unlinks`.
    """

    spot: Spot
    handle: FileHandle | Bytes | None = None
    uses: int = READS | WRITES | DELETES
    deletes: bool = False
    unlinks: bool = False
    remove: Callable[[DriveFile], None] = lambda file: None
    sharing: Sharing | None = None
    identity: int = 0  # of the file as it was opened
    watch: Watch | None = None

    @property
    def size(self) -> int:
        """As `File`."""
        if isinstance(self.handle, Bytes):
            return len(self.handle.data)
        return 0 if self.handle is None else self.handle.status().size

    def read(self, offset: int | None, size: int) -> bytes:
        """As `File`."""
        if self.handle is None:
            raise NtError(STATUS_INVALID_DEVICE_REQUEST)
        self._check_use(READS)
        at = self.position if offset is None else offset
        self._check_locks(at, size, writes=False)
        try:
            data = self.handle.read_at(at, size)
        except LinuxError as error:
            raise failure(error) from None
        self.position = at + len(data)
        if not data and size:
            raise NtError(STATUS_END_OF_FILE)
        return data

    def write(self, offset: int | None, data: bytes) -> int:
        """As `File`."""
        if self.handle is None or isinstance(self.handle, Bytes):
            raise NtError(STATUS_INVALID_DEVICE_REQUEST)
        self._check_use(WRITES)
        at = self.size if self.is_append else self.position if offset is None else offset
        self._check_locks(at, len(data), writes=True)
        try:
            done = 0
            while done < len(data):
                done += self.handle.write_at(at + done, data[done:])
        except LinuxError as error:
            raise failure(error) from None
        self.position = at + done
        return done

    def clear(self, first: int, end: int) -> None:
        """Write zeros there; the position stays. Raises NtError."""
        position, self.position = self.position, 0
        is_append, self.is_append = self.is_append, False
        try:
            for at in range(first, end, _PIECE):
                self.write(at, bytes(min(_PIECE, end - at)))
        finally:
            self.position, self.is_append = position, is_append

    def resize(self, size: int) -> None:
        """As `File`."""
        if self.handle is None or isinstance(self.handle, Bytes):
            raise NtError(STATUS_INVALID_DEVICE_REQUEST)
        self._check_use(WRITES)
        if self.sharing is not None:
            self.sharing.check_size(self.identity, size)
        try:
            self.handle.resize(size)
        except LinuxError as error:
            raise failure(error) from None

    def closed(self) -> None:
        """As `KernelObject`."""
        self.handle = None
        if self.watch is not None:
            self.watch.end()
        if self.unlinks:
            self.remove(self)
        if self.sharing is not None:
            if self.deletes:
                self.sharing.dispose(self.identity, self, wanted=True)
            gone = self.sharing.closed(self.identity, self)
            if isinstance(gone, DriveFile):
                self.remove(gone)

    def _check_use(self, wanted: int) -> None:
        if not self.uses & wanted:
            raise NtError(STATUS_ACCESS_DENIED)

    def _check_locks(self, first: int, size: int, *, writes: bool) -> None:
        if self.sharing is not None:
            self.sharing.check_range(self.identity, self, first, size, writes=writes)
