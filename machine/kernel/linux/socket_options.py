"""The options of sockets: what getsockopt tells, setsockopt takes (asm-generic/socket.h, linux/{tcp,in}.h)."""

from __future__ import annotations

import struct

from machine.kernel.linux.errors import Errno, LinuxError, Refused

SOL_SOCKET, SOL_IP, SOL_TCP, SOL_UDP, SOL_IPV6 = 1, 0, 6, 17, 41
SO_REUSEADDR, SO_TYPE, SO_ERROR, SO_SNDBUF, SO_RCVBUF, SO_LINGER, SO_REUSEPORT = 2, 3, 4, 7, 8, 13, 15
SO_PASSCRED, SO_PEERCRED, SO_RCVTIMEO, SO_SNDTIMEO, SO_ACCEPTCONN, SO_PROTOCOL, SO_DOMAIN = 16, 17, 20, 21, 30, 38, 39
TELLING = frozenset((SO_TYPE, SO_ERROR, SO_PEERCRED, SO_ACCEPTCONN, SO_PROTOCOL, SO_DOMAIN))  # a socket answers them
_IPV6_V6ONLY = 26
SOL_NETLINK = 270
_INET6, _NETLINK, _STREAM, _DGRAM = 10, 16, 1, 2

_LEAST_BUFFER = {SO_SNDBUF: 4608, SO_RCVBUF: 2304}
_LARGEST_BUFFER = 212_992  # net.core.wmem_max; what is set is doubled

# By level: the options that are numbers, with what they are at first. Those of _SWITCHES are 0 or 1.
_NUMBERS: dict[int, dict[int, int]] = {
    SOL_SOCKET: {
        1: 0, SO_REUSEADDR: 0, 5: 0, 6: 0, SO_SNDBUF: 212_992, SO_RCVBUF: 212_992, 9: 0, 10: 0, 11: 0, 12: 0,
        SO_REUSEPORT: 0, SO_PASSCRED: 0, 18: 1, 29: 0, 35: 0, 36: 0, 46: 0,
    },
    SOL_IP: {1: 0, 2: 64, 8: 0, 10: 1, 11: 0, 12: 0, 13: 0, 24: 0, 33: 1, 34: 1},
    SOL_TCP: {
        1: 0, 2: 536, 3: 0, 4: 7200, 5: 75, 6: 9, 7: 6, 8: 60, 9: 0, 10: 65_536, 12: 1, 18: 0, 23: 0, 30: 0,
    },
    SOL_UDP: {1: 0},
    SOL_NETLINK: {3: 0, 4: 0, 5: 0, 8: 0, 10: 0, 11: 0, 12: 0},
    SOL_IPV6: {16: 64, 18: 1, 19: 1, 23: 1, 25: 0, _IPV6_V6ONLY: 0, 49: 0, 51: 0, 66: 0, 67: 0},
}  # fmt: skip
_SWITCHES = {
    SOL_SOCKET: {1, SO_REUSEADDR, 5, 6, 9, 10, SO_REUSEPORT, SO_PASSCRED, 29, 35},
    SOL_TCP: {1, 3, 12}, SOL_IPV6: {25, _IPV6_V6ONLY, 49},
}  # fmt: skip
# What Linux has by level; what is not above is refused.
_KNOWN = {
    SOL_SOCKET: range(1, 84), SOL_IP: range(1, 53), SOL_TCP: range(1, 47), SOL_UDP: range(100, 105),
    SOL_IPV6: range(1, 81), SOL_NETLINK: range(1, 13),
}  # fmt: skip
_TIMES = (SO_RCVTIMEO, SO_SNDTIMEO)


class SocketOptions:
    """The options of one socket."""

    def __init__(self, family: int, kind: int) -> None:
        self._family, self._kind = family, kind
        self._numbers: dict[tuple[int, int], int] = {}
        self._linger = bytes(8)
        self.timeouts = {SO_RCVTIMEO: 0, SO_SNDTIMEO: 0}  # nanoseconds; 0 for none

    def copy(self) -> SocketOptions:
        """Others, the same at first."""
        twin = SocketOptions(self._family, self._kind)
        twin._numbers, twin._linger, twin.timeouts = dict(self._numbers), self._linger, dict(self.timeouts)
        return twin

    def number(self, level: int, name: int) -> int:
        """Raises ENOPROTOOPT, and EOPNOTSUPP for a level that the socket does not have."""
        levels = {SOL_SOCKET}
        if self._family == _NETLINK:
            levels.add(SOL_NETLINK)
        elif self._family != 1:
            levels.add(SOL_IP)
            levels.add(SOL_TCP if self._kind == _STREAM else SOL_UDP)
        if self._family == _INET6:
            levels.add(SOL_IPV6)
        if level not in levels:
            raise LinuxError(Errno.EOPNOTSUPP if self._family == 1 else Errno.ENOPROTOOPT)
        first = _NUMBERS[level].get(name)
        if first is None:
            raise (Refused if name in _KNOWN[level] else LinuxError)(Errno.ENOPROTOOPT)
        if self._family != 1 and self._kind == _STREAM and level == SOL_SOCKET:
            first = {SO_SNDBUF: 16_384, SO_RCVBUF: 131_072}.get(name, first)
        return self._numbers.get((level, name), first)

    def is_set(self, name: int) -> bool:
        """Whether a switch of SOL_SOCKET is on."""
        return bool(self.number(SOL_SOCKET, name))

    @property
    def only_ipv6(self) -> bool:
        """IPV6_V6ONLY."""
        return self._family == _INET6 and bool(self.number(SOL_IPV6, _IPV6_V6ONLY))

    def get(self, level: int, name: int) -> bytes:
        """What getsockopt tells."""
        if level == SOL_SOCKET and name in _TIMES:
            seconds, rest = divmod(self.timeouts[name], 1_000_000_000)
            return struct.pack("<qq", seconds, rest // 1000)
        if level == SOL_SOCKET and name == SO_LINGER:
            return self._linger
        return struct.pack("<i", self.number(level, name))

    def set(self, level: int, name: int, value: bytes) -> None:
        """Raises EINVAL for a value that is too short, EDOM, ENOPROTOOPT."""
        if level == SOL_SOCKET and name in TELLING:
            raise LinuxError(Errno.ENOPROTOOPT)
        if level == SOL_SOCKET and name in _TIMES:
            self.timeouts[name] = _time(value)
            return
        if level == SOL_SOCKET and name == SO_LINGER:
            if len(value) < 8:
                raise LinuxError(Errno.EINVAL)
            on, seconds = struct.unpack_from("<ii", value)
            self._linger = struct.pack("<ii", on != 0, seconds)
            return
        self.number(level, name)
        if len(value) < 4:
            if level != SOL_IP or not value:
                raise LinuxError(Errno.EINVAL)
            value = value[:1].ljust(4, b"\0")
        (number,) = struct.unpack_from("<i", value)
        if level == SOL_SOCKET and name in _LEAST_BUFFER:
            number = max(2 * min(number & 0xFFFF_FFFF, _LARGEST_BUFFER), _LEAST_BUFFER[name])
        elif name in _SWITCHES.get(level, ()):
            number = int(number != 0)
        self._numbers[level, name] = number


def _time(value: bytes) -> int:
    if len(value) < 16:
        raise LinuxError(Errno.EINVAL)
    seconds, microseconds = struct.unpack_from("<qq", value)
    if not 0 <= microseconds < 1_000_000:
        raise LinuxError(Errno.EDOM)
    return 0 if seconds < 0 else min(seconds, 1 << 33) * 1_000_000_000 + microseconds * 1000
