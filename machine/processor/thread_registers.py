"""What one thread has in a CPU while others have it: everything that its instructions see, and nothing of the process.

General registers, RIP, RFLAGS, selectors, the bases of FS and GS (the hidden one of SWAPGS, too), x87, SSE, debug
registers. Control registers, descriptor tables and the other MSRs are the process's.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from msgspec.structs import replace

from machine.processor import msr
from machine.processor.arrival import Mark
from machine.processor.binding import WORD_MASK, Batch, Engine
from machine.processor.fxsave import FXSAVE_IDS, ROW_BYTES, image_of, rows_of
from machine.processor.registers import (
    BATCH_IDS,
    BATCH_POSITION,
    DEBUG_IDS,
    FS_BASE_ID,
    GS_BASE_ID,
    PLAIN_IDS,
    THREAD_IDS,
)
from machine.processor.watched import Due
from vm.facts.registers import RFLAGS

_WORDS = 2  # of a register: those of x87 have 80 bits, those of SSE 128
_IDS = (*THREAD_IDS, *BATCH_IDS)
_FXSAVE_ROWS = tuple(_IDS.index(register) for register in FXSAVE_IDS)
_RFLAGS_ONE = 1 << 1
_NO_BREAKPOINT = 1 << 10  # of DR7, whose bit 10 is always set


class ThreadRegisters(msgspec.Struct, frozen=True):
    """The registers of a thread that is not in its CPU, and what is noted of the instruction that it begins anew.

    `level` is its privilege level.
    """

    words: bytes
    kernel_gs_base: int
    level: int = 0
    arrival: Mark | None = None
    due: Due | None = None

    def without_breakpoints(self) -> ThreadRegisters:
        """The same for another thread, which inherits none."""
        words = bytearray(self.words)
        for register in DEBUG_IDS[:4]:
            _put(words, THREAD_IDS.index(register), 0)
        _put(words, THREAD_IDS.index(DEBUG_IDS[-1]), _NO_BREAKPOINT)
        return replace(self, words=bytes(words))

    def with_values(
        self, values: Mapping[int, int], fs_base: int | None = None, gs_base: int | None = None
    ) -> ThreadRegisters:
        """The same with other values of storages, as `read` has them, and bases."""
        words = bytearray(self.words)
        for storage, value in values.items():
            _put(words, _row_of(storage), value | _RFLAGS_ONE * (storage == RFLAGS))
        for register, base in ((FS_BASE_ID, fs_base), (GS_BASE_ID, gs_base)):
            if base is not None:
                _put(words, THREAD_IDS.index(register), base)
        return replace(self, words=bytes(words))

    def read(self, storage: int) -> int:
        """The value of a general register, RIP, RFLAGS, a selector or a debug register."""
        at = ROW_BYTES * _row_of(storage)
        return int.from_bytes(self.words[at : at + 8], "little")

    def read_fxsave(self) -> bytes:
        """The x87 and SSE state, as FXSAVE has it: 512 bytes."""
        return image_of(b"".join(self.words[ROW_BYTES * row : ROW_BYTES * (row + 1)] for row in _FXSAVE_ROWS))

    def with_fxsave(self, image: bytes) -> ThreadRegisters:
        """The same with the x87 and SSE state of such an image."""
        words, data = bytearray(self.words), rows_of(image)
        for number, row in enumerate(_FXSAVE_ROWS):
            words[ROW_BYTES * row : ROW_BYTES * (row + 1)] = data[ROW_BYTES * number : ROW_BYTES * (number + 1)]
        return replace(self, words=bytes(words))


def _row_of(storage: int) -> int:
    position = BATCH_POSITION.get(storage)
    return THREAD_IDS.index(PLAIN_IDS[storage]) if position is None else len(THREAD_IDS) + position


def _put(words: bytearray, index: int, value: int) -> None:
    words[8 * _WORDS * index : 8 * _WORDS * index + 8] = (value & WORD_MASK).to_bytes(8, "little")


class ThreadState:
    """Reads and writes the registers of the thread that has one engine."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._batch = Batch(engine.handle, _IDS, words=_WORDS)

    def read(self) -> ThreadRegisters:
        """What the engine has."""
        self._batch.read()
        return ThreadRegisters(bytes(self._batch.values), self._engine.read_msr(msr.KERNEL_GS_BASE))

    def write(self, registers: ThreadRegisters) -> None:
        """Give the engine to a thread."""
        memoryview(self._batch.values).cast("B")[:] = registers.words
        self._batch.write()
        self._engine.write_msr(msr.KERNEL_GS_BASE, registers.kernel_gs_base)
