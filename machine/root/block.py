"""Conditions and code blocks as the vmx-root sandbox keeps them, and where everything lies that a block runs with.

A block lies in pages of its own, behind a HLT that its return leads to and in front of others, all at the same
addresses for every block: what a block computes does not depend on which others there are.
"""

from __future__ import annotations

import msgspec

from machine.memory import Frames, SharedMemory, page_ceil
from machine.processor import BmiInstruction, Generator, bmi_instructions, decoder
from machine.root import plain_code
from machine.root.guest_regs import SIZE

CODE_BASE = 0xFFFF_B100_0000_0000
RETURN = CODE_BASE + 0x10  # where a block's return leads: to a HLT
RETURNED = RETURN + 1
BEGIN = CODE_BASE + 0x20
STACK_BASE = 0xFFFF_B200_0000_0000
STACK_SIZE = 0x1_0000
GUEST_REGS = STACK_BASE + STACK_SIZE - SIZE
_HOME_SPACE = 0x20  # that a caller leaves above the return address (Microsoft x64 convention)
STACK_POINTER = GUEST_REGS - _HOME_SPACE - 8
HLT = b"\xf4"


class RootCode(msgspec.Struct, frozen=True):
    """Machine code of an event, its last instruction a return, and the event's buffers, which it may use."""

    event: int
    code: bytes
    buffers: tuple[int, ...] = ()


class Block(msgspec.Struct, frozen=True, eq=False):
    """A block in memory.

    `number` is not 0. `memory` has `content`, whole pages. `is_plain`: see machine.root.plain_code. `uses_xmm`: it may
    touch XMM registers, so the guest's are carried in and out. `bmi`: what the emulator may get wrong of it.
    `random_numbers` are its own: no guest's depend on it.
    """

    number: int
    root_code: RootCode
    memory: SharedMemory
    content: bytes
    is_plain: bool
    uses_xmm: bool
    bmi: tuple[BmiInstruction, ...]
    random_numbers: Generator = msgspec.field(default_factory=Generator)

    @property
    def size(self) -> int:
        """Of its pages, in bytes."""
        return len(self.content)

    @property
    def end(self) -> int:
        """The first address behind its code."""
        return BEGIN + len(self.root_code.code)


def place(number: int, root_code: RootCode, source: Frames) -> Block:
    """Give code its pages. Raises machine.memory.MapError."""
    code = root_code.code
    size = page_ceil(BEGIN - CODE_BASE + len(code) + 1)
    memory = SharedMemory(source, size)
    content = ((BEGIN - CODE_BASE) * HLT + code).ljust(size, HLT)
    source.physical.buffer[memory.start : memory.start + size] = content
    is_plain, bmi = plain_code.is_plain(code), bmi_instructions(code, BEGIN)
    return Block(number, root_code, memory, content, is_plain, _may_use_xmm(code), bmi)


def _may_use_xmm(code: bytes) -> bool:
    covered = 0
    for _, length, _, operands in decoder().disasm_lite(code, 0):
        if "xmm" in operands:
            return True
        covered += length
    return covered < len(code)
