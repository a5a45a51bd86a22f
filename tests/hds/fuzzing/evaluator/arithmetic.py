"""Values and what operators and conversions make of them (sections 4.4, 6.4, 6.5).

The value of an integer or pointer type is a Python int in the range of the type, that of a floating-point type a
Python float. Floating-point results are computed exactly, as fractions, and rounded once.
"""

from __future__ import annotations

import math
import struct
from fractions import Fraction

from .errors import Rejected, Stopped, Unspecified
from .types import U8, Array, Float, Integer, Pointer, Type, Void

Value = int | float

# Precision in bits and the exponents of the smallest and largest normal number (IEEE 754 table 3.5).
FORMATS = {32: (24, -126, 127), 64: (53, -1022, 1023)}


def nearest(exact: Fraction, kind: Float, negative_zero: bool = False) -> float:
    """The floating-point number nearest to an exact one, ties to even. Stops with float_overflow."""
    precision, lowest, highest = FORMATS[kind.bits]
    if exact == 0:
        return -0.0 if negative_zero else 0.0
    magnitude = abs(exact)
    exponent = magnitude.numerator.bit_length() - magnitude.denominator.bit_length()
    if magnitude < Fraction(2) ** exponent:
        exponent -= 1
    unit = Fraction(2) ** (max(exponent, lowest) - precision + 1)
    steps = round(magnitude / unit)  # Python rounds halves to even
    rounded = steps * unit
    if rounded >= Fraction(2) ** (highest + 1):
        raise Stopped("float_overflow")
    return math.copysign(float(rounded), -1.0 if exact < 0 else 1.0)


def pattern(value: Value, kind: Type) -> int:
    """The 64-bit pattern of a value: integers extended by their sign, floating-point bits extended by zeros (15)."""
    if isinstance(kind, Float):
        return int.from_bytes(struct.pack("<f" if kind.bits == 32 else "<d", value), "little")
    return int(value) % (1 << 64)


def from_bits(bits: int, kind: Type) -> Value:
    """The value of a type whose low bits are these."""
    if isinstance(kind, Float):
        raw = (bits % (1 << kind.bits)).to_bytes(kind.size, "little")
        number: float = struct.unpack("<f" if kind.bits == 32 else "<d", raw)[0]
        if not math.isfinite(number):
            raise Unspecified("an infinity or NaN in memory")
        return number
    if isinstance(kind, Pointer):
        return bits % (1 << 64)
    assert isinstance(kind, Integer)
    number = kind.wrap(bits)
    if kind.is_bool and number > 1:
        raise Unspecified("a bool that is neither 0 nor 1")
    return number


def check_conversion(source: Type, target: Type, code: str) -> None:
    """Whether a value can be converted; `code` is the error of a pointer and floating point (E091, cast: E092)."""
    if isinstance(source, Void):
        raise Rejected("E063")
    for one, other in ((source, target), (target, source)):
        if isinstance(one, Pointer) and isinstance(other, Float):
            raise Rejected(code)


def convert(value: Value, source: Type, target: Type) -> Value:
    """Section 4.4."""
    if isinstance(target, Float):
        if isinstance(source, Float) and source.bits <= target.bits:
            return value
        return nearest(Fraction(value), target, negative_zero=math.copysign(1.0, value) < 0)
    if isinstance(target, Pointer):
        return int(value) % (1 << 64)
    assert isinstance(target, Integer)
    if isinstance(source, Float):
        whole = math.trunc(value)
        inner = U8 if target.is_bool else target
        if not inner.low <= whole <= inner.high:
            raise Stopped("float_to_int_range")
        return int(whole != 0) if target.is_bool else whole
    return int(value != 0) if target.is_bool else target.wrap(int(value))


def is_true(value: Value) -> bool:
    return value != 0


def unary(operator: str, value: Value, kind: Type) -> Value:
    """`-`, `+` or `~` of a value of a promoted type."""
    if isinstance(kind, Float):
        return -value if operator == "-" else value
    assert isinstance(kind, Integer)
    return kind.wrap({"-": -int(value), "+": int(value), "~": ~int(value)}[operator])


def binary(operator: str, x: Value, y: Value, kind: Type) -> Value:
    """Arithmetic on two values of the common type, which is the type of the result, too; comparisons give 0 or 1."""
    match operator:
        case "==":
            return int(x == y)
        case "!=":
            return int(x != y)
        case "<":
            return int(x < y)
        case "<=":
            return int(x <= y)
        case ">":
            return int(x > y)
        case ">=":
            return int(x >= y)
    if isinstance(kind, Float):
        return float_binary(operator, float(x), float(y), kind)
    assert isinstance(kind, Integer)
    return integer_binary(operator, int(x), int(y), kind)


def integer_binary(operator: str, x: int, y: int, kind: Integer) -> int:
    match operator:
        case "+":
            return kind.wrap(x + y)
        case "-":
            return kind.wrap(x - y)
        case "*":
            return kind.wrap(x * y)
        case "&":
            return kind.wrap(x & y)
        case "|":
            return kind.wrap(x | y)
        case "^":
            return kind.wrap(x ^ y)
        case "<<" | ">>":
            if not 0 <= y < kind.bits:
                raise Stopped("shift_out_of_range")
            return kind.wrap(x << y if operator == "<<" else x >> y)
    if y == 0:
        raise Stopped("division_by_zero")
    if kind.signed and x == kind.low and y == -1:
        raise Stopped("division_overflow")
    quotient = math.trunc(Fraction(x, y))
    return quotient if operator == "/" else x - y * quotient


def float_binary(operator: str, x: float, y: float, kind: Float) -> float:
    a, b = Fraction(x), Fraction(y)
    signs_differ = math.copysign(1.0, x) != math.copysign(1.0, y)
    match operator:
        case "+":
            return nearest(a + b, kind, negative_zero=math.copysign(1.0, x) < 0 and not signs_differ)
        case "-":
            return nearest(a - b, kind, negative_zero=math.copysign(1.0, x) < 0 and signs_differ)
        case "*":
            return nearest(a * b, kind, negative_zero=signs_differ)
    if b == 0:
        raise Stopped("division_by_zero")
    return nearest(a / b, kind, negative_zero=signs_differ)


def as_value(kind: Type) -> Type:
    """The type of an object when it is used as a value: an array is a pointer to its first base element (9.2)."""
    return Pointer(kind.base) if isinstance(kind, Array) else kind
