"""What carries the bytes of an output source out of hds: a file, a TCP connection, a named pipe, a module.

`send` either accepts all of the bytes or raises OutputFailed, after which the carrier is only closed. A peer that takes
nothing cannot stop the guest for good: what it has not taken yet waits in a bounded queue, and a message that finds no
room there within a few seconds ends the output. Nothing is lost silently: `close` says how many accepted bytes never
left. (What the peer's own system has taken and not read counts as delivered.)
"""

from __future__ import annotations

import ctypes
import importlib.util
import os
import select
import socket
import stat
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Protocol

from hds.inputs import decimal
from vm.files import FileRefused, open_for_writing, reason

ENTRY_POINT = "hyperdbg_event_forwarding"  # of a module: (text, length)

_CONNECT_SECONDS = 5.0
_CHUNK = 65_536
_POLL_MILLISECONDS = 100


class OutputFailed(Exception):  # noqa: N818 - it reads as what happened
    """An output cannot be created, opened, closed or written to; the text says why."""


@dataclass(frozen=True)
class Rest:
    """What became of the end: how many accepted bytes were not delivered, and why, if it was not for the peer."""

    count: int = 0
    reason: str = ""


class Carrier(Protocol):
    """Where the bytes of one source go."""

    def send(self, data: bytes) -> None:
        """Accept all of the bytes, in order. Raises OutputFailed."""
        ...

    def close(self) -> Rest:
        """Deliver what waits, and let go. Never raises."""
        ...


@dataclass(frozen=True)
class Patience:
    """How much waits for a slow peer and for how long: bytes, seconds for one message, seconds at the end."""

    queue_bytes: int = 1 << 20
    message_seconds: float = 2.0
    close_seconds: float = 5.0


class FileCarrier:
    """A regular file; every message is written at once, so that a full disk is noticed with it.

    `guarded` is the folder that the guest writes to, as in `vm.files`. Raises OutputFailed.
    """

    def __init__(self, path: Path, *, append: bool, guarded: Path | None = None) -> None:
        try:
            self._descriptor = open_for_writing(path, append=append, guarded=guarded)
        except FileRefused as error:
            raise OutputFailed(f"cannot open the file {path}: {error.reason}") from None
        self._path = path.absolute()
        self._accepted = 0  # bytes

    def send(self, data: bytes) -> None:
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
        except OSError as error:
            raise OutputFailed(reason(error)) from None
        self._accepted += len(data)

    def close(self) -> Rest:
        rest = self._removed()
        try:
            os.close(self._descriptor)
        except OSError as error:  # of file systems that write late
            return Rest(self._accepted, reason(error))
        return rest

    def _removed(self) -> Rest:
        """What was written into a file that nobody can open any more is lost; one that was moved has it still."""
        mine = os.fstat(self._descriptor)
        if not stat.S_ISREG(mine.st_mode):
            return Rest()
        if mine.st_nlink == 0:
            return Rest(self._accepted, f"{self._path} was removed or replaced meanwhile")
        try:
            found = os.path.samestat(os.stat(self._path), mine)
        except OSError:
            found = False
        return Rest() if found else Rest(0, f"{self._path} was moved or replaced meanwhile; the old file has the bytes")


class QueuedCarrier:
    """A connection that a thread writes to; `write` takes some of the bytes and says how many, as os.write does."""

    def __init__(self, descriptor: int, write: Callable[[bytes], int], release: Callable[[], None], patience: Patience):
        self._descriptor = descriptor
        self._write = write
        self._release = release
        self._patience = patience
        self._changed = threading.Condition()
        self._queue = bytearray()
        self._closing = False
        self._failure: str | None = None
        self._thread = threading.Thread(target=self._run, name="hds output", daemon=True)
        self._thread.start()

    def send(self, data: bytes) -> None:
        room = self._patience.queue_bytes
        with self._changed:
            self._changed.wait_for(
                lambda: self._failure is not None or not self._queue or len(self._queue) + len(data) <= room,
                self._patience.message_seconds,
            )
            if self._failure is None and self._queue and len(self._queue) + len(data) > room:
                self._failure = f"the other end did not take a message within {self._patience.message_seconds:g} s"
            if self._failure is not None:
                raise OutputFailed(self._failure)
            self._queue += data
            self._changed.notify_all()

    def close(self) -> Rest:
        with self._changed:
            self._closing = True
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._failure is not None or not self._queue, self._patience.close_seconds)
            if self._queue and self._failure is None:
                self._failure = "closed"
            unsent = len(self._queue)
            self._changed.notify_all()
        self._thread.join()
        self._release()
        return Rest(unsent)

    def _run(self) -> None:
        poll = select.poll()
        poll.register(self._descriptor, select.POLLOUT)
        while True:
            with self._changed:
                self._changed.wait_for(lambda: bool(self._queue) or self._closing or self._failure is not None)
                if self._failure is not None or not self._queue:
                    return
                chunk = bytes(self._queue[:_CHUNK])
            if not poll.poll(_POLL_MILLISECONDS):
                continue
            try:
                taken = self._write(chunk)
            except BlockingIOError:
                continue
            except OSError as error:
                self._fail(reason(error))
                return
            with self._changed:
                del self._queue[:taken]
                self._changed.notify_all()

    def _fail(self, reason: str) -> None:
        with self._changed:
            self._failure = self._failure or reason
            self._changed.notify_all()


class ModuleCarrier:
    """A function that is called with every message: of a Python file, or of a shared library."""

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise OutputFailed(f"cannot load the module {path}: there is no such file")
        self._call = _python_function(path) if path.suffix == ".py" else _library_function(path)

    def send(self, data: bytes) -> None:
        try:
            self._call(data, len(data))
        except Exception as error:  # the user's own code may raise anything; it ends this output only
            raise OutputFailed(f"{ENTRY_POINT} raised {type(error).__name__}: {error}") from None

    def close(self) -> Rest:
        return Rest()


def connect_tcp(address: str, patience: Patience) -> Carrier:
    """A connection to `host:port`. Raises OutputFailed."""
    host, colon, port = address.rpartition(":")
    number = decimal(port, 0xFFFF)
    if not colon or not host or not number:
        raise OutputFailed(f"'{address}' is no address and port, such as 127.0.0.1:8080")
    try:
        connection = socket.create_connection((host.strip("[]"), number), timeout=_CONNECT_SECONDS)
    except OSError as error:
        raise OutputFailed(f"cannot connect to {address}: {reason(error)}") from None
    connection.setblocking(False)
    return QueuedCarrier(connection.fileno(), connection.send, connection.close, patience)


def open_named_pipe(address: str, patience: Patience) -> Carrier:
    """The writing end of a FIFO that exists and that somebody reads. Raises OutputFailed."""
    try:
        if not stat.S_ISFIFO(os.stat(address).st_mode):
            raise OutputFailed(f"{address} is no named pipe")
        descriptor = os.open(address, os.O_WRONLY | os.O_NONBLOCK)
    except (OSError, ValueError) as error:
        raise OutputFailed(f"cannot open the named pipe {address}: {reason(error)}") from None
    return QueuedCarrier(descriptor, lambda data: os.write(descriptor, data), lambda: os.close(descriptor), patience)


def _python_function(path: Path) -> Callable[[bytes, int], object]:
    specification = importlib.util.spec_from_file_location(f"hds_output_{path.stem}", path)
    assert specification is not None  # a .py suffix always has a loader
    assert specification.loader is not None
    module: ModuleType = importlib.util.module_from_spec(specification)
    try:
        specification.loader.exec_module(module)
    except Exception as error:  # as in ModuleCarrier.send
        raise OutputFailed(f"cannot load the module {path}: {type(error).__name__}: {error}") from None
    function: object = getattr(module, ENTRY_POINT, None)
    if not callable(function):
        raise OutputFailed(f"the module {path} has no function {ENTRY_POINT}(text, length)")
    return function


def _library_function(path: Path) -> Callable[[bytes, int], object]:
    try:
        library = ctypes.CDLL(str(path.absolute()))
    except OSError as error:
        raise OutputFailed(f"cannot load the module {path}: {error}") from None
    try:
        function = getattr(library, ENTRY_POINT)
    except AttributeError:
        raise OutputFailed(f"the module {path} has no function {ENTRY_POINT}(text, length)") from None
    function.argtypes, function.restype = (ctypes.c_char_p, ctypes.c_uint), None
    call: Callable[[bytes, int], object] = function
    return call
