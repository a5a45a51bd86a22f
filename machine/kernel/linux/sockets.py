"""Sockets: what all kinds have in common, their queues, and the network, which nothing ever leaves.

Bytes go from a socket into the inbox of another one of the same machine. The host's network is not touched.
"""

from __future__ import annotations

import stat
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias
from weakref import WeakValueDictionary

import msgspec

from machine.kernel.linux import socket_options
from machine.kernel.linux.errors import Errno, LinuxError, WouldWait
from machine.kernel.linux.nodes import Node, Status
from machine.kernel.linux.open_files import O_NONBLOCK, O_RDWR, OpenFile
from machine.schedule import VirtualClock

if TYPE_CHECKING:
    from machine.kernel.linux.capture import Capture, Place
    from machine.kernel.linux.scripted_peers import Outside

AF_UNIX, AF_INET, AF_INET6, AF_NETLINK = 1, 2, 10, 16
_UNIX_PIECE, _TCP_PIECE = 0x8EC0, 0x8000  # bytes of a stream that are copied at once: a socket buffer, a page fragment
SOCK_STREAM, SOCK_DGRAM, SOCK_RAW, SOCK_SEQPACKET = 1, 2, 3, 5
MSG_PEEK, MSG_TRUNC, MSG_DONTWAIT, MSG_WAITALL, MSG_NOSIGNAL = 2, 0x20, 0x40, 0x100, 0x4000
POLLERR, POLLHUP, POLLRDHUP = 8, 0x10, 0x2000

UNIX_BYTES = 212_992  # that wait in one socket (net.core.rmem_default)
TCP_BYTES = 2_500_000  # likewise: about what Linux lets pile up on loopback before the sender waits
MESSAGE_BYTES = 512  # what each message costs besides its bytes


class InetAddress(msgspec.Struct, frozen=True):
    """Four or sixteen bytes of a host, and a port. An IPv4 host has four, whoever asks."""

    host: bytes
    port: int


class UnixAddress(msgspec.Struct, frozen=True):
    """A path as it was bound, an abstract name (which begins with a zero), or none at all."""

    name: bytes


class NetlinkAddress(msgspec.Struct, frozen=True):
    """Of AF_NETLINK: the number of a socket, 0 for the kernel."""

    port: int


Address: TypeAlias = InetAddress | UnixAddress | NetlinkAddress
Credentials: TypeAlias = tuple[int, int, int]  # process, user, group
NOBODY: Credentials = (0, 0xFFFF_FFFF, 0xFFFF_FFFF)


class Message(msgspec.Struct):
    """Bytes on their way, and what goes with them."""

    data: bytearray
    sender: Address | None = None
    credentials: Credentials = NOBODY
    files: tuple[OpenFile, ...] = ()
    target: Address | None = None  # where one of UDP goes


class Received(msgspec.Struct, frozen=True):
    """What a receive gives. `whole` is how long the message was."""

    data: bytes
    whole: int
    sender: Address | None = None
    credentials: Credentials = NOBODY
    files: tuple[OpenFile, ...] = ()


def place_of(address: Address | None) -> Place | None:
    """As the capture has it; None where there is none in the network."""
    return (address.host, address.port) if isinstance(address, InetAddress) else None


def hold(files: tuple[OpenFile, ...]) -> None:
    """Files are on their way: somebody has them."""
    for file in files:
        file.users += 1


def release(files: tuple[OpenFile, ...]) -> None:
    """They are not any more."""
    for file in files:
        file.users -= 1
        if not file.users:
            file.closed()


class Network(msgspec.Struct):
    """What all sockets of a machine share: who is where, and how many bytes may wait (`max_socket_bytes`)."""

    bytes_left: int
    files_left: int  # on their way in messages
    clock: VirtualClock
    ports: dict[tuple[int, int], list[Socket]] = msgspec.field(default_factory=dict)  # by type and port
    abstract: dict[bytes, Socket] = msgspec.field(default_factory=dict)
    named: dict[Node, Socket] = msgspec.field(default_factory=dict)  # by what a path leads to
    capture: Capture | None = None
    outside: Outside | None = None  # what a script says of other hosts
    reached: set[str] = msgspec.field(default_factory=set)
    everybody: WeakValueDictionary[int, Socket] = msgspec.field(default_factory=WeakValueDictionary)
    _made: int = 0
    _next_port: int = 32_768
    _next_name: int = 0

    @property
    def all_reached(self) -> set[str]:
        """The names of the limits that left something out."""
        is_full = self.capture is not None and self.capture.is_full
        return self.reached | ({"max_capture_bytes"} if is_full else set())

    def enlist(self, socket: Socket) -> None:
        """A socket is there."""
        self.everybody[self._made] = socket
        self._made += 1

    def living(self) -> list[Socket]:
        """All that are not closed, in the order in which they were made."""
        return [socket for _, socket in sorted(self.everybody.items()) if not socket.is_closed]

    def take(self, size: int) -> None:
        """Charge bytes. Raises ENOBUFS."""
        if size > self.bytes_left:
            self.reached.add("max_socket_bytes")
            raise LinuxError(Errno.ENOBUFS)
        self.bytes_left -= size

    def new_port(self, kind: int) -> int:
        """One that nobody has (net.ipv4.ip_local_port_range). Raises EADDRINUSE."""
        for _ in range(32_768, 61_000):
            port = self._next_port
            self._next_port = 32_768 if port == 60_999 else port + 1
            if not self.ports.get((kind, port)):
                return port
        raise LinuxError(Errno.EADDRINUSE)

    def new_name(self) -> bytes:
        """An abstract name that nobody has (autobind)."""
        while True:
            name = b"\0%05x" % (self._next_name & 0xFFFFF)
            self._next_name += 1
            if name not in self.abstract:
                return name


class Inbox:
    """What has come for a socket and was not read."""

    def __init__(self, network: Network, capacity: int, *, merges: bool) -> None:
        self.capacity = capacity
        self.messages: deque[Message] = deque()
        self.size = 0  # bytes that wait
        self.arrivals = 0
        self.departures = 0
        self._network, self._merges = network, merges

    @property
    def room(self) -> int:
        """How many bytes it takes."""
        return max(0, self.capacity - self.size)

    def put(self, message: Message) -> None:
        """Raises ENOBUFS and ETOOMANYREFS."""
        last = self.messages[-1] if self.messages else None
        size, files = len(message.data), len(message.files)
        if files > self._network.files_left:
            raise LinuxError(Errno.ETOOMANYREFS)
        same = last is not None and last.credentials == message.credentials and not last.files and not files
        joins = self._merges and same
        self._network.take(size if joins else size + MESSAGE_BYTES)
        self._network.files_left -= files
        hold(message.files)
        if joins and last is not None:
            last.data += message.data
        else:
            self.messages.append(message)
        self.size += size
        self.arrivals += 1

    def take_message(self, size: int, peek: bool) -> Received:
        """The first message, cut to `size` bytes."""
        message = self.messages[0]
        received = Received(
            bytes(message.data[:size]), len(message.data), message.sender, message.credentials, message.files
        )
        hold(message.files)
        if not peek:
            self._drop_first()
        return received

    def take_bytes(self, size: int, peek: bool, apart: bool) -> Received:
        """The next bytes of a stream, up to those that files came with; `apart`: of one sender only."""
        parts, files, credentials, left = list[bytes](), tuple[OpenFile, ...](), self.messages[0].credentials, size
        for message in list(self.messages):
            if not left or (apart and message.credentials != credentials):
                break
            part = bytes(message.data[:left])
            parts.append(part)
            left -= len(part)
            files = message.files
            hold(files)
            if not peek:
                self._shorten(message, len(part))
            if files:
                break
        data = b"".join(parts)
        return Received(data, len(data), None, credentials, files)

    def _shorten(self, message: Message, size: int) -> None:
        if size == len(message.data):
            self._drop_first()
            return
        del message.data[:size]
        self.size -= size
        self.departures += 1
        self._network.bytes_left += size
        self._network.files_left += len(message.files)
        files, message.files = message.files, ()
        release(files)

    def _drop_first(self) -> None:
        message = self.messages.popleft()
        self.size -= len(message.data)
        self.departures += 1
        self._network.bytes_left += len(message.data) + MESSAGE_BYTES
        self._network.files_left += len(message.files)
        release(message.files)

    def clear(self) -> None:
        """Forget all."""
        while self.messages:
            self._drop_first()


class Socket(OpenFile):
    """A socket of any kind; what a kind cannot do is refused here."""

    def __init__(self, network: Network, family: int, kind: int, protocol: int, flags: int, inode: int) -> None:
        super().__init__(flags & O_NONBLOCK | O_RDWR)
        self.network, self.family, self.kind, self.protocol = network, family, kind, protocol
        self.options = socket_options.SocketOptions(family, kind)
        self.local: Address | None = None
        self.error: Errno | None = None
        self.is_deaf = self.is_mute = self.is_closed = False  # shut down for reading, for writing
        self.peer_credentials: Credentials = NOBODY
        self.on_release: Callable[[], None] = lambda: None  # gives its name back
        self._inode = inode
        capacity = TCP_BYTES if family != AF_UNIX and kind == SOCK_STREAM else UNIX_BYTES
        self.inbox = Inbox(network, capacity, merges=kind == SOCK_STREAM)
        network.enlist(self)

    @property
    def is_stream(self) -> bool:
        """Whether bytes are no messages."""
        return self.kind == SOCK_STREAM

    def before_fault(self, readable: int, size: int) -> int:
        """As `OpenFile`: streams take pieces (unix_stream_sendmsg; of TCP those of its page fragments)."""
        piece = _UNIX_PIECE if self.family == AF_UNIX else _TCP_PIECE
        return readable // piece * piece if self.is_stream else 0

    @property
    def waits_for_room(self) -> bool:
        """As `OpenFile`."""
        return self.is_stream and not self.flags & O_NONBLOCK

    @property
    def has_messages(self) -> bool:
        """As `OpenFile`."""
        return not self.is_stream

    @property
    def is_local(self) -> bool:
        """Whether it is of AF_UNIX."""
        return self.family == AF_UNIX

    def status(self) -> Status:
        """As `OpenFile`."""
        return Status(mode=stat.S_IFSOCK | 0o777, inode=self._inode)

    def stall(self, until: Callable[[], bool], flags: int, timeout: int = 0) -> LinuxError:
        """What to raise where there is nothing to do until then. A timeout of 0 ns is none."""
        if self.flags & O_NONBLOCK or flags & MSG_DONTWAIT:
            return LinuxError(Errno.EAGAIN)
        return WouldWait(until, self.network.clock.elapsed() + timeout if timeout else None)

    def raise_error(self) -> None:
        """Raises what has gone wrong meanwhile, once."""
        if self.error is not None:
            error, self.error = self.error, None
            raise LinuxError(error)

    @property
    def peer_address(self) -> Address:
        """Raises ENOTCONN."""
        raise LinuxError(Errno.ENOTCONN)

    def listen(self, backlog: int, credentials: Credentials) -> None:
        """listen(2)"""
        raise LinuxError(Errno.EOPNOTSUPP)

    def accept(self, inode: int) -> Socket:
        """The next connection."""
        raise LinuxError(Errno.EOPNOTSUPP)

    def shut_down(self, reading: bool, writing: bool) -> None:
        """shutdown(2)"""
        self.is_deaf |= reading
        self.is_mute |= writing

    def send(self, message: Message, flags: int) -> int:
        """How many bytes of what goes to the other end were taken. Raises what the call does."""
        raise NotImplementedError

    def deliver(self, message: Message) -> None:
        """A message comes from the other end. Raises ENOBUFS and ETOOMANYREFS."""
        self.inbox.put(message)

    def receive(self, size: int, flags: int) -> Received:
        """What has come; nothing at the end. Its files are held for the caller."""
        raise NotImplementedError

    def read(self, size: int) -> bytes:
        """As `OpenFile`."""
        received = self.receive(size, 0)
        release(received.files)
        return received.data

    def write(self, data: bytes) -> int:
        """As `OpenFile`."""
        return self.send(Message(bytearray(data), self.local), 0)

    def available(self) -> int:
        """As `OpenFile`."""
        if self.kind != SOCK_DGRAM or not self.inbox.messages:
            return self.inbox.size
        return len(self.inbox.messages[0].data)

    @property
    def news(self) -> int:
        """As `OpenFile`."""
        return self.inbox.arrivals

    def closed(self) -> None:
        """As `OpenFile`."""
        self.is_closed = True
        self.on_release()
        self.inbox.clear()
