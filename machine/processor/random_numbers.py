"""RDRAND and RDSEED from a seeded generator (Intel SDM volume 2B, RDRAND), and what CPUID says of them.

The emulator takes both for undefined (machine.processor.cpu_model) and announces RDRAND no more, so leaf 1 of CPUID is
answered here. While events wait for CPUID, each has a hook of its own (machine.events.instructions), which does that
(machine.events.exits.cpuid): the emulator's hook of the instruction would cost half as much as the whole trigger.
"""

from __future__ import annotations

import ctypes
import random

from unicorn import unicorn_const as uc, x86_const as x86

from machine.processor import instruction_hooks
from machine.processor.binding import CPUID_HOOK, Engine, Hook
from machine.processor.cpu_model import FEATURES_1_ECX, FEATURES_1_EDX, has_random_numbers
from machine.processor.instruction_finder import InstructionPattern, OperandKind
from machine.processor.register_file import RegisterFile
from machine.processor.registers import GENERAL_IDS
from machine.processor.window import Window
from vm.facts.registers import REGISTER_INDEX, REGISTERS, RFLAGS, RIP, STORAGE_INDEX

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
LEAF_1 = {"rax": 0x306D2, "rbx": 0x800, "rcx": FEATURES_1_ECX, "rdx": FEATURES_1_EDX}  # without OSXSAVE in rcx
OSXSAVE_IN_CR4, OSXSAVE = 18, 27  # bits: what a system sets, and where CPUID tells
_IDS = {name: GENERAL_IDS[STORAGE_INDEX[name]] for name in LEAF_1}


class Generator:
    """The random numbers of one processor; each seed has its own."""

    def __init__(self) -> None:
        self.seed("")

    def seed(self, seed: str) -> None:
        """Begin anew."""
        self._next = random.Random(seed).getrandbits

    def carry_out(self, code: bytes, registers: RegisterFile) -> bool:
        """Execute the instruction at the start of `code`, at RIP, if it is one of these; whether it was."""
        if _OPCODE not in code or not has_random_numbers() or not any(pattern.matches(code) for pattern in _PATTERNS):
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
        self._callback = CPUID_HOOK(self._on_cpuid)
        self._is_native = self._is_left = False
        self._hook: Hook | None = None
        self._install()

    def _install(self) -> None:
        """Have the instruction answered from now on."""
        code = instruction_hooks.compiled() if self._is_native else None
        if self._hook is not None or not has_random_numbers():
            return
        if code is None or self._access is None:
            self._hook = self._engine.add_hook(uc.UC_HOOK_INSN, self._callback, x86.UC_X86_INS_CPUID)
        else:
            data, address = ctypes.addressof(self._access), code.address("on_cpuid")
            self._hook = self._engine.add_hook(uc.UC_HOOK_INSN, address, x86.UC_X86_INS_CPUID, data=data)

    def _uninstall(self) -> None:
        if self._hook is not None:
            self._engine.remove_hook(self._hook)
            self._hook = None

    def leave_to_hooks(self, wanted: bool) -> None:
        """From the next run on every CPUID has a hook that answers leaf 1; or, from now on, none has."""
        self._is_left = wanted
        if not wanted:
            self._install()

    def begin_run(self) -> None:
        """A run starts."""
        if self._is_left:
            self._uninstall()

    def _on_cpuid(self, _engine: int, _data: int) -> int:
        """Whether the instruction is done."""
        engine = self._engine
        if self._calls is not None and self._calls.are_many():
            self._pass_natively()
        if engine.read_register(x86.UC_X86_REG_RAX) & 0xFFFF_FFFF != 1:
            return 0
        for name, value in LEAF_1.items():
            engine.set_register(_IDS[name], value)
        if engine.read_register(x86.UC_X86_REG_CR4) >> OSXSAVE_IN_CR4 & 1:
            engine.set_register(_IDS["rcx"], LEAF_1["rcx"] | 1 << OSXSAVE)
        return 1

    def _pass_natively(self) -> None:
        """Have Python asked about leaf 1 only."""
        self._calls = None
        if self._access is not None:
            self._access.in_python = ctypes.cast(self._callback, ctypes.c_void_p).value or 0
            self._is_native = True
            self._uninstall()
            self._install()
