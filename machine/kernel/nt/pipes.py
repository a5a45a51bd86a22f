"""Pipes, named or not, between the threads of a process (Microsoft's MS-FSCC and "Named Pipe Operations").

A pipe by name has instances. Each is the server's end, which lasts, and while it is connected a client's. An end holds
what it is still to read; what has room there is written at once, whoever writes more waits until it was read.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import msgspec

from machine.kernel.nt.files import PIPE, File
from machine.kernel.nt.queues import PER_MESSAGE, Queues
from machine.kernel.nt.sharing import READS, WRITES
from machine.kernel.nt.status import (
    STATUS_ACCESS_DENIED,
    STATUS_BUFFER_OVERFLOW,
    STATUS_INSTANCE_NOT_AVAILABLE,
    STATUS_INVALID_PIPE_STATE,
    STATUS_PIPE_BROKEN,
    STATUS_PIPE_CLOSING,
    STATUS_PIPE_CONNECTED,
    STATUS_PIPE_DISCONNECTED,
    STATUS_PIPE_EMPTY,
    STATUS_PIPE_LISTENING,
    STATUS_PIPE_NOT_AVAILABLE,
    STATUS_SUCCESS,
    NtError,
)

DISCONNECTED, LISTENING, CONNECTED, CLOSING = 1, 2, 3, 4  # FILE_PIPE_*_STATE
_REFUSED = {
    DISCONNECTED: STATUS_PIPE_DISCONNECTED, LISTENING: STATUS_PIPE_LISTENING, CLOSING: STATUS_PIPE_CLOSING,
}  # fmt: skip


class PipeRoot(File, eq=False):
    """The directory of all pipes."""

    device: int = PIPE
    is_directory: bool = True


class Pipe(msgspec.Struct, eq=False):
    """What the instances of a name have in common. `uses` are those of clients, READS and WRITES; rooms in bytes."""

    name: str
    is_message: bool
    uses: int
    most: int
    inbound: int
    outbound: int
    timeout: int  # of a wait that does not say, in units of 100 ns
    spelling: str = ""  # of the name, which is in small letters
    instances: list[PipeEnd] = msgspec.field(default_factory=list)


class PipeEnd(File, eq=False, kw_only=True):
    """One end of an instance; `queue` is what it is still to read, an entry for each write."""

    device: int = PIPE
    pipe: Pipe
    pipes: Pipes
    uses: int
    is_server: bool
    state: int = LISTENING
    other: PipeEnd | None = None
    reads_messages: bool = False
    is_nonblocking: bool = False
    queue: deque[memoryview] = msgspec.field(default_factory=deque)
    queued: int = 0  # bytes
    taken: int = 0  # bytes, ever

    @property
    def room(self) -> int:
        """How many bytes may wait to be read here before a writer has to wait."""
        return self.pipe.inbound if self.is_server else self.pipe.outbound

    # --- reading

    @property
    def can_read(self) -> bool:
        """Whether a read need not wait."""
        return bool(self.queue) or self.state != CONNECTED or self.is_nonblocking

    def check(self, use: int) -> None:
        """Raises NtError where this end was not opened to be read (READS) or written (WRITES)."""
        if not self.uses & use:
            raise NtError(STATUS_ACCESS_DENIED)

    def _check_readable(self) -> None:
        if self.queue:
            return
        if self.state in (CONNECTED, CLOSING):
            raise NtError(STATUS_PIPE_EMPTY if self.state == CONNECTED else STATUS_PIPE_BROKEN)
        raise NtError(_REFUSED[self.state])

    def receive(self, size: int) -> tuple[int, bytes]:
        """What a read gets; its status is STATUS_BUFFER_OVERFLOW where the message goes on. Raises NtError."""
        self._check_readable()
        data, entries = bytearray(), len(self.queue)
        while self.queue and (len(data) < size or self.reads_messages):
            entry, room = self.queue.popleft(), size - len(data)
            data += entry[:room]
            if len(entry) > room:
                self.queue.appendleft(entry[room:])
            if self.reads_messages:
                break
        is_cut = self.reads_messages and len(self.queue) == entries
        self._forget(len(data), entries - len(self.queue))
        return STATUS_BUFFER_OVERFLOW if is_cut else STATUS_SUCCESS, bytes(data)

    def peek(self, size: int) -> bytes:
        """What such a read would get."""
        data = bytearray()
        for entry in self.queue:
            if len(data) >= size:
                break
            data += entry[: size - len(data)]
            if self.reads_messages:
                break
        return bytes(data)

    def _forget(self, size: int, entries: int) -> None:
        self.queued -= size
        self.taken += size
        self.pipes.waiting -= size + PER_MESSAGE * entries

    # --- writing

    def put(self, data: bytes) -> tuple[Callable[[], bool], Callable[[], tuple[int, int]]]:
        """Write: when that is over, and what it comes to then, as a status and a number of bytes. Raises NtError."""
        other = self.other
        self.check(WRITES)
        if other is None or self.state != CONNECTED:
            raise NtError(_REFUSED[self.state])
        if self.is_nonblocking and len(data) > other.room - other.queued:
            data = b"" if self.pipe.is_message else data[: max(0, other.room - other.queued)]
            if not data:
                return (lambda: True), (lambda: (STATUS_SUCCESS, 0))
        if data or self.pipe.is_message:
            self.pipes.charge(len(data) + PER_MESSAGE)
            other.queue.append(memoryview(data))
            other.queued += len(data)
        goal = other.taken + other.queued - other.room  # what the reader has to have taken

        def finish() -> tuple[int, int]:
            if other.taken < goal:
                raise NtError(STATUS_PIPE_DISCONNECTED if self.state == DISCONNECTED else STATUS_PIPE_BROKEN)
            return STATUS_SUCCESS, len(data)

        return (lambda: other.taken >= goal or self.other is not other), finish

    @property
    def is_flushed(self) -> bool:
        """Whether nobody is there who is still to read what was written."""
        return self.other is None or not self.other.queue

    # --- connections

    def listen(self) -> None:
        """A client may connect. Raises NtError, for one that is connected too."""
        if self.state in (CONNECTED, CLOSING):
            raise NtError(STATUS_PIPE_CONNECTED if self.state == CONNECTED else STATUS_PIPE_CLOSING)
        self.state = LISTENING
        if self.is_nonblocking:
            raise NtError(STATUS_PIPE_LISTENING)

    def connect(self, uses: int) -> PipeEnd:
        """The client's end of an instance that listens."""
        client = PipeEnd(pipe=self.pipe, pipes=self.pipes, uses=uses, is_server=False, state=CONNECTED, other=self)
        self.state, self.other = CONNECTED, client
        return client

    def disconnect(self) -> None:
        """Part from the client; nobody reads what waits. Raises NtError."""
        if not self.is_server:
            raise NtError(STATUS_INVALID_PIPE_STATE)
        if self.state == DISCONNECTED:
            raise NtError(STATUS_PIPE_DISCONNECTED)
        self._part(DISCONNECTED)
        self.state = DISCONNECTED
        self._drop()

    def closed(self) -> None:
        """As `KernelObject`; the other end can read what waits there."""
        self._part(CLOSING)
        self.state = CLOSING
        self._drop()
        if self.is_server:
            self.pipes.remove(self)

    def _part(self, state: int) -> None:
        other, self.other = self.other, None
        if other is not None:
            other.other, other.state = None, state
            if state == DISCONNECTED:
                other._drop()

    def _drop(self) -> None:
        self.pipes.waiting -= self.queued + PER_MESSAGE * len(self.queue)
        self.queue.clear()
        self.queued = 0


class Pipes(Queues):
    """All pipes of a process, by name."""

    def __init__(self, most: int) -> None:
        super().__init__(most)
        self._named: dict[str, Pipe] = {}

    def find(self, name: str) -> Pipe | None:
        """The pipe of this name."""
        return self._named.get(name)

    def names(self) -> list[str]:
        """As the first who made each has spelt them."""
        return [pipe.spelling or name for name, pipe in self._named.items()]

    def create(self, wanted: Pipe, uses: int, *, is_new: bool) -> PipeEnd:
        """Another instance of a name, its server's end; `wanted` says how it is to be. Raises NtError."""
        pipe = self._named.get(wanted.name, wanted)
        if pipe is not wanted and (is_new or (pipe.is_message, pipe.uses) != (wanted.is_message, wanted.uses)):
            raise NtError(STATUS_ACCESS_DENIED)
        if len(pipe.instances) >= pipe.most:
            raise NtError(STATUS_INSTANCE_NOT_AVAILABLE)
        end = PipeEnd(pipe=pipe, pipes=self, uses=uses, is_server=True)
        pipe.instances.append(end)
        if pipe.name:
            self._named[pipe.name] = pipe
        return end

    def remove(self, end: PipeEnd) -> None:
        """An instance is gone, and with the last one the name."""
        end.pipe.instances.remove(end)
        if not end.pipe.instances:
            self._named.pop(end.pipe.name, None)

    def connect(self, pipe: Pipe, uses: int) -> PipeEnd:
        """A client of an instance that listens. Raises NtError."""
        if uses & ~pipe.uses & (READS | WRITES):
            raise NtError(STATUS_ACCESS_DENIED)
        server = next((each for each in pipe.instances if each.state == LISTENING), None)
        if server is None:
            raise NtError(STATUS_PIPE_NOT_AVAILABLE)
        return server.connect(uses)
