"""Built-in guests: for a kind of event, a loop each of whose rounds triggers it once or a few times.

Every kind that commands create has one, with a timer where it needs that (interrupts), and with another event whose
script asks for it (traces).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import msgspec
from msgspec.structs import replace

from lang.commands import ALL, EventCommand
from machine import Program
from machine.root import assemble
from machine.schedule import CLOCK_VECTOR
from vm.facts.events import AddressSpace, EventKind
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

    `places` are texts for parameters that name an address, or a vector that only the machine's own devices raise.
    `timer` interrupts the guest so often in a virtual second, and the event `asking` asks for the kind's.
    """

    body: str
    before: str = ""
    value: int = 0
    kernel: str = "bare"
    places: Mapping[str, str] = msgspec.field(default_factory=dict)
    timer: int | None = None
    asking: str = ""


def _range(address: str, length: int) -> dict[str, str]:
    return {"address": address, "from": address, "length": f"{length}", "to": f"l {length}"}


_CALL = _Row("call called", "jmp next; called: ret", places=_range(f"{_CALLED:x}", 1))
_STORE = _Row("mov [rsp-0x100], r15", places=_range("@rsp-100", 8))
_LOAD = replace(_STORE, body="mov rax, [rsp-0x100]")
_TIMED = 100_000  # interrupts in a virtual second of 10^9 ticks: one in each round of 10^4 instructions


def _exception(signal: int, instruction: str, length: int, before: str = "") -> _Row:
    """One that a handler mends, behind an instruction of this length; 0 where the processor is behind it already."""
    return _Row(
        f"{before}{instruction}", _HANDLED.format(signal=signal, length=length), kernel="linux",
        places={"vector": "6"},
    )  # fmt: skip


def _asked_for(request: str) -> _Row:
    return replace(_CALL, places={}, asking=f"!epthook {_CALLED:x} script {{ {request}(); }}")


# By the kind, and where its number decides by that, too.
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
    "exception 0": replace(_exception(8, "div ecx", 2, "xor edx, edx; xor ecx, ecx; "), places={}),
    "exception 1": replace(_exception(5, "int1", 0), places={}),
    "exception 3": replace(_exception(5, "int3", 0), places={}),
    "exception 13": replace(_exception(11, "mov rax, [rcx]", 3, "mov rcx, 0x8000000000000000; "), places={}),
    "exception 14": replace(_exception(11, "mov rax, [rcx]", 3, "xor ecx, ecx; "), places={}),
    "interrupt": _Row(
        "nop; mov ecx, 4998; wait: dec ecx; jnz wait", places={"vector": f"{CLOCK_VECTOR:x}"}, timer=_TIMED
    ),
    "trace 1": _asked_for("event_trace_step"),
    "trace 3": _asked_for("event_trace_instrumentation_step"),
    **{f"monitor {access}": _STORE for access in ("w", "wx", "rw", "rwx")},
    **{f"monitor {access}": _LOAD for access in ("r", "rx")},
}  # fmt: skip
_NO_NUMBERS = ("access", "space")  # parameters whose values are those of words


class BuiltIn(msgspec.Struct, frozen=True):
    """A guest for an event. `kernel` answers its calls; `places` are texts for parameters of the event.

    `timer` is how often it is interrupted, and `asking` a command that makes one more event.
    """

    code: bytes
    kernel: str
    places: Mapping[str, str]
    timer: int | None
    asking: str
    process_id: int | None

    def program(self, rounds: int) -> Program:
        """The program with so many rounds."""
        return Program(_SET_COUNT + rounds.to_bytes(8, "little") + self.code, "raw", process_id=self.process_id)


def guest_of(event: EventCommand, kind: EventKind) -> BuiltIn | None:
    """The guest for an event; None where there is none. Raises machine.root.MissingAssemblerError."""
    numbers = [
        each.value for each in event.parameters.values() if each.value is not None and each.name not in _NO_NUMBERS
    ]
    row = _ROWS.get(kind.name)
    if numbers:
        row = _ROWS.get(f"{kind.name} {numbers[0]}", row)
    if row is None:
        return None
    value = numbers[0] if numbers and not row.places else _number(event, row.value)
    code = _assembled(row.before.replace("{value}", str(value)), row.body.replace("{value}", str(value)))
    places = dict(row.places)
    space = event.parameters.get("space")
    if space is not None and space.value == AddressSpace.PHYSICAL:
        places["from"] = f"virtual_to_physical({places['from']})"
    return BuiltIn(code, row.kernel, places, row.timer, row.asking, None if event.pid == ALL else event.pid)


def _number(event: EventCommand, default: int) -> int:
    """The number of a system call, which is an expression; the default where it is no plain number."""
    given = event.parameters.get("number")
    value = None if given is None else number_in(given.text, SCRIPT, 0xFFFF_FFFF)
    return default if value is None else value


@cache
def _assembled(before: str, body: str) -> bytes:
    return assemble(f"{before}\nnext: {body}; dec r15; jnz next", address=_BEHIND_COUNT).code
