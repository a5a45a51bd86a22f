"""Named fields of messages."""

from __future__ import annotations

import pytest

from hds.report.fields import LONGEST_FIELD, rows_of


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        (b"size=16 at=0x1F n=-3\n", [{"size": 16, "at": 0x1F, "n": -3}]),
        (b"read: size=16, name=a.txt; x.y=1", [{"size": 16, "name": "a.txt", "x.y": 1}]),
        (b'who="a \\"b\\" = c" n=1', [{"who": 'a "b" = c', "n": 1}]),
        (b'open="never ends', [{"open": ""}]),
        (b"word=3c empty= hex=0x", [{"word": "3c", "empty": "", "hex": "0x"}]),
        (b"a=1\nnothing\nb=2 b=3\n", [{"a": 1}, {"b": 2}]),
        (b"a == b, a=b=c, 1=2, x!=3, http://h/?q=1", [{"a": "b=c", "q": 1}]),
        (b"m=0xffffffffffffffff d=18446744073709551616", [{"m": (1 << 64) - 1, "d": "18446744073709551616"}]),
        (b"t=\xff", [{"t": "\N{REPLACEMENT CHARACTER}"}]),
        (b"nothing", []),
    ],
)
def test_pairs_are_read(text: bytes, rows: list[dict[str, int | str]]) -> None:
    assert [{name: field.value for name, field in row.items()} for row in rows_of(text)] == rows


def test_long_texts_are_cut() -> None:
    (row,) = rows_of(b"t=" + b"x" * 1000)
    assert row["t"].value == row["t"].text == "x" * LONGEST_FIELD + "..."


def test_numbers_know_how_they_were_printed() -> None:
    (row,) = rows_of(b"at=0x1F")
    assert (row["at"].value, row["at"].text) == (31, "0x1F")
