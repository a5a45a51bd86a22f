"""RDTSC and RDTSCP: `!tsc` (events-and-commands C.2; Intel SDM volume 2B, RDTSC, RDTSCP)."""

from __future__ import annotations

from msgspec.structs import replace

from machine.events.exit import BY_PROCESSOR, Constant, Exit
from machine.processor import InstructionPattern
from vm.facts.events import TSC

EXIT = Exit(TSC, InstructionPattern(b"\x0f\x31"), context=Constant(0), effect=BY_PROCESSOR)
FORMS = (EXIT, replace(EXIT, source=InstructionPattern(b"\x0f\x01\xf9"), context=Constant(1)))
