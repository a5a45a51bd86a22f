"""x87 and SSE state as FXSAVE lays it out (Intel SDM volume 1, table 10-2): what signal frames and CONTEXTs hold.

Rows are registers in the order of FXSAVE_IDS, 16 bytes each.

The last instruction and operand of x87 (FOP, FIP, FDP), which the emulator does not keep, are zero.
"""

from __future__ import annotations

import struct
from functools import lru_cache
from typing import Any

from unicorn import x86_const as x86

from machine.processor.binding import Batch, Engine
from machine.processor.registers import VECTOR_IDS

FXSAVE_BYTES = 512
FXSAVE_IDS: tuple[int, ...] = (
    x86.UC_X86_REG_FPCW, x86.UC_X86_REG_FPSW, x86.UC_X86_REG_FPTAG, x86.UC_X86_REG_MXCSR,
    *(getattr(x86, f"UC_X86_REG_FP{number}") for number in range(8)), *VECTOR_IDS,
)  # fmt: skip
ROW_BYTES = _ROW = 16
_WORDS = struct.Struct("<H14xH14xH14xI12x")  # control, status, tags and MXCSR, a row each
_X87_ROWS = _WORDS.size
_STACK_BYTES = 8 * _ROW
_SSE_ROWS = _X87_ROWS + _STACK_BYTES
_STACK_MASK = sum((1 << 80) - 1 << 8 * _ROW * number for number in range(8))  # ten bytes of each row
_HEADER = struct.Struct("<HHBxHQQII")  # control, status, tags, opcode, instruction, operand, MXCSR and its mask
_X87_AT, _SSE_AT = 32, 160
MXCSR_MASK = 0xFFFF
_EMPTY, _ALL_EMPTY = 3, 0xFFFF  # tags
# What a program starts with.
INITIAL_FXSAVE = _HEADER.pack(0x37F, 0, 0, 0, 0, 0, 0x1F80, MXCSR_MASK).ljust(FXSAVE_BYTES, b"\0")


class Fxsave:
    """Reads and writes the state of one stopped engine."""

    def __init__(self, engine: Engine) -> None:
        self._batch = Batch(engine.handle, FXSAVE_IDS, words=2)
        self._cells: Any = memoryview(self._batch.values).cast("B")

    def read(self) -> bytes:
        """The image, of 512 bytes."""
        self._batch.read()
        return image_of(bytes(self._cells))

    def write(self, image: bytes) -> None:
        """Set the state from an image."""
        self._cells[:] = rows_of(image)
        self._batch.write()


def image_of(rows: bytes) -> bytes:
    """The image of these registers, a row each. Those of x87 stand in the order of the stack, their tags do not."""
    control, status, tags, mxcsr = _WORDS.unpack_from(rows)
    used = 0 if tags == _ALL_EMPTY else sum(1 << number for number in range(8) if tags >> 2 * number & 3 != _EMPTY)
    header = _HEADER.pack(control, status, used, 0, 0, 0, mxcsr, MXCSR_MASK)
    turn = _ROW * _top(status)
    stack = int.from_bytes(rows[_X87_ROWS:_SSE_ROWS], "little") & _STACK_MASK
    words = stack.to_bytes(_STACK_BYTES, "little")
    return (header + words[turn:] + words[:turn] + rows[_SSE_ROWS:]).ljust(FXSAVE_BYTES, b"\0")


@lru_cache(16)
def rows_of(image: bytes) -> bytes:
    """The registers of an image; bits that MXCSR does not have are dropped."""
    control, status, used, _, _, _, mxcsr, _ = _HEADER.unpack_from(image)
    tags = sum(_EMPTY << 2 * number for number in range(8) if not used >> number & 1)
    stack = int.from_bytes(image[_X87_AT:_SSE_AT], "little") & _STACK_MASK
    words = stack.to_bytes(_STACK_BYTES, "little")
    turn = _STACK_BYTES - _ROW * _top(status)
    head = _WORDS.pack(control, status, tags, mxcsr & MXCSR_MASK)
    return head + words[turn:] + words[:turn] + image[_SSE_AT : _SSE_AT + 16 * _ROW]


def _top(status: int) -> int:
    return status >> 11 & 7
