"""The call stack of a halted process: return addresses on it, and the calls that they belong to (E.5).

`frames` follows the chain of frame pointers from rbp; `returns` takes every slot that looks like a return address.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec

from machine.debugger.disassembly import disassemble
from machine.memory import Protection
from machine.schedule import Process
from vm.facts.registers import STORAGE_INDEX

WORD_MASK = 0xFFFF_FFFF_FFFF_FFFF
_CALL_LENGTHS = (5, 2, 3, 4, 6, 7)  # bytes of a CALL: direct first, then by register or memory
_RSP, _RBP, _RIP = (STORAGE_INDEX[name] for name in ("rsp", "rbp", "rip"))
_MOST_FRAMES = 0x400

ReadUpTo = Callable[[int, int], bytes]


class Slot(msgspec.Struct, frozen=True):
    """A value on the stack, `offset` bytes from its start; `call` is the address of the CALL that it leads behind."""

    offset: int
    value: int
    call: int | None


class CallStack:
    """The stack of a process. `read` gives the bytes from an address on that commands see, at most so many."""

    def __init__(self, process: Process, read: ReadUpTo) -> None:
        self._process = process
        self._read = read

    def slots(self, data: bytes, size: int) -> Iterator[Slot]:
        """Every value of `size` bytes of a stretch of the stack."""
        for offset in range(0, len(data) - size + 1, size):
            value = int.from_bytes(data[offset : offset + size], "little")
            yield Slot(offset, value, self.call_before(value))

    def frames(self, rsp: int, end: int | None) -> list[Slot]:
        """The return address of each frame that ends below `end`; empty without a plausible chain of frame pointers.

        The innermost function may have no frame of its own yet, or no more: its return address lies at rsp, or behind
        the rbp that it has just pushed.
        """
        found: list[tuple[int, int, int]] = []
        frame, least = self._register(_RBP), rsp
        while len(found) < _MOST_FRAMES and frame >= least:
            row = self._frame(frame)
            if row is None:
                break
            following, value, call = row
            found.append((frame + 8 - rsp, value, call))
            frame, least = following, frame + 1
        if not found:
            return []
        offset = 8 if self._quadword(rsp) == self._register(_RBP) else 0
        innermost = self._quadword(rsp + offset)
        caller = self.call_before(innermost)
        if offset < found[0][0] and caller is not None and self._is_innermost(caller, found[0][2]):
            found.insert(0, (offset, innermost, caller))
        return [Slot(*slot) for slot in found if end is None or rsp + slot[0] + 8 <= end]

    def call_before(self, value: int) -> int | None:
        """The address of the CALL that ends at `value`, when there is one in executable memory."""
        area = self._process.cpu.memory.area_at(value)
        if area is None or Protection.EXECUTE not in area.protection:
            return None
        for length in _CALL_LENGTHS:
            line = next(disassemble(self._read(value - length, length), value - length), None)
            if line is not None and line.is_call and line.end == value:
                return value - length
        return None

    def _register(self, storage: int) -> int:
        return self._process.cpu.registers.read(storage)

    def _is_innermost(self, call: int, next_call: int) -> bool:
        """Whether rip can be in what `call` called and not in what `next_call` did: the nearest start below counts."""
        rip = self._register(_RIP)
        target, next_target = self._target(call), self._target(next_call)
        if target is None or target == rip:
            return True
        return target < rip and (next_target is None or not target <= next_target <= rip)

    def _target(self, call: int) -> int | None:
        """Where a direct CALL goes."""
        code = self._process.cpu.memory.read(call, 5)
        if code is None or code[0] != 0xE8:
            return None
        return (call + 5 + int.from_bytes(code[1:], "little", signed=True)) & WORD_MASK

    def _quadword(self, where: int) -> int:
        data = self._process.cpu.memory.read(where, 8)
        return 0 if data is None else int.from_bytes(data, "little")

    def _frame(self, frame: int) -> tuple[int, int, int] | None:
        """The saved rbp, the return address behind it and its CALL."""
        data = self._process.cpu.memory.read(frame, 16)
        if data is None:
            return None
        value = int.from_bytes(data[8:], "little")
        call = self.call_before(value)
        return None if call is None else (int.from_bytes(data[:8], "little"), value, call)
