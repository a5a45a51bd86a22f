"""VMCALL: `!vmcall` (events-and-commands C.2; Intel SDM volume 3C, VMCALL).

While such an event exists there is a hypervisor, to which the guest's call means nothing.
"""

from __future__ import annotations

from machine.events.exit import BY_PROCESSOR, Constant, Exit
from machine.processor import InstructionPattern
from vm.facts.events import VMCALL

EXIT = Exit(
    VMCALL,
    InstructionPattern(b"\x0f\x01\xc1", without=b"\xf0\x66\xf2\xf3"),
    context=Constant(0),
    effect=BY_PROCESSOR,
    made_up=(),
)
