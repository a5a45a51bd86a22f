"""CPUID: `!cpuid` (events-and-commands C.2; Intel SDM volume 2A, CPUID)."""

from __future__ import annotations

from machine.events.exit import BY_PROCESSOR, Exit, Register
from machine.processor import InstructionPattern
from vm.facts.events import CPUID

EXIT = Exit(
    CPUID,
    InstructionPattern(b"\x0f\xa2"),
    context=Register("rax") & 0xFFFF_FFFF,
    parameter="leaf",
    all_value=None,  # B.14: whether a leaf is given is said by another parameter
    effect=BY_PROCESSOR,
)
