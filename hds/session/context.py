"""The state at a stop in full, on wish (`settings context on`): registers, code, stack and calls, as pwndbg shows them.

Values that are addresses are followed: what lies there, what lies where that leads, up to text, code or a number.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from machine.debugger import CallStack, Line, disassemble, jump_note
from machine.memory import Protection
from vm.facts.registers import GENERAL, RFLAGS, RIP, STORAGE_INDEX

if TYPE_CHECKING:
    from hds.session.session import Session
    from machine.schedule import Process

WIDTH = 100
_BEFORE, _BEHIND = 3, 6  # instructions around rip
_SLOTS, _CALLS, _FOLLOWED = 8, 8, 3
_FARTHEST = 0x400  # bytes from a symbol's place that code is decoded from
_SHORTEST, _LONGEST = 4, 40  # characters of a text
_FLAGS = (("CF", 0), ("PF", 2), ("AF", 4), ("ZF", 6), ("SF", 7), ("TF", 8), ("IF", 9), ("DF", 10), ("OF", 11))
_RSP = STORAGE_INDEX["rsp"]


class Context:
    """Shows the state of a session's processes; registers that have changed since it was last shown have a mark."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._shown: dict[str, int] = {}

    def text(self, process: Process) -> str:
        """All four parts, without a line end at the end."""
        parts = (
            ("registers", self._registers(process)),
            ("code", self._code(process)),
            ("stack", self._stack(process)),
            ("calls", self._calls(process)),
        )
        return "\n".join(line for title, lines in parts for line in (f"--[ {title} ]".ljust(WIDTH, "-"), *lines))

    def _registers(self, process: Process) -> Iterator[str]:
        read = process.cpu.registers.read
        now = {name: read(STORAGE_INDEX[name]) for name in GENERAL} | {"rip": read(RIP), "rflags": read(RFLAGS)}
        for name, value in now.items():
            mark = "*" if self._shown and self._shown.get(name) != value else " "
            follows = _flags(value) if name == "rflags" else self._followed(process, value)
            yield f"{mark}{name:<6} {value:016x}{follows}"
        self._shown = now

    def _code(self, process: Process) -> Iterator[str]:
        rip = process.cpu.registers.read(RIP)
        lines = self._lines_before(process, rip)
        behind = disassemble(
            process.cpu.memory.read_up_to(rip, 15 * _BEHIND), rip, syntax=self._session.settings.syntax
        )
        lines += [line for line, _ in zip(behind, range(_BEHIND), strict=False)]
        if not lines or lines[-1].address < rip:
            yield f"-> {rip:016x}   the memory here holds no instruction"
        source = ""
        for line in lines:
            at, name = (
                self._session.symbols.line(process, line.address),
                self._session.symbols.place(process, line.address),
            )
            note = jump_note(line, process.cpu.registers.read(RFLAGS)) if line.address == rip else ""
            arrow = "->" if line.address == rip else "  "
            yield f"{arrow} {line.address:016x} {f'<{name}>' if name else '':<28} {line.text}{note}" + (
                f"   ; {at}" if at and at != source else ""
            )
            source = at

    def _lines_before(self, process: Process, rip: int) -> list[Line]:
        """Some instructions in front of rip, where a symbol is near from which they can be decoded."""
        found = self._session.symbols.nearest(process, rip)
        if found is None or not 0 < found[1] <= _FARTHEST:
            return []
        start = rip - found[1]
        code = process.cpu.memory.read_up_to(start, found[1])
        lines = list(disassemble(code, start, syntax=self._session.settings.syntax))
        return lines[-_BEFORE:] if lines and lines[-1].end == rip else []

    def _stack(self, process: Process) -> Iterator[str]:
        rsp = process.cpu.registers.read(_RSP)
        data = process.cpu.memory.read_up_to(rsp, 8 * _SLOTS)
        for offset in range(0, len(data) - 7, 8):
            value = int.from_bytes(data[offset : offset + 8], "little")
            yield f"   [rsp+{offset:02x}] {rsp + offset:016x} : {value:016x}{self._followed(process, value)}"
        if not data:
            yield f"   {rsp:016x} is not mapped"

    def _calls(self, process: Process) -> Iterator[str]:
        rip = process.cpu.registers.read(RIP)
        slots = CallStack(process, process.cpu.memory.read_up_to).calls(process.cpu.registers.read(_RSP), None)
        for number, where in enumerate([rip, *(slot.value for slot in slots)][:_CALLS]):
            at = self._session.symbols.line(process, where - bool(number))
            name = self._session.symbols.place(process, where)
            yield f"{'->' if not number else '  '} {number} {where:016x} {name}" + (f" at {at}" if at else "")

    def _followed(self, process: Process, value: int) -> str:
        """` -> ...` for each step that an address leads on."""
        text, memory = "", process.cpu.memory
        for _ in range(_FOLLOWED):
            area = memory.area_at(value)
            if area is None:
                break
            name = self._session.symbols.place(process, value)
            text += f" <{name}>" if name else ""
            if Protection.EXECUTE in area.protection:
                line = next(
                    disassemble(memory.read_up_to(value, 15), value, syntax=self._session.settings.syntax), None
                )
                return text + (f" : {line.text}" if line else "")
            found = _text_in(memory.read_up_to(value, _LONGEST))
            if found:
                return f'{text} -> "{found}"'
            data = memory.read(value, 8)
            if data is None:
                break
            value = int.from_bytes(data, "little")
            text += f" -> {value:x}"
        return text


def _flags(value: int) -> str:
    return " [" + " ".join(name if value >> bit & 1 else name.lower() for name, bit in _FLAGS) + "]"


def _text_in(data: bytes) -> str:
    """The text that begins there, if it looks like one."""
    text, end, _ = data.partition(b"\0")
    is_text = len(text) >= _SHORTEST and all(0x20 <= byte < 0x7F for byte in text)
    return text.decode() + ("" if end else "...") if is_text else ""
