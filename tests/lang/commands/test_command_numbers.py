"""Plain numbers (A.3, A.6)."""

from __future__ import annotations

import pytest

from vm.facts.numbers import number_32, plain_number


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("10", 0x10),
        ("add", 0xADD),
        ("0x1F", 0x1F),
        ("0X1f", 0x1F),
        ("x1f", 0x1F),
        (r"\x90", 0x90),
        (r"\X90", 0x90),
        ("0n16", 16),
        ("0N16", 16),
        ("n16", 16),
        (r"\n16", 16),
        ("fffff801`639b1030", 0xFFFF_F801_639B_1030),
        ("1`", 1),
    ],
)
def test_prefixes_and_back_ticks(text: str, value: int) -> None:
    assert plain_number(text) == value


@pytest.mark.parametrize("text", ["", "0x", "n", "`", "0y11", "0t17", "12g", "0n1a", "-1", "1 ", "٣", "0x`"])
def test_what_is_no_number(text: str) -> None:
    assert plain_number(text) is None


@pytest.mark.parametrize("text", ["10000000000000000", "f" * 5000, "0n" + "9" * 5000])
def test_numbers_above_64_bits_saturate(text: str) -> None:
    assert plain_number(text) == 0xFFFF_FFFF_FFFF_FFFF


def test_leading_zeros_do_not_saturate() -> None:
    assert plain_number("0" * 40 + "1") == 1


def test_32_bit_number_has_a_limit() -> None:
    assert (number_32("ffffffff"), number_32("100000000")) == (0xFFFF_FFFF, None)
