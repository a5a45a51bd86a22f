"""GUEST_REGS: the guest's general registers as conditions and code blocks see them (events-and-commands B.5).

Sixteen 8-byte fields in the order of the x86 encoding: rax at 00, rcx 08, rdx 10, rbx 18, rsp 20, rbp 28, rsi 30, rdi
38, r8 40 ... r15 78. What a block writes reaches the guest when the block returns, rsp included: a block that changes
the guest's stack pointer means it, as a script that writes @rsp does.
"""

from __future__ import annotations

from mmap import mmap

from machine.processor import RegisterFile
from vm.facts.registers import GENERAL

SIZE = 8 * len(GENERAL)


class GuestRegs:
    """The structure at a place in physical memory."""

    def __init__(self, buffer: mmap, start: int) -> None:
        self._buffer = buffer
        self._start, self._end = start, start + SIZE

    def load(self, registers: RegisterFile) -> None:
        """Copy the guest's registers into the structure."""
        self._buffer[self._start : self._end] = registers.general()

    def store(self, registers: RegisterFile) -> None:
        """Copy the structure into the guest's registers."""
        registers.set_general(self._buffer[self._start : self._end])
