"""Instructions that access watched memory: they are refused first, and executed alone, with watched pages open, then.

A page is watched by bits of the page table (vm.facts.paging), so code that does not access it keeps its speed. The
emulator cannot execute one instruction, but under the trap flag it translates one at a time, apart from other
translations, and raises #DB behind it. The guest does not see that flag: where the instruction stores or loads flags,
they are put right. What an instruction accesses is found from its bytes and the registers (`memory_operands`).
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

import msgspec
from unicorn import x86_const as x86

from machine.memory import AddressSpace
from machine.processor import memory_operands
from machine.processor.binding import Engine
from machine.processor.block_counter import BlockCounter
from machine.processor.instruction_finder import LONGEST_INSTRUCTION
from machine.processor.register_file import RegisterFile
from machine.processor.translation import WATCHING
from vm.facts.paging import EXECUTE, READ, WATCHED_SHIFT, WRITE

TRAP_FLAG = 1 << 8

_EVERYTHING = READ | WRITE | EXECUTE
_PREFIXES = bytes((0x26, 0x2E, 0x36, 0x3E, 0x64, 0x65, 0x66, 0x67, 0xF0, 0xF2, 0xF3, *range(0x40, 0x50)))
_STORES_FLAGS = b"\x9c"  # PUSHF
_LOAD_FLAGS = (b"\x9d", b"\xcf", b"\x0f\x07")  # POPF, IRET, SYSRET
_COMPARE = (b"\xa6", b"\xa7", b"\xae", b"\xaf")  # CMPS, SCAS
_REPE, _ZERO_FLAG = 0xF3, 1 << 6
_HIGH_FLAGS = 1  # the byte of the flags that has TF


def has_plain_flags(code: bytes) -> bool:
    """Whether the instruction neither stores nor loads flags as a whole."""
    return not code.lstrip(_PREFIXES).startswith((_STORES_FLAGS, *_LOAD_FLAGS))


class WatchedInstruction(msgspec.Struct, frozen=True):
    """An instruction that is about to access watched memory; a repeated one is its next iteration.

    `accesses` are all that it makes besides being fetched.
    """

    rip: int
    accesses: tuple[memory_operands.Access, ...]


class Due(msgspec.Struct, frozen=True):
    """The instruction at `rip` is to be executed; `behind` is called when it was, at its end.

    `debug` is what the breakpoints that it hits set in DR6.
    """

    rip: int
    behind: Callable[[], None] | None = None
    debug: int = 0


class AccessCarrier(Protocol):
    """Machine code that deals with the watched accesses of one CPU (machine.native.accesses)."""

    def forget(self) -> None:
        """Deal with nothing of what was learned."""
        ...

    was_told: bool  # the last `start` ended behind the pre stage of an instruction

    def start(self, begin: int, until: int) -> int:
        """As `Engine.start`."""
        ...

    def decide(self, rip: int) -> Due | None:
        """What comes of the instruction at `rip` that `was_told`: as `Cpu.on_watched`."""
        ...

    def given_back(self) -> tuple[int, int, int] | None:
        """The instruction that it has begun to execute alone, for `SingleStep.take_over`; None where it is done."""
        ...


class SingleStep:
    """Executes one instruction of a CPU with watched pages open.

    `active` between `begin` and `end`; `completed` when the instruction was executed, until somebody takes note.
    """

    def __init__(
        self,
        engine: Engine,
        registers: RegisterFile,
        memory: AddressSpace,
        blocks: BlockCounter,
        state: ctypes.Array[ctypes.c_uint64],
    ) -> None:
        """`state` is that of machine.processor.translation."""
        self.active = self.completed = False
        self._engine = engine
        self._registers = registers
        self._memory = memory
        self._blocks = blocks
        self._state = state
        self._rip = self._counter = self._ceiling = 0
        self._opcode = self._prefixes = b""
        self._guest_flag = self._debug_status = 0  # the guest's own TF, and DR6

    def begin(self, rip: int) -> None:
        """Have the next run execute the instruction at `rip`, and nothing else before `end`."""
        code = self._memory.read_up_to(rip, LONGEST_INSTRUCTION)
        self._rip, self._opcode = rip, code.lstrip(_PREFIXES)
        self._prefixes = code[: len(code) - len(self._opcode)]
        self._counter = memory_operands.counter_of(code)
        if self._counter and not self._engine.read_register(x86.UC_X86_REG_RCX) & self._counter:
            self._counter = 0
        flags = self._engine.read_register(x86.UC_X86_REG_EFLAGS)
        self._guest_flag, self._debug_status = flags & TRAP_FLAG, self._engine.read_register(x86.UC_X86_REG_DR6)
        self._engine.set_register(x86.UC_X86_REG_EFLAGS, flags | TRAP_FLAG)
        self._registers.hidden_flags = TRAP_FLAG & ~flags
        self._state[WATCHING] = 0
        self._ceiling = self._blocks.allow_one()
        self.active = True

    def take_over(self, rip: int, ceiling: int, debug_status: int) -> None:
        """Machine code has begun, with an instruction that neither stores nor loads flags nor is repeated."""
        self._rip, self._ceiling, self._debug_status = rip, ceiling, debug_status
        self._opcode, self._counter, self._guest_flag = b"", 0, 0
        self.active = True

    @contextmanager
    def opened(self, word: int) -> Iterator[None]:
        """While the emulator is to find a page of which the page table has this word."""
        hides = self._state[WATCHING] and word >> WATCHED_SHIFT & EXECUTE
        if hides:
            self._state[WATCHING] = 0
        try:
            yield
        finally:
            if hides:
                self._state[WATCHING] = _EVERYTHING
                self._engine.flush_tlb()

    def end(self, completed: bool) -> bool:
        """Close watched pages; whether the guest is to have the #DB that it has asked for itself."""
        self.active, self.completed = False, completed
        self._state[WATCHING] = _EVERYTHING
        self._engine.flush_tlb()
        self._blocks.allow_others(self._ceiling)
        self._registers.hidden_flags = 0
        flags = self._engine.read_register(x86.UC_X86_REG_EFLAGS)
        if completed and self._counter:
            self._count_end(flags)
        if not completed or not self._opcode.startswith(_LOAD_FLAGS):
            self._engine.set_register(x86.UC_X86_REG_EFLAGS, flags & ~TRAP_FLAG | self._guest_flag)
        if completed and not self._guest_flag:
            self._engine.set_register(x86.UC_X86_REG_DR6, self._debug_status)
            if self._opcode.startswith(_STORES_FLAGS):
                self._hide_flag()
        return bool(self._guest_flag)

    def _count_end(self, flags: int) -> None:
        """Count the end of a repeated instruction, which the emulator executes apart unless TF is set."""
        if self._opcode.startswith(_COMPARE) and bool(flags & _ZERO_FLAG) != (_REPE in self._prefixes):
            return  # it does not end by its counter
        is_over = not self._engine.read_register(x86.UC_X86_REG_RCX) & self._counter
        if is_over and self._engine.read_register(x86.UC_X86_REG_RIP) != self._rip:
            self._blocks.count_one()

    def _hide_flag(self) -> None:
        """Take TF out of the flags that PUSHF has stored."""
        place = self._engine.read_register(x86.UC_X86_REG_RSP) + _HIGH_FLAGS
        stored = self._memory.read(place, 1)
        if stored is not None:
            self._memory.write(place, bytes((stored[0] & ~(TRAP_FLAG >> 8),)))
