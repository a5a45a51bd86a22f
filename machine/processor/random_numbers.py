"""RDRAND and RDSEED from a seeded generator (Intel SDM volume 2B, RDRAND), and what CPUID says of them.

The emulator takes both for undefined (machine.processor.cpu_model) and announces RDRAND no more, so leaf 1 of CPUID is
answered here.
"""

from __future__ import annotations

import ctypes
import random

from unicorn import unicorn_const as uc, x86_const as x86

from machine.processor import instruction_hooks
from machine.processor.binding import CPUID_HOOK, Engine, callback_address
from machine.processor.cpu_model import FEATURES_1_ECX, FEATURES_1_EDX, has_random_numbers
from machine.processor.instruction_finder import InstructionPattern, OperandKind
from machine.processor.register_file import RegisterFile
from machine.processor.window import Window
from vm.facts.registers import REGISTER_INDEX, REGISTERS, RFLAGS, RIP

_REGISTER_FORM = 0xC0  # the lowest ModR/M byte that names no memory
_OTHERS = b"\xf0\xf2\xf3"  # prefixes that make it undefined, or RDPID
_OPCODE = b"\x0f\xc7"
_PATTERNS = tuple(
    InstructionPattern(_OPCODE, without=_OTHERS, register=extension | rex, operand=OperandKind.REGISTER)
    for extension in (6, 7)
    for rex in (0, 8)
)
_OPERAND_SIZE, _REX_W = 0x66, range(0x48, 0x50)
_FLAGS = sum(1 << REGISTERS[REGISTER_INDEX[name]].shift for name in ("cf", "pf", "af", "zf", "sf", "of"))
_CARRY = 1
_CPUID_1 = {
    x86.UC_X86_REG_RAX: 0x306D2,
    x86.UC_X86_REG_RBX: 0x800,
    x86.UC_X86_REG_RCX: FEATURES_1_ECX,
    x86.UC_X86_REG_RDX: FEATURES_1_EDX,
}
_OSXSAVE_IN_CR4, _OSXSAVE = 1 << 18, 1 << 27


class Generator:
    """The random numbers of one processor; each seed has its own."""

    def __init__(self) -> None:
        self.seed("")

    def seed(self, seed: str) -> None:
        """Begin anew."""
        self._next = random.Random(seed).getrandbits

    def carry_out(self, code: bytes, registers: RegisterFile) -> bool:
        """Execute the instruction at the start of `code`, at RIP, if it is one of these; whether it was."""
        if not has_random_numbers() or not any(pattern.matches(code) for pattern in _PATTERNS):
            return False
        opcode = code.index(_OPCODE)
        prefixes, modrm = code[:opcode], code[opcode + len(_OPCODE) : opcode + len(_OPCODE) + 1]
        if not modrm or modrm[0] < _REGISTER_FORM:
            return False
        storage = _PATTERNS[0].operand_of(code)
        if prefixes[-1:] and prefixes[-1] in _REX_W:
            registers.write(storage, self._next(64))
        elif _OPERAND_SIZE in prefixes:
            registers.write(storage, registers.read(storage) & ~0xFFFF | self._next(16))
        else:
            registers.write(storage, self._next(32))
        registers.write(RFLAGS, registers.read(RFLAGS) & ~_FLAGS | _CARRY)
        registers.write(RIP, registers.read(RIP) + opcode + len(_OPCODE) + 1)
        return True


class Cpuid:
    """CPUID of one emulator, which tells nothing of RDRAND: leaf 1 is answered here."""

    def __init__(self, engine: Engine, window: Window | None, calls: instruction_hooks.Calls | None = None) -> None:
        """`calls` counts those of Python, for machine code that is to pass the other leaves."""
        self._engine, self._calls = engine, calls if window is not None else None
        self._access = None if window is None else instruction_hooks.CpuidAccess(general=window.general)
        if has_random_numbers():
            self._hook = engine.add_hook(uc.UC_HOOK_INSN, CPUID_HOOK(self._on_cpuid), x86.UC_X86_INS_CPUID)

    def _on_cpuid(self, _engine: int, _data: int) -> int:
        """Whether the instruction is done."""
        engine = self._engine
        if self._calls is not None and self._calls.are_many():
            self._pass_natively()
        if engine.read_register(x86.UC_X86_REG_RAX) & 0xFFFF_FFFF != 1:
            return 0
        for register, value in _CPUID_1.items():
            engine.set_register(register, value)
        if engine.read_register(x86.UC_X86_REG_CR4) & _OSXSAVE_IN_CR4:
            engine.set_register(x86.UC_X86_REG_RCX, FEATURES_1_ECX | _OSXSAVE)
        return 1

    def _pass_natively(self) -> None:
        """Have Python asked about leaf 1 only."""
        self._calls = None
        code = instruction_hooks.compiled()
        if code is not None and self._access is not None:
            self._access.in_python = callback_address(self._hook)
            self._engine.remove_hook(self._hook)
            data = ctypes.addressof(self._access)
            self._engine.add_hook(uc.UC_HOOK_INSN, code.address("on_cpuid"), x86.UC_X86_INS_CPUID, data=data)
