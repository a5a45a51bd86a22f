"""A ring of the blocks that a CPU has entered, which its last branches are found from (machine.processor.branches).

A hook of every block writes it, in machine code where llvmlite is there. It is installed while branches are recorded
and no longer, so that nobody else pays for it. A block that was left in its middle ends there (`cut`).
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from machine.memory import PAGE
from machine.processor.machine_code import address_in, compiled_hooks
from vm import private_memory

if TYPE_CHECKING:
    from vm.native import MachineCode

BLOCKS = 1 << 16  # that are looked back at
_FIRST = PAGE // 8  # word of the first block; word 0 counts the blocks
_TEXT = f"""
%block = type {{ i64, i64 }}

define void @note_block(ptr %engine, i64 %address, i32 %size, ptr %ring) nounwind {{
  %count = load i64, ptr %ring
  %slot = and i64 %count, {BLOCKS - 1}
  %first = getelementptr i8, ptr %ring, i64 {8 * _FIRST}
  %place = getelementptr %block, ptr %first, i64 %slot
  store i64 %address, ptr %place
  %size.at = getelementptr %block, ptr %place, i64 0, i32 1
  %wide = zext i32 %size to i64
  store i64 %wide, ptr %size.at
  %more = add i64 %count, 1
  store i64 %more, ptr %ring
  ret void
}}
"""


class Block(NamedTuple):
    """A block that was entered, and how many bytes of it were executed; 0 where nobody knows what came next."""

    address: int
    size: int


class BranchRing:
    """The blocks of one CPU."""

    def __init__(self) -> None:
        self._buffer = private_memory(PAGE + 16 * BLOCKS)
        self._words = (ctypes.c_uint64 * (len(self._buffer) // 8)).from_buffer(self._buffer)

    @property
    def state(self) -> int:
        """The address of the words; valid as long as this object lives."""
        return ctypes.addressof(self._words)

    @property
    def count(self) -> int:
        """How many blocks were ever entered."""
        return self._words[0]

    def note(self, address: int, size: int) -> None:
        """A block is entered."""
        word = _FIRST + 2 * (self._words[0] % BLOCKS)
        self._words[word], self._words[word + 1] = address, size
        self._words[0] += 1

    def cut(self, rip: int) -> None:
        """The block that was entered last was left before the instruction at RIP, if that is one of it."""
        word = _FIRST + 2 * ((self._words[0] - 1) % BLOCKS)
        if 0 <= rip - self._words[word] < self._words[word + 1]:
            self._words[word + 1] = rip - self._words[word]

    def backwards(self, since: int) -> Iterator[Block]:
        """The blocks, the last one first, down to number `since`, if they are all still there."""
        for number in range(self.count - 1, max(since, self.count - BLOCKS, 0) - 1, -1):
            word = _FIRST + 2 * (number % BLOCKS)
            yield Block(self._words[word], self._words[word + 1])


def note_block_address() -> int | None:
    """The address of the hook in machine code; None where llvmlite is missing."""
    return address_in(_compiled(), "note_block")


@cache
def _compiled() -> MachineCode | None:
    return compiled_hooks(_TEXT)
