"""Who is where: addresses of sockets as programs write them, ports of loopback, names of AF_UNIX.

Loopback (127.0.0.0/8 and ::1) is all that there is of the network, but for the hosts of a script (`--net`) and the
address that the guests have for them.
"""

from __future__ import annotations

import struct

from machine.kernel.linux.errors import Errno, LinuxError
from machine.kernel.linux.interfaces import GUEST, GUEST6
from machine.kernel.linux.nodes import Node
from machine.kernel.linux.paths import find
from machine.kernel.linux.socket_options import SO_REUSEADDR, SO_REUSEPORT
from machine.kernel.linux.sockets import (
    AF_INET,
    AF_INET6,
    AF_NETLINK,
    AF_UNIX,
    SOCK_DGRAM,
    SOCK_STREAM,
    Address,
    InetAddress,
    NetlinkAddress,
    Network,
    Socket,
    UnixAddress,
)
from machine.kernel.linux.stream_sockets import StreamSocket
from machine.kernel.linux.task import Task

LONGEST_ADDRESS = 128  # sockaddr_storage
_UNIX_BYTES = 108
_FIRST_FREE_PORT = 1024  # for whoever is not root
ANY, ANY6, LOOPBACK, LOOPBACK6 = bytes(4), bytes(16), bytes((127, 0, 0, 1)), bytes(15) + b"\1"
_MAPPED = bytes(10) + b"\xff\xff"


def family_of(raw: bytes) -> int:
    """The family of an address that a program has written. Raises EINVAL."""
    if len(raw) < 2:
        raise LinuxError(Errno.EINVAL)
    return int.from_bytes(raw[:2], "little")


def decode(family: int, raw: bytes, wrong: Errno = Errno.EAFNOSUPPORT) -> Address:
    """The address in a sockaddr for a socket of this family. Raises EINVAL, and `wrong` for another family."""
    shortest = {AF_UNIX: 2, AF_INET: 16, AF_INET6: 24, AF_NETLINK: 12}[family]
    if len(raw) < shortest or (family == AF_UNIX and len(raw) > 2 + _UNIX_BYTES):
        raise LinuxError(Errno.EINVAL)
    if family_of(raw) != family:
        raise LinuxError(Errno.EINVAL if family == AF_UNIX else wrong)
    if family == AF_UNIX:
        name = raw[2:]
        return UnixAddress(name if name[:1] == b"\0" else name.split(b"\0")[0])
    if family == AF_NETLINK:
        return NetlinkAddress(int.from_bytes(raw[4:8], "little"))
    (port,) = struct.unpack_from(">H", raw, 2)
    host = raw[4:8] if family == AF_INET else raw[8:24]
    return InetAddress(host[12:] if host.startswith(_MAPPED) else host, port)


def encode(family: int, address: Address | None) -> bytes:
    """The sockaddr that a socket of this family tells."""
    head = struct.pack("<H", family)
    if isinstance(address, UnixAddress) or (address is None and family == AF_UNIX):
        name = b"" if address is None else address.name
        return head + (name + b"\0" if name and name[0] else name)
    if isinstance(address, NetlinkAddress) or family == AF_NETLINK:
        return head + struct.pack("<HII", 0, address.port if isinstance(address, NetlinkAddress) else 0, 0)
    host, port = (ANY, 0) if address is None else (address.host, address.port)
    if family == AF_INET:
        return head + struct.pack(">H", port) + host + bytes(8)
    wide = host if len(host) == 16 else ANY6 if host == ANY else _MAPPED + host
    return head + struct.pack(">HI", port, 0) + wide + bytes(4)


# --- ports


def _is_any(host: bytes) -> bool:
    return not any(host)


def _is_loopback(host: bytes) -> bool:
    return host == LOOPBACK6 or (len(host) == 4 and host[0] == 127)


def _is_here(network: Network, host: bytes) -> bool:
    """Whether a host is the guests' own machine."""
    return _is_any(host) or _is_loopback(host) or (network.outside is not None and host in (GUEST, GUEST6))


def _check_family(socket: Socket, host: bytes, wrong: Errno) -> None:
    """IPv4 hosts of IPv6 sockets. Raises `wrong` where the socket has none."""
    if socket.family == AF_INET6 and len(host) == 4 and socket.options.only_ipv6:
        raise LinuxError(wrong)


def _hears(socket: Socket, host: bytes) -> bool:
    """Whether a bound socket is at this host: which is one of its own, or any that it has."""
    assert isinstance(socket.local, InetAddress)
    own = socket.local.host
    if not _is_any(own):
        return own == host
    return len(own) == len(host) or (len(own) == 16 and not socket.options.only_ipv6)


def _collides(socket: Socket, other: Socket, host: bytes) -> bool:
    """Whether two cannot be bound to one port."""
    assert isinstance(other.local, InetAddress)
    both = [socket.options.is_set(name) and other.options.is_set(name) for name in (SO_REUSEADDR, SO_REUSEPORT)]
    listens = isinstance(other, StreamSocket) and other.backlog is not None
    if both[1] or (both[0] and not listens):
        return False
    theirs = other.local.host
    if theirs == host:
        return True
    wide, narrow = (host, theirs) if _is_any(host) else (theirs, host)
    if not _is_any(wide):
        return False
    only = (socket if wide is host else other).options.only_ipv6
    return len(wide) == len(narrow) or (len(wide) == 16 and not only)


def bind_port(task: Task, socket: Socket, address: InetAddress) -> None:
    """Raises EINVAL, EACCES, EADDRNOTAVAIL and EADDRINUSE."""
    _check_family(socket, address.host, Errno.EINVAL)
    if not _is_here(task.network, address.host):
        raise LinuxError(Errno.EADDRNOTAVAIL)
    if socket.local is not None:
        raise LinuxError(Errno.EINVAL)
    if 0 < address.port < _FIRST_FREE_PORT and task.user:
        raise LinuxError(Errno.EACCES)
    network = task.network
    port = address.port or network.new_port(socket.kind)
    if any(_collides(socket, other, address.host) for other in network.ports.get((socket.kind, port), ())):
        raise LinuxError(Errno.EADDRINUSE)
    settle(network, socket, InetAddress(address.host, port))


def settle(network: Network, socket: Socket, address: InetAddress) -> None:
    """A socket has this address until it is closed."""
    socket.local = address
    rows = network.ports.setdefault((socket.kind, address.port), [])
    rows.append(socket)

    def let_go() -> None:
        rows.remove(socket)
        if not rows:
            network.ports.pop((socket.kind, address.port), None)

    socket.on_release = let_go


def require_port(task: Task, socket: Socket, host: bytes | None = None) -> None:
    """A port for one that is not bound, and a host of its own where one is given."""
    if socket.local is None:
        own = host or (ANY if socket.family == AF_INET else ANY6)
        settle(task.network, socket, InetAddress(own, task.network.new_port(socket.kind)))
    elif host is not None and isinstance(socket.local, InetAddress):
        socket.local = InetAddress(host, socket.local.port)


def own_host(socket: Socket, host: bytes) -> bytes:
    """From where a socket speaks to this host."""
    if isinstance(socket.local, InetAddress) and not _is_any(socket.local.host):
        return socket.local.host
    if _is_any(host) or _is_loopback(host):
        return LOOPBACK if len(host) == 4 else LOOPBACK6
    return GUEST if len(host) == 4 else GUEST6


def reachable(network: Network, socket: Socket, address: InetAddress) -> InetAddress:
    """Where a socket can send to. Raises ENETUNREACH for all but the own machine and the hosts of a script."""
    host = address.host
    _check_family(socket, host, Errno.ENETUNREACH)
    if _is_any(host):
        host = LOOPBACK if len(host) == 4 else LOOPBACK6
    is_known = network.outside is not None and network.outside.knows(address, socket.kind)
    if not _is_here(network, host) and not is_known:
        raise LinuxError(Errno.ENETUNREACH)
    return InetAddress(host, address.port)


def at_port(network: Network, kind: int, address: InetAddress, sender: Address | None = None) -> Socket | None:
    """Who listens, or is bound, there: who is connected to the sender first, then who has that very host."""
    rows = [row for row in network.ports.get((kind, address.port), ()) if _hears(row, address.host)]
    if kind == SOCK_STREAM:
        rows = [row for row in rows if isinstance(row, StreamSocket) and row.backlog is not None]

    def fitness(socket: Socket) -> tuple[bool, bool, bool]:
        assert isinstance(socket.local, InetAddress)
        aims = getattr(socket, "target_address", None)
        return aims is not None and aims == sender, not _is_any(socket.local.host), aims is None

    found = max(reversed(rows), key=fitness, default=None)
    if found is None and network.outside is not None and kind == SOCK_DGRAM:
        return network.outside.datagrams(network, address, lambda to, own: at_port(network, kind, to, own))
    return found


# --- names of AF_UNIX


def bind_name(task: Task, socket: Socket, address: UnixAddress) -> None:
    """Raises EINVAL, EADDRINUSE, and what making a name in a directory does."""
    network = task.network
    if not address.name:
        if socket.local is None:
            _settle_abstract(network, socket, network.new_name())
        return
    if socket.local is not None:
        raise LinuxError(Errno.EINVAL)
    if not address.name[0]:
        if address.name in network.abstract:
            raise LinuxError(Errno.EADDRINUSE)
        _settle_abstract(network, socket, address.name)
        return
    location = task.location
    spot = find(task.space.work, location.root, location.directory, address.name, follow=False)
    if spot.place is not None:
        raise LinuxError(Errno.EADDRINUSE)
    node = spot.directory.node.make_socket(spot.name, 0o777 & ~location.umask)
    socket.local, network.named[node] = address, socket
    socket.on_release = lambda: _forget(network, node)


def _settle_abstract(network: Network, socket: Socket, name: bytes) -> None:
    network.abstract[name], socket.local = socket, UnixAddress(name)
    socket.on_release = lambda: _forget_abstract(network, name)


def _forget(network: Network, node: Node) -> None:
    network.named.pop(node, None)


def _forget_abstract(network: Network, name: bytes) -> None:
    network.abstract.pop(name, None)


def at_name(task: Task, address: UnixAddress) -> Socket:
    """Who has a name. Raises ECONNREFUSED, EINVAL, and what a path does."""
    if not address.name:
        raise LinuxError(Errno.EINVAL)
    if not address.name[0]:
        found = task.network.abstract.get(address.name)
    else:
        location = task.location
        place = find(task.space.work, location.root, location.directory, address.name).existing()
        found = task.network.named.get(place.node)
    if found is None:
        raise LinuxError(Errno.ECONNREFUSED)
    return found
