"""Expressions of exits (machine.events.exit) as machine code; `evaluate` there and `emit` here give the same values."""

from __future__ import annotations

from collections.abc import Sequence

from machine.events import (
    COMPARISONS,
    Assign,
    Binary,
    Constant,
    Expression,
    Msr,
    Operand,
    OperandRegister,
    PrivilegeLevel,
    Register,
    Step,
    ToLevel,
)
from machine.native.protocol import FETCH, flags
from machine.native.tables import FETCHABLE
from machine.native.writer import HookWriter, nothing
from machine.processor import KERNEL_LEVEL, LEVEL_MASK, msr
from vm.facts.registers import GENERAL, RFLAGS, RIP
from vm.native import I32, I64, Value, number

_MSR_PLACES = {msr.STAR: "star_at", msr.LSTAR: "lstar_at", msr.FMASK: "fmask_at"}


def emit(expression: Expression, e: HookWriter) -> Value:
    """The value of an expression, from the registers of the trigger under way."""
    match expression:
        case Constant(value):
            return number(value - (1 << 64) if value >> 63 else value)
        case Register():
            storage = expression.storage
            if not FETCHABLE >> storage & 1:
                return e.read(storage)
            if storage == RFLAGS:
                return flags(e)
            if storage >= len(GENERAL) and storage != RIP:
                e.use("fetch", FETCH, number(1 << storage))
            return e.register(storage)
        case Msr(index):
            return e.load(e.own(_MSR_PLACES[index]))
        case Operand():
            return e.operand()
        case OperandRegister():
            return e.load(e.at(e.register_place(0), e.op("shl", e.operand(), number(3))))
        case PrivilegeLevel():
            return e.op("and", _level_word(e), number(LEVEL_MASK))
        case Binary(operation, left, right) if operation in COMPARISONS:
            return e.convert("zext", e.compare(operation, emit(left, e), emit(right, e)), I64)
        case Binary(operation, left, right):
            return e.op(operation, emit(left, e), emit(right, e))
    raise AssertionError(f"{expression} is no expression")


def carry_out(effect: Sequence[Step], e: HookWriter) -> None:
    """Assign all values of an effect, which are computed first; go to its privilege level."""
    assignments = [step for step in effect if isinstance(step, Assign)]
    values = [emit(assignment.value, e) for assignment in assignments]
    for assignment, value in zip(assignments, values, strict=True):
        e.set_register(assignment.storage, value)
    for step in effect:
        if isinstance(step, ToLevel):
            _go_to(number(KERNEL_LEVEL) if step.is_kernel else e.own("home_level"), e)


def _go_to(level: Value, e: HookWriter) -> None:
    """The emulator's own word has the level in its lowest two bits; where that is a copy, Python is asked."""
    changed = e.op("or", e.op("and", _level_word(e), number(~LEVEL_MASK)), level)
    e.store(e.convert("trunc", changed, I32), e.own("level_at"), align=4)
    with e.if_copied():
        e.ask("relevel", nothing())


def _level_word(e: HookWriter) -> Value:
    return e.convert("zext", e.load(e.own("level_at"), I32, align=4), I64)
