"""Sockets with connections: TCP, and AF_UNIX with SOCK_STREAM and SOCK_SEQPACKET."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from machine.kernel.linux.errors import Errno, LinuxError
from machine.kernel.linux.open_files import O_NONBLOCK
from machine.kernel.linux.socket_options import SO_PASSCRED, SO_RCVTIMEO, SO_SNDTIMEO
from machine.kernel.linux.sockets import (
    AF_UNIX,
    MSG_PEEK,
    POLLERR,
    POLLHUP,
    POLLRDHUP,
    Address,
    Credentials,
    Message,
    Network,
    Received,
    Socket,
    UnixAddress,
    place_of,
)

_LONGEST_BACKLOG = 4096  # net.core.somaxconn


class StreamSocket(Socket):
    """A socket that listens, or has one other at its end."""

    def __init__(self, network: Network, family: int, kind: int, protocol: int, flags: int, inode: int) -> None:
        super().__init__(network, family, kind, protocol, flags, inode)
        self.peer: StreamSocket | None = None
        self._peer_address: Address | None = None
        self.backlog: int | None = None  # of one that listens
        self._queue = deque[StreamSocket]()  # that nobody has accepted
        self._dialling: Callable[[], bool] | None = None  # tries once more to connect
        self._unheard = False  # nobody was told that a connection has come about which nobody waited for
        self._unread_by_peer = False  # something was sent to a peer that is gone

    # --- connections

    def join(self, other: StreamSocket) -> None:
        """Both are each other's ends from now on."""
        self.peer, other.peer = other, self
        self._peer_address, other._peer_address = other.local, self.local
        own, there = place_of(self.local), place_of(other.local)
        if self.network.capture is not None and own and there:
            self.network.capture.begins(own, there)

    @property
    def peer_address(self) -> Address:
        """As `Socket`."""
        self._progress()
        if self.peer is None or (self.peer.is_closed and not self.is_local and self.is_mute):
            raise LinuxError(Errno.ENOTCONN)
        return self._peer_address or UnixAddress(b"")

    def listen(self, backlog: int, credentials: Credentials) -> None:
        """As `Socket`."""
        if self.peer is not None:
            raise LinuxError(Errno.EINVAL)
        self.backlog = min(backlog & 0xFFFF_FFFF, _LONGEST_BACKLOG)
        self.peer_credentials = credentials
        self.is_deaf = self.is_mute = False

    @property
    def waiting_connections(self) -> int:
        """Those that nobody has accepted."""
        return len(self._queue)

    @property
    def has_room_for_one_more(self) -> bool:
        """Whether one that listens takes a connection."""
        return self.backlog is not None and len(self._queue) <= self.backlog

    def accept(self, inode: int) -> Socket:
        """As `Socket`."""
        if self.backlog is None:
            raise LinuxError(Errno.EINVAL)
        if not self._queue:
            timeout = self.options.timeouts[SO_RCVTIMEO]
            raise self.stall(lambda: bool(self._queue) or self.backlog is None, 0, timeout)
        self.inbox.departures += 1
        return self._queue.popleft()

    def check_unconnected(self) -> None:
        """Raises what a second connect comes to: EISCONN, EALREADY, EINVAL, or what went wrong with the first."""
        self._progress()
        if self._dialling is not None:
            raise LinuxError(Errno.EALREADY)
        self.raise_error()
        if self.backlog is not None:
            raise LinuxError(Errno.EINVAL if self.is_local else Errno.EISCONN)
        if self.peer is not None:
            raise LinuxError(Errno.EISCONN)

    def has_just_connected(self) -> bool:
        """Whether a connection has come about since a connect that did not wait; said once."""
        self._progress()
        unheard, self._unheard = self._unheard, False
        return unheard and self.peer is not None

    def connect(self, listener: StreamSocket, made: Callable[[], StreamSocket], credentials: Credentials) -> None:
        """Connect to one that listens; `made` makes its new end. Raises EINPROGRESS and what the call does."""

        def dial() -> bool:
            if listener.backlog is None or listener.is_closed:
                raise LinuxError(Errno.ECONNREFUSED)
            if not listener.has_room_for_one_more:
                return False
            end = made()
            end.options = listener.options.copy()
            end.peer_credentials, self.peer_credentials = credentials, listener.peer_credentials
            self.join(end)
            listener._queue.append(end)
            listener.inbox.arrivals += 1
            self.inbox.arrivals += 1
            return True

        if self.flags & O_NONBLOCK and not self.is_local:
            self._dialling, self._unheard = dial, True
            self._progress()
            raise LinuxError(Errno.EINPROGRESS)
        if not dial():
            timeout = self.options.timeouts[SO_SNDTIMEO]
            raise self.stall(lambda: listener.has_room_for_one_more or listener.backlog is None, 0, timeout)

    def reach(self, end: StreamSocket) -> None:
        """Connect to an end that takes everybody. Raises EINPROGRESS."""
        self.join(end)
        self.inbox.arrivals += 1
        if self.flags & O_NONBLOCK:
            self._unheard = True
            raise LinuxError(Errno.EINPROGRESS)

    def fail_to_connect(self, error: Errno) -> LinuxError:
        """What to raise where nobody can be connected to."""
        if self.flags & O_NONBLOCK and not self.is_local and error is Errno.ECONNREFUSED:
            self.error = error
            self.inbox.arrivals += 1
            return LinuxError(Errno.EINPROGRESS)
        return LinuxError(error)

    def _progress(self) -> None:
        """A connection that nobody waits for comes about as soon as it can."""
        if self._dialling is None:
            return
        try:
            if self._dialling():
                self._dialling = None
        except LinuxError as error:
            self._dialling, self.error = None, error.number

    # --- bytes

    def swallows(self, size: int) -> bool:
        """As `OpenFile`. Raises EPIPE, with which a signal comes, for streams only."""
        if self.is_stream:
            self._check_way()
        return False

    def _check_way(self) -> None:
        """Raises what sending comes to when nobody can be reached."""
        self._progress()
        peer = self.peer
        if not self.is_local:
            self.raise_error()
        if self._dialling is not None:
            raise self.stall(lambda: self.ready()[1], 0)
        if self.is_mute or (peer is not None and peer.is_closed and (self.is_local or self._unread_by_peer)):
            raise LinuxError(Errno.EPIPE)
        if peer is None:
            raise LinuxError(Errno.ENOTCONN if self.is_local else Errno.EPIPE)
        if self.is_local and peer.is_deaf:
            raise LinuxError(Errno.EPIPE)

    def send(self, message: Message, flags: int) -> int:
        """As `Socket`."""
        self._check_way()
        peer, size = self.peer, len(message.data)
        assert peer is not None
        if peer.is_closed:
            self._unread_by_peer = True
            self.inbox.arrivals += 1
            return size
        if not self.is_stream and size > peer.inbox.capacity:
            raise LinuxError(Errno.EMSGSIZE)
        if self.is_stream and not size:
            return 0
        least = 1 if self.is_stream else min(size + 1, peer.inbox.capacity)

        def goes_on() -> bool:
            return peer.inbox.room >= least or peer.is_closed or self.is_mute or peer.is_deaf

        if peer.inbox.room < least:
            raise self.stall(goes_on, flags, self.options.timeouts[SO_SNDTIMEO])
        if self.is_stream:
            del message.data[peer.inbox.room :]
        taken = len(message.data)
        self.pass_on(message)
        return taken

    def pass_on(self, message: Message) -> None:
        """A message, or bytes, for the other end."""
        assert self.peer is not None
        own, there = place_of(self.local), place_of(self.peer.local)
        if self.network.capture is not None and own and there:
            self.network.capture.carries(own, there, bytes(message.data))
        self.peer.deliver(message)

    def _note_end(self) -> None:
        own, there = place_of(self.local), None if self.peer is None else place_of(self.peer.local)
        if self.network.capture is not None and own and there:
            self.network.capture.ends(own, there)

    @property
    def is_at_end(self) -> bool:
        """Whether nothing more can come."""
        return self.is_deaf or (self.peer is not None and (self.peer.is_closed or self.peer.is_mute))

    def receive(self, size: int, flags: int) -> Received:
        """As `Socket`."""
        self._progress()
        if self.inbox.messages:
            peek = bool(flags & MSG_PEEK)
            if not self.is_stream:
                return self.inbox.take_message(size, peek)
            return self.inbox.take_bytes(size, peek, self.options.is_set(SO_PASSCRED))
        self.raise_error()
        if self.is_at_end:
            return Received(b"", 0)
        if self.peer is None and self._dialling is None:
            raise LinuxError(Errno.ENOTCONN if not self.is_local or not self.is_stream else Errno.EINVAL)
        timeout = self.options.timeouts[SO_RCVTIMEO]
        raise self.stall(lambda: bool(self.inbox.messages) or self.is_at_end or self.error is not None, flags, timeout)

    def at_end(self, size: int, offset: int | None = None) -> bool:
        """As `OpenFile`."""
        return not self.inbox.messages and self.is_at_end

    def shut_down(self, reading: bool, writing: bool) -> None:
        """As `Socket`. One that listens does so no more."""
        if self.backlog is not None and reading and not self.is_local:
            self._let_queue_go()
            self.backlog = None
            return
        if self.peer is None and not self.is_local:
            raise LinuxError(Errno.ENOTCONN)
        super().shut_down(reading, writing)
        self.inbox.arrivals += 1
        if self.peer is not None:
            self.peer.inbox.arrivals += 1
            if writing:
                self._note_end()
                self.peer.hear_end()

    def hear_end(self) -> None:
        """The other end sends no more; whoever reads finds out."""

    def ready(self) -> tuple[bool, bool, bool]:
        """As `OpenFile`."""
        self._progress()
        if self.backlog is not None:
            return bool(self._queue), False, False
        peer, failed = self.peer, self.error is not None
        if peer is None:
            waits = self._dialling is not None
            return failed or self.is_deaf, not waits, False
        reading = bool(self.inbox.messages) or self.is_at_end or failed
        return reading, failed or self.is_mute or peer.is_closed or peer.inbox.room > 0, False

    @property
    def other_conditions(self) -> int:
        """As `OpenFile`."""
        result = POLLERR if self.error is not None else 0
        if self.backlog is not None or self._dialling is not None:
            return result
        if self.peer is None:
            return result | POLLHUP | (POLLRDHUP if self.error is not None else 0)
        if self.is_at_end:
            result |= POLLRDHUP
        over = self.is_mute or (self.peer.is_closed and (self.is_local or self._unread_by_peer))
        other = self.is_local and self.peer.is_deaf
        return result | (POLLHUP if self.is_at_end and (over or other) else 0)

    @property
    def news(self) -> int:
        """As `OpenFile`: what has come, and room at the other end."""
        return self.inbox.arrivals + (0 if self.peer is None else self.peer.inbox.departures)

    def _let_queue_go(self) -> None:
        for end in self._queue:
            end.closed()
            if end.peer is not None:
                end.peer.error = Errno.ECONNRESET
        self._queue.clear()

    def closed(self) -> None:
        """As `OpenFile`: the other end hears of it, and that something was not read."""
        if self.peer is not None and not self.peer.is_closed:
            if self.inbox.messages:
                self.peer.error = Errno.ECONNRESET
                self._unread_by_peer = True
                self.peer._unread_by_peer = True
            self.peer.inbox.arrivals += 1
            self._note_end()
            self.peer.hear_end()
        elif self.peer is not None:
            self._note_end()
        super().closed()
        self._dialling = None
        self._let_queue_go()
        self.backlog = None


def pair_of_streams(network: Network, kind: int, flags: int, inodes: tuple[int, int]) -> tuple[Socket, Socket]:
    """Two that are each other's ends."""
    one, other = (StreamSocket(network, AF_UNIX, kind, 0, flags, inode) for inode in inodes)
    one.join(other)
    return one, other
