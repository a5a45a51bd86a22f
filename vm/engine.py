"""What an engine is: it runs loaded programs against a Host and answers with a RunResult.

`Loaded` is a verified program whose globals are bound to a session's `GlobalStore`. Errors of a run are values, never
exceptions: the effects that came before the error stay, and the caller decides what to print.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from enum import Enum
from typing import Protocol, runtime_checkable

import msgspec

from vm.host import Host
from vm.program import Program
from vm.script_memory import GlobalStore


class FaultKind(Enum):
    """The kinds of run-time errors; the names are stable (language.md 16.2)."""

    DIVISION_BY_ZERO = "division_by_zero"
    DIVISION_OVERFLOW = "division_overflow"
    SHIFT_OUT_OF_RANGE = "shift_out_of_range"
    INVALID_ADDRESS = "invalid_address"
    INDEX_OUT_OF_RANGE = "index_out_of_range"
    POINTER_DIFFERENCE = "pointer_difference"
    FLOAT_OVERFLOW = "float_overflow"
    FLOAT_INVALID = "float_invalid"
    FLOAT_TO_INT_RANGE = "float_to_int_range"
    INVALID_ARGUMENT = "invalid_argument"
    MESSAGE_TOO_LONG = "message_too_long"
    STEP_LIMIT = "step_limit"
    INTERRUPTED = "interrupted"
    STACK_OVERFLOW = "stack_overflow"
    DEADLOCK = "deadlock"
    UNSUPPORTED_HERE = "unsupported_here"


class Fault(msgspec.Struct, frozen=True):
    """Why a run stopped early: the kind, the instruction (index into `Program.code`) and the values involved."""

    kind: FaultKind
    pc: int
    values: Mapping[str, int] = msgspec.field(default_factory=dict)
    detail: str = ""


class RunResult(msgspec.Struct, frozen=True):
    """The outcome of one run: steps charged (instructions, see `vm.isa` fuel) and the fault that ended it, if any."""

    steps: int
    fault: Fault | None = None

    @property
    def ok(self) -> bool:
        """Whether the run reached its end."""
        return self.fault is None


class Loaded(msgspec.Struct, frozen=True, eq=False):
    """A verified program bound to a session: `slots[i]` is the script-memory address of `program.globals[i]`.

    `entries[pc]`, where they are counted, is how often runs have entered the basic block that begins with instruction
    `pc`; 0 for instructions that begin none.
    """

    program: Program
    store: GlobalStore
    slots: tuple[int, ...]
    native: object | None = None
    entries: array[int] | None = None


def no_entries(program: Program) -> array[int]:
    """Entries of a program that has not run: 64 bits for each instruction."""
    return array("Q", bytes(8 * len(program.code)))


@runtime_checkable
class Engine(Protocol):
    """An engine: the reference interpreter, or the native one."""

    name: str

    def load(self, program: Program, store: GlobalStore, *, counts_entries: bool = False) -> Loaded:
        """Verify `program`, bind its globals to `store` (created with value 0 on first mention) and prepare it.

        With `counts_entries` its runs count the basic blocks that they enter, each before its fuel is charged.

        Raises vm.verifier.VerificationError for a program that is not well-formed, vm.script_memory.GlobalConflict when
        a global has another type in the session.
        """
        ...

    def run(self, loaded: Loaded, host: Host) -> RunResult:
        """One run of the program from its start, all locals zero. Never raises for what a program does."""
        ...
