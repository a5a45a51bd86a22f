"""Expressions of exits (machine.events.exit) as machine code; `evaluate` there and `emit` here give the same values."""

from __future__ import annotations

from collections.abc import Sequence

from machine.events import Assign, Binary, Constant, Expression, Msr, Register
from machine.native.protocol import FETCH
from machine.native.writer import HookWriter
from machine.processor import msr
from vm.facts.registers import GENERAL, RIP
from vm.native import Value, number

_MSR_PLACES = {msr.STAR: "star_at", msr.LSTAR: "lstar_at", msr.FMASK: "fmask_at"}


def emit(expression: Expression, e: HookWriter) -> Value:
    """The value of an expression, from the registers of the trigger under way."""
    match expression:
        case Constant(value):
            return number(value - (1 << 64) if value >> 63 else value)
        case Register():
            if expression.storage >= len(GENERAL) and expression.storage != RIP:
                e.use("fetch", FETCH, number(1 << expression.storage))
            return e.register(expression.storage)
        case Msr(index):
            return e.load(e.own(_MSR_PLACES[index]))
        case Binary(operation, left, right):
            return e.op(operation, emit(left, e), emit(right, e))
    raise AssertionError(f"{expression} is no expression")


def carry_out(effect: Sequence[Assign], e: HookWriter) -> None:
    """Assign all values of an effect, which are computed first."""
    values = [emit(assignment.value, e) for assignment in effect]
    for assignment, value in zip(effect, values, strict=True):
        e.set_register(assignment.storage, value)
