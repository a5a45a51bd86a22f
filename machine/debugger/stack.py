"""The call stack of a halted process: return addresses on it, and the calls that they belong to (E.5).

`unwound` follows what compilers have written down, `frames` the chain of frame pointers from rbp; `slots` takes
everything that looks like a return address.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator

import msgspec

from machine.debugger import unwinding
from machine.debugger.disassembly import disassemble
from machine.debugger.modules import modules_of
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

    def calls(self, rsp: int, end: int | None) -> list[Slot]:
        """The return address of each frame, as far as they are known: by tables, or by frame pointers."""
        return self.unwound(rsp, end) or self.frames(rsp, end)

    def unwound(self, rsp: int, end: int | None) -> list[Slot]:
        """The return address of each frame that ends below `end`, by the tables of the modules that the code is in."""
        bases = sorted(
            {*(part.base for part in self._process.image.parts), *(m.start for m in modules_of(self._process))}
        )
        registers = {number: self._register(STORAGE_INDEX[name]) for number, name in enumerate(unwinding.NAMES)}
        found: list[Slot] = []
        while len(found) < _MOST_FRAMES:
            index = bisect_right(bases, registers[unwinding.RIP])
            above = None
            if index:
                base = bases[index - 1]
                section = self._section() if base == self._process.image.base else None
                above = unwinding.caller(base, registers, self._read, section, innermost=not found)
            if above is None or above[unwinding.RSP] <= registers[unwinding.RSP]:
                break
            value, offset = above[unwinding.RIP], above[unwinding.RSP] - 8 - rsp
            if not value or (end is not None and rsp + offset + 8 > end):
                break
            found.append(Slot(offset, value, self.call_before(value) or value))
            registers = above
        return found

    def _section(self) -> unwinding.Section | None:
        """Where the program has its call frame information."""
        image = self._process.image
        found = unwinding.call_frames_of(image.data) if image.data.startswith(b"\x7fELF") else None
        return None if found is None else (found[0] + image.bias, found[1])

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
