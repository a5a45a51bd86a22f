"""Hardware breakpoints: what DR0 to DR3 and DR7 ask for, and MOV to debug registers (Intel SDM volume 3B, 17.2).

The CPU hooks the addresses of execution breakpoints and watches the pages of the others; here it is found out what an
instruction hits. Breakpoints of ports are none.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

from machine.processor.fault import DebugStatus, Fault, Vector
from machine.processor.instruction_finder import InstructionPattern, OperandKind
from machine.processor.register_file import RegisterFile
from vm.facts.paging import EXECUTE, PAGE_BITS, READ, WRITE
from vm.facts.registers import RIP, STORAGE_INDEX

if TYPE_CHECKING:
    from machine.processor.memory_operands import Access

DEBUG_REGISTERS = tuple(STORAGE_INDEX[f"dr{number}"] for number in (0, 1, 2, 3, 6, 7))
READS, WRITES = (InstructionPattern(opcode, operand=OperandKind.REGISTER) for opcode in (b"\x0f\x21", b"\x0f\x23"))

_ADDRESSES, _STATUS, _CONTROL = DEBUG_REGISTERS[:4], *DEBUG_REGISTERS[4:]
_CR4 = STORAGE_INDEX["cr4"]
_RIGHTS = (EXECUTE, WRITE, 0, READ | WRITE)  # by the R/W field
_LENGTHS = (1, 2, 8, 4)  # in bytes, by the LEN field
_GENERAL_DETECT = 1 << 13
_DEBUG_EXTENSIONS = 1 << 3  # of CR4
_ALIASES = {4: 6, 5: 7}
_STATUS_ONES, _STATUS_ZEROS, _CONTROL_ONES, _CONTROL_ZEROS = 0xFFFF_0FF0, 1 << 12, 1 << 10, 0xD800


class Breakpoint(NamedTuple):
    """One that is enabled: its bit of DR6, its first and last byte; EXECUTE, WRITE or READ | WRITE hits it."""

    status: int
    first: int
    last: int
    rights: int


class DebugRegisters:
    """The breakpoints of one CPU, as its debug registers were when somebody looked last."""

    def __init__(self, registers: RegisterFile) -> None:
        self._registers = registers
        self.breakpoints: tuple[Breakpoint, ...] = ()

    def look_again(self) -> bool:
        """The registers were written: whether there are other breakpoints than before."""
        before, self.breakpoints = self.breakpoints, tuple(self._enabled())
        return before != self.breakpoints

    def _enabled(self) -> Iterable[Breakpoint]:
        control = self._registers.read(_CONTROL)
        for index, storage in enumerate(_ADDRESSES if control & 0xFF else ()):
            rights = _RIGHTS[control >> 16 + 4 * index & 3]
            if rights and control >> 2 * index & 3:
                length = 1 if rights == EXECUTE else _LENGTHS[control >> 18 + 4 * index & 3]
                first = self._registers.read(storage) & -length
                yield Breakpoint(1 << index, first, first + length - 1, rights)

    @property
    def executions(self) -> set[int]:
        """The addresses of execution breakpoints."""
        return {each.first for each in self.breakpoints if each.rights == EXECUTE}

    def rights_of(self, page: int) -> int:
        """The accesses to a page, by number, that may hit one."""
        found = 0
        for each in self.breakpoints:
            if each.rights != EXECUTE and each.first >> PAGE_BITS <= page <= each.last >> PAGE_BITS:
                found |= each.rights
        return found

    def status_at(self, rip: int) -> int:
        """The bits of the breakpoints that the execution of an address hits."""
        return sum(each.status for each in self.breakpoints if each.rights == EXECUTE and each.first == rip)

    def status_of(self, accesses: Iterable[Access]) -> int:
        """The bits of those that some accesses hit."""
        status = 0
        for access in accesses:
            right = WRITE if access.is_write else READ
            for each in self.breakpoints:
                overlaps = access.address <= each.last and each.first < access.address + access.size
                if overlaps and each.rights != EXECUTE and each.rights & right:
                    status |= each.status
        return status

    def delivered(self, status: int) -> None:
        """#DB is delivered: its bits are in DR6, and access to debug registers is free again."""
        self._registers.write(_STATUS, self._registers.read(_STATUS) | status)
        control = self._registers.read(_CONTROL)
        if control & _GENERAL_DETECT:
            self._registers.write(_CONTROL, control & ~_GENERAL_DETECT)

    def move(self, code: bytes) -> Fault | None:
        """Carry out MOV to a debug register on level 0, at RIP; the exception that it or a read raises.

        Other reads, and numbers that there are not, are the emulator's.
        """
        registers, is_write = self._registers, WRITES.matches(code)
        number, rip = WRITES.register_of(code), registers.read(RIP)
        if number >= 8 or (number in _ALIASES and registers.read(_CR4) & _DEBUG_EXTENSIONS):
            return None
        if registers.read(_CONTROL) & _GENERAL_DETECT:
            return Fault(Vector.DB, rip, debug=DebugStatus.BD)
        if not is_write:
            return None
        number, value = _ALIASES.get(number, number), registers.read(WRITES.operand_of(code))
        if number >= 6 and value >> 32:
            return Fault(Vector.GP, rip)
        if number == 6:
            value = value & ~_STATUS_ZEROS | _STATUS_ONES
        elif number == 7:
            value = value & ~_CONTROL_ZEROS | _CONTROL_ONES
        registers.write(STORAGE_INDEX[f"dr{number}"], value)
        registers.write(RIP, rip + len(code))
        return None
