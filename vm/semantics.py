"""The meaning of the scalar instructions, as functions on canonical 64-bit values (see `vm.isa`).

The reference engine executes these functions and the compiler folds constants with them, so the two cannot disagree.
A function that stops the run raises `Stop` with the kind and the values involved.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable

from vm.engine import FaultKind
from vm.isa import INTEGER_KINDS

MASK = 0xFFFF_FFFF_FFFF_FFFF
MASK32 = 0xFFFF_FFFF


class Stop(Exception):  # noqa: N818 - it stops a run; it is no programming error
    """A run-time error of the script."""

    def __init__(self, kind: FaultKind, detail: str = "", **values: int) -> None:
        super().__init__(kind.value)
        self.kind = kind
        self.detail = detail
        self.values = values


def signed(value: int) -> int:
    """The 64 bits read as a signed number."""
    return value - (1 << 64) if value >> 63 else value


def sign_extend(value: int, bits: int) -> int:
    """The low `bits` bits of value, sign-extended to 64 bits."""
    value &= (1 << bits) - 1
    return (value - (1 << bits)) & MASK if value >> (bits - 1) else value


# --- integers ---------------------------------------------------------------------------------------------------------


def _divide(x: int, y: int, bits: int) -> tuple[int, int]:
    """Quotient (towards zero) and remainder (sign of x) of two signed numbers of this width."""
    if y == 0:
        raise Stop(FaultKind.DIVISION_BY_ZERO, dividend=x)
    a, b = signed(x), signed(y)
    quotient = abs(a) // abs(b)
    if (a < 0) != (b < 0):
        quotient = -quotient
    if quotient == 1 << (bits - 1):
        raise Stop(FaultKind.DIVISION_OVERFLOW, dividend=x, divisor=y)
    return quotient & MASK, (a - b * quotient) & MASK


def _unsigned_divisor(x: int, y: int) -> int:
    if y == 0:
        raise Stop(FaultKind.DIVISION_BY_ZERO, dividend=x)
    return y


def _count(count: int, width: int) -> int:
    if count >= width:
        raise Stop(FaultKind.SHIFT_OUT_OF_RANGE, count=count, width=width)
    return count


def _exact_quotient(x: int, y: int) -> int:
    quotient, remainder = divmod(signed(x), signed(y)) if y else (0, 1)
    if remainder:
        raise Stop(FaultKind.POINTER_DIFFERENCE, distance=x, size=y)
    return quotient & MASK


# --- floating point ---------------------------------------------------------------------------------------------------

_FLOAT_MAX = struct.unpack("<f", b"\xff\xff\x7f\x7f")[0]


def to_double(bits: int) -> float:
    """The binary64 value of 64 bits."""
    value: float = struct.unpack("<d", bits.to_bytes(8, "little"))[0]
    return value


def from_double(value: float) -> int:
    """The 64 bits of a binary64 value."""
    return int.from_bytes(struct.pack("<d", value), "little")


def to_single(bits: int) -> float:
    """The value of the binary32 in the low 32 bits."""
    value: float = struct.unpack("<f", (bits & MASK32).to_bytes(4, "little"))[0]
    return value


def round_single(value: float) -> int:
    """The 32 bits of the binary32 nearest to value, ties to even. Raises Stop(FLOAT_OVERFLOW) beyond the largest."""
    try:
        return int.from_bytes(struct.pack("<f", value), "little")
    except OverflowError:
        raise Stop(FaultKind.FLOAT_OVERFLOW, value=from_double(value)) from None


def integer_to_single(value: int) -> int:
    """The 32 bits of the binary32 nearest to an integer, rounded once (via round-to-odd in 54 bits)."""
    magnitude = abs(value)
    excess = magnitude.bit_length() - 53
    if excess > 0:
        sticky = magnitude & ((1 << excess) - 1)
        magnitude = ((magnitude >> excess) | (1 if sticky else 0)) << excess
    return round_single(math.copysign(float(magnitude), value))


def _finite(value: float) -> float:
    if math.isinf(value):
        raise Stop(FaultKind.FLOAT_OVERFLOW)
    if math.isnan(value):
        raise Stop(FaultKind.FLOAT_INVALID)
    return value


def _finite_operand(value: float) -> float:
    """Bits that a script put into memory may be an infinity or a NaN; no operation takes them."""
    if math.isinf(value) or math.isnan(value):
        raise Stop(FaultKind.FLOAT_INVALID)
    return value


def _float_operation(operation: Callable[[float, float], float], single: bool) -> Callable[[int, int], int]:
    read = to_single if single else to_double

    def run(x: int, y: int) -> int:
        a, b = _finite_operand(read(x)), _finite_operand(read(y))
        try:
            result = _finite(operation(a, b))
        except ZeroDivisionError:
            raise Stop(FaultKind.DIVISION_BY_ZERO, dividend=x) from None
        return round_single(result) if single else from_double(result)

    return run


def _float_comparison(operation: Callable[[float, float], bool], single: bool) -> Callable[[int, int], int]:
    read = to_single if single else to_double
    return lambda x, y: int(operation(read(x), read(y)))


def double_to_integer(bits: int, kind: int) -> int:
    """The integer of type INTEGER_KINDS[kind] that a binary64 truncates to, canonical."""
    _, width, is_signed = INTEGER_KINDS[kind]
    value = to_double(bits)
    low, high = (-(1 << (width - 1)), (1 << (width - 1)) - 1) if is_signed else (0, (1 << width) - 1)
    if math.isnan(value) or math.isinf(value) or not low <= (whole := math.trunc(value)) <= high:
        raise Stop(FaultKind.FLOAT_TO_INT_RANGE, value=bits)
    return whole & MASK


# --- the tables -------------------------------------------------------------------------------------------------------

BINARY: dict[str, Callable[[int, int], int]] = {
    "PDIV": _exact_quotient,
    "ADD": lambda x, y: (x + y) & MASK,
    "ADDW": lambda x, y: sign_extend(x + y, 32),
    "ADDUW": lambda x, y: (x + y) & MASK32,
    "SUB": lambda x, y: (x - y) & MASK,
    "SUBW": lambda x, y: sign_extend(x - y, 32),
    "SUBUW": lambda x, y: (x - y) & MASK32,
    "MUL": lambda x, y: (x * y) & MASK,
    "MULW": lambda x, y: sign_extend(x * y, 32),
    "MULUW": lambda x, y: (x * y) & MASK32,
    "DIVS": lambda x, y: _divide(x, y, 64)[0],
    "DIVSW": lambda x, y: _divide(x, y, 32)[0],
    "DIVU": lambda x, y: x // _unsigned_divisor(x, y),
    "MODS": lambda x, y: _divide(x, y, 64)[1],
    "MODSW": lambda x, y: _divide(x, y, 32)[1],
    "MODU": lambda x, y: x % _unsigned_divisor(x, y),
    "AND": lambda x, y: x & y,
    "OR": lambda x, y: x | y,
    "XOR": lambda x, y: x ^ y,
    "SHL": lambda x, y: (x << _count(y, 64)) & MASK,
    "SHLW": lambda x, y: sign_extend(x << _count(y, 32), 32),
    "SHLUW": lambda x, y: (x << _count(y, 32)) & MASK32,
    "SAR": lambda x, y: (signed(x) >> _count(y, 64)) & MASK,
    "SARW": lambda x, y: (signed(x) >> _count(y, 32)) & MASK,
    "SHR": lambda x, y: x >> _count(y, 64),
    "SHRUW": lambda x, y: x >> _count(y, 32),
    "EQ": lambda x, y: int(x == y),
    "NE": lambda x, y: int(x != y),
    "LTS": lambda x, y: int(signed(x) < signed(y)),
    "LES": lambda x, y: int(signed(x) <= signed(y)),
    "LTU": lambda x, y: int(x < y),
    "LEU": lambda x, y: int(x <= y),
    "ADDD": _float_operation(lambda a, b: a + b, single=False),
    "SUBD": _float_operation(lambda a, b: a - b, single=False),
    "MULD": _float_operation(lambda a, b: a * b, single=False),
    "DIVD": _float_operation(lambda a, b: a / b, single=False),
    "EQD": _float_comparison(lambda a, b: a == b, single=False),
    "NED": _float_comparison(lambda a, b: a != b, single=False),
    "LTD": _float_comparison(lambda a, b: a < b, single=False),
    "LED": _float_comparison(lambda a, b: a <= b, single=False),
    # binary32: the binary64 result of two binary32 operands, rounded again, is the correctly rounded binary32 result,
    # since 53 >= 2 * 24 + 2.
    "ADDF": _float_operation(lambda a, b: a + b, single=True),
    "SUBF": _float_operation(lambda a, b: a - b, single=True),
    "MULF": _float_operation(lambda a, b: a * b, single=True),
    "DIVF": _float_operation(lambda a, b: a / b, single=True),
    "EQF": _float_comparison(lambda a, b: a == b, single=True),
    "NEF": _float_comparison(lambda a, b: a != b, single=True),
    "LTF": _float_comparison(lambda a, b: a < b, single=True),
    "LEF": _float_comparison(lambda a, b: a <= b, single=True),
}

UNARY: dict[str, Callable[[int], int]] = {
    "NEG": lambda x: -x & MASK,
    "NEGW": lambda x: sign_extend(-x, 32),
    "NEGUW": lambda x: -x & MASK32,
    "NOT": lambda x: x ^ MASK,
    "NOTUW": lambda x: ~x & MASK32,
    "ISZ": lambda x: int(x == 0),
    "BOOL": lambda x: int(x != 0),
    "NEGD": lambda x: x ^ (1 << 63),
    "BOOLD": lambda x: int(to_double(x) != 0.0),
    "NEGF": lambda x: (x ^ (1 << 31)) & MASK32,
    "BOOLF": lambda x: int(to_single(x) != 0.0),
    "SX8": lambda x: sign_extend(x, 8),
    "ZX8": lambda x: x & 0xFF,
    "SX16": lambda x: sign_extend(x, 16),
    "ZX16": lambda x: x & 0xFFFF,
    "SX32": lambda x: sign_extend(x, 32),
    "ZX32": lambda x: x & MASK32,
    "I2D": lambda x: from_double(float(signed(x))),
    "U2D": lambda x: from_double(float(x)),
    "I2F": lambda x: integer_to_single(signed(x)),
    "U2F": lambda x: integer_to_single(x),
    "F2D": lambda x: from_double(to_single(x)),
    "D2F": lambda x: round_single(_finite_operand(to_double(x))),
}
