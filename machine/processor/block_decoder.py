"""Where the instructions of a basic block begin, as Capstone decodes its bytes; kept by the bytes themselves.

Capstone and the emulator differ in places, and then a count is a guess; where a block is cut off is not this module's
business.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import NamedTuple

from machine.processor.decoders import decoder
from vm import late_pattern

_KEPT = 4096  # decoded blocks
_PREFIXES = bytes((0x26, 0x2E, 0x36, 0x3E, 0x64, 0x65, 0x66, 0x67, 0xF0, 0xF2, 0xF3, *range(0x40, 0x50)))
_STRING = late_pattern(rb"[\xf2\xf3]?[\x40-\x4f]?[\xa4-\xa7\xaa-\xaf]")  # MOVS, CMPS, STOS, LODS or SCAS alone
_LOCK, _CS = b"\xf0", b"\x2e"
_VEX = (b"\xc4", b"\xc5", b"\x62")
_THREE_BYTE_VEX, _WIDE_VECTOR = b"\xc4", 4  # the second is a bit of its third byte
_BMI = {2: bytes((0xF2, 0xF3, 0xF5, 0xF6, 0xF7)), 3: b"\xf0"}  # VEX instructions that the CPU model has, by their map
_NOT_BEFORE_VEX = bytes((0x66, 0xF0, 0xF2, 0xF3, *range(0x40, 0x50)))
_POP = 0x8F
_PORT_ACCESSES = tuple(bytes((opcode,)) for opcode in (*range(0x6C, 0x70), *range(0xE4, 0xE8), *range(0xEC, 0xF0)))
_REG = 0x38  # of the byte behind it: where one of these bits is set, Capstone takes it for XOP
_MOD = 0xC0
_MOVBE = (b"\x0f\x38\xf0", b"\x0f\x38\xf1")
_PREFETCH, _NOP = b"\x0f\x0d", b"\x0f\x1f"
_RESERVED_NOPS = tuple(bytes((0x0F, opcode)) for opcode in range(0x1A, 0x1F))  # MPX, CET: not of the CPU model


class _Decoded(NamedTuple):
    """The offsets of the instructions that Capstone and the CPU model decode alike, and the bytes that they take."""

    starts: list[int]
    covered: int


class BlockDecoder:
    """The decoder of one CPU's blocks."""

    def __init__(self) -> None:
        self._kept: dict[bytes, _Decoded] = {}

    def count(self, code: bytes) -> int:
        """The instructions of a block, at least 1; what Capstone does not know ends it."""
        decoded = self._decode(code)
        return max(1, len(decoded.starts) + (decoded.covered < len(code)))

    def is_certain(self, code: bytes) -> bool:
        """Whether Capstone decodes all of it as the CPU does."""
        return self._decode(code).covered == len(code)

    def length(self, code: bytes) -> int:
        """The bytes of the instructions that are decoded as the CPU does."""
        return self._decode(code).covered

    def first(self, code: bytes) -> int:
        """The bytes of the first instruction; 1 where none is known."""
        starts, covered = self._decode(code)
        return starts[1] if len(starts) > 1 else covered or 1

    def last(self, code: bytes) -> int:
        """The bytes of the last instruction; 1 where none is known."""
        starts, covered = self._decode(code)
        return covered - starts[-1] if starts and covered == len(code) else 1

    def first_port_access(self, code: bytes) -> int:
        """The offset of the first IN, OUT, INS or OUTS; 0 where none is found."""
        starts, _ = self._decode(code)
        return next((at for at in starts if _opcode(code[at:])[:1] in _PORT_ACCESSES), 0)

    def before(self, code: bytes, at: int) -> int | None:
        """How many instructions stand before the one at an offset; None where none is known to begin there."""
        starts, covered = self._decode(code)
        if at == covered:
            return len(starts)
        index = bisect_left(starts, at)
        return index if index < len(starts) and starts[index] == at else None

    def _decode(self, code: bytes) -> _Decoded:
        decoded = self._kept.get(code)
        if decoded is None:
            if len(self._kept) >= _KEPT:
                self._kept.clear()
            decoded = self._kept[code] = self._decode_anew(code)
        return decoded

    def _decode_anew(self, code: bytes) -> _Decoded:
        if _STRING.fullmatch(code):  # what nearly every program has, and often nothing else that is looked at
            return _Decoded([0], len(code))
        starts: list[int] = []
        covered, as_the_cpu = 0, code
        while True:
            for start, length, _, _ in decoder().disasm_lite(as_the_cpu[covered:], covered):
                if _is_unknown_vex(as_the_cpu[start : start + length]):
                    return _Decoded(starts, covered)
                if _is_xop(as_the_cpu[start:]):
                    break
                starts.append(start)
                covered += length
            opcode = _opcode(as_the_cpu[covered:])
            at = len(as_the_cpu) - len(opcode)
            prefixes = as_the_cpu[covered:at]
            if _LOCK in prefixes:  # before what takes none, where Capstone refuses it, and the CPU model goes on
                as_the_cpu = as_the_cpu[:covered] + prefixes.replace(_LOCK, _CS) + as_the_cpu[at:]
                continue
            known = _known(opcode)
            if known == opcode[: len(known)]:
                return _Decoded(starts, covered)
            as_the_cpu = as_the_cpu[:at] + known + as_the_cpu[at + len(known) :]


def _opcode(code: bytes) -> bytes:
    """An instruction from its opcode on."""
    return code.lstrip(_PREFIXES)


def _is_unknown_vex(code: bytes) -> bool:
    """Whether an instruction is one of those with VEX that the CPU model decodes otherwise: all but BMI."""
    opcode = _opcode(code)
    if not opcode.startswith(_VEX):
        return False
    if not opcode.startswith(_THREE_BYTE_VEX) or any(each in _NOT_BEFORE_VEX for each in code[: -len(opcode)]):
        return True
    return bool(opcode[2] & _WIDE_VECTOR) or opcode[3] not in _BMI.get(opcode[1] & 31, b"")


def _is_xop(code: bytes) -> bool:
    """Whether code begins with what Capstone takes for XOP, and the CPU model for a POP."""
    opcode = _opcode(code)
    return len(opcode) > 1 and opcode[0] == _POP and bool(opcode[1] & _REG)


def _known(opcode: bytes) -> bytes:
    """How what Capstone does not know begins where it does, with the same length; nothing where that is unknown."""
    if _is_xop(opcode):
        return bytes((_POP, opcode[1] & ~_REG))
    if opcode.startswith(_MOVBE) and opcode[3:4] >= bytes((_MOD,)):  # undefined; the CPU model takes it for memory
        return opcode[:3] + bytes((opcode[3] & _REG,))
    is_nop = opcode.startswith(_RESERVED_NOPS) or (opcode.startswith(_PREFETCH) and opcode[2:3] < bytes((_MOD,)))
    return _NOP + bytes((opcode[2] & ~_REG,)) if is_nop and len(opcode) > 2 else b""
