"""THE reader of whole numbers in text. How they are written depends on where they stand: a `Dialect`, frozen data.

Reading takes time linear in the text: `int` is asked about as many digits as 64 bits can have, and never about more.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import msgspec

MAX_32 = 0xFFFF_FFFF
MAX_64 = 0xFFFF_FFFF_FFFF_FFFF
TOO_LARGE = MAX_64 + 1  # the value of a reading that does not fit in 64 bits

_DIGITS = {base: frozenset("0123456789abcdefABCDEF"[: base if base < 16 else 22]) for base in (2, 8, 10, 16)}
_MOST_DIGITS = 64  # in base 2


class Dialect(msgspec.Struct, frozen=True):
    """How numbers are written in one place.

    `base` holds without a prefix. With `any_case` prefixes may be in upper case; digits always may. `ticks`: back-ticks
    stand between digits. `signed`: a `-` in front makes two's complement of 64 bits. `hex_suffix`: a word that begins
    with a digit and has no prefix is hexadecimal if `h` ends it.
    """

    base: int
    prefixes: Mapping[str, int] = msgspec.field(default_factory=dict)
    any_case: bool = False
    ticks: bool = False
    signed: bool = False
    hex_suffix: bool = False


DECIMAL = Dialect(10)
HEXADECIMAL = Dialect(16)
OCTAL = Dialect(8)

_SCRIPT_PREFIXES = {"0x": 16, "0n": 10, "0y": 2, "0o": 8, "0t": 8}
SCRIPT = Dialect(16, _SCRIPT_PREFIXES, ticks=True)
"""Script expressions (language.md section 3)."""
COMMAND = Dialect(16, {"0x": 16, "\\x": 16, "x": 16, "0n": 10, "\\n": 10, "n": 10}, any_case=True, ticks=True)
"""Words of commands (events-and-commands A.3, A.6): octal and binary exist in script expressions only."""
OPTION = Dialect(16, _SCRIPT_PREFIXES, ticks=True, signed=True)
"""Options of hds."""
PRINTED = Dialect(10, {"0x": 16}, any_case=True)
"""As printf writes them: what messages say (`name=value`), and numbers in expressions about that."""
_ASSEMBLY_PREFIXES = {"0x": 16, "0n": 10, "0y": 2, "0t": 8}
ASSEMBLY_BLOCK = Dialect(16, _ASSEMBLY_PREFIXES, any_case=True, ticks=True, hex_suffix=True)
"""Assembly text of commands."""
ASSEMBLY_LISTING = Dialect(10, _ASSEMBLY_PREFIXES | {"0b": 2}, any_case=True, ticks=True, hex_suffix=True)
"""Assembly listings, which are guest programs."""


class Reading(NamedTuple):
    """A word, read as a number. `digits_at` is where its digits begin, `wrong` the first character that is none.

    `value` is TOO_LARGE where it does not fit in 64 bits, and 0 where something is wrong.
    """

    base: int
    digits_at: int
    has_digits: bool
    wrong: int | None
    value: int

    @property
    def is_number(self) -> bool:
        """Whether the word is a number, of whatever size."""
        return self.has_digits and self.wrong is None


def read(text: str, dialect: Dialect) -> Reading:
    """Everything there is to say about a word that may be a number, without its sign."""
    base, start = _prefix(text, dialect)
    end = len(text)
    if start == 0 and dialect.hex_suffix and text[:1] in _DIGITS[10] and text[-1] in "hH":
        base, end = 16, end - 1
    body = text[start:end]
    digits = body.replace("`", "") if dialect.ticks else body
    if not _DIGITS[base].issuperset(digits):
        allowed = _DIGITS[base] | {"`"} if dialect.ticks else _DIGITS[base]
        wrong = next(at for at, letter in enumerate(body) if letter not in allowed)
        return Reading(base, start, True, start + wrong, 0)
    significant = digits.lstrip("0")
    value = min(int(significant or "0", base), TOO_LARGE) if len(significant) <= _MOST_DIGITS else TOO_LARGE
    return Reading(base, start, bool(digits), None, value)


def number_in(text: str, dialect: Dialect, most: int = MAX_64) -> int | None:
    """The value of a number, 0 to `most` and below 2**64; None for other words and for larger numbers."""
    negative = dialect.signed and text.startswith("-")
    reading = read(text[negative:], dialect)
    if not reading.is_number or reading.value > min(most, MAX_64):
        return None
    return -reading.value & MAX_64 if negative else reading.value


def has_only_digits(text: str, dialect: Dialect) -> bool:
    """Whether a text without a prefix has digits of the dialect's base, and nothing else but back-ticks."""
    return _DIGITS[dialect.base].issuperset(text.replace("`", "") if dialect.ticks else text)


def is_plain_number(text: str) -> bool:
    """Whether a word of a command is a number."""
    return read(text, COMMAND).is_number


def plain_number(text: str) -> int | None:
    """The value of a word of a command, saturated at 2**64 - 1 as HyperDbg does; None if it is no number."""
    reading = read(text, COMMAND)
    return min(reading.value, MAX_64) if reading.is_number else None


def number_32(text: str) -> int | None:
    """The value of a word of a command, 0 to 2**32 - 1; a larger one counts as no number at all."""
    value = plain_number(text)
    return value if value is not None and value <= MAX_32 else None


def _prefix(text: str, dialect: Dialect) -> tuple[int, int]:
    """The base that a word's prefix says, and the length of the prefix."""
    head = text[:2].lower() if dialect.any_case else text[:2]
    for prefix in (head, head[:1]):
        base = dialect.prefixes.get(prefix)
        if base is not None:
            return base, len(prefix)
    return dialect.base, 0
