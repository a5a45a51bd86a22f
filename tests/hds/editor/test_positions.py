"""Places in the units of the protocol, against what Python's own codecs say."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from hds.editor.positions import Encoding, Positions
from lang import SourceFile

TEXTS = st.text(st.sampled_from("ab\n\ré😀\u2028\f𝔸"), max_size=30)
CODECS = {Encoding.UTF_8: ("utf-8", 1), Encoding.UTF_16: ("utf-16-le", 2), Encoding.UTF_32: ("utf-32-le", 4)}


@pytest.mark.parametrize("encoding", Encoding)
@given(TEXTS)
def test_places_are_those_of_the_codec_and_lead_back(encoding: Encoding, text: str) -> None:
    codec, size = CODECS[encoding]
    positions = Positions(SourceFile("x", text), encoding)
    for offset in range(len(text) + 1):
        if text[max(0, offset - 1) : offset + 1] == "\r\n":
            continue  # between the two there is no place
        line, unit = positions.position(offset)
        before = text[:offset].replace("\r\n", "\n").replace("\r", "\n")
        assert line == before.count("\n")
        assert unit == len(before[before.rfind("\n") + 1 :].encode(codec)) // size
        assert positions.offset(line, unit) == offset


def test_places_that_are_not_there() -> None:
    positions = Positions(SourceFile("x", "a😀\nb"))
    assert positions.offset(0, 2) == 2  # in the middle of a pair: behind it
    assert positions.offset(0, 99) == 2
    assert positions.offset(1, 99) == 4
    assert positions.offset(7, 0) == 4
