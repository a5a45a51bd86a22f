"""The x87 and SSE state of a CPU as FXSAVE lays it out (Intel SDM volume 1, table 10-2): what signal frames hold.

The last instruction and operand of x87 (FOP, FIP, FDP), which the emulator does not keep, are zero.
"""

from __future__ import annotations

import struct
from typing import Any

from unicorn import x86_const as x86

from machine.processor.binding import Batch, Engine
from machine.processor.registers import VECTOR_IDS

FXSAVE_BYTES = 512
_IDS = (
    x86.UC_X86_REG_FPCW, x86.UC_X86_REG_FPSW, x86.UC_X86_REG_FPTAG, x86.UC_X86_REG_MXCSR,
    *(getattr(x86, f"UC_X86_REG_FP{number}") for number in range(8)), *VECTOR_IDS,
)  # fmt: skip
_CONTROL, _STATUS, _TAGS, _MXCSR, _X87 = 0, 1, 2, 3, 4
_SSE = _X87 + 8
_ROW = 16
_X87_BYTES = 10
_HEADER = struct.Struct("<HHBxHQQII")  # control, status, tags, opcode, instruction, operand, MXCSR and its mask
_X87_AT, _SSE_AT = 32, 160
MXCSR_MASK = 0xFFFF
_EMPTY = 3  # of a tag
# What a program starts with.
INITIAL = _HEADER.pack(0x37F, 0, 0, 0, 0, 0, 0x1F80, MXCSR_MASK).ljust(FXSAVE_BYTES, b"\0")


class Fxsave:
    """Reads and writes the state of one stopped engine."""

    def __init__(self, engine: Engine) -> None:
        self._batch = Batch(engine.handle, _IDS, words=2)
        self._cells: Any = memoryview(self._batch.values).cast("B")

    def read(self) -> bytes:
        """The image, of 512 bytes. The registers of x87 stand in the order of the stack, their tags do not."""
        self._batch.read()
        control, status, tags, mxcsr = (self._word(index) for index in range(4))
        used = sum(1 << number for number in range(8) if tags >> 2 * number & 3 != _EMPTY)
        image = bytearray(FXSAVE_BYTES)
        _HEADER.pack_into(image, 0, control & 0xFFFF, status & 0xFFFF, used, 0, 0, 0, mxcsr & 0xFFFF_FFFF, MXCSR_MASK)
        for place in range(8):
            at = _X87_AT + _ROW * place
            image[at : at + _X87_BYTES] = self._row(_X87 + (_top(status) + place) % 8)[:_X87_BYTES]
        for number in range(16):
            at = _SSE_AT + _ROW * number
            image[at : at + _ROW] = self._row(_SSE + number)
        return bytes(image)

    def write(self, image: bytes) -> None:
        """Set the state from an image; bits that MXCSR does not have are dropped."""
        control, status, used, _, _, _, mxcsr, _ = _HEADER.unpack_from(image)
        tags = sum(_EMPTY << 2 * number for number in range(8) if not used >> number & 1)
        for index, value in enumerate((control, status, tags, mxcsr & MXCSR_MASK)):
            self._set_row(index, value.to_bytes(_ROW, "little"))
        for place in range(8):
            at = _X87_AT + _ROW * place
            self._set_row(_X87 + (_top(status) + place) % 8, image[at : at + _X87_BYTES].ljust(_ROW, b"\0"))
        for number in range(16):
            at = _SSE_AT + _ROW * number
            self._set_row(_SSE + number, image[at : at + _ROW])
        self._batch.write()

    def _row(self, index: int) -> bytes:
        return bytes(self._cells[_ROW * index : _ROW * (index + 1)])

    def _set_row(self, index: int, data: bytes) -> None:
        self._cells[_ROW * index : _ROW * (index + 1)] = data

    def _word(self, index: int) -> int:
        return int.from_bytes(self._row(index)[:8], "little")


def _top(status: int) -> int:
    return status >> 11 & 7
