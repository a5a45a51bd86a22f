"""SYSCALL and SYSRET as the processor executes them in 64-bit mode (events-and-commands D.3 and D.4).

Pure functions on a stopped CPU. Unicorn executes neither the mode switch nor the jump of SYSCALL; the selectors written
here are what scripts see, the emulated privilege level does not follow.
"""

from __future__ import annotations

from collections.abc import Callable

from machine.cpu import SYSCALL_LENGTH, Cpu
from vm.registers import RFLAGS, RIP, STORAGE_INDEX

_RCX, _R11, _CS, _SS = (STORAGE_INDEX[name] for name in ("rcx", "r11", "cs", "ss"))

_RF, _VM = 1 << 16, 1 << 17
SYSCALL_DROPS = _RF  # besides what FMASK names
SYSRET_DROPS = _RF | _VM | 0xFFC3_8028
RETURNED_FLAG = 1 << 1
RPL = 3

SYSRET_LENGTH = 3


def enter_kernel(cpu: Cpu) -> None:
    """SYSCALL: RIP is at the instruction before, at LSTAR after."""
    star, entry, mask = cpu.system_call_msrs()
    registers = cpu.registers
    flags = registers.read(RFLAGS)
    code = star >> 32 & 0xFFFF & ~RPL
    registers.write(_RCX, registers.read(RIP) + SYSCALL_LENGTH)
    registers.write(_R11, flags)
    registers.write(RIP, entry)
    registers.write(RFLAGS, flags & ~(mask | SYSCALL_DROPS))
    registers.write(_CS, code)
    registers.write(_SS, code + 8)


def return_to_user(cpu: Cpu) -> None:
    """SYSRET with REX.W: continues at rcx with the flags of r11."""
    registers = cpu.registers
    base = cpu.system_call_msrs()[0] >> 48
    registers.write(RIP, registers.read(_RCX))
    registers.write(RFLAGS, registers.read(_R11) & ~SYSRET_DROPS | RETURNED_FLAG)
    registers.write(_CS, (base + 16) | RPL)
    registers.write(_SS, (base + 8) | RPL)


def pass_through(cpu: Cpu, entry: int, answer: Callable[[], None]) -> bool:
    """SYSCALL, a kernel's `answer` and SYSRET in one; False when LSTAR is not `entry`: then only SYSCALL was done.

    What a SYSRET undoes is not written: RIP, the masked flags and the kernel's selectors.
    """
    star, lstar, _ = cpu.system_call_msrs()
    if lstar != entry:
        enter_kernel(cpu)
        return False
    registers = cpu.registers
    flags, user = registers.read(RFLAGS), star >> 48
    registers.write(_RCX, registers.read(RIP) + SYSCALL_LENGTH)
    registers.write(_R11, flags)
    answer()
    registers.write(RIP, registers.read(_RCX))
    returned = registers.read(_R11) & ~SYSRET_DROPS | RETURNED_FLAG
    for storage, value in ((RFLAGS, returned), (_CS, (user + 16) | RPL), (_SS, (user + 8) | RPL)):
        if registers.read(storage) != value:
            registers.write(storage, value)
    return True


def skip(cpu: Cpu, length: int) -> None:
    """An instruction of this length is not executed: RIP moves behind it and nothing else changes."""
    registers = cpu.registers
    registers.write(RIP, registers.read(RIP) + length)
