"""Model-specific registers: their numbers, names, and the values a machine starts with (events-and-commands G.3).

The values live in the emulated CPU, so RDMSR and WRMSR of the guest see the same ones. Unicorn stores only what its
CPU model knows; other MSRs read as 0 and ignore writes.
"""

from __future__ import annotations

import msgspec

EFER = 0xC000_0080
STAR = 0xC000_0081
LSTAR = 0xC000_0082
CSTAR = 0xC000_0083
FMASK = 0xC000_0084
FS_BASE = 0xC000_0100
GS_BASE = 0xC000_0101
KERNEL_GS_BASE = 0xC000_0102
TSC_AUX = 0xC000_0103

# Bits of EFER (Intel SDM volume 4, table 2-2).
EFER_SCE = 1 << 0
EFER_LME = 1 << 8
EFER_LMA = 1 << 10
EFER_NXE = 1 << 11
EFER_WRITABLE = EFER_SCE | EFER_NXE  # what a guest changes; the mode bits stay


class Msr(msgspec.Struct, frozen=True):
    """One model-specific register that a machine sets up."""

    name: str
    number: int
    doc: str


MSRS: tuple[Msr, ...] = (
    Msr("EFER", EFER, "extended features: SCE, LME, LMA"),
    Msr("STAR", STAR, "selectors that SYSCALL (bits 32-47) and SYSRET (bits 48-63) load"),
    Msr("LSTAR", LSTAR, "where SYSCALL enters the kernel"),
    Msr("CSTAR", CSTAR, "where SYSCALL of 32-bit code enters the kernel"),
    Msr("FMASK", FMASK, "flags that SYSCALL clears"),
    Msr("FS_BASE", FS_BASE, "base of fs"),
    Msr("GS_BASE", GS_BASE, "base of gs"),
    Msr("KERNEL_GS_BASE", KERNEL_GS_BASE, "what SWAPGS exchanges with the base of gs"),
    Msr("TSC_AUX", TSC_AUX, "what RDTSCP returns in ecx"),
)
MSR_BY_NUMBER: dict[int, Msr] = {row.number: row for row in MSRS}
