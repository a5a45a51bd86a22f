"""Sockets of AF_NETLINK that list interfaces, addresses and routes (rtnetlink(7)): what `ip` and getifaddrs ask."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Sequence

from machine.kernel.linux.errors import Errno, LinuxError
from machine.kernel.linux.interfaces import Interface
from machine.kernel.linux.socket_options import SO_RCVTIMEO
from machine.kernel.linux.sockets import (
    AF_INET,
    AF_INET6,
    AF_NETLINK,
    MSG_PEEK,
    Message,
    NetlinkAddress,
    Network,
    Received,
    Socket,
)

_HEAD = struct.Struct("<IHHII")  # struct nlmsghdr: length, type, flags, number, sender
_ERROR, _DONE = 2, 3
_MULTI, _ACK, _DUMP = 2, 4, 0x300
_NEW_LINK, _GET_LINK, _NEW_ADDRESS, _GET_ADDRESS, _NEW_ROUTE, _GET_ROUTE = 16, 18, 20, 22, 24, 26
_FIRST, _LAST, _GETTER = 16, 123, 2  # of the types: each object has NEW, DEL, GET and SET
_LOWER_UP = 0x1_0000
_PERMANENT, _MAIN_TABLE = 0x80, 254
_MOST_ROWS = 64  # that one send may ask for
_FOR_EVER = struct.pack("<4I", 0xFFFF_FFFF, 0xFFFF_FFFF, 0, 0)  # a struct ifa_cacheinfo
_SOCKETS = 20  # SOCK_DIAG_BY_FAMILY
_LINK_BYTES, _NAME, _OTHER_NAME = 16, 3, 53  # of a struct ifinfomsg; IFLA_IFNAME, IFLA_ALT_IFNAME
_PIECE = 8192  # bytes of rows, after which another message begins
NETLINK_ROUTE, NETLINK_SOCK_DIAG = 0, 4


class NetlinkSocket(Socket):
    """One of NETLINK_ROUTE, or of NETLINK_SOCK_DIAG: `diagnosis` answers requests about sockets.

    `number` is what it is called where it is not bound.
    """

    def __init__(
        self,
        network: Network,
        kind: int,
        flags: int,
        inode: int,
        number: int,
        present: Sequence[Interface],
        diagnosis: Callable[[bytes], Iterator[bytes] | None] | None = None,
    ) -> None:
        protocol = NETLINK_ROUTE if diagnosis is None else NETLINK_SOCK_DIAG
        super().__init__(network, AF_NETLINK, kind, protocol, flags, inode)
        self._diagnosis = diagnosis
        self.number = number
        self._present = present

    def bind(self, address: NetlinkAddress) -> None:
        """Raises EINVAL where it is bound to another number."""
        if isinstance(self.local, NetlinkAddress) and address.port not in (0, self.local.port):
            raise LinuxError(Errno.EINVAL)
        self.local = NetlinkAddress(address.port or self.number)

    def send(self, message: Message, flags: int) -> int:
        """As `Socket`: the kernel answers."""
        if self.local is None:
            self.bind(NetlinkAddress(0))
        data, position = bytes(message.data), 0
        for _ in range(_MOST_ROWS):
            if len(data) - position < _HEAD.size:
                break
            size, kind, wanted, number, _ = _HEAD.unpack_from(data, position)
            if not _HEAD.size <= size <= len(data) - position:
                break
            self._answer(data[position : position + size], kind, wanted, number)
            position += size + 3 & ~3
        return len(data)

    def _answer(self, asked: bytes, kind: int, wanted: int, number: int) -> None:
        if self._diagnosis is not None:
            self._tell_of_sockets(asked, kind, wanted, number)
            return
        family = asked[_HEAD.size] if len(asked) > _HEAD.size else 0
        rows = {_GET_LINK: self._links, _GET_ADDRESS: self._addresses, _GET_ROUTE: self._routes}.get(kind)
        if rows is not None and wanted & _DUMP:
            self._tell_rows(kind - _GETTER, number, rows(family))
            return
        if kind == _GET_LINK:
            link = self._link_asked_for(asked)
            if isinstance(link, bytes):
                self.tell(self._part(_NEW_LINK, 0, number, link))
                return
            self.tell(self._part(_ERROR, 0, number, struct.pack("<i", -link) + asked[:16]))
            return
        is_change = _FIRST <= kind <= _LAST and kind % 4 != _GETTER
        error = Errno.EPERM if is_change else Errno.EOPNOTSUPP
        if kind >= _FIRST or wanted & _ACK:
            self.tell(self._part(_ERROR, 0, number, struct.pack("<i", -error if kind >= _FIRST else 0) + asked[:16]))

    def _tell_of_sockets(self, asked: bytes, kind: int, wanted: int, number: int) -> None:
        found = (
            self._diagnosis(asked[_HEAD.size :]) if self._diagnosis and kind == _SOCKETS and wanted & _DUMP else None
        )
        if found is None:
            self.tell(self._part(_ERROR, 0, number, struct.pack("<i", -Errno.EINVAL) + asked[:16]))
        else:
            self._tell_rows(_SOCKETS, number, found)

    def _tell_rows(self, kind: int, number: int, rows: Iterator[bytes]) -> None:
        """In messages of some size, and that these were all."""
        piece = b""
        for body in rows:
            piece += self._part(kind, _MULTI, number, body.ljust(len(body) + 3 & ~3, b"\0"))
            if len(piece) > _PIECE:
                self.tell(piece)
                piece = b""
        self.tell(piece)
        self.tell(self._part(_DONE, _MULTI, number, bytes(4)))

    def _part(self, kind: int, flags: int, number: int, body: bytes) -> bytes:
        assert isinstance(self.local, NetlinkAddress)
        return _HEAD.pack(_HEAD.size + len(body), kind, flags, number, self.local.port) + body

    def tell(self, data: bytes) -> None:
        """A message of the kernel's comes. Raises ENOBUFS."""
        if data:
            self.deliver(Message(bytearray(data), NetlinkAddress(0)))

    def _link_asked_for(self, asked: bytes) -> bytes | Errno:
        """The interface of an index or a name (struct ifinfomsg, IFLA_IFNAME), or what is wrong with the question."""
        if len(asked) < _HEAD.size + _LINK_BYTES:
            return Errno.EINVAL
        (index,) = struct.unpack_from("<i", asked, _HEAD.size + 4)
        name, at = b"", _HEAD.size + _LINK_BYTES
        while at + 4 <= len(asked):
            size, kind = struct.unpack_from("<HH", asked, at)
            if size < 4:
                break
            if kind in (_NAME, _OTHER_NAME):
                name = asked[at + 4 : at + size].partition(b"\0")[0]
            at += size + 3 & ~3
        if index <= 0 and not name:
            return Errno.EINVAL
        for number, row in enumerate(self._links(0), 1):
            if number == index or (index <= 0 and self._present[number - 1].name.encode() == name):
                return row
        return Errno.ENODEV

    def _links(self, family: int) -> Iterator[bytes]:
        for index, one in enumerate(self._present, 1):
            head = struct.pack("<BxHiII", 0, one.device, index, one.flags | _LOWER_UP, 0)
            yield head + b"".join(
                attribute(number, value)
                for number, value in (
                    (3, one.name.encode() + b"\0"), (13, _word(1000)), (16, b"\0" if index == 1 else b"\6"),
                    (17, b"\0"), (4, _word(one.mtu)), (27, _word(0)), (6, b"noqueue\0"), (1, one.hardware),
                    (2, bytes(6) if index == 1 else b"\xff" * 6),
                )
            )  # fmt: skip

    def _addresses(self, family: int) -> Iterator[bytes]:
        for index, one in enumerate(self._present, 1):
            if family in (0, AF_INET):
                scope = 254 if index == 1 else 0
                rows = [(1, one.address), (2, one.address), (3, one.name.encode() + b"\0"), (8, _word(_PERMANENT))]
                rows.append((6, _FOR_EVER))
                rows[2:2] = [(4, one.broadcast)] if any(one.broadcast) else []
                yield _address(AF_INET, _bits(one.mask), scope, index) + b"".join(attribute(*row) for row in rows)
        for index, one in enumerate(self._present, 1):
            if family in (0, AF_INET6):
                rows = [(1, one.address6), (6, _FOR_EVER), (8, _word(_PERMANENT))]
                scope = 254 if index == 1 else 0
                yield _address(AF_INET6, one.prefix6, scope, index) + b"".join(attribute(*row) for row in rows)

    def _routes(self, family: int) -> Iterator[bytes]:
        for index, one in enumerate(self._present[1:], 2) if family in (0, AF_INET) else ():
            network = bytes(own & mask for own, mask in zip(one.address, one.mask, strict=True))
            table, out = attribute(15, _word(_MAIN_TABLE)), attribute(4, _word(index))
            gateway = attribute(5, network[:3] + b"\1")
            yield struct.pack("<8BI", AF_INET, 0, 0, 0, _MAIN_TABLE, 3, 0, 1, 0) + table + gateway + out
            there = attribute(1, network) + attribute(7, one.address)
            yield struct.pack("<8BI", AF_INET, _bits(one.mask), 0, 0, _MAIN_TABLE, 2, 253, 1, 0) + table + there + out

    def receive(self, size: int, flags: int) -> Received:
        """As `Socket`."""
        if self.inbox.messages:
            return self.inbox.take_message(size, bool(flags & MSG_PEEK))
        raise self.stall(lambda: bool(self.inbox.messages), flags, self.options.timeouts[SO_RCVTIMEO])

    def ready(self) -> tuple[bool, bool, bool]:
        """As `OpenFile`."""
        return bool(self.inbox.messages), True, False


def _word(value: int) -> bytes:
    return struct.pack("<I", value)


def _bits(mask: bytes) -> int:
    return int.from_bytes(mask, "big").bit_count()


def _address(family: int, prefix: int, scope: int, index: int) -> bytes:
    """A struct ifaddrmsg."""
    return struct.pack("<4BI", family, prefix, _PERMANENT, scope, index)


def attribute(number: int, value: bytes) -> bytes:
    """A struct rtattr with what follows."""
    return (struct.pack("<HH", 4 + len(value), number) + value).ljust(4 + (len(value) + 3 & ~3), b"\0")
