"""GUEST_REGS: the guest's general registers as conditions and code blocks see them (events-and-commands B.5).

Sixteen 8-byte fields in the order of the x86 encoding: rax at 00, rcx 08, rdx 10, rbx 18, rsp 20, rbp 28, rsi 30, rdi
38, r8 40 ... r15 78. What a block writes reaches the guest when the block returns, rsp included: a block that changes
the guest's stack pointer means it, as a script that writes @rsp does.
"""

from __future__ import annotations

from machine.memory import Region
from machine.processor import RegisterFile
from vm.facts.registers import GENERAL

SIZE = 8 * len(GENERAL)


class GuestRegs:
    """The structure at an address of a region."""

    def __init__(self, region: Region, address: int) -> None:
        self._buffer = region.buffer
        self._start = address - region.start
        self._end = self._start + SIZE

    def load(self, registers: RegisterFile) -> None:
        """Copy the guest's registers into the structure."""
        self._buffer[self._start : self._end] = registers.general()

    def store(self, registers: RegisterFile) -> None:
        """Copy the structure into the guest's registers."""
        registers.set_general(self._buffer[self._start : self._end])
