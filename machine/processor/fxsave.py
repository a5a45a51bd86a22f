"""x87 and SSE state as FXSAVE lays it out (Intel SDM volume 1, table 10-2): what signal frames and CONTEXTs hold.

Rows are registers in the order of FXSAVE_IDS, 16 bytes each.

The last instruction and operand of x87 (FOP, FIP, FDP), which the emulator does not keep, are zero.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

from unicorn import x86_const as x86

from machine.processor.binding import Batch, Engine
from machine.processor.registers import VECTOR_IDS

FXSAVE_BYTES = 512
FXSAVE_IDS: tuple[int, ...] = (
    x86.UC_X86_REG_FPCW, x86.UC_X86_REG_FPSW, x86.UC_X86_REG_FPTAG, x86.UC_X86_REG_MXCSR,
    *(getattr(x86, f"UC_X86_REG_FP{number}") for number in range(8)), *VECTOR_IDS,
)  # fmt: skip
_X87 = 4  # behind control, status, tags and MXCSR
_SSE = _X87 + 8
ROW_BYTES = _ROW = 16
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
        self._batch = Batch(engine.handle, FXSAVE_IDS, words=2)
        self._cells: Any = memoryview(self._batch.values).cast("B")

    def read(self) -> bytes:
        """The image, of 512 bytes."""
        self._batch.read()
        data = bytes(self._cells)
        return image_of([data[at : at + _ROW] for at in range(0, len(data), _ROW)])

    def write(self, image: bytes) -> None:
        """Set the state from an image."""
        self._cells[:] = b"".join(rows_of(image))
        self._batch.write()


def image_of(rows: Sequence[bytes]) -> bytes:
    """The image of these registers. Those of x87 stand in the order of the stack, their tags do not."""
    control, status, tags, mxcsr = (int.from_bytes(row[:8], "little") for row in rows[:_X87])
    used = sum(1 << number for number in range(8) if tags >> 2 * number & 3 != _EMPTY)
    image = bytearray(FXSAVE_BYTES)
    _HEADER.pack_into(image, 0, control & 0xFFFF, status & 0xFFFF, used, 0, 0, 0, mxcsr & 0xFFFF_FFFF, MXCSR_MASK)
    for place in range(8):
        at = _X87_AT + _ROW * place
        image[at : at + _X87_BYTES] = rows[_X87 + (_top(status) + place) % 8][:_X87_BYTES]
    for number in range(16):
        at = _SSE_AT + _ROW * number
        image[at : at + _ROW] = rows[_SSE + number]
    return bytes(image)


def rows_of(image: bytes) -> list[bytes]:
    """The registers of an image; bits that MXCSR does not have are dropped."""
    control, status, used, _, _, _, mxcsr, _ = _HEADER.unpack_from(image)
    tags = sum(_EMPTY << 2 * number for number in range(8) if not used >> number & 1)
    rows = [value.to_bytes(_ROW, "little") for value in (control, status, tags, mxcsr & MXCSR_MASK)]
    stack = [image[at : at + _X87_BYTES].ljust(_ROW, b"\0") for at in range(_X87_AT, _X87_AT + 8 * _ROW, _ROW)]
    rows += [stack[(number - _top(status)) % 8] for number in range(8)]
    return rows + [image[at : at + _ROW] for at in range(_SSE_AT, _SSE_AT + 16 * _ROW, _ROW)]


def _top(status: int) -> int:
    return status >> 11 & 7
