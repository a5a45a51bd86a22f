"""Run-time errors for people: what went wrong, where in the source, with which values, and what helps."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from lang import SourceFile, Span, excerpt
from vm import Fault, FaultKind, Program


class FaultRow(msgspec.Struct, frozen=True):
    """A kind of run-time error: its message, and a hint. `{name}` stands for a value of the fault."""

    message: str
    hint: str | None = None


FAULTS: Mapping[FaultKind, FaultRow] = {
    FaultKind.DIVISION_BY_ZERO: FaultRow("{dividend} is divided by zero", "test the divisor first"),
    FaultKind.DIVISION_OVERFLOW: FaultRow("the quotient of {dividend} and {divisor} does not fit its signed type"),
    FaultKind.SHIFT_OUT_OF_RANGE: FaultRow(
        "a shift by {count:d}: the count must be 0 to {width:d} - 1", "mask the count, for example with & 0x3f"
    ),
    FaultKind.INVALID_ADDRESS: FaultRow(
        "the {size:d} bytes at {address} cannot be accessed", "check_address(...) tells whether an address is readable"
    ),
    FaultKind.INDEX_OUT_OF_RANGE: FaultRow(
        "the element at byte {offset:d} is outside the array of {size:d} bytes", "sizes and indices are hexadecimal"
    ),
    FaultKind.POINTER_DIFFERENCE: FaultRow("the pointers are {distance:d} bytes apart, no multiple of {size:d}"),
    FaultKind.FLOAT_OVERFLOW: FaultRow("the floating-point result is too large for its type"),
    FaultKind.FLOAT_INVALID: FaultRow("the floating-point operation has no result"),
    FaultKind.FLOAT_TO_INT_RANGE: FaultRow(
        "the floating-point number (bits {value}) does not fit the integer type", "convert to a wider type"
    ),
    FaultKind.INVALID_ARGUMENT: FaultRow("an argument of the built-in function makes no sense"),
    FaultKind.MESSAGE_TOO_LONG: FaultRow(
        "a message of more than {limit:d} bytes (limit max_message)", "print it in pieces, or raise --max-message"
    ),
    FaultKind.STEP_LIMIT: FaultRow(
        "the script did not end within {limit:d} steps", "is there an endless loop? --max-steps raises the limit"
    ),
    FaultKind.INTERRUPTED: FaultRow("the run was ended while the script was under way"),
    FaultKind.STACK_OVERFLOW: FaultRow("calls of functions are nested too deeply", "does the recursion end?"),
    FaultKind.DEADLOCK: FaultRow(
        "the lock at {address} is taken, and nothing can release it", "every spinlock_lock needs its spinlock_unlock"
    ),
    FaultKind.UNSUPPORTED_HERE: FaultRow("this cannot be done here"),
}


def fault_message(fault: Fault) -> str:
    """One line: the kind and what happened, without the place."""
    row = FAULTS[fault.kind]
    try:
        text = row.message.format_map(_Shown(fault.values))
    except KeyError:  # a value that this fault does not have
        text = fault.kind.value.replace("_", " ")
        if fault.values:
            text += f" ({', '.join(f'{name} 0x{value:x}' for name, value in fault.values.items())})"
    if fault.detail and fault.detail not in text:
        text += f" ({fault.detail})"
    return f"{fault.kind.value}: {text}"


def fault_span(program: Program, fault: Fault) -> Span | None:
    """Where in the source the run stopped; None when the program does not know."""
    position = program.position(fault.pc)
    if position is None or position.source >= len(program.sources):
        return None
    source = program.sources[position.source]
    length = len(source.text)
    return Span(SourceFile(source.name, source.text), min(position.start, length), min(position.end, length))


def fault_title(program: Program, fault: Fault) -> str:
    """What all errors of this kind at this place have in common: one line."""
    span = fault_span(program, fault)
    place = str(span) if span is not None else f"instruction {fault.pc}"
    return f"{place}: run-time error: {fault.kind.value}"


def render_fault(program: Program, fault: Fault) -> str:
    """The run-time error as text of several lines, in the layout of diagnostics, without a final line feed."""
    span = fault_span(program, fault)
    place = str(span) if span is not None else f"instruction {fault.pc}"
    lines = [f"{place}: run-time error: {fault_message(fault)}", *(excerpt(span) if span is not None else ())]
    hint = FAULTS[fault.kind].hint
    if hint:
        lines.append(f"  hint: {hint}")
    return "\n".join(lines)


class _Value(int):
    """A value in a message: hexadecimal, unless the message asks for decimal."""

    def __format__(self, form: str) -> str:
        return int.__format__(self, form) if form else f"0x{int(self):x}"


class _Shown(dict[str, _Value]):
    def __init__(self, values: Mapping[str, int]) -> None:
        super().__init__({name: _Value(value) for name, value in values.items()})
