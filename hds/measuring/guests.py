"""Built-in guests: for a kind of event, a loop each of whose rounds triggers it once or a few times.

Not for kinds that need more than a program of their own: interrupts (a timer), traces (a script that asks for them).
"""

from __future__ import annotations

from functools import cache

import msgspec
from msgspec.structs import replace

from lang.commands import ALL, EventCommand
from machine import Program
from machine.root import assemble
from vm.facts.events import EventKind
from vm.facts.numbers import SCRIPT, number_in

_SET_COUNT = bytes.fromhex("49bf")  # mov r15, and the 64 bits that follow: the number of rounds
_BEHIND_COUNT = 0x40_0000 + len(_SET_COUNT) + 8  # raw code begins at 400000
_CALLED = _BEHIND_COUNT + 2  # behind a short jump
_HANDLED = """
    lea rax, [rip + handler]; mov [rsp-0x40], rax; mov qword ptr [rsp-0x38], 0x4000004
    lea rax, [rip + restorer]; mov [rsp-0x30], rax; mov qword ptr [rsp-0x28], 0
    mov eax, 13; mov edi, {signal}; lea rsi, [rsp-0x40]; xor edx, edx; mov r10d, 8; syscall; jmp next
handler: add qword ptr [rdx+0xa8], {length}; ret
restorer: mov eax, 15; syscall
"""  # Linux: behind each exception the program goes on with the next instruction


class _Row(msgspec.Struct, frozen=True):
    """Statements before the loop, and those of a round; `{value}` is the event's own number, `value` where it has none.

    `place` and `length` stand for the addresses that the event names.
    """

    body: str
    before: str = ""
    value: int = 0
    kernel: str = "bare"
    place: str = ""
    length: str = ""


_CALL = _Row("call called", "jmp next; called: ret", place=f"{_CALLED:x}", length="1")
_STORE = _Row("mov [rsp-0x100], r15", place="@rsp-100", length="8")
_LOAD = replace(_STORE, body="mov rax, [rsp-0x100]")


def _exception(signal: int, instruction: str, length: int, before: str = "") -> _Row:
    return _Row(f"{before}{instruction}", _HANDLED.format(signal=signal, length=length), kernel="linux")


_ROWS: dict[str, _Row] = {
    "syscall": _Row("mov eax, {value}; syscall", value=0x27),
    "sysret": _Row("mov eax, 0x27; syscall"),
    "cpuid": _Row("mov eax, {value}; xor ecx, ecx; cpuid"),
    "msrread": _Row("mov ecx, {value}; rdmsr", value=0xC000_0082),
    "msrwrite": _Row(
        "mov eax, r12d; mov edx, r13d; wrmsr", "mov ecx, {value}; rdmsr; mov r12d, eax; mov r13d, edx",
        value=0xC000_0082,
    ),
    "ioin": _Row("in al, dx", "mov edx, {value}", value=0x80),
    "ioout": _Row("out dx, al", "mov edx, {value}", value=0x80),
    "dr": _Row("mov rax, dr0"),
    "tsc": _Row("rdtsc"),
    "pmc": _Row("xor ecx, ecx; rdpmc"),
    "vmcall": _Row("vmcall"),
    "xsetbv": _Row("xsetbv", "mov ecx, {value}; xor edx, edx; mov eax, 7"),
    "crwrite 0": _Row("mov rax, cr0; xor rax, 0x20; mov cr0, rax"),  # a bit that does not matter here
    "crwrite 4": _Row("mov rax, cr4; xor rax, 0x100; mov cr4, rax"),
    "mode": _Row("mov eax, 0x27; syscall", kernel="linux"),
    "epthook": _CALL,
    "epthook2": _CALL,
    "monitor x": _CALL,
    "exception": _exception(4, "ud2", 2),
    "exception 0": _exception(8, "div ecx", 2, "xor edx, edx; xor ecx, ecx; "),
    "exception 6": _exception(4, "ud2", 2),
    "exception 13": _exception(11, "mov rax, [rcx]", 3, "mov rcx, 0x8000000000000000; "),
    "exception 14": _exception(11, "mov rax, [rcx]", 3, "xor ecx, ecx; "),
    **{f"monitor {access}": _STORE for access in ("w", "wx", "rw", "rwx")},
    **{f"monitor {access}": _LOAD for access in ("r", "rx")},
}  # fmt: skip
_CHOOSING = ("crwrite", "exception")  # kinds whose number says which row it is


class BuiltIn(msgspec.Struct, frozen=True):
    """A guest for an event. `kernel` answers its calls; `places` are texts for parameters that name addresses."""

    code: bytes
    kernel: str
    places: dict[str, str]
    process_id: int | None

    def program(self, rounds: int) -> Program:
        """The program with so many rounds."""
        return Program(_SET_COUNT + rounds.to_bytes(8, "little") + self.code, "raw", process_id=self.process_id)


def guest_of(event: EventCommand, kind: EventKind) -> BuiltIn | None:
    """The guest for an event; None where there is none. Raises machine.root.MissingAssemblerError."""
    numbers = [each.value for each in event.parameters.values() if each.value is not None and each.name != "access"]
    name = f"{kind.name} {numbers[0]}" if kind.name in _CHOOSING and numbers else kind.name
    row = _ROWS.get(name)
    if row is None or "space" in event.parameters:
        return None
    value = numbers[0] if numbers and not row.place else _number(event, row.value)
    code = _assembled(row.before.replace("{value}", str(value)), row.body.replace("{value}", str(value)))
    places = {"address": row.place, "from": row.place, "length": row.length, "to": f"l {row.length}"}
    return BuiltIn(code, row.kernel, places if row.place else {}, None if event.pid == ALL else event.pid)


def _number(event: EventCommand, default: int) -> int:
    """The number of a system call, which is an expression; the default where it is no plain number."""
    given = event.parameters.get("number")
    value = None if given is None else number_in(given.text, SCRIPT, 0xFFFF_FFFF)
    return default if value is None else value


@cache
def _assembled(before: str, body: str) -> bytes:
    return assemble(f"{before}\nnext: {body}; dec r15; jnz next", address=_BEHIND_COUNT).code
