"""CPUID: `!cpuid` (events-and-commands C.2; Intel SDM volume 2A, CPUID).

The emulator does not announce RDRAND, which `machine.processor.random_numbers` carries out: leaf 1 is answered here.
"""

from __future__ import annotations

from machine.events.exit import BY_PROCESSOR, Assign, Constant, Correction, Exit, Register
from machine.processor import LEAF_1, OSXSAVE, OSXSAVE_IN_CR4, InstructionPattern, has_random_numbers
from vm.facts.events import CPUID

_LEAF = Register("rax") & 0xFFFF_FFFF
_OSXSAVE = (Register("cr4") >> OSXSAVE_IN_CR4 & 1) << OSXSAVE
_CORRECTION = Correction(
    _LEAF.is_equal(1),
    tuple(Assign(name, Constant(value) | (_OSXSAVE if name == "rcx" else 0)) for name, value in LEAF_1.items()),
)

EXIT = Exit(
    CPUID,
    InstructionPattern(b"\x0f\xa2"),
    context=_LEAF,
    parameter="leaf",
    all_value=None,  # B.14: whether a leaf is given is said by another parameter
    effect=BY_PROCESSOR,
    correction=lambda: _CORRECTION if has_random_numbers() else None,
)
