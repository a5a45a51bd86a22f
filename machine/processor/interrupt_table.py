"""The guest's own interrupt descriptor table, and what the processor does to enter a handler (Intel SDM 3A, chapter 6).

A guest on level 0 that has loaded a table gets its exceptions and interrupts through it: frame, error code, the stacks
of its TSS, and IRETQ back. Raw code on level 0 has the selectors of a user program (docs/processor.md): in a frame they
are those of level 0, and so is the one in a gate.
"""

from __future__ import annotations

import struct

import msgspec
from unicorn import x86_const as x86

from machine.memory import AddressSpace, is_canonical
from machine.processor.binding import WORD_MASK, Engine
from machine.processor.descriptors import KERNEL_LEVEL, TABLE_AT, Selector
from machine.processor.fault import IN_TABLE, WITH_ERROR_CODE, Fault, PageFault, Vector
from machine.processor.hidden_state import HiddenState
from machine.processor.register_file import RegisterFile
from vm import PAGE
from vm.facts.paging import WRITE
from vm.facts.registers import RFLAGS, RIP, STORAGE_INDEX

_CS, _SS, _RSP, _CR2 = (STORAGE_INDEX[name] for name in ("cs", "ss", "rsp", "cr2"))
_GATE = struct.Struct("<HHBBHII")
_INTERRUPT_GATE, _TRAP_GATE = 0xE, 0xF
_EXTERNAL = 1  # of an error code: not by an instruction
_RPL = 3
_TF, _IF, _NT, _RF, _VM = 1 << 8, 1 << 9, 1 << 14, 1 << 16, 1 << 17
_STACKS_AT, _INTERRUPT_STACKS_AT = 4, 0x24  # in a TSS
_CONTRIBUTORY = frozenset((Vector.DE, Vector.TS, Vector.NP, Vector.SS, Vector.GP, Vector.PF))


class _RefusedError(Exception):
    """The processor raises an exception instead."""

    def __init__(self, vector: Vector, error: int, address: int | None = None) -> None:
        super().__init__(vector, error)
        self.vector, self.error, self.address = vector, error, address


class _Gate(msgspec.Struct, frozen=True):
    """What a row of the table says."""

    offset: int
    selector: int
    stack: int  # of the TSS; 0: none of its interrupt stacks
    kind: int
    level: int

    @classmethod
    def of(cls, row: bytes) -> _Gate | None:
        """The gate; None where it is not present."""
        low, selector, stack, access, middle, high, _ = _GATE.unpack(row)
        if not access >> 7:
            return None
        return cls(low | middle << 16 | high << 32, selector, stack & 7, access & 0x1F, access >> 5 & 3)


class InterruptTable:
    """The table of one stopped engine."""

    def __init__(
        self, engine: Engine, memory: AddressSpace, registers: RegisterFile, hidden: HiddenState, home_level: int
    ) -> None:
        self._engine = engine
        self._memory = memory
        self._registers = registers
        self._hidden = hidden
        self._is_reachable = home_level == KERNEL_LEVEL
        self._first = self._table(x86.UC_X86_REG_IDTR)

    @property
    def is_loaded(self) -> bool:
        """Whether the guest has loaded a table, by LIDT on level 0."""
        return self._is_reachable and self._table(x86.UC_X86_REG_IDTR) != self._first

    def deliver(self, fault: Fault) -> bool:
        """Enter the handler; False where neither it nor that of #DF can be entered: a triple fault."""
        while True:
            try:
                self._enter(fault)
            except _RefusedError as refused:
                if fault.vector == Vector.DF and fault.is_exception:
                    return False
                if refused.address is not None:
                    self._registers.write(_CR2, refused.address)
                is_severe = fault.is_exception and fault.vector in _CONTRIBUTORY
                fault = Fault(Vector.DF, fault.at) if is_severe else Fault(refused.vector, fault.at, refused.error)
            else:
                return True

    def _enter(self, fault: Fault) -> None:
        registers, before = self._registers, self._hidden.level
        external = 0 if fault.length else _EXTERNAL
        gate = self._gate(fault, external)
        selector = gate.selector
        is_of_users = before == KERNEL_LEVEL and selector == Selector.USER_CODE
        if is_of_users and self._table(x86.UC_X86_REG_GDTR)[0] == TABLE_AT:
            selector = Selector.KERNEL_CODE  # which raw code finds in CS
        level = self._level_of(selector, before, external)
        flags, pointer = registers.read(RFLAGS), registers.read(_RSP)
        top = pointer
        if gate.stack or level != before:
            top = self._stack(_INTERRUPT_STACKS_AT + 8 * (gate.stack - 1) if gate.stack else _STACKS_AT + 8 * level)
        saved = flags | _RF if fault.is_exception and not fault.is_trap else flags
        frame = [fault.rip, self._saved(_CS, before), saved, pointer, self._saved(_SS, before)]
        if fault.is_exception and fault.vector in WITH_ERROR_CODE:
            frame.insert(0, fault.error)
        if not is_canonical(gate.offset):
            raise _RefusedError(Vector.GP, external)
        place = (top & ~0xF) - 8 * len(frame) & WORD_MASK
        self._push(place, struct.pack(f"<{len(frame)}Q", *frame), level)
        registers.write(_RSP, place)
        registers.write(RIP, gate.offset)
        registers.write(_CS, selector)
        if level != before:
            registers.write(_SS, level)
            self._hidden.level = level
        cleared = _TF | _NT | _RF | _VM | _IF * (gate.kind == _INTERRUPT_GATE)
        registers.write(RFLAGS, flags & ~cleared)

    def _gate(self, fault: Fault, external: int) -> _Gate:
        base, limit = self._table(x86.UC_X86_REG_IDTR)
        error = fault.vector << 3 | IN_TABLE | external
        row = self._memory.read(base + _GATE.size * fault.vector, _GATE.size)
        if _GATE.size * fault.vector + _GATE.size - 1 > limit:
            raise _RefusedError(Vector.GP, error)
        if row is None:
            raise _RefusedError(Vector.PF, 0, base + _GATE.size * fault.vector)
        gate = _Gate.of(row)
        if gate is None:
            raise _RefusedError(Vector.NP, error)
        is_refused = fault.length and gate.level < self._hidden.level
        if gate.kind not in (_INTERRUPT_GATE, _TRAP_GATE) or is_refused:
            raise _RefusedError(Vector.GP, error)
        return gate

    def _level_of(self, selector: int, level: int, external: int) -> int:
        """The level of the code behind a gate."""
        base, limit = self._table(x86.UC_X86_REG_GDTR)
        error = selector & ~_RPL | external
        row = self._memory.read(base + (selector & ~7), 8)
        if selector & ~7 == 0 or (selector | 7) > limit or row is None:
            raise _RefusedError(Vector.GP, error)
        descriptor = int.from_bytes(row, "little")
        is_code, is_long, conforms = descriptor >> 43 & 3 == 3, descriptor >> 53 & 3 == 1, descriptor >> 42 & 1
        own = descriptor >> 45 & 3
        if not is_code & is_long or own > level:
            raise _RefusedError(Vector.GP, error)
        if not descriptor >> 47 & 1:
            raise _RefusedError(Vector.NP, error)
        return level if conforms else own

    def _stack(self, place: int) -> int:
        """A stack pointer of the TSS."""
        selector, base, limit, _ = self._engine.uc.reg_read(x86.UC_X86_REG_TR)
        row = self._memory.read(base + place, 8)
        if place + 7 > limit or row is None:
            raise _RefusedError(Vector.TS, selector & ~_RPL)
        return int.from_bytes(row, "little")

    def _push(self, place: int, frame: bytes, level: int) -> None:
        """Write a frame where the guest may write."""
        if not is_canonical(place):
            raise _RefusedError(Vector.SS, 0)
        for page in {place & -PAGE, place + len(frame) - 1 & -PAGE}:
            area = self._memory.area_at(page)
            if area is None or not area.allows(WRITE):
                error = PageFault.WRITE | PageFault.USER * bool(level) | PageFault.PRESENT * (area is not None)
                raise _RefusedError(Vector.PF, error, max(place, page))
        if not self._memory.write(place, frame):
            raise _RefusedError(Vector.PF, PageFault.WRITE, place)

    def _saved(self, storage: int, level: int) -> int:
        """A selector as IRETQ is to find it to come back to the level that it was on."""
        selector = self._registers.read(storage)
        if selector & _RPL == level:
            return selector
        return Selector.KERNEL_CODE if storage == _CS else Selector.KERNEL_DATA

    def _table(self, register: int) -> tuple[int, int]:
        """Base and limit."""
        return self._engine.read_table(register)
