"""Every kind of run-time error is shown with its kind, its place and the values involved."""

from __future__ import annotations

from pathlib import Path

import pytest
from language_world import example_host

from hds.report.faults import FAULTS, fault_message, fault_span, render_fault
from lang.compiler import Compiler
from lang.source import SourceFile
from vm.engine import Engine, Fault, FaultKind
from vm.program import Function, Program
from vm.script_memory import GlobalStore

GOLDEN = Path(__file__).parents[2] / "golden"
MESSAGES = {
    "division_by_zero": "0x5 is divided by zero",
    "division_overflow": "the quotient of 0x8000000000000000 and 0xffffffffffffffff does not fit its signed type",
    "shift_out_of_range": "a shift by 64: the count must be 0 to 64 - 1",
    "invalid_address": "the 8 bytes at 0x1000 cannot be accessed",
    "index_out_of_range": "the element at byte 20 is outside the array of 12 bytes",
    "pointer_difference": "the pointers are 17 bytes apart, no multiple of 4",
    "float_overflow": "the floating-point result is too large for its type",
    "float_to_int_range": "the floating-point number (bits 0x4060100000000000) does not fit the integer type",
    "invalid_argument": "an argument of the built-in function makes no sense",
    "message_too_long": "a message of more than 4095 bytes (limit max_message)",
    "step_limit": "the script did not end within 1000000 steps (limit max_steps)",
    "stack_overflow": "calls of functions are nested too deeply (limit max_call_depth)",
    "deadlock": "is taken, and nothing can release it",
    "unsupported_here": "this cannot be done here (poi_pa: this host has no physical memory)",
}


def stopped(engine: Engine, kind: str) -> tuple[Program, Fault]:
    path = GOLDEN / f"stop_{kind}.hds"
    program = Compiler(portability=False).compile(SourceFile(path.name, path.read_text())).program
    assert program is not None
    fault = engine.run(engine.load(program, GlobalStore()), example_host()).fault
    assert fault is not None
    return program, fault


@pytest.mark.parametrize("kind", MESSAGES)
def test_the_message_of_a_kind(engine: Engine, kind: str) -> None:
    program, fault = stopped(engine, kind)
    text = render_fault(program, fault)
    assert text.startswith(f"stop_{kind}.hds:3:")
    assert f": run-time error: {kind}: " in text
    assert MESSAGES[kind] in text
    assert "    3 | " in text
    assert "^" in text


def test_every_kind_has_a_row() -> None:
    assert set(FAULTS) == set(FaultKind)


def test_a_fault_without_its_values_is_shown_too() -> None:
    fault = Fault(FaultKind.DIVISION_BY_ZERO, 0, {"other": 5}, "detail")
    assert fault_message(fault) == "division_by_zero: division by zero (other 0x5) (detail)"


def test_a_program_without_positions_gives_the_instruction() -> None:
    program = Program(code=(0,), functions=(Function("main", 0, 0, 0, 1),))
    fault = Fault(FaultKind.DEADLOCK, 3, {"address": 16})
    assert fault_span(program, fault) is None
    assert render_fault(program, fault).startswith("instruction 3: run-time error: deadlock: the lock at 0x10")
