"""The global descriptor table that a guest finds, and the way to a privilege level: IRETQ is what really gets there.

The selectors are those that SYSCALL and SYSRET load by the STAR of every kernel stand-in, and the same on Linux and on
Windows: code and data of level 0, then 32-bit code, data and 64-bit code of level 3.
"""

from __future__ import annotations

import struct
from enum import IntEnum

from vm import PAGE

KERNEL_LEVEL, USER_LEVEL = 0, 3  # privilege levels
TABLE_AT = 0xFFFF_F803_0010_0000  # the page of the table, which is the one page of the kernel half that guests can read
GATE_AT = TABLE_AT + PAGE


class Selector(IntEnum):
    """What a segment register may be loaded with; the lowest two bits are the level that is asked for."""

    KERNEL_CODE = 0x10
    KERNEL_DATA = 0x18
    USER_CODE_32 = 0x23
    USER_DATA = 0x2B
    USER_CODE = 0x33


_CODE, _DATA = 0xB, 0x3  # executable and readable, writable; both accessed, so that nobody writes that down
_FLAT = 0xFFFFF  # limit in pages
_INDEX = ~7
TABLE_BYTES = 0x38
_FRAME = struct.Struct("<5Q")  # what IRETQ takes from the stack: rip, cs, rflags, rsp, ss
_FLAGS = 1 << 1
IRETQ = b"\x48\xcf"
BEHIND_GATE = GATE_AT + len(IRETQ)


def _descriptor(kind: int, level: int, *, long: bool = False, big: bool = False) -> int:
    """A flat segment (Intel SDM 3.4.5)."""
    access = kind | 1 << 4 | level << 5 | 1 << 7  # of code or data, present
    flags = 1 << 3 | big << 2 | long << 1  # in pages
    return _FLAT & 0xFFFF | access << 40 | _FLAT >> 16 << 48 | flags << 52


_ROWS: dict[Selector, int] = {
    Selector.KERNEL_CODE: _descriptor(_CODE, KERNEL_LEVEL, long=True),
    Selector.KERNEL_DATA: _descriptor(_DATA, KERNEL_LEVEL, big=True),
    Selector.USER_CODE_32: _descriptor(_CODE, USER_LEVEL, big=True),
    Selector.USER_DATA: _descriptor(_DATA, USER_LEVEL, big=True),
    Selector.USER_CODE: _descriptor(_CODE, USER_LEVEL, long=True),
}


def table() -> bytes:
    """The table's bytes."""
    rows = bytearray(TABLE_BYTES)
    for selector, row in _ROWS.items():
        struct.pack_into("<Q", rows, selector & _INDEX, row)
    return bytes(rows)


def gate() -> bytes:
    """The bytes of the page at `GATE_AT`: an IRETQ, and what it takes from the stack for each level."""
    page = bytearray(IRETQ)
    for level in (KERNEL_LEVEL, USER_LEVEL):
        page += bytes(stack_at(level) - GATE_AT - len(page)) + frame(level, BEHIND_GATE, 0, _FLAGS)
    return bytes(page)


def stack_at(level: int) -> int:
    """The stack pointer with which the IRETQ at `GATE_AT` comes to a level, and to `BEHIND_GATE`."""
    return GATE_AT + 0x100 * (1 + level)


def frame(level: int, rip: int, rsp: int, flags: int) -> bytes:
    """What IRETQ takes from the stack to go on at an address on level 0 or 3."""
    code, data = (Selector.USER_CODE, Selector.USER_DATA) if level else (Selector.KERNEL_CODE, Selector.KERNEL_DATA)
    return _FRAME.pack(rip, code, flags, rsp, data)
