"""WRMSR: `!msrwrite` (events-and-commands C.2; Intel SDM volume 2C, WRMSR)."""

from __future__ import annotations

from msgspec.structs import replace

from machine.events.exits import msrread
from machine.processor import InstructionPattern, msr
from vm.facts.events import MSRWRITE

_SPEC_CTRL, _PRED_CMD = 0x48, 0x49

EXIT = replace(
    msrread.EXIT,
    kind=MSRWRITE,
    source=InstructionPattern(b"\x0f\x30"),
    bits=msrread.how_named((msr.KERNEL_GS_BASE, msrread.MPERF, msrread.APERF, _SPEC_CTRL, _PRED_CMD)),
)
