"""MOV to and from debug registers: `!dr` (events-and-commands C.2; Intel SDM volume 2B, MOV)."""

from __future__ import annotations

from msgspec.structs import replace

from machine.events.exit import BY_PROCESSOR, Constant, Exit, PrivilegeLevel
from machine.processor import InstructionPattern
from vm.facts.events import DR

EXIT = Exit(
    DR,
    InstructionPattern(b"\x0f\x21"),
    context=Constant(0),
    refused=PrivilegeLevel(),
    effect=BY_PROCESSOR,
)
FORMS = (EXIT, replace(EXIT, source=InstructionPattern(b"\x0f\x23")))
