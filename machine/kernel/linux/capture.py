"""What goes over a machine's TCP and UDP as a capture file (pcap, link type RAW): headers are made up."""

from __future__ import annotations

import struct
from collections.abc import Callable

import msgspec

_MAGIC_NANOSECONDS, _RAW = 0xA1B2_3C4D, 101
_HEADER = struct.pack("<IHHiIII", _MAGIC_NANOSECONDS, 2, 4, 0, 0, 1 << 18, _RAW)
_LARGEST = 65_000  # bytes of one segment
_TCP, _UDP = 6, 17
FIN, SYN, PUSH, ACK = 1, 2, 8, 0x10
_WINDOW = 65_535
Place = tuple[bytes, int]  # a host and a port


def _sum(data: bytes) -> int:
    """The Internet checksum (RFC 1071)."""
    padded = data + bytes(len(data) % 2)
    total: int = sum(struct.unpack(f">{len(padded) // 2}H", padded))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


class Capture(msgspec.Struct):
    """A file in memory, of `most` bytes. A packet that has no room is left out, and so are all behind it."""

    most: int
    data: bytearray = msgspec.field(default_factory=lambda: bytearray(_HEADER))
    is_full: bool = False
    now: Callable[[], int] = lambda: 0  # nanoseconds since 1970
    _sent: dict[tuple[Place, Place], int] = msgspec.field(default_factory=dict)  # the next sequence number each way
    _ended: set[tuple[Place, Place]] = msgspec.field(default_factory=set)

    def begins(self, client: Place, server: Place) -> None:
        """A connection: three segments."""
        self._sent[client, server] = self._sent[server, client] = 0
        self._ended -= {(client, server), (server, client)}
        self._segment(client, server, SYN)
        self._segment(server, client, SYN | ACK)
        self._segment(client, server, ACK)

    def carries(self, source: Place, target: Place, data: bytes) -> None:
        """Bytes of a connection."""
        for start in range(0, len(data), _LARGEST):
            self._segment(source, target, PUSH | ACK, data[start : start + _LARGEST])

    def ends(self, source: Place, target: Place) -> None:
        """One direction of a connection; said once."""
        if (source, target) not in self._ended:
            self._ended.add((source, target))
            self._segment(source, target, FIN | ACK)

    def datagram(self, source: Place, target: Place, data: bytes) -> None:
        """A datagram of UDP."""
        head = struct.pack(">HHHH", source[1], target[1], 8 + len(data), 0)
        self._packet(source[0], target[0], _UDP, head, 6, data)

    def _segment(self, source: Place, target: Place, flags: int, data: bytes = b"") -> None:
        number, other = self._sent.get((source, target), 0), self._sent.get((target, source), 0)
        self._sent[source, target] = (number + len(data) + bool(flags & (SYN | FIN))) & 0xFFFF_FFFF
        told = other if flags & ACK else 0
        head = struct.pack(">HHIIBBHHH", source[1], target[1], number, told, 5 << 4, flags, _WINDOW, 0, 0)
        self._packet(source[0], target[0], _TCP, head, 16, data)

    def _packet(self, source: bytes, target: bytes, protocol: int, head: bytes, place: int, data: bytes) -> None:
        if len(source) != len(target):
            source, target = (host if len(host) == 16 else bytes(10) + b"\xff\xff" + host for host in (source, target))
        size = len(head) + len(data)
        pseudo = source + target + struct.pack(">IHBB", size, 0, 0, protocol)
        check = _sum(pseudo + head + data) or 0xFFFF
        body = head[:place] + struct.pack(">H", check) + head[place + 2 :] + data
        if len(source) == 4:
            outer = struct.pack(">BBHHHBBH", 0x45, 0, 20 + size, 0, 0x4000, 64, protocol, 0) + source + target
            outer = outer[:10] + struct.pack(">H", _sum(outer)) + outer[12:]
        else:
            outer = struct.pack(">IHBB", 6 << 28, size, protocol, 64) + source + target
        whole = len(outer) + len(body)
        if self.is_full or len(self.data) + 16 + whole > self.most:
            self.is_full = True
            return
        seconds, rest = divmod(self.now(), 1_000_000_000)
        self.data += struct.pack("<IIII", seconds & 0xFFFF_FFFF, rest, whole, whole) + outer + body
