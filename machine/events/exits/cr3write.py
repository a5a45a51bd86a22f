"""MOV to CR3, which no command means (events-and-commands B.14; Intel SDM volume 2B, MOV)."""

from __future__ import annotations

from machine.events.exit import BY_PROCESSOR, Constant, Exit, PrivilegeLevel
from machine.processor import InstructionPattern
from vm.facts.events import CR3WRITE

EXIT = Exit(
    CR3WRITE,
    InstructionPattern(b"\x0f\x22", register=3),
    context=Constant(0),
    refused=PrivilegeLevel(),
    effect=BY_PROCESSOR,
)
