"""THE table of what event commands accept: option keywords (events-and-commands.md B.2) and own parameters (C.1, C.2).

Only the shape of the command text is described here; what an event means stands in the event catalogue of the
machine.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from itertools import permutations

SCALAR_OPTIONS = ("pid", "core", "imm", "sc", "stage", "buffer")
"""The keywords of options that take a value."""
BLOCK_OPTIONS = ("condition", "code", "script", "output")
"""The keywords of options that take a block, in the order in which they claim their blocks (B.3)."""
ASSEMBLED_OPTIONS = ("condition", "code")
"""Those whose block is assembly text when `asm` stands before the keyword."""


class ParameterKind(Enum):
    """How a parameter is read."""

    NUMBER = "a number"  # a plain number
    EXPRESSION = "a number, symbol or expression"  # one token, evaluated by the user of the command
    CHOICE = "one of some words"


@dataclass(frozen=True, slots=True)
class ParameterRow:
    """One own parameter.

    With a `keyword` the value follows that word. A CHOICE is recognised by its words wherever it stands. The others are
    taken in order, so their rows come last. `low`, `high` (both included) and `only` restrict numbers.
    """

    name: str
    kind: ParameterKind
    usage: str
    required: bool = False
    keyword: str | None = None
    choices: Mapping[str, str] = field(default_factory=dict)
    low: int = 0
    high: int | None = None
    only: tuple[int, ...] = ()
    range_error: str = ""


@dataclass(frozen=True, slots=True)
class EventRow:
    """An event command: its own parameters, and what is special about its options."""

    name: str
    parameters: tuple[ParameterRow, ...] = ()
    has_stages: bool = True
    needs_pid: bool = False
    takes_range: bool = False  # FROM TO, or FROM l LEN
    ignores_unknown: bool = False


def _number(name: str, usage: str, *, keyword: str | None = None) -> ParameterRow:
    return ParameterRow(name, ParameterKind.NUMBER, usage, keyword=keyword)


_ADDRESS = ParameterRow(
    "address", ParameterKind.EXPRESSION, "ADDR", required=True, low=1, range_error="choose an address other than 0"
)
_ACCESS = {
    "".join(letters): access for access in ("r", "w", "x", "rw", "rx", "wx", "rwx") for letters in permutations(access)
}
_MONITOR = (
    ParameterRow("space", ParameterKind.CHOICE, "[va|pa]", choices={"va": "va", "pa": "pa"}),
    ParameterRow("access", ParameterKind.CHOICE, "r|w|x|rw|rx|wx|rwx", required=True, choices=_ACCESS),
    ParameterRow("length", ParameterKind.EXPRESSION, "", keyword="l", low=1, range_error="the length is 0"),
    ParameterRow("from", ParameterKind.EXPRESSION, "FROM", required=True),
    ParameterRow("to", ParameterKind.EXPRESSION, "TO|l LEN"),
)
_VECTOR_OF_EXCEPTION = ParameterRow(
    "vector",
    ParameterKind.NUMBER,
    "[VECTOR]",
    high=0x1F,
    range_error="the vector of an exception is 0 to 1f (c0000007)",
)
_VECTOR_OF_INTERRUPT = ParameterRow(
    "vector",
    ParameterKind.NUMBER,
    "VECTOR",
    required=True,
    low=0x20,
    high=0xFF,
    range_error="the vector of an external interrupt is 20 to ff (c0000008)",
)
_CONTROL_REGISTER = (
    ParameterRow("mask", ParameterKind.NUMBER, "", keyword="mask"),
    ParameterRow(
        "register", ParameterKind.NUMBER, "0|4", required=True, only=(0, 4), range_error="the register is CR0 or CR4"
    ),
    ParameterRow("mask", ParameterKind.NUMBER, "[[mask] MASK]"),
)
_MODE = ParameterRow(
    "mode", ParameterKind.CHOICE, "u|k|ku", required=True, choices={"u": "u", "k": "k", "ku": "ku", "uk": "ku"}
)
_TRACE_WORDS = {
    "step-in": ("step-in", "stepin", "step"),
    "step-out": ("step-out", "stepout"),
    "instrument-step": ("instrument-step", "instrumentstep", "step-instrument", "instrument-step-in"),
}
_TRACE = ParameterRow(
    "type",
    ParameterKind.CHOICE,
    "step-in|step-out|instrument-step",
    required=True,
    choices={word: kind for kind, words in _TRACE_WORDS.items() for word in words},
)
_SYSCALL = (ParameterRow("number", ParameterKind.EXPRESSION, "[NUMBER]"),)

EVENTS: tuple[EventRow, ...] = (
    EventRow("!syscall", _SYSCALL),
    EventRow("!syscall2", _SYSCALL),
    EventRow("!sysret", ignores_unknown=True),
    EventRow("!sysret2", ignores_unknown=True),
    EventRow("!epthook", (_ADDRESS,), has_stages=False),
    EventRow("!epthook2", (_ADDRESS,), has_stages=False),
    EventRow("!monitor", _MONITOR, takes_range=True),
    EventRow("!cpuid", (_number("leaf", "[LEAF]"),)),
    EventRow("!msrread", (_number("msr", "[MSR]"),)),
    EventRow("!msrwrite", (_number("msr", "[MSR]"),)),
    EventRow("!ioin", (_number("port", "[PORT]"),)),
    EventRow("!ioout", (_number("port", "[PORT]"),)),
    EventRow("!tsc"),
    EventRow("!pmc"),
    EventRow("!vmcall"),
    EventRow("!exception", (_VECTOR_OF_EXCEPTION,)),
    EventRow("!interrupt", (_VECTOR_OF_INTERRUPT,)),
    EventRow("!dr"),
    EventRow("!crwrite", _CONTROL_REGISTER),
    EventRow("!mode", (_MODE,), has_stages=False, needs_pid=True),
    EventRow("!trace", (_TRACE,), has_stages=False),
    EventRow("!xsetbv", (_number("xcr", "[XCR]"),)),
)
EVENT_BY_NAME: Mapping[str, EventRow] = {row.name: row for row in EVENTS}
