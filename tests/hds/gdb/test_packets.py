"""Packets of the remote protocol."""

from __future__ import annotations

import pytest
from hypothesis import given, settings, strategies as st

from hds.gdb.packets import MOST, Reader, framed, unescaped


def read(data: bytes) -> list[tuple[str, bytes]]:
    return list(Reader().feed(data))


def test_a_packet_has_its_sum_behind_it() -> None:
    assert framed(b"OK") == b"$OK#9a"
    assert read(b"$OK#9a") == [("packet", b"OK")]
    assert read(b"$OK#9A") == [("packet", b"OK")]


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=40), st.integers(1, 9))
def test_what_is_framed_is_read_however_it_is_cut(data: bytes, step: int) -> None:
    stream, reader = framed(data) + b"+" + framed(data[::-1]), Reader()
    pieces = [stream[at : at + step] for at in range(0, len(stream), step)]
    assert [found for piece in pieces for found in reader.feed(piece)] == [("packet", data), ("packet", data[::-1])]


@pytest.mark.parametrize(
    ("stream", "found"),
    [
        (b"$OK#00", [("damaged", b"")]),
        (b"$OK#zz$OK#9a", [("damaged", b""), ("packet", b"OK")]),
        (b"\x03$OK#9a\x03", [("interrupt", b""), ("packet", b"OK"), ("interrupt", b"")]),
        (b"-", [("again", b"")]),
        (b"noise$OK#9a", [("packet", b"OK")]),
        (b"$O", []),
        (b"$" + b"a" * (2 * MOST + 20), [("damaged", b"")]),
    ],
)
def test_what_is_no_packet_does_no_harm(stream: bytes, found: list[tuple[str, bytes]]) -> None:
    assert read(stream) == found


def test_an_escape_at_the_end_is_itself() -> None:
    assert unescaped(b"a}") == b"a}"
    assert unescaped(b"}\x03") == b"#"
