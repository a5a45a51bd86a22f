"""The structures of x86-64 Linux that calls fill (asm/stat.h, linux/stat.h, linux/dirent.h, asm-generic/statfs.h)."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable

from machine.kernel.linux.nodes import BLOCK_BYTES, TMPFS, Entry, Status

_SECOND = 1_000_000_000
_WORD = 0xFFFF_FFFF
STATX_BASIC = 0x7FF
MOUNT_FLAGS = 0x1020  # of statfs: they are told, and times of access are relative
EntryLayout = Callable[[Entry, int], bytes]  # an entry, and the position behind it
_FIELDS = re.compile(r"(\d*)([a-zA-Z])")  # of a layout: how often, and which
_USAGE_BYTES = 144
_NAME_BYTES = 65  # of each field of utsname
HOST_NAME, KERNEL_RELEASE, KERNEL_VERSION, DOMAIN_NAME = "hds", "6.1.0-hds", "#1 SMP hds", "(none)"


def _major(device: int) -> int:
    return device >> 8 & 0xFFF | device >> 32 & ~0xFFF


def _minor(device: int) -> int:
    return device & 0xFF | device >> 12 & ~0xFF


def packed(layout: str, *values: int) -> bytes:
    """Little-endian integers as `struct` has them, each with as many of its lowest bits as there is room for."""
    try:
        return struct.pack("<" + layout, *values)
    except struct.error:
        letters = [each for count, letter in _FIELDS.findall(layout) for each in letter * int(count or 1)]
        widths = [8 * struct.calcsize("<" + letter) for letter in letters if letter != "x"]
        cut = (value & (1 << width) - 1 for value, width in zip(values, widths, strict=True))
        return struct.pack("<" + layout.upper().replace("X", "x"), *cut)


def stat(row: Status) -> bytes:
    """struct stat, 144 bytes."""
    head = struct.pack(
        "<QQQIIIiQqqq", row.device, row.inode, row.links, row.mode, row.user, row.group, 0, row.special,
        row.size, BLOCK_BYTES, row.blocks,
    )  # fmt: skip
    times = [part for time in (row.accessed, row.modified, row.changed) for part in divmod(time, _SECOND)]
    return head + struct.pack("<6q", *times) + bytes(24)


def stat_of_32_bits(row: Status) -> bytes:
    """struct compat_stat, 64 bytes."""
    return struct.pack(
        "<IIHHHHIIII6I8x", row.device, row.inode & _WORD, row.mode, row.links, row.user & 0xFFFF, row.group & 0xFFFF,
        row.special, row.size & _WORD, BLOCK_BYTES, row.blocks & _WORD, *_times(row),
    )  # fmt: skip


def stat64(row: Status) -> bytes:
    """struct stat64 of the 32-bit interface, 96 bytes."""
    return struct.pack(
        "<Q4xIIIIIQ4xqIQ6IQ", row.device, row.inode & _WORD, row.mode, row.links, row.user, row.group, row.special,
        row.size, BLOCK_BYTES, row.blocks, *_times(row), row.inode,
    )  # fmt: skip


def _times(row: Status) -> list[int]:
    """Seconds and nanoseconds of the access, the change of content, and that of status, in 32 bits."""
    times = row.accessed, row.modified, row.changed
    return [part & _WORD for time in times for part in divmod(time, _SECOND)]


def statx(row: Status) -> bytes:
    """struct statx, 256 bytes."""
    head = struct.pack(
        "<IIQIIIHHQQQQ", STATX_BASIC, BLOCK_BYTES, 0, row.links, row.user, row.group, row.mode, 0,
        row.inode, row.size, row.blocks, 0,
    )  # fmt: skip
    times = b"".join(
        struct.pack("<qIi", *divmod(time, _SECOND), 0) for time in (row.accessed, 0, row.changed, row.modified)
    )
    devices = struct.pack("<IIII", _major(row.special), _minor(row.special), _major(row.device), _minor(row.device))
    return (head + times + devices).ljust(256, b"\0")


def directory_entry(entry: Entry, next_position: int) -> bytes:
    """struct linux_dirent64."""
    size = (19 + len(entry.name) + 1 + 7) & -8
    head = struct.pack("<QqHB", entry.inode, next_position, size, entry.kind >> 12)
    return (head + entry.name).ljust(size, b"\0")


def old_directory_entry(entry: Entry, next_position: int) -> bytes:
    """struct linux_dirent, whose last byte is the type."""
    size = (18 + len(entry.name) + 2 + 7) & -8
    head = struct.pack("<QqH", entry.inode, next_position, size)
    return (head + entry.name).ljust(size - 1, b"\0") + bytes([entry.kind >> 12])


def file_system(kind: int, bytes_left: int) -> bytes:
    """struct statfs of a tmpfs, or of another kind (`Node.file_system`) without blocks; 120 bytes."""
    blocks = bytes_left // BLOCK_BYTES if kind == TMPFS else 0
    return struct.pack(
        "<qqQQQQQiiqqq", kind, BLOCK_BYTES, blocks, blocks, blocks, 0, 0, 0, 0, 255, 4096, MOUNT_FLAGS
    ).ljust(120, b"\0")


def system_name() -> bytes:
    """struct new_utsname."""
    rows = ("Linux", HOST_NAME, KERNEL_RELEASE, KERNEL_VERSION, "x86_64", DOMAIN_NAME)
    return b"".join(row.encode().ljust(_NAME_BYTES, b"\0") for row in rows)


def usage_row(ticks: int) -> bytes:
    """A struct rusage of so much user time."""
    return struct.pack("<qq", *divmod(ticks * 1_000_000 // _SECOND, 1_000_000)).ljust(_USAGE_BYTES, b"\0")
