"""SYSCALL: `!syscall` and `!syscall2` (events-and-commands C.2, D.3; Intel SDM volume 2B, SYSCALL)."""

from __future__ import annotations

from machine.events.exit import Assign, Exit, Hooked, Msr, Register, ToLevel
from machine.processor import msr
from vm.facts.events import SYSCALL

LENGTH = 2
RPL = 3
RF = 1 << 16  # is cleared besides what FMASK names

_CODE = Msr(msr.STAR) >> 32 & 0xFFFF & ~RPL

EFFECT = (
    Assign("rcx", Register("rip") + LENGTH),
    Assign("r11", Register("rflags")),
    Assign("rip", Msr(msr.LSTAR)),
    Assign("rflags", Register("rflags") & ~(Msr(msr.FMASK) | RF)),
    Assign("cs", _CODE),
    Assign("ss", _CODE + 8 & 0xFFFF),
    ToLevel(is_kernel=True),
)

EXIT = Exit(
    SYSCALL,
    Hooked(LENGTH),
    context=Register("rax"),
    parameter="number",
    read_anew=True,  # D.5: in stage post it is what a script has made of it
    effect=EFFECT,
)
