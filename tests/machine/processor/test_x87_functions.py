"""Functions of x87: the value nearest to the true one, in 64 bits (machine.processor.x87_functions)."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given, strategies as st

from machine.processor import x87_functions as x87
from machine.processor.x87_functions import Number

NEAREST, DOWN, UP, TO_ZERO = range(4)


def number(value: Fraction | float | int) -> Number:
    fraction = Fraction(value)
    exponent = 1 - fraction.denominator.bit_length()
    return Number(int(fraction < 0), abs(fraction.numerator), exponent)


def bits(value: Number | None, rounding: int = NEAREST) -> str:
    assert value is not None
    significand, head = x87.encoded(value, rounding)
    return f"{head:04x} {significand:016x}"


def value_of(found: Number) -> Fraction:
    return (1 - 2 * found.sign) * found.magnitude * Fraction(2) ** found.exponent


# As hardware has them, but for the angle ...d4: the true one ends in d3.516, and an EPYC has d3.
@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (x87.sine(number(2.5)), "3ffe 9935786e7e558405"),
        (x87.cosine(number(2.5)), "bffe cd17bf7c2c5be959"),
        (x87.tangent(number(2.5)), "bffe bf3cda7005d8a565"),
        (x87.sine(number(10**15)), "3ffe dbb7b8f40de0426e"),
        (x87.cosine(number(9 * 10**18)), "3ffe e1b6a158ac37dffe"),
        (x87.angle(number(0.25), number(-3)), "4000 c3bdab08272b3284"),
        (x87.angle(number(-3), number(0.25)), "bfff be6b7b6e2ceda2d4"),
        (x87.angle(number(1), number(1)), "3ffe c90fdaa22168c235"),
        (x87.angle(number(0), number(-1)), "4000 c90fdaa22168c235"),
        (x87.angle(number(-1), number(0)), "bfff c90fdaa22168c235"),
        (x87.power_less_one(number(0.5)), "3ffd d413cccfe7799211"),
        (x87.power_less_one(number(-1)), "bffe 8000000000000000"),
        (x87.logarithm(number(10), number(1)), "4000 d49a784bcd1b8afe"),
        (x87.logarithm(number(1 + Fraction(1, 1 << 63)), number(1)), "3fc0 b8aa3b295c17f0bb"),
        (x87.logarithm(number(8), number(3)), "4002 9000000000000000"),
        (x87.logarithm_of_more(number(Fraction(1, 1 << 200)), number(1)), "3f37 b8aa3b295c17f0bc"),
        (x87.logarithm(number(-2), number(1)), "ffff c000000000000000"),
        (x87.sine(number(Fraction(1, 1 << 9000))), "1cd7 8000000000000000"),
        (x87.scaled(number(3), number(-2.75)), "3ffe c000000000000000"),
        (x87.scaled(number(1), number(1e300)), "7fff 8000000000000000"),
        (x87.scaled(number(1), number(-16400)), "0000 0000200000000000"),
    ],
)
def test_values(found: Number | None, expected: str) -> None:
    assert bits(found) == expected


def test_results_are_rounded_as_the_control_word_says() -> None:
    third = Number(1, (1 << 80) // 3, -80)
    assert [bits(third, rounding)[-1] for rounding in (NEAREST, DOWN, UP, TO_ZERO)] == ["b", "b", "a", "a"]
    large = Number(0, 1, 20000)
    assert [bits(large, rounding)[:4] for rounding in (NEAREST, DOWN, UP, TO_ZERO)] == ["7fff", "7ffe", "7fff", "7ffe"]


finite = st.builds(
    lambda sign, magnitude, exponent: Number(sign, magnitude | 1 << 63, exponent),
    st.integers(0, 1), st.integers(0, (1 << 64) - 1), st.integers(-300, 200),
)  # fmt: skip


@given(finite, finite, st.booleans())
def test_a_remainder_is_exact(x: Number, by: Number, to_nearest: bool) -> None:
    left, steps = x, 0
    while True:
        found = x87.remainder(left, by, to_nearest)
        assert found is not None
        left, quotient, is_partial = found
        steps += 1
        if not is_partial:
            break
    whole = value_of(x) / value_of(by)
    exact = round(whole) if to_nearest else int(whole)
    assert value_of(left) == value_of(x) - exact * value_of(by)
    assert quotient & 7 == abs(exact) & 7
    assert steps <= 16


@given(finite, finite)
def test_what_is_encoded_is_decoded(x: Number, y: Number) -> None:
    again = x87.decoded(*x87.encoded(x, NEAREST))
    assert again is not None
    assert value_of(again) == value_of(x)


@given(st.floats(-1, 1).filter(lambda x: x > -1))
def test_a_logarithm_undoes_a_power(exponent: float) -> None:
    power = x87.power_less_one(number(exponent))
    assert power is not None
    back = x87.logarithm_of_more(power, x87.ONE)
    assert back is not None
    assert abs(value_of(back) - Fraction(exponent)) <= abs(Fraction(exponent)) / (1 << 200)


@given(st.floats(-1e15, 1e15))
def test_sine_and_cosine_lie_on_the_circle(x: float) -> None:
    sine, cosine = value_of(x87.sine(number(x))), value_of(x87.cosine(number(x)))
    assert abs(sine**2 + cosine**2 - 1) < Fraction(1, 1 << 200)
