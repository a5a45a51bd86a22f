"""What a guest may ask of the processor and does not get: modes that the emulator ignores, named in the last line."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from unicorn import x86_const as x86

from machine.processor.binding import Engine

_SSE_MASKS, _X87_MASKS = 0x3F << 7, 0x3F  # of exceptions, in MXCSR and in the control word


class Mode(msgspec.Struct, frozen=True):
    """A mode: its name for users, the register that has it, and whether a value of that asks for it."""

    name: str
    register: int
    is_asked_for: Callable[[int], bool]


MODES = (
    Mode("flush to zero (MXCSR.FTZ)", x86.UC_X86_REG_MXCSR, lambda value: bool(value >> 15 & 1)),
    Mode("exceptions of SSE (#XM)", x86.UC_X86_REG_MXCSR, lambda value: value & _SSE_MASKS != _SSE_MASKS),
    Mode("exceptions of x87 (#MF)", x86.UC_X86_REG_FPCW, lambda value: value & _X87_MASKS != _X87_MASKS),
    Mode("protection of level 0 (CR4.SMEP)", x86.UC_X86_REG_CR4, lambda value: bool(value >> 20 & 1)),
    Mode("protection of level 0 (CR4.SMAP)", x86.UC_X86_REG_CR4, lambda value: bool(value >> 21 & 1)),
    Mode("alignment checks (RFLAGS.AC)", x86.UC_X86_REG_EFLAGS, lambda value: bool(value >> 18 & 1)),
)


def asked_for(engine: Engine) -> list[str]:
    """The names of the modes that the guest of a stopped engine is in."""
    return [mode.name for mode in MODES if mode.is_asked_for(engine.read_register(mode.register))]
