"""XSETBV: `!xsetbv` (events-and-commands C.2; Intel SDM volume 2D, XSETBV).

The emulated processor has it when the guest has set CR4.OSXSAVE; else it is carried out without an effect.
"""

from __future__ import annotations

from machine.events.exit import BY_PROCESSOR, Exit, PrivilegeLevel, Register
from machine.processor import InstructionPattern
from vm.facts.events import XSETBV

EXIT = Exit(
    XSETBV,
    InstructionPattern(b"\x0f\x01\xd1", without=b"\xf0\x66\xf2\xf3"),
    context=Register("rcx") & 0xFFFF_FFFF,
    parameter="xcr",
    refused=PrivilegeLevel(),
    effect=BY_PROCESSOR,
    made_up=(),
)
