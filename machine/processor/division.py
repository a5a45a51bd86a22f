"""What an instruction divides by: DIV and IDIV (Intel SDM volume 2A), whose #DE has two causes."""

from __future__ import annotations

from machine.memory import AddressSpace
from machine.processor import memory_operands
from machine.processor.register_file import RegisterFile

_PREFIXES = frozenset(b"\x26\x2e\x36\x3e\x64\x65\x66\x67\xf0\xf2\xf3")
_BYTES, _WORDS = 0xF6, 0xF7


def divisor_of(code: bytes, rip: int, registers: RegisterFile, memory: AddressSpace) -> int:
    """The divisor of the DIV or IDIV that stands at RIP; 0 for any other instruction."""
    at = 0
    while at < len(code) and code[at] in _PREFIXES:
        at += 1
    rex = code[at] if at < len(code) and code[at] & 0xF0 == 0x40 else 0
    opcode, modrm = code[at + bool(rex) : at + bool(rex) + 2].ljust(2, b"\0")
    if opcode not in (_BYTES, _WORDS) or modrm & 0x30 != 0x30:
        return 0
    if modrm >> 6 != 3:
        made = memory_operands.accesses(code, rip, registers.read)
        data = memory.read(made[0].address, made[0].size) if made else None
        return int.from_bytes(data or b"", "little")
    number = modrm & 7 | (rex & 1) << 3
    if opcode == _BYTES:
        is_high = not rex and number >= 4
        return registers.read(number - 4 if is_high else number) >> 8 * is_high & 0xFF
    size = 8 if rex & 8 else 2 if 0x66 in code[:at] else 4
    return registers.read(number) & (1 << 8 * size) - 1
