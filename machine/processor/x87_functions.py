"""FSIN and its kin computed with integers, rounded to the 64 bits of extended precision (Intel SDM volume 1, 8.3).

The emulator computes them with 53 bits, and FPREM as well; hardware is within one unit in the last place of what is
here, which is the value nearest to the true one. Arguments of FSIN, FCOS and FPTAN are reduced by a pi of 66 bits, as
hardware does it (section 8.3.8). Control of precision does not concern these instructions.
Infinities, NaNs, and what has no result are left to the emulator, which has them right: None.
"""

from __future__ import annotations

from functools import cache
from math import isqrt

import msgspec

_BITS = 256  # behind the point, of what is computed with
_ONE = 1 << _BITS
_SHORT_PI, _SHORT_PI_BITS = 0xC90F_DAA2_2168_C234C, 66
_BIAS, _LARGEST, _SIGNIFICAND = 16383, 0x7FFE, 64
_LOWEST = 1 - _BIAS  # exponent
_LARGEST_SCALE = 1 << 17
_REMAINDER_BITS = 64  # differences of exponents from here on are taken down in steps


class Number(msgspec.Struct, frozen=True):
    """A finite number: magnitude * 2^exponent, negative where `sign` is 1."""

    sign: int
    magnitude: int
    exponent: int

    @property
    def scale(self) -> int:
        """The exponent of the highest bit."""
        return self.exponent + self.magnitude.bit_length() - 1


ONE = Number(0, 1, 0)
INDEFINITE = Number(1, 0, 1)  # stands for the NaN of an invalid operation


def decoded(significand: int, head: int) -> Number | None:
    """What a register of 80 bits holds, whose upper 16 are `head`; None for what is no finite number."""
    exponent = head & 0x7FFF
    if exponent > _LARGEST or (exponent and not significand >> 63):
        return None
    return Number(head >> 15 & 1, significand, max(exponent, 1) - _BIAS - 63)


def encoded(number: Number, rounding: int) -> tuple[int, int]:
    """The significand and the upper 16 bits, rounded as the control word says: to nearest, down, up, towards zero."""
    head = number.sign << 15
    if number is INDEFINITE:
        return 3 << 62, 0xFFFF
    if not number.magnitude:
        return 0, head
    exponent = max(number.scale, _LOWEST)
    shift = exponent - _SIGNIFICAND + 1 - number.exponent
    if shift <= 0:
        value = number.magnitude << -shift
    else:
        value, rest = number.magnitude >> shift, number.magnitude & (1 << shift) - 1
        half = 1 << shift - 1
        nearest = rest > half or (rest == half and value & 1)
        value += bool(nearest if rounding == 0 else rest and rounding == (1 if number.sign else 2))
    if value >> _SIGNIFICAND:
        value, exponent = value >> 1, exponent + 1
    if exponent + _BIAS > _LARGEST:
        is_infinite = rounding in (0, 1 if number.sign else 2)
        return (1 << 63, head | _LARGEST + 1) if is_infinite else ((1 << 64) - 1, head | _LARGEST)
    return value, head | (exponent + _BIAS if value >> 63 else 0)


# --- series, of fixed-point numbers with _BITS behind the point


def _fixed(magnitude: int, exponent: int) -> int:
    shift = _BITS + exponent
    return magnitude << shift if shift >= 0 else magnitude >> -shift


def _arc(square: int, sign: int) -> int:
    """atan(z)/z (sign -1) or atanh(z)/z (1), of the square of z."""
    total = power = _ONE
    divisor, factor = 1, 1
    while power:
        power, divisor, factor = power * square >> _BITS, divisor + 2, factor * sign
        total += factor * (power // divisor)
    return total


def _wave(square: int, first: int) -> int:
    """cos(r) (first 1), or sin(r)/r (first 2), of the square of r."""
    total = term = _ONE
    factor, count = 1, first
    while term:
        term, factor = (term * square >> _BITS) // (count * (count + 1)), -factor
        total, count = total + factor * term, count + 2
    return total


@cache
def _ln2() -> int:
    return 2 * _arc(_ONE // 9, 1) // 3


@cache
def _pi() -> int:
    return 16 * _arc(_ONE // 25, -1) // 5 - 4 * _arc(_ONE // 239**2, -1) // 239


# --- functions


def _turned(x: Number) -> tuple[Number, Number]:
    """Sine and cosine."""
    quarter, rest, exponent = 0, x.magnitude, x.exponent
    if x.scale >= -1:
        exponent = min(x.exponent, -_SHORT_PI_BITS - 1)
        whole, step = x.magnitude << x.exponent - exponent, _SHORT_PI << -_SHORT_PI_BITS - 1 - exponent
        quarter = (whole + step // 2) // step
        rest = whole - quarter * step
    square = _fixed(rest * rest, 2 * exponent)
    sine = Number(int(rest < 0), abs(rest) * _wave(square, 2), exponent - _BITS)
    cosine = Number(0, _wave(square, 1), -_BITS)
    for _ in range(quarter & 3):
        sine, cosine = cosine, _negative(sine)
    return (_negative(sine) if x.sign else sine), cosine


def _negative(x: Number) -> Number:
    return Number(1 - x.sign, x.magnitude, x.exponent)


def is_too_large(x: Number) -> bool:
    """Whether FSIN, FCOS, FSINCOS and FPTAN refuse an argument (C2)."""
    return x.scale >= 63


def sine(x: Number) -> Number:
    """FSIN."""
    return _turned(x)[0] if x.magnitude else x


def cosine(x: Number) -> Number:
    """FCOS."""
    return _turned(x)[1] if x.magnitude else ONE


def tangent(x: Number) -> Number:
    """FPTAN."""
    if not x.magnitude:
        return x
    over, under = _turned(x)
    return _quotient(over, under)


def _quotient(over: Number, under: Number) -> Number:
    shift = _BITS + max(0, under.magnitude.bit_length() - over.magnitude.bit_length())
    magnitude = (over.magnitude << shift) // under.magnitude
    return Number(over.sign ^ under.sign, magnitude, over.exponent - under.exponent - shift)


def _small_angle(ratio: Number) -> Number:
    """The angle of a tangent from 0 to 1."""
    if not ratio.magnitude or ratio.scale < -_BITS // 8:
        square = _fixed(ratio.magnitude * ratio.magnitude, 2 * ratio.exponent)
        return Number(0, ratio.magnitude * _arc(square, -1), ratio.exponent - _BITS)
    value = _fixed(ratio.magnitude, ratio.exponent)
    for _ in range(3):  # of the half of the angle
        value = (value << _BITS) // (_ONE + isqrt((_ONE << _BITS) + value * value))
    return Number(0, 8 * value * _arc(value * value >> _BITS, -1), -2 * _BITS)


def angle(y: Number, x: Number) -> Number:
    """FPATAN: the angle of the point (x, y), from -pi to pi."""
    if not y.magnitude:
        return Number(y.sign, _pi() if x.sign else 0, -_BITS)
    is_steep = not x.magnitude or _is_above(y, x)
    found = _small_angle(_quotient(x, y) if is_steep else _quotient(y, x))
    if is_steep or x.sign:
        part = _fixed(found.magnitude, found.exponent)
        if is_steep:
            found = Number(0, _pi() // 2 + (part if x.sign else -part), -_BITS)
        else:
            found = Number(0, _pi() - part, -_BITS)
    return Number(y.sign, found.magnitude, found.exponent)


def _is_above(y: Number, x: Number) -> bool:
    """Whether the magnitude of y is the larger one."""
    if y.scale != x.scale:
        return y.scale > x.scale
    lowest = min(y.exponent, x.exponent)
    return y.magnitude << y.exponent - lowest > x.magnitude << x.exponent - lowest


def power_less_one(x: Number) -> Number | None:
    """F2XM1: 2^x - 1, of x from -1 to 1."""
    if x.scale > 0 or (x.scale == 0 and x.magnitude & x.magnitude - 1):
        return None
    scaled = x.magnitude * _ln2()
    argument = _fixed(scaled, x.exponent - _BITS) * (-1 if x.sign else 1)
    total = term = _ONE
    count = 1
    while abs(term) > 1:
        count += 1
        term = (term * argument >> _BITS) // count
        total += term
    return Number(x.sign, scaled * total, x.exponent - 2 * _BITS)


def logarithm(x: Number, y: Number) -> Number | None:
    """FYL2X: y * log2(x)."""
    if not x.magnitude:
        return None
    if x.sign:
        return INDEFINITE
    unit, scale = 1 << x.magnitude.bit_length() - 1, x.scale
    if x.magnitude * x.magnitude > 2 * unit * unit:
        unit, scale = 2 * unit, scale + 1
    ratio = (abs(x.magnitude - unit) << _BITS) // (x.magnitude + unit)
    part = 2 * ratio * _arc(ratio * ratio >> _BITS, 1) // _ln2()
    total = (scale << _BITS) + (part if x.magnitude >= unit else -part)
    return Number(y.sign ^ int(total < 0), y.magnitude * abs(total), y.exponent - _BITS)


def logarithm_of_more(x: Number, y: Number) -> Number | None:
    """FYL2XP1: y * log2(x + 1), of x above -1."""
    if x.scale >= -2:
        lowest = min(x.exponent, 0)
        more = (1 << -lowest) + (x.magnitude << x.exponent - lowest) * (-1 if x.sign else 1)
        return logarithm(Number(int(more < 0), abs(more), lowest), y)
    below = (2 << _BITS) + _fixed(x.magnitude, x.exponent) * (-1 if x.sign else 1)
    ratio = (x.magnitude << 2 * _BITS) // below
    arc = _arc(_fixed(ratio * ratio, 2 * (x.exponent - _BITS)), 1)
    total = (2 * ratio * arc << _BITS) // _ln2()
    return Number(y.sign ^ x.sign, y.magnitude * total, y.exponent + x.exponent - 2 * _BITS)


def scaled(x: Number, by: Number) -> Number:
    """FSCALE: x * 2^by, of which the integral part counts."""
    whole = min(_LARGEST_SCALE, _fixed(by.magnitude, by.exponent) >> _BITS if by.scale < 20 else _LARGEST_SCALE)
    return Number(x.sign, x.magnitude, x.exponent + (-whole if by.sign else whole))


def remainder(x: Number, by: Number, to_nearest: bool) -> tuple[Number, int, bool] | None:
    """FPREM, or FPREM1: the remainder, the quotient, and whether there is more to do."""
    if not by.magnitude:
        return None
    if not x.magnitude:
        return x, 0, False
    distance = x.scale - by.scale
    is_partial = distance >= _REMAINDER_BITS
    left = distance - (32 + distance % 32) if is_partial else 0  # what a next one has to do
    lowest = min(x.exponent, by.exponent + left)
    whole, step = x.magnitude << x.exponent - lowest, by.magnitude << by.exponent + left - lowest
    quotient, rest = divmod(whole, step)
    sign = x.sign
    if to_nearest and not is_partial and (2 * rest > step or (2 * rest == step and quotient & 1)):
        quotient, rest, sign = quotient + 1, step - rest, 1 - sign
    return Number(sign if rest else x.sign, rest, lowest), quotient, is_partial
