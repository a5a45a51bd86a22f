"""The sockets of all guests as /proc/net and NETLINK_SOCK_DIAG tell them (net/ipv4/tcp_ipv4.c, sock_diag(7)).

Addresses of kernel memory are zero, as they are for users. Nothing waits to be sent: what is sent has come.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from functools import partial

import msgspec

from machine.kernel.linux.netlink_sockets import NetlinkSocket
from machine.kernel.linux.socket_names import encode
from machine.kernel.linux.sockets import (
    AF_INET,
    AF_INET6,
    AF_UNIX,
    SOCK_DGRAM,
    SOCK_STREAM,
    Address,
    InetAddress,
    Network,
    Socket,
    UnixAddress,
)
from machine.kernel.linux.stream_sockets import StreamSocket
from machine.memory import PER_ITEM, KernelWork

ESTABLISHED, FIN_WAIT2, CLOSE, CLOSE_WAIT, LISTEN = 1, 5, 7, 8, 10  # states of TCP, which all kinds have
_TCP_WIDTH, _UDP_WIDTH = 149, 127
_NO_KERNEL_ADDRESS = "0" * 16
_LISTENS_FLAG = 0x1_0000  # __SO_ACCEPTCON
_CONNECTED, _UNCONNECTED = 3, 1  # SS_*
_LISTENING_TIMES, _CONNECTED_TIMES = "100 0 0 10 0", "20 4 30 10 -1"  # of /proc/net/tcp
_ADDRESSES = "local_address rem_address  "
_ADDRESSES6 = "local_address                         remote_address                       "
_COLUMNS = "st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode"
_KINDS = {name: "" if name == "tcp" else " ref pointer drops" for name in "tcp udp raw".split()}  # noqa: SIM905
_HEADS = {
    f"{name}{wide}": f"{'   sl' if (name, wide) == ('udp', '') else '  sl'}  {addresses} {_COLUMNS}{more}"
    for wide, addresses in (("", _ADDRESSES), ("6", _ADDRESSES6))
    for name, more in _KINDS.items()
}


def state(socket: Socket) -> int:
    """The state of TCP that a socket is in; those of other kinds are connected, listen, or are neither."""
    if not isinstance(socket, StreamSocket):
        return ESTABLISHED if remote(socket) is not None else CLOSE
    if socket.backlog is not None:
        return LISTEN
    if socket.peer is None:
        return CLOSE
    if socket.is_local:
        return ESTABLISHED
    if socket.is_mute:
        return FIN_WAIT2
    return CLOSE_WAIT if socket.peer.is_closed or socket.peer.is_mute else ESTABLISHED


def remote(socket: Socket) -> Address | None:
    """The address of the other end."""
    peer = getattr(socket, "peer", None)
    if isinstance(peer, Socket):
        return peer.local
    found = getattr(socket, "target_address", None)
    return found if isinstance(found, InetAddress | UnixAddress) else None


def listed(network: Network, family: int, kind: int) -> list[Socket]:
    """Those that tables have: of UDP the ones with a port, of TCP the ones that listen or are connected."""
    found = [each for each in network.living() if each.family == family and each.kind == kind]
    if family == AF_UNIX:
        return found
    if kind == SOCK_DGRAM:
        return [each for each in found if each.local is not None]
    return sorted((each for each in found if state(each) != CLOSE), key=lambda each: state(each) != LISTEN)


def waiting(socket: Socket) -> int:
    """The bytes that were not read; of one that listens the connections that nobody has accepted."""
    return (
        socket.waiting_connections
        if isinstance(socket, StreamSocket) and state(socket) == LISTEN
        else socket.inbox.size
    )


# --- /proc/net


def _shown(family: int, address: Address | None) -> str:
    """An address as words of the machine, and the port."""
    raw = encode(family, address)
    host = raw[4:8] if family == AF_INET else raw[8:24]
    words = "".join(f"{word:08X}" for (word,) in struct.iter_unpack("<I", host))
    return f"{words}:{int.from_bytes(raw[2:4], 'big'):04X}"


def _internet(name: str, network: Network, user: int) -> str:
    """`tcp`, `tcp6`, `udp`, `udp6`; of `raw` and `raw6` there are none."""
    family = AF_INET6 if name.endswith("6") else AF_INET
    is_stream, is_datagram = name.startswith("tcp"), name.startswith("udp")
    kind = SOCK_STREAM if is_stream else SOCK_DGRAM
    sockets = listed(network, family, kind) if is_stream or is_datagram else []
    lines = [_HEADS[name]]
    for at, one in enumerate(sockets):
        head = f"{at:4d}" if is_stream else f"{at:5d}"
        times = _LISTENING_TIMES if state(one) == LISTEN else _CONNECTED_TIMES
        tail = f"1 {_NO_KERNEL_ADDRESS} {times}" if is_stream else f"2 {_NO_KERNEL_ADDRESS} 0"
        lines.append(
            f"{head}: {_shown(family, one.local)} {_shown(family, remote(one))} {state(one):02X} "
            f"00000000:{waiting(one):08X} 00:00000000 00000000 {user:5d}        0 {one.status().inode} {tail}"
        )
    width = {"tcp": _TCP_WIDTH, "udp": _UDP_WIDTH}.get(name, 0)
    return "".join(f"{line:<{width}}\n" for line in lines)


def _local(network: Network) -> str:
    """/proc/net/unix"""
    lines = ["Num       RefCount Protocol Flags    Type St Inode Path"]
    for one in _local_sockets(network):
        flags = _LISTENS_FLAG if state(one) == LISTEN else 0
        is_connected = state(one) == ESTABLISHED
        name = one.local.name if isinstance(one.local, UnixAddress) else b""
        path = " " + name.replace(b"\0", b"@").decode("utf-8", "surrogateescape") if name else ""
        count = 2 + is_connected
        lines.append(
            f"{_NO_KERNEL_ADDRESS}: {count:08X} 00000000 {flags:08X} {one.kind:04X} "
            f"{_CONNECTED if is_connected else _UNCONNECTED:02X} {one.status().inode:5d}{path}"
        )
    return "".join(f"{line}\n" for line in lines)


def _local_sockets(network: Network) -> list[Socket]:
    return [each for each in network.living() if each.family == AF_UNIX]


def _netlink(network: Network) -> str:
    """/proc/net/netlink"""
    lines = ["sk               Eth Pid        Groups   Rmem     Wmem     Dump  Locks    Drops    Inode"]
    for one in network.living():
        if isinstance(one, NetlinkSocket):
            port = struct.unpack_from("<I", encode(one.family, one.local), 4)[0]
            lines.append(
                f"{_NO_KERNEL_ADDRESS} {one.protocol:<3d} {port:<10d} 00000000 {one.inbox.size:<8d} 0        0     "
                f"2        0        {one.status().inode:<8d}"
            )
    return "".join(f"{line}\n" for line in lines)


def _counts(network: Network) -> str:
    """/proc/net/sockstat"""
    streams, datagrams = (listed(network, AF_INET, kind) for kind in (SOCK_STREAM, SOCK_DGRAM))
    return (
        f"sockets: used {len(network.living())}\nTCP: inuse {len(streams)} orphan 0 tw 0 alloc {len(streams)} mem 0\n"
        f"UDP: inuse {len(datagrams)} mem 0\nUDPLITE: inuse 0\nRAW: inuse 0\nFRAG: inuse 0 memory 0\n"
    )


# By the names of the files: what is told of a network whose sockets are a user's.
TABLES: dict[str, Callable[[Network, int], str]] = {
    **{name: partial(_internet, name) for name in _HEADS},
    "unix": lambda network, user: _local(network),
    "netlink": lambda network, user: _netlink(network),
    "sockstat": lambda network, user: _counts(network),
}


# --- NETLINK_SOCK_DIAG

_Attribute = Callable[[int, bytes], bytes]
_INTERNET_REQUEST, _LOCAL_REQUEST = struct.Struct("<BBBxI"), struct.Struct("<BBxxIIIII")
_SHOWS_NAME, _SHOWS_PEER, _SHOWS_QUEUES = 1, 4, 16  # UDIAG_SHOW_*
_NAME, _PEER, _QUEUES, _SHUTDOWN = 0, 2, 4, 6  # UNIX_DIAG_*
_TCP, _UDP = 6, 17


class Diagnosis(msgspec.Struct, frozen=True):
    """What answers questions about sockets; `attribute` makes a struct rtattr. Looking at a socket is work."""

    network: Network
    work: KernelWork
    user: int
    attribute: _Attribute

    def rows(self, asked: bytes) -> Iterator[bytes] | None:
        """The answers to a request behind its header; None for one that is too short."""
        self.work.charge(PER_ITEM * len(self.network.everybody))
        if asked[:1] == bytes([AF_UNIX]) and len(asked) >= _LOCAL_REQUEST.size:
            return self._local(*_LOCAL_REQUEST.unpack_from(asked)[2:5:2])
        if len(asked) < _INTERNET_REQUEST.size:
            return None
        family, protocol, _, states = _INTERNET_REQUEST.unpack_from(asked)
        return self._internet(family, protocol, states)

    def _internet(self, family: int, protocol: int, states: int) -> Iterator[bytes]:
        kind = {_TCP: SOCK_STREAM, _UDP: SOCK_DGRAM}.get(protocol)
        for each in listed(self.network, family, kind) if kind and family in (AF_INET, AF_INET6) else ():
            if not states >> state(each) & 1:
                continue
            own, there = (encode(family, address) for address in (each.local, remote(each)))
            hosts = [(raw[4:8] if family == AF_INET else raw[8:24]).ljust(16, b"\0") for raw in (own, there)]
            inode = each.status().inode
            yield struct.pack(
                "<4B2s2s16s16sI2I", family, state(each), 0, 0, own[2:4], there[2:4], *hosts, 0, inode, 0
            ) + (struct.pack("<5I", 0, waiting(each), self._room(each), self.user, inode))

    @staticmethod
    def _room(one: Socket) -> int:
        """Of one that listens how many connections may wait."""
        return one.backlog if isinstance(one, StreamSocket) and one.backlog is not None else 0

    def _local(self, states: int, shown: int) -> Iterator[bytes]:
        for each in _local_sockets(self.network):
            if not states >> state(each) & 1:
                continue
            row = struct.pack("<4B3I", AF_UNIX, each.kind, state(each), 0, each.status().inode, each.status().inode, 0)
            name = each.local.name if isinstance(each.local, UnixAddress) else b""
            peer = getattr(each, "peer", None)
            if shown & _SHOWS_NAME and name:
                row += self.attribute(_NAME, name)
            if shown & _SHOWS_PEER and isinstance(peer, Socket) and not peer.is_closed:
                row += self.attribute(_PEER, struct.pack("<I", peer.status().inode))
            if shown & _SHOWS_QUEUES:
                row += self.attribute(_QUEUES, struct.pack("<2I", waiting(each), self._room(each)))
            yield row + self.attribute(_SHUTDOWN, bytes([each.is_deaf | 2 * each.is_mute]))
