"""Network interfaces as guests see them (netdevice(7)): the loopback, and one outside where hosts are scripted.

What they are is asked by ioctl, or read in /proc/net; nobody can change it.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence

import msgspec

from machine.kernel.linux.errors import Errno, LinuxError

GUEST, GUEST6 = bytes((10, 0, 2, 15)), b"\xfd" + bytes(14) + b"\x15"  # the guests' own address, which hosts see
ROW_BYTES = 40  # struct ifreq
NAME_BYTES = 16
_INET = 2
_LOOPBACK_DEVICE, _ETHERNET = 772, 1  # ARPHRD_*
_QUEUE = 1000

# SIOCGIF*: those that belong to the addresses of AF_INET, and the others.
_GET_NAME, GET_ROWS, _GET_FLAGS, _GET_METRIC, _GET_MTU = 0x8910, 0x8912, 0x8913, 0x891D, 0x8921
_GET_HARDWARE, _GET_INDEX, _GET_QUEUE, _GET_MAP = 0x8927, 0x8933, 0x8942, 0x8970
_GET_ADDRESS, _GET_OTHER_END, _GET_BROADCAST, _GET_MASK = 0x8915, 0x8917, 0x8919, 0x891B
_OF_ADDRESSES = (_GET_ADDRESS, _GET_OTHER_END, _GET_BROADCAST, _GET_MASK)
_SETTERS, _ADDRESS_SETTERS = (0x8914, 0x8922, 0x8924), (0x8916, 0x8918, 0x891A, 0x891C)


class Interface(msgspec.Struct, frozen=True):
    """One interface; its index is its place."""

    name: str
    flags: int
    device: int
    hardware: bytes
    mtu: int
    address: bytes
    mask: bytes
    broadcast: bytes
    address6: bytes
    prefix6: int
    scope6: int


LOOPBACK = Interface(
    "lo", 0x49, _LOOPBACK_DEVICE, bytes(6), 65_536, bytes((127, 0, 0, 1)), bytes((255, 0, 0, 0)), bytes(4),
    bytes(15) + b"\1", 128, 0x10,
)  # fmt: skip
OUTSIDE = Interface(
    "eth0", 0x1043, _ETHERNET, bytes.fromhex("525400123456"), 1500, GUEST, bytes((255, 255, 255, 0)),
    GUEST[:3] + b"\xff", GUEST6, 64, 0,
)  # fmt: skip


def present(has_outside: bool) -> Sequence[Interface]:
    """All of them."""
    return (LOOPBACK, OUTSIDE) if has_outside else (LOOPBACK,)


def answer(request: int, row: bytes, present: Sequence[Interface], *, is_inet: bool) -> bytes | None:
    """What an ioctl makes of a struct ifreq; None for a request that nobody knows. Raises EPERM, ENOTTY, ENODEV."""
    if request in (*_SETTERS, *_ADDRESS_SETTERS):
        raise LinuxError(Errno.EPERM if is_inet or request in _SETTERS else Errno.ENOTTY)
    if request == _GET_NAME:
        asked: int = struct.unpack_from("<i", row, NAME_BYTES)[0]
        if not 1 <= asked <= len(present):
            raise LinuxError(Errno.ENODEV)
        return present[asked - 1].name.encode().ljust(NAME_BYTES, b"\0") + row[NAME_BYTES:]
    if request in _OF_ADDRESSES and not is_inet:
        raise LinuxError(Errno.ENOTTY)
    if request not in _ANSWERS:
        return None
    name = row[: NAME_BYTES - 1].partition(b"\0")[0]
    index, found = next(
        ((at, one) for at, one in enumerate(present, 1) if one.name.encode() == name.partition(b":")[0]), (0, None)
    )
    if found is None:
        raise LinuxError(Errno.ENODEV)
    value: bytes = _ANSWERS[request](index, found)
    return row[:NAME_BYTES] + value + row[NAME_BYTES + len(value) :]


def _socket_address(address: bytes) -> bytes:
    return struct.pack("<HH4s8x", _INET, 0, address)


_ANSWERS: dict[int, Callable[[int, Interface], bytes]] = {
    _GET_FLAGS: lambda index, one: struct.pack("<h", one.flags),
    _GET_METRIC: lambda index, one: bytes(4),
    _GET_MTU: lambda index, one: struct.pack("<i", one.mtu),
    _GET_HARDWARE: lambda index, one: struct.pack("<H6s8x", one.device, one.hardware),
    _GET_INDEX: lambda index, one: struct.pack("<i", index),
    _GET_QUEUE: lambda index, one: struct.pack("<i", _QUEUE),
    _GET_MAP: lambda index, one: bytes(24),
    _GET_ADDRESS: lambda index, one: _socket_address(one.address),
    _GET_OTHER_END: lambda index, one: _socket_address(one.address),
    _GET_BROADCAST: lambda index, one: _socket_address(one.broadcast),
    _GET_MASK: lambda index, one: _socket_address(one.mask),
}


def rows(present: Sequence[Interface]) -> bytes:
    """What SIOCGIFCONF gives: a struct ifreq for each address of AF_INET."""
    return b"".join(
        (one.name.encode().ljust(NAME_BYTES, b"\0") + _socket_address(one.address)).ljust(ROW_BYTES, b"\0")
        for one in present
    )


# --- /proc/net


def device_table(present: Sequence[Interface]) -> str:
    """/proc/net/dev: nothing is counted."""
    head = (
        "Inter-|   Receive                                                |  Transmit\n"
        " face |bytes    packets errs drop fifo frame compressed multicast|"
        "bytes    packets errs drop fifo colls carrier compressed\n"
    )
    zeros = "       0       0    0    0    0     0          0         0 "
    sent = "       0       0    0    0    0     0       0          0"
    return head + "".join(f"{one.name:>6}:{zeros}{sent}\n" for one in present)


def addresses6(present: Sequence[Interface]) -> str:
    """/proc/net/if_inet6"""
    return "".join(
        f"{one.address6.hex()} {index:02x} {one.prefix6:02x} {one.scope6:02x} 80 {one.name:>8}\n"
        for index, one in enumerate(present, 1)
    )


def routes(present: Sequence[Interface]) -> str:
    """/proc/net/route: to the network outside, and through its first host to all others."""
    head = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT"
    lines = [head]
    for one in present[1:]:
        address, mask = (int.from_bytes(part, "little") for part in (one.address, one.mask))
        gateway = address & mask | 1 << 24
        lines.append(f"{one.name}\t00000000\t{gateway:08X}\t0003\t0\t0\t0\t00000000\t0\t0\t0")
        lines.append(f"{one.name}\t{address & mask:08X}\t00000000\t0001\t0\t0\t0\t{mask:08X}\t0\t0\t0")
    return "".join(f"{line:<127}\n" for line in lines)
