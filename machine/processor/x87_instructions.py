"""What `x87` does in the place of the emulator: a row for each instruction, on the registers of a stopped engine."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from unicorn import x86_const as x86

from machine.processor import x87_functions as functions
from machine.processor.binding import Batch, Engine
from machine.processor.x87_functions import ONE, Number

_IDS = (
    x86.UC_X86_REG_FPCW, x86.UC_X86_REG_FPSW, x86.UC_X86_REG_FPTAG,
    *(getattr(x86, f"UC_X86_REG_FP{number}") for number in range(8)),
)  # fmt: skip
_CONTROL, _STATUS, _TAGS, _FIRST = 0, 2, 4, 6  # places in the batch, of two words each
_EMPTY = 3
_TOP_SHIFT, _ROUNDING_SHIFT = 11, 10
_C0, _C1, _C2, _C3 = 1 << 8, 1 << 9, 1 << 10, 1 << 14


class _Stack:
    """The registers of x87 in one stopped engine."""

    def __init__(self, batch: Batch) -> None:
        self._batch, self._values = batch, batch.values
        batch.read()

    def __getitem__(self, place: int) -> Number | None:
        number = self._number(place)
        if self._values[_TAGS] >> 2 * number & 3 == _EMPTY:
            return None
        at = _FIRST + 2 * number
        return functions.decoded(self._values[at], self._values[at + 1])

    def __setitem__(self, place: int, value: Number) -> None:
        number = self._number(place)
        at = _FIRST + 2 * number
        self._values[at], self._values[at + 1] = functions.encoded(value, self._values[_CONTROL] >> _ROUNDING_SHIFT & 3)
        self._values[_TAGS] &= ~(_EMPTY << 2 * number)

    def has_room(self) -> bool:
        """Whether there is a place to push to."""
        return bool(self._values[_TAGS] >> 2 * self._number(-1) & 3 == _EMPTY)

    def push(self, value: Number) -> None:
        """A new ST(0)."""
        self._move(-1)
        self[0] = value

    def pop(self) -> None:
        """ST(1) is ST(0)."""
        self._values[_TAGS] |= _EMPTY << 2 * self._number(0)
        self._move(1)

    def conditions(self, mask: int, value: int) -> None:
        """Set the condition bits of a mask."""
        self._values[_STATUS] = self._values[_STATUS] & ~mask | value

    def write(self) -> None:
        """Give all to the engine."""
        self._batch.write()

    def _number(self, place: int) -> int:
        return int(self._values[_STATUS] >> _TOP_SHIFT) + place & 7

    def _move(self, by: int) -> None:
        status = self._values[_STATUS]
        self._values[_STATUS] = status & ~(7 << _TOP_SHIFT) | ((status >> _TOP_SHIFT) + by & 7) << _TOP_SHIFT


# --- instructions: whether one was carried out


def _of_angle(*results: Callable[[Number], Number], pushes: bool = False) -> Callable[[_Stack], bool]:
    """ST(0) becomes the first result; a second one is pushed."""

    def carry_out(stack: _Stack) -> bool:
        x = stack[0]
        if x is None or (pushes and not stack.has_room()):
            return False
        if functions.is_too_large(x):
            stack.conditions(_C2, _C2)
            return True
        stack.conditions(_C2, 0)
        stack[0] = results[0](x)
        for result in results[1:]:
            stack.push(result(x))
        return True

    return carry_out


def _of_two(function: Callable[[Number, Number], Number | None], pops: bool = True) -> Callable[[_Stack], bool]:
    """ST(0) and ST(1) come to one value."""

    def carry_out(stack: _Stack) -> bool:
        first, second = stack[0], stack[1]
        found = None if first is None or second is None else function(first, second)
        if found is None:
            return False
        if pops:
            stack.pop()
        stack[0] = found
        return True

    return carry_out


def _power(stack: _Stack) -> bool:
    x = stack[0]
    found = None if x is None else functions.power_less_one(x)
    if found is None:
        return False
    stack[0] = found
    return True


def _remainder(stack: _Stack, to_nearest: bool) -> bool:
    first, second = stack[0], stack[1]
    found = None if first is None or second is None else functions.remainder(first, second, to_nearest)
    if found is None:
        return False
    stack[0], quotient, is_partial = found
    low = (_C0 if quotient & 4 else 0) | (_C3 if quotient & 2 else 0) | (_C1 if quotient & 1 else 0)
    stack.conditions(_C0 | _C1 | _C2 | _C3, _C2 if is_partial else low)
    return True


_INSTRUCTIONS: dict[bytes, Callable[[_Stack], bool]] = {
    b"\xd9\xf0": _power,
    b"\xd9\xf1": _of_two(functions.logarithm),
    b"\xd9\xf2": _of_angle(functions.tangent, lambda x: ONE, pushes=True),
    b"\xd9\xf3": _of_two(lambda x, y: functions.angle(y, x)),
    b"\xd9\xf5": partial(_remainder, to_nearest=True),
    b"\xd9\xf8": partial(_remainder, to_nearest=False),
    b"\xd9\xf9": _of_two(functions.logarithm_of_more),
    b"\xd9\xfb": _of_angle(functions.sine, functions.cosine, pushes=True),
    b"\xd9\xfd": _of_two(functions.scaled, pops=False),
    b"\xd9\xfe": _of_angle(functions.sine),
    b"\xd9\xff": _of_angle(functions.cosine),
}


def registers_of(engine: Engine) -> Batch:
    """The registers that `carry_out` works on."""
    return Batch(engine.handle, _IDS, words=2)


def carry_out(code: bytes, registers: Batch) -> bool:
    """Carry out an instruction; False where the emulator has it right, or it is another one."""
    instruction = _INSTRUCTIONS.get(code)
    if instruction is None:
        return False
    stack = _Stack(registers)
    if not instruction(stack):
        return False
    stack.write()
    return True
