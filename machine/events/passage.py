"""A fast path: SYSCALL, a kernel's answer and SYSRET in one, where nobody looks in between.

It does what the effects of `machine.events.exits.syscall` and `sysret` do one after the other; a law compares them
(tests/machine/events/test_exits.py). `machine.native.hooks` has the same in machine code.
"""

from __future__ import annotations

from collections.abc import Callable

from machine.events.exits import syscall, sysret
from machine.processor import Cpu
from vm.facts.registers import RFLAGS, RIP, STORAGE_INDEX

_RCX, _R11, _CS, _SS = (STORAGE_INDEX[name] for name in ("rcx", "r11", "cs", "ss"))


def pass_through(cpu: Cpu, answer: Callable[[], None]) -> None:
    """RIP is at the SYSCALL, and LSTAR at the kernel whose `answer` it is.

    What a SYSRET undoes is not written: RIP, the masked flags and the kernel's selectors.
    """
    user = cpu.system_call_msrs()[0] >> 48
    registers = cpu.registers
    flags, here = registers.read(RFLAGS), registers.read(RIP)
    registers.write(_RCX, here + syscall.LENGTH)
    registers.write(_R11, flags)
    answer()
    if registers.read(RIP) != here:
        return  # the kernel has the thread go on elsewhere (machine.kernel.outcomes.Enter)
    registers.write(RIP, registers.read(_RCX))
    returned = registers.read(_R11) & ~sysret.DROPPED_FLAGS | sysret.SET_FLAG
    for storage, value in ((RFLAGS, returned), (_CS, (user + 16) | syscall.RPL), (_SS, (user + 8) | syscall.RPL)):
        if registers.read(storage) != value:
            registers.write(storage, value)
