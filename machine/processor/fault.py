"""Exceptions of the processor as a kernel is told of them (Intel SDM volume 3, chapter 6)."""

from __future__ import annotations

from enum import IntEnum

import msgspec


class Vector(IntEnum):
    """The exceptions that have a number of their own, by their mnemonics."""

    DE = 0
    DB = 1
    NMI = 2
    BP = 3
    OF = 4
    BR = 5
    UD = 6
    NM = 7
    DF = 8
    TS = 10
    NP = 11
    SS = 12
    GP = 13
    PF = 14
    MF = 16
    AC = 17
    MC = 18
    XM = 19


WITH_ERROR_CODE = frozenset((Vector.DF, Vector.TS, Vector.NP, Vector.SS, Vector.GP, Vector.PF, Vector.AC))


class PageFault(IntEnum):
    """Bits of the error code of #PF (Intel SDM volume 3, section 4.7)."""

    PRESENT = 1  # the page has memory, and the access is not allowed
    WRITE = 2
    USER = 4  # by code of level 3
    FETCH = 16


IN_TABLE = 2  # of an error code that names a descriptor: it is the IDT's
EXCEPTION_VECTORS = 32  # from 0 on; the others are those of interrupts


class DebugStatus(IntEnum):
    """Bits that #DB sets in DR6 (Intel SDM volume 3B, section 17.2.3)."""

    BREAKPOINTS = 0xF  # B0 to B3
    BD = 1 << 13
    BS = 1 << 14


class Fault(msgspec.Struct, frozen=True):
    """An exception: its vector and error code (0 where it has none), and RIP as the handler is to find it.

    RIP is that of the instruction, behind it for a trap: `length` bytes for INT n, INT3 and INT1, which raise it in
    software. `address` is what CR2 has after a page fault, `debug` what #DB adds to DR6.
    """

    vector: int
    rip: int
    error: int = 0
    address: int | None = None
    length: int = 0
    is_interrupt: bool = False  # by INT n
    is_trap: bool = False
    debug: int = 0  # of DebugStatus

    @property
    def is_exception(self) -> bool:
        """Whether a hypervisor's exception bitmap is about it (Intel SDM volume 3C, section 26.2)."""
        return self.vector < EXCEPTION_VECTORS and not self.is_interrupt

    @property
    def at(self) -> int:
        """RIP as a hypervisor finds it: at an instruction that raises the exception in software."""
        return self.rip - self.length

    @property
    def name(self) -> str:
        """The mnemonic, as `#GP`; `interrupt 80` for a vector without one."""
        return name_of(self.vector)


def name_of(vector: int) -> str:
    """The mnemonic of a vector, as `#GP`; `interrupt 80` where it has none."""
    return f"#{Vector(vector).name}" if vector in Vector.__members__.values() else f"interrupt {vector:x}"
