"""Packets of GDB's remote serial protocol on a stream of bytes (GDB manual, appendix E.1 "Overview").

`$data#checksum` with two hexadecimal digits of the sum modulo 256; `}` escapes the next byte, which is sent xor 0x20.
Each side acknowledges with `+`, or asks again with `-`, until QStartNoAckMode. A byte 3 outside packets interrupts.
"""

from __future__ import annotations

from collections.abc import Iterator

MOST = 0x4000  # bytes of a packet's data
INTERRUPT = b"\x03"
_ESCAPE, _FLIP = 0x7D, 0x20
_SPECIAL = frozenset(b"$#}*")


def framed(data: bytes) -> bytes:
    """A packet."""
    escaped = bytearray()
    for byte in data:
        escaped += bytes((_ESCAPE, byte ^ _FLIP)) if byte in _SPECIAL else bytes((byte,))
    return b"$%b#%02x" % (bytes(escaped), sum(escaped) & 0xFF)


def unescaped(data: bytes) -> bytes:
    """The data of a packet as it was meant."""
    plain, position = bytearray(), 0
    while position < len(data):
        if data[position] == _ESCAPE and position + 1 < len(data):
            position += 1
            plain.append(data[position] ^ _FLIP)
        else:
            plain.append(data[position])
        position += 1
    return bytes(plain)


class Reader:
    """Takes bytes as they come and gives the packets in them; what is too long or damaged is refused."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[tuple[str, bytes]]:
        """What is complete: ("packet", data), ("damaged", b""), ("interrupt", b"") and ("again", b"") for a `-`."""
        self._buffer += data
        while self._buffer:
            first = self._buffer[0]
            if first != ord("$"):
                del self._buffer[0]
                if first == INTERRUPT[0]:
                    yield "interrupt", b""
                elif first == ord("-"):
                    yield "again", b""
                continue
            end = self._buffer.find(b"#")
            if end < 0 or len(self._buffer) < end + 3:
                if len(self._buffer) > 2 * MOST + 8:
                    self._buffer.clear()
                    yield "damaged", b""
                return
            body, digits = bytes(self._buffer[1:end]), bytes(self._buffer[end + 1 : end + 3])
            del self._buffer[: end + 3]
            if digits.lower() != b"%02x" % (sum(body) & 0xFF):
                yield "damaged", b""
            else:
                yield "packet", unescaped(body)
