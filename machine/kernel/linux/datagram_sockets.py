"""Sockets without connections: UDP, and AF_UNIX with SOCK_DGRAM."""

from __future__ import annotations

from collections.abc import Callable

from machine.kernel.linux.errors import Errno, LinuxError
from machine.kernel.linux.socket_options import SO_RCVTIMEO, SO_SNDTIMEO
from machine.kernel.linux.sockets import (
    AF_UNIX,
    MESSAGE_BYTES,
    MSG_PEEK,
    POLLERR,
    POLLHUP,
    POLLRDHUP,
    SOCK_DGRAM,
    Address,
    Message,
    Network,
    Received,
    Socket,
    UnixAddress,
    place_of,
)

_LONGEST_QUEUE = 10  # messages that wait for one of AF_UNIX (net.unix.max_dgram_qlen)
_LARGEST_UDP = 65_507


def _nobody() -> Socket | None:
    return None


class DatagramSocket(Socket):
    """A socket whose messages each go to somebody."""

    def __init__(self, network: Network, family: int, kind: int, protocol: int, flags: int, inode: int) -> None:
        super().__init__(network, family, kind, protocol, flags, inode)
        self.target: DatagramSocket | None = None  # of those that connect, in AF_UNIX
        self.target_address: Address | None = None
        self._resolve: Callable[[], Socket | None] = _nobody

    @property
    def peer_address(self) -> Address:
        """As `Socket`."""
        if self.target_address is None:
            raise LinuxError(Errno.ENOTCONN)
        return self.target_address

    def aim(
        self, target: DatagramSocket | None, address: Address | None, resolve: Callable[[], Socket | None] = _nobody
    ) -> None:
        """connect(2); None to do without. `resolve` says who is at an address of UDP when something is sent there."""
        self.target, self.target_address, self._resolve = target, address, resolve

    @property
    def is_full(self) -> bool:
        """Whether one of AF_UNIX takes no more for now."""
        return len(self.inbox.messages) > _LONGEST_QUEUE

    def send(self, message: Message, flags: int) -> int:
        """As `Socket`: to whom it is connected to. Raises EDESTADDRREQ or ENOTCONN for nobody."""
        if self.target_address is None:
            raise LinuxError(Errno.ENOTCONN if self.is_local else Errno.EDESTADDRREQ)
        target = self.target if self.is_local else self._resolve()
        if self.is_local and (target is None or target.is_closed):
            self.aim(None, None)
            raise LinuxError(Errno.ECONNREFUSED)
        return self.send_to(target, message, flags)

    def send_to(self, target: Socket | None, message: Message, flags: int) -> int:
        """Send to somebody, or (UDP) to where nobody is."""
        if not self.is_local:
            self.raise_error()
        size = len(message.data)
        if size > (self.inbox.capacity - 32 if self.is_local else _LARGEST_UDP):
            raise LinuxError(Errno.EMSGSIZE)
        if self.is_mute:
            raise LinuxError(Errno.EPIPE)
        if self.is_local:
            self._check_local(target, flags)
        else:
            self.note(message)
        if isinstance(target, DatagramSocket):
            if self.is_local or target.hears(message):
                target.deliver(message)
        elif self.target_address is not None:
            self.error = Errno.ECONNREFUSED
            self.inbox.arrivals += 1
        return size

    def note(self, message: Message) -> None:
        """A datagram of UDP is on its way."""
        own, there = place_of(message.sender), place_of(message.target or self.target_address)
        if self.network.capture is not None and own and there:
            self.network.capture.datagram(own, there, bytes(message.data))

    def hears(self, message: Message) -> bool:
        """Whether one of UDP takes a message: from whom it is connected to, and as long as there is room."""
        if self.target_address not in (None, message.sender):
            return False
        return self.inbox.room >= len(message.data) + MESSAGE_BYTES * len(self.inbox.messages)

    def _check_local(self, target: Socket | None, flags: int) -> None:
        """Raises ECONNREFUSED, EPERM, EPIPE, and waits for room."""
        if not isinstance(target, DatagramSocket) or target.is_closed:
            raise LinuxError(Errno.ECONNREFUSED)
        if target.target is not None and target.target is not self:
            raise LinuxError(Errno.EPERM)
        if target.is_deaf:
            raise LinuxError(Errno.EPIPE)
        if target.is_full and target is not self:
            timeout = self.options.timeouts[SO_SNDTIMEO]
            raise self.stall(lambda: not target.is_full or target.is_closed or target.is_deaf, flags, timeout)

    def receive(self, size: int, flags: int) -> Received:
        """As `Socket`."""
        if self.inbox.messages:
            return self.inbox.take_message(size, bool(flags & MSG_PEEK))
        self.raise_error()
        if self.is_deaf:
            return Received(b"", 0)

        def goes_on() -> bool:
            return bool(self.inbox.messages) or self.is_deaf or self.error is not None

        raise self.stall(goes_on, flags, self.options.timeouts[SO_RCVTIMEO])

    def at_end(self, size: int, offset: int | None = None) -> bool:
        """As `OpenFile`."""
        return not self.inbox.messages and self.is_deaf

    def shut_down(self, reading: bool, writing: bool) -> None:
        """As `Socket`."""
        super().shut_down(reading, writing)
        if not self.is_local and self.target_address is None:
            raise LinuxError(Errno.ENOTCONN)

    def ready(self) -> tuple[bool, bool, bool]:
        """As `OpenFile`."""
        failed, target = self.error is not None, self.target
        stuck = self.is_local and target is not None and not target.is_closed and target.is_full
        return bool(self.inbox.messages) or self.is_deaf or failed, not stuck, False

    @property
    def other_conditions(self) -> int:
        """As `OpenFile`."""
        result = POLLERR if self.error is not None else 0
        result |= POLLRDHUP if self.is_deaf else 0
        return result | (POLLHUP if self.is_deaf and self.is_mute else 0)

    @property
    def news(self) -> int:
        """As `OpenFile`."""
        return self.inbox.arrivals + (0 if self.target is None else self.target.inbox.departures)


def pair_of_datagrams(network: Network, flags: int, inodes: tuple[int, int]) -> tuple[Socket, Socket]:
    """Two that are connected to each other."""
    one, other = (DatagramSocket(network, AF_UNIX, SOCK_DGRAM, 0, flags, inode) for inode in inodes)
    one.aim(other, UnixAddress(b""))
    other.aim(one, UnixAddress(b""))
    return one, other
