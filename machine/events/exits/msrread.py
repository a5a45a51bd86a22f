"""RDMSR: `!msrread` (events-and-commands C.2; Intel SDM volume 2B, RDMSR)."""

from __future__ import annotations

from collections.abc import Mapping

from machine.events.exit import BY_PROCESSOR, EVERYTHING, Constant, Exit, Expression, PrivilegeLevel, Register
from machine.processor import InstructionPattern, msr
from vm.facts.events import MSRREAD

MPERF, APERF = 0xE7, 0xE8
NUMBER = Register("rcx") & 0xFFFF_FFFF
_ALL, _NAMED = 1, 2  # bits: a register that an event without a number means, and one that has to be named


def how_named(left_out: tuple[int, ...]) -> Expression:
    """The bit of the register in ecx, where events without a number leave these out."""
    named: Expression = Constant(0)
    for number in left_out:
        named = named | NUMBER.is_equal(number)
    return named + _ALL


def mask(parameters: Mapping[str, int]) -> int:
    """The bits of the registers that an event means."""
    return _ALL if parameters.get("msr", EVERYTHING) == EVERYTHING else _ALL | _NAMED


EXIT = Exit(
    MSRREAD,
    InstructionPattern(b"\x0f\x32"),
    context=NUMBER,
    parameter="msr",
    bits=how_named((msr.KERNEL_GS_BASE, MPERF, APERF)),
    mask=mask,
    refused=PrivilegeLevel(),
    effect=BY_PROCESSOR,
)
