"""Sockets of AF_NETLINK that list interfaces, addresses and routes (rtnetlink(7)): what `ip` and getifaddrs ask."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence

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


class NetlinkSocket(Socket):
    """One of NETLINK_ROUTE; `number` is what it is called where it is not bound."""

    def __init__(
        self, network: Network, kind: int, flags: int, inode: int, number: int, present: Sequence[Interface]
    ) -> None:
        super().__init__(network, AF_NETLINK, kind, 0, flags, inode)
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
        family = asked[_HEAD.size] if len(asked) > _HEAD.size else 0
        rows = {_GET_LINK: self._links, _GET_ADDRESS: self._addresses, _GET_ROUTE: self._routes}.get(kind)
        if rows is not None and wanted & _DUMP:
            parts = [self._part(kind - _GETTER, _MULTI, number, body) for body in rows(family)]
            self.tell(b"".join(parts))
            self.tell(self._part(_DONE, _MULTI, number, bytes(4)))
            return
        is_change = _FIRST <= kind <= _LAST and kind % 4 != _GETTER
        error = Errno.EPERM if is_change else Errno.EOPNOTSUPP
        if kind >= _FIRST or wanted & _ACK:
            self.tell(self._part(_ERROR, 0, number, struct.pack("<i", -error if kind >= _FIRST else 0) + asked[:16]))

    def _part(self, kind: int, flags: int, number: int, body: bytes) -> bytes:
        assert isinstance(self.local, NetlinkAddress)
        return _HEAD.pack(_HEAD.size + len(body), kind, flags, number, self.local.port) + body

    def tell(self, data: bytes) -> None:
        """A message of the kernel's comes. Raises ENOBUFS."""
        if data:
            self.deliver(Message(bytearray(data), NetlinkAddress(0)))

    def _links(self, family: int) -> Iterator[bytes]:
        for index, one in enumerate(self._present, 1):
            head = struct.pack("<BxHiII", 0, one.device, index, one.flags | _LOWER_UP, 0)
            yield head + b"".join(
                _attribute(number, value)
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
                rows[2:2] = [(4, one.broadcast)] if any(one.broadcast) else []
                yield _address(AF_INET, _bits(one.mask), scope, index) + b"".join(_attribute(*row) for row in rows)
        for index, one in enumerate(self._present, 1):
            if family in (0, AF_INET6):
                rows = [(1, one.address6), (8, _word(_PERMANENT))]
                scope = 254 if index == 1 else 0
                yield _address(AF_INET6, one.prefix6, scope, index) + b"".join(_attribute(*row) for row in rows)

    def _routes(self, family: int) -> Iterator[bytes]:
        for index, one in enumerate(self._present[1:], 2) if family in (0, AF_INET) else ():
            network = bytes(own & mask for own, mask in zip(one.address, one.mask, strict=True))
            table, out = _attribute(15, _word(_MAIN_TABLE)), _attribute(4, _word(index))
            gateway = _attribute(5, network[:3] + b"\1")
            yield struct.pack("<8BI", AF_INET, 0, 0, 0, _MAIN_TABLE, 3, 0, 1, 0) + table + gateway + out
            there = _attribute(1, network) + _attribute(7, one.address)
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


def _attribute(number: int, value: bytes) -> bytes:
    """A struct rtattr with what follows."""
    return (struct.pack("<HH", 4 + len(value), number) + value).ljust(4 + (len(value) + 3 & ~3), b"\0")
