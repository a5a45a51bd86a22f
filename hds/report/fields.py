"""Named fields of messages: the `name=value` pairs that scripts print, read as typed values (`--fields`)."""

from __future__ import annotations

import msgspec

from vm import late_pattern
from vm.facts.numbers import PRINTED, number_in

LONGEST_FIELD = 256  # characters of a text that are kept
_MOST_BELOW_ZERO = 1 << 63  # a number beyond that, or beyond 64 bits, is a text
_PAIR = late_pattern(r'(?<![\w.=!<>])([A-Za-z_][\w.]*)=(?!=)(?:"((?:[^"\\]|\\.)*)"|([^\s,;"]*))')
_ESCAPED = late_pattern(r"\\(.)")


class Field(msgspec.Struct, frozen=True):
    """A value, and how it was printed."""

    value: int | str
    text: str


def rows_of(text: bytes) -> list[dict[str, Field]]:
    """The fields of every line that has any; of pairs with one name in a line the first counts.

    A value is an integer (decimal, or hexadecimal behind 0x), a text up to white space, a comma or a semicolon, or a
    text in double quotes, where a backslash stands before a quote or a backslash. Texts are cut after `LONGEST_FIELD`.
    """
    if b"=" not in text:
        return []
    rows = (_row(line) for line in text.decode("utf-8", "replace").split("\n"))
    return [row for row in rows if row]


def _row(line: str) -> dict[str, Field]:
    row: dict[str, Field] = {}
    for pair in _PAIR.finditer(line):
        name, quoted, word = pair.groups()
        if name not in row:
            row[name] = _text(_ESCAPED.sub(r"\1", quoted)) if quoted is not None else _value(word)
    return row


def _value(word: str) -> Field:
    is_negative = word.startswith("-")
    number = number_in(word.removeprefix("-"), PRINTED)
    if number is not None and not (is_negative and number > _MOST_BELOW_ZERO):
        return Field(-number if is_negative else number, word)
    return _text(word)


def _text(text: str) -> Field:
    cut = text if len(text) <= LONGEST_FIELD else text[:LONGEST_FIELD] + "..."
    return Field(cut, cut)
