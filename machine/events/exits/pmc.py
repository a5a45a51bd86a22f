"""RDPMC: `!pmc` (events-and-commands C.2; Intel SDM volume 2B, RDPMC).

The emulated processor counts nothing: its counters stand at 0.
"""

from __future__ import annotations

from machine.events.exit import BY_PROCESSOR, Assign, Constant, Exit, PrivilegeLevel, Register
from machine.processor import InstructionPattern
from vm.facts.events import PMC

_PCE = 8  # bit of CR4: RDPMC is allowed at every level

EXIT = Exit(
    PMC,
    InstructionPattern(b"\x0f\x33"),
    context=Constant(0),
    refused=PrivilegeLevel().is_above(0) & ~(Register("cr4") >> _PCE),
    effect=BY_PROCESSOR,
    made_up=(Assign("rax", Constant(0)), Assign("rdx", Constant(0))),
)
