"""MOV from control registers, which no command means (events-and-commands B.14; Intel SDM volume 2B, MOV)."""

from __future__ import annotations

from machine.events.exit import BY_PROCESSOR, Constant, Exit, PrivilegeLevel
from machine.processor import InstructionPattern
from vm.facts.events import CRREAD

FORMS = tuple(
    Exit(
        CRREAD,
        InstructionPattern(b"\x0f\x20", register=number),
        context=Constant(number),
        parameter="register",
        refused=PrivilegeLevel(),
        effect=BY_PROCESSOR,
    )
    for number in (0, 2, 3, 4, 8)
)
