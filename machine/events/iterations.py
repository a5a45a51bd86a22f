"""REP string instructions, which the emulator executes as one block for each iteration and one for the end."""

from __future__ import annotations

from machine.processor import Cpu
from vm.facts.registers import RIP, STORAGE_INDEX

_REPEAT_PREFIXES = b"\xf2\xf3"
_PREFIXES = _REPEAT_PREFIXES + b"\x26\x2e\x36\x3e\x64\x65\x66\x67\xf0" + bytes(range(0x40, 0x50))
_WORD_MASK = (1 << 64) - 1
_ADDRESS_SIZE = 0x67
_STRING_INSTRUCTIONS = frozenset((0x6C, 0x6D, 0x6E, 0x6F, 0xA4, 0xA5, 0xA6, 0xA7, *range(0xAA, 0xB0)))
_RCX = STORAGE_INDEX["rcx"]


def repeats(code: bytes) -> bool:
    """Whether an instruction is a string instruction with a REP prefix."""
    opcode = code.lstrip(_PREFIXES)
    prefixes = code[: len(code) - len(opcode)]
    return bool(opcode) and opcode[0] in _STRING_INSTRUCTIONS and any(each in prefixes for each in _REPEAT_PREFIXES)


class Iterations:
    """Tells the first iteration of such an instruction from those that follow it."""

    def __init__(self, cpu: Cpu, address: int, code: bytes) -> None:
        self._cpu = cpu
        self._address = address
        self._mask = 0xFFFF_FFFF if _ADDRESS_SIZE in code[: len(code) - len(code.lstrip(_PREFIXES))] else _WORD_MASK
        self._executed = -1

    @property
    def left(self) -> int:
        """How many iterations there are still to be."""
        return self._cpu.registers.read(_RCX) & self._mask

    @property
    def under_way(self) -> bool:
        """Whether the next instruction is another iteration."""
        return self._executed == self._cpu.executed and self._cpu.registers.read(RIP) == self._address

    def goes_on(self) -> bool:
        """Asked at each iteration: whether it follows the one before, or is the end."""
        before, self._executed = self._executed, self._cpu.executed
        return self._executed - 1 == before
