"""The last branches of a CPU, as a processor with last-branch records keeps them (Intel SDM volume 3, 18.9 to 18.12).

Only branches that were taken are recorded, each with its kind; a mask says which kinds are not. They are worked out
from the blocks that were entered, and from the code that is there when somebody asks. A system call that the kernel
stand-in answers in the place of its code is none; where that is executed, its branches are far ones and the code's own.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from enum import IntFlag
from typing import Any

import msgspec

from machine.memory import CANONICAL_HALF
from machine.processor.branch_ring import Block, BranchRing
from machine.processor.decoders import decoder

DEPTH = 32  # branches that are kept
_MOST_CYCLES = 0xFFFF
_KEPT = 4096  # decoded blocks


class Select(IntFlag):
    """What is not recorded (MSR_LBR_SELECT; events-and-commands F.3)."""

    KERNEL = 1 << 0
    USER = 1 << 1
    CONDITIONAL = 1 << 2
    RELATIVE_CALL = 1 << 3
    INDIRECT_CALL = 1 << 4
    RETURN = 1 << 5
    INDIRECT_JUMP = 1 << 6
    RELATIVE_JUMP = 1 << 7
    FAR = 1 << 8
    CALL_STACK = 1 << 9  # calls that have not returned yet, of the kinds that are recorded


_CALLS = Select.RELATIVE_CALL | Select.INDIRECT_CALL
_INDIRECT = Select.INDIRECT_CALL | Select.INDIRECT_JUMP | Select.RETURN | Select.FAR


class Branch(msgspec.Struct, frozen=True):
    """A branch that was taken; `cycles` are the instructions since the one before it, as far as they are known."""

    source: int
    target: int
    kind: Select
    cycles: int


class _End(msgspec.Struct, frozen=True):
    """The last instruction of a block: its offset, what kind of branch it is (0: none), and the target it names."""

    offset: int
    kind: Select
    target: int  # from the start of the block; of direct branches
    instructions: int


class LastBranches:
    """Of one CPU: `read` reads its memory, `select` says what is not recorded."""

    def __init__(self, read: Callable[[int, int], bytes | None]) -> None:
        self.ring = BranchRing()
        self._read = read
        self._select = Select(0)
        self._seen = 0  # number of the block up to which branches were worked out
        self._kept: deque[Branch] = deque(maxlen=DEPTH)
        self._ends: dict[bytes, _End] = {}

    @property
    def select(self) -> Select:
        """What is not recorded."""
        return self._select

    @select.setter
    def select(self, value: Select) -> None:
        self._work_out()
        self._select = value

    @property
    def branches(self) -> list[Branch]:
        """The last branches, the oldest first; at most DEPTH."""
        self._work_out()
        return list(self._kept)

    def keep(self, branches: list[Branch]) -> None:
        """Let these be the last branches, the oldest first."""
        self._seen = max(self.ring.count - 1, 0)
        self._kept = deque(branches, maxlen=DEPTH)

    def _work_out(self) -> None:
        """Look at the blocks that are new: in call-stack mode at all of them, else until there are enough."""
        stack = bool(self._select & Select.CALL_STACK)
        found: list[tuple[int, int, Select]] = []
        cycles: list[int] = []  # of the same branches
        target: int | None = None
        for block in self.ring.backwards(self._seen):
            if target is not None:
                end = self._end(block)
                kind = self._taken(block, end, target)
                if kind and not self._is_left_out(kind, target):
                    if len(found) == DEPTH and not stack:
                        break
                    found.append((block.address + end.offset, target, kind))
                    cycles.append(0)
                if cycles:
                    cycles[-1] = min(cycles[-1] + end.instructions, _MOST_CYCLES)
            target = block.address
        self._seen = max(self.ring.count - 1, 0)
        for (source, target, kind), count in zip(reversed(found), reversed(cycles), strict=True):
            if not stack or kind is not Select.RETURN:
                self._kept.append(Branch(source, target, kind, count))
            elif self._kept:
                self._kept.pop()

    def _is_left_out(self, kind: Select, target: int) -> bool:
        level = Select.USER if target < CANONICAL_HALF else Select.KERNEL
        if self._select & Select.CALL_STACK:
            return bool(self._select & level) or not kind & (_CALLS | Select.RETURN)
        return bool(self._select & (kind | level))

    def _taken(self, block: Block, end: _End, target: int) -> Select:
        """The kind of the branch at the end of a block that another one followed; 0 if none was taken there."""
        if end.kind & _INDIRECT:
            return end.kind if not end.kind & Select.FAR or target != block.address + block.size else Select(0)
        return end.kind if (block.address + end.target) & 0xFFFF_FFFF_FFFF_FFFF == target else Select(0)

    def _end(self, block: Block) -> _End:
        code = self._read(block.address, block.size) or b""
        end = self._ends.get(code)
        if end is None:
            if len(self._ends) >= _KEPT:
                self._ends.clear()
            end = self._ends[code] = self._decode(code)
        return end

    def _decode(self, code: bytes) -> _End:
        last, count = None, 0
        for instruction in decoder(detail=True).disasm(code, 0):
            last, count = instruction, count + 1
        if last is None or last.address + last.size != len(code):
            return _End(0, Select(0), 0, count)
        return _End(last.address, *_kind_of(last), count)


def _kind_of(instruction: Any) -> tuple[Select, int]:
    """What kind of branch an instruction is, and its target if it names one, from where the code begins."""
    import capstone
    from capstone import x86_const as x86

    operands = instruction.operands
    is_direct = len(operands) == 1 and operands[0].type == x86.X86_OP_IMM
    target = operands[0].imm if is_direct else 0
    if instruction.group(capstone.CS_GRP_CALL) and instruction.id == x86.X86_INS_CALL:
        return (Select.RELATIVE_CALL if is_direct else Select.INDIRECT_CALL), target
    if instruction.id == x86.X86_INS_RET:
        return Select.RETURN, 0
    if instruction.id == x86.X86_INS_JMP:
        return (Select.RELATIVE_JUMP if is_direct else Select.INDIRECT_JUMP), target
    if instruction.group(capstone.CS_GRP_JUMP) and is_direct:
        return Select.CONDITIONAL, target
    far = (capstone.CS_GRP_CALL, capstone.CS_GRP_JUMP, capstone.CS_GRP_RET, capstone.CS_GRP_INT, capstone.CS_GRP_IRET)
    is_far = any(instruction.group(group) for group in far) or instruction.id == x86.X86_INS_SYSRET
    return (Select.FAR if is_far or instruction.id == x86.X86_INS_SYSCALL else Select(0)), 0
