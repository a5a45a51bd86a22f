"""Specifiers of C's printf that the language does not have: what is said of them (language.md 12.2).

They are ordinary text, as every percent sign is that begins no specifier, and take no argument.
"""

from __future__ import annotations

import msgspec

from vm import late_pattern

_SPECIFIER = late_pattern(
    rb"%[-+ #0]*+(?P<star>\*|\d*+(?:\.\*)?)(?:\.\d*+)?"
    rb"(?P<length>hh|I64|I32|I|[hl]{1,2}|[jztLqw])?(?P<letter>[diouxXcsSfFeEgGaApnb])"
)
_LETTERS = {"F": "f", "E": "e", "G": "g", "a": "e", "A": "e", "S": "ws"}
_BITS_64 = ("j", "z", "t", "q", "I64", "I")
LONGEST = 24  # characters of a specifier that messages show


class ForeignSpecifier(msgspec.Struct, frozen=True):
    """A specifier of C that stands at a percent sign of a format: its length in bytes, its text, what to write."""

    length: int
    text: str
    instead: str


def find(form: bytes, percent: int) -> ForeignSpecifier | None:
    """The specifier of C at a percent sign that begins none of the language."""
    match = _SPECIFIER.match(form, percent)
    if match is None:
        return None
    length, letter = (match["length"] or b"").decode(), match["letter"].decode()
    if b"*" in match["star"]:
        instead = "write the width or precision as a number: `*` is unknown"
    elif length == "hh":
        instead = f"`hh` is unknown: for one byte write `%02{letter}` and `... & 0xff` as its argument"
    elif length in _BITS_64:
        instead = f"`{length}` is unknown: write `%ll{letter}` for 64 bits"
    elif letter in _LETTERS:
        instead = f"write `%{_LETTERS[letter]}`"
    else:
        instead = "the specifiers are %d %i %u %x %o (with h, l, ll), %c, %p, %s, %ws and %f"
    return ForeignSpecifier(len(match[0]), match[0][:LONGEST].decode("latin-1"), instead)
