"""SYSRET with REX.W: `!sysret` and `!sysret2` (events-and-commands C.2, D.4; Intel SDM volume 2B, SYSRET)."""

from __future__ import annotations

from machine.events.exit import Assign, Exit, Msr, Register, ToLevel
from machine.events.exits.syscall import RPL
from machine.processor import InstructionPattern, msr
from vm.facts.events import SYSRET

LENGTH = 3
DROPPED_FLAGS = 1 << 16 | 1 << 17 | 0xFFC3_8028  # RF, VM and the reserved ones
SET_FLAG = 1 << 1

_BASE = Msr(msr.STAR) >> 48

EFFECT = (
    Assign("rip", Register("rcx")),
    Assign("rflags", Register("r11") & ~DROPPED_FLAGS | SET_FLAG),
    Assign("cs", (_BASE + 16 | RPL) & 0xFFFF),
    Assign("ss", (_BASE + 8 | RPL) & 0xFFFF),
    ToLevel(is_kernel=False),
)

EXIT = Exit(
    SYSRET,
    InstructionPattern(b"\x48\x0f\x07", exact=True),  # D.2: the form without REX.W is not recognised
    context=Register("rip"),
    effect=EFFECT,
)
