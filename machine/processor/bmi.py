"""The cases of BMI instructions that the emulator gets wrong, executed by the Intel SDM (volume 2) instead.

They are BEXTR and PDEP of 32 bits with more in the register, BEXTR of a length beyond the operand, BZHI of an index
beyond it, and the carry of BLSI (tests/machine/processor/test_cpu.py notices a cure). The instructions are looked
for in a process once a page with one of them is executed; other processes pay nothing. Not seen: what a guest writes
into a page after its first instruction was executed, in a process that has had no other. Code blocks of the
vmx-root sandbox are read as a whole (`bmi_instructions`).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import msgspec

from machine.processor import memory_operands
from machine.processor.address_hooks import AddressHooks
from machine.processor.binding import Hook
from machine.processor.core import Core
from machine.processor.decoders import decoder
from machine.processor.instruction_finder import InstructionPattern, Served, Site, SiteHook
from machine.processor.register_file import RegisterFile
from machine.processor.translated_code import TranslatedCode
from vm import late_pattern
from vm.facts.registers import REGISTER_INDEX, REGISTERS, RFLAGS, RIP

_VEX = b"\xc4"
_MAP = bytes(value for value in range(256) if value & 31 == 2)
_BLS, _BZHI_PDEP, _BEXTR = 0xF3, 0xF5, 0xF7
_NO_PREFIX, _F2 = 0, 3  # the prefix that the third byte stands for
_PREFIX, _WIDE = 3, 4  # its bits
_REGISTER_FORM = 0xC0
_BLSI = 3  # of the reg field
_MODRM_OF_BLSI = bytes(value for value in range(256) if value >> 3 & 7 == _BLSI)
_IGNORED = bytes((0x26, 0x2E, 0x36, 0x3E, 0x64, 0x65, 0x67))


def _one_of(values: bytes) -> bytes:
    """As an expression: one of these bytes, or the end of the page."""
    return b"(?:[" + b"".join(b"\\x%02x" % value for value in values) + b"]|\\Z)"


def _third(prefixes: tuple[int, ...]) -> bytes:
    return _one_of(bytes(value for value in range(256) if value & _PREFIX in prefixes and not value & _WIDE))


_CODE = late_pattern(
    b"\\xc4" + _one_of(_MAP) + b"(?:%b|%b|%b)" % (
        _third((0, 1, 2, 3)) + _one_of(bytes((_BLS,))) + _one_of(_MODRM_OF_BLSI),
        _third((_NO_PREFIX, _F2)) + _one_of(bytes((_BZHI_PDEP,))),
        _third((_NO_PREFIX,)) + _one_of(bytes((_BEXTR,))),
    )
)  # fmt: skip


class _Pattern(InstructionPattern, frozen=True):
    """All of these instructions."""

    def may_be_in(self, code: bytes) -> bool:
        """As `InstructionPattern`."""
        return _CODE.search(code) is not None

    def matches(self, code: bytes) -> bool:
        """Whether this is the code of one."""
        return _CODE.match(code.lstrip(_IGNORED)) is not None


WRONG = _Pattern(_VEX)

_FLAGS = {name: 1 << REGISTERS[REGISTER_INDEX[name]].shift for name in ("cf", "zf", "sf", "of")}


class BmiInstruction(msgspec.Struct, frozen=True):
    """One that the emulator gets wrong in some cases: its address and its bytes."""

    address: int
    code: bytes

    def carry_out(self, registers: RegisterFile, read: Callable[[int, int], bytes | None]) -> bool:
        """At the instruction: do it, where the emulator would do it wrong and `read` gives its operand; whether it was.

        `read` takes an address and a number of bytes; None is for memory that is not there.
        """
        instruction = _Instruction.of(self.code)
        if instruction.register is not None:
            operand = registers.read(instruction.register)
        else:
            (access,) = memory_operands.accesses(self.code, self.address, registers.read)
            found = read(access.address, access.size)
            if found is None:
                return False  # it faults
            operand = int.from_bytes(found, "little")
        done = instruction.corrected(operand, registers.read(instruction.third))
        if done is None:
            return False
        result, set_flags, cleared = done
        registers.write(instruction.third if instruction.opcode == _BLS else instruction.first, result)
        registers.write(RFLAGS, registers.read(RFLAGS) & ~cleared | set_flags)
        registers.write(RIP, self.address + len(self.code))
        return True


def bmi_instructions(code: bytes, address: int) -> tuple[BmiInstruction, ...]:
    """Those of code that begins at an address and is read from the first byte to the last."""
    if not _CODE.search(code):
        return ()
    rows = decoder().disasm_lite(code, address)
    each = (BmiInstruction(at, code[at - address : at - address + length]) for at, length, _, _ in rows)
    return tuple(row for row in each if _CODE.match(row.code.lstrip(_IGNORED)))


class _Removable(msgspec.Struct, frozen=True):
    hooks: AddressHooks
    hook: Hook

    def remove(self) -> None:
        """Execute it as the emulator does."""
        self.hooks.remove(self.hook)


class BmiCorrections:
    """Those of one CPU."""

    def __init__(self, core: Core, code: TranslatedCode, hooks: AddressHooks) -> None:
        self._memory, self._registers, self._code, self._hooks = core.memory, core.registers, code, hooks
        self.is_active = False

    def look_at(self, code: bytes) -> None:
        """A page with this code is about to be executed for the first time."""
        if not self.is_active and _CODE.search(code):
            self.activate()

    def activate(self) -> None:
        """Correct the instructions from the next block on."""
        self.is_active = True
        self._code.look_always({WRONG: self._serve})

    def _serve(self, site: Site) -> Served:
        found = BmiInstruction(site.address, site.code[: site.length])
        body: Callable[[], object] = partial(found.carry_out, self._registers, self._memory.read)
        return SiteHook(lambda: _Removable(self._hooks, self._hooks.add(site.address, body)))


class _Instruction(msgspec.Struct, frozen=True):
    """One of them: its operands are general registers by number, the second one may be memory (None)."""

    opcode: int
    prefix: int
    bits: int
    first: int
    register: int | None
    third: int  # of the VEX prefix

    @classmethod
    def of(cls, code: bytes) -> _Instruction:
        """Decode it (SDM volume 2A, section 2.3.5)."""
        _, extensions, rest, opcode, modrm = code.lstrip(_IGNORED)[:5]
        first = modrm >> 3 & 7 | (~extensions >> 7 & 1) << 3
        register = modrm & 7 | (~extensions >> 5 & 1) << 3 if modrm >= _REGISTER_FORM else None
        return cls(
            opcode, rest & _PREFIX, 64 if rest & 0x80 else 32, first, register, ~rest >> 3 & 15,
        )  # fmt: skip

    def corrected(self, operand: int, third: int) -> tuple[int, int, int] | None:
        """The result, the flags that are set and those that are cleared first; None where the emulator has them right.

        `operand` is the second one, with all bits of its register, `third` that of the VEX prefix.
        """
        mask = (1 << self.bits) - 1
        source, is_narrow = operand & mask, operand > mask
        every = sum(_FLAGS.values())
        if self.opcode == _BLS:
            result = source & -source & mask
            carry = _FLAGS["cf"] if source else 0
            return result, self._signs(result) | carry, every
        if self.opcode == _BEXTR:
            start, length = third & 0xFF, third >> 8 & 0xFF
            result = source >> start & (1 << length) - 1
            wrong = is_narrow or length >= self.bits
            return (result, self._signs(result) & _FLAGS["zf"], every) if wrong else None
        if self.prefix == _F2:
            return (_deposit(third & mask, source), 0, 0) if is_narrow else None
        index = third & 0xFF
        result = source & (1 << index) - 1
        carry = _FLAGS["cf"] if index >= self.bits else 0
        return (result, self._signs(result) | carry, every) if index >= self.bits - 1 else None

    def _signs(self, result: int) -> int:
        zero = _FLAGS["zf"] if result == 0 else 0
        return zero | (_FLAGS["sf"] if result >> self.bits - 1 else 0)


def _deposit(bits: int, mask: int) -> int:
    """PDEP: the low bits of `bits` at the places of the bits of `mask`."""
    result = 0
    while mask:
        lowest = mask & -mask
        result |= lowest if bits & 1 else 0
        bits, mask = bits >> 1, mask & ~lowest
    return result
