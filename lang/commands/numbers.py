"""Plain numbers of the command level (events-and-commands.md A.3, A.6): hexadecimal unless marked decimal.

Prefixes: 0x, x, \\x are hexadecimal, 0n, n, \\n decimal, in either case; back-ticks may stand anywhere behind the
prefix. Octal and binary exist only in script expressions, which are not read here.
"""

from __future__ import annotations

import re

MAX_32 = 0xFFFF_FFFF
MAX_64 = 0xFFFF_FFFF_FFFF_FFFF

_NUMBER = re.compile(r"(?:(?:0x|\\?x)?(?P<hex>[0-9a-f`]+)|(?:0n|\\?n)(?P<decimal>[0-9`]+))", re.IGNORECASE | re.ASCII)
_DIGITS_OF_64_BITS = 20


def is_number(text: str) -> bool:
    """Whether a word is of kind Num."""
    return _digits(text) is not None


def plain_number(text: str) -> int | None:
    """The value of a plain 64-bit number, saturated at 2**64 - 1; None if the text is none."""
    number = _digits(text)
    if number is None:
        return None
    digits, base = number
    # The length is checked first because int() refuses very long decimal texts.
    return MAX_64 if len(digits) > _DIGITS_OF_64_BITS else min(int(digits, base), MAX_64)


def number_32(text: str) -> int | None:
    """The value of a plain 32-bit number; a larger one counts as no number at all."""
    value = plain_number(text)
    return value if value is not None and value <= MAX_32 else None


def _digits(text: str) -> tuple[str, int] | None:
    """The digits of a number, without leading zeros, and their base."""
    match = _NUMBER.fullmatch(text)
    if match is None:
        return None
    digits = (match["hex"] or match["decimal"]).replace("`", "")
    return (digits.lstrip("0") or "0", 16 if match["hex"] else 10) if digits else None
