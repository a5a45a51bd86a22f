"""Scripts and a guest that share standard output never write within each other's lines (plain bug 19)."""

from __future__ import annotations

import pytest

from hds.report.records import GuestOutput
from hds.report.terminal import Lines, Terminal

S, G = "script", "guest"
CASES = {
    "a call and its result": ([(S, b"write() "), (G, b"hi\n"), (S, b"= 3\n")], b"write() = 3\nhi\n"),
    "whole lines": ([(S, b"a\n"), (G, b"b\n"), (S, b"c\n")], b"a\nb\nc\n"),
    "a prompt comes at once": ([(G, b"name: ")], b"name: "),
    "a script behind a prompt": ([(G, b"name: "), (S, b"read\n"), (G, b"x\n")], b"name: \nread\nx\n"),
    "a line in pieces": ([(S, b"a"), (G, b"1"), (S, b"b"), (G, b"2\n"), (S, b"\n")], b"ab\n12\n"),
    "a script's line without an end": ([(S, b"a"), (G, b"1\n")], b"a\n1\n"),
    "several lines in one piece": (
        [(S, b"a"), (G, b"1\n"), (S, b"b\nc\nd"), (G, b"2\n"), (S, b"\n")],
        b"ab\n1\nc\nd\n2\n",
    ),
    "the next line in the same piece": ([(S, b"a"), (G, b"1"), (S, b"b\nc")], b"ab\n1\nc"),
    "nothing": ([(S, b"a"), (G, b""), (S, b""), (S, b"b\n")], b"ab\n"),
    "more than is held": ([(S, b"a"), (G, b"x" * 0x1_0001), (S, b"b\n")], b"a\n" + b"x" * 0x1_0001 + b"\nb\n"),
}


@pytest.mark.parametrize("case", CASES)
def test_lines_are_whole(case: str, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    parts, expected = CASES[case]
    lines = Lines()
    for who, data in parts:
        (lines.script if who == S else lines.guest)(data)
    lines.release()
    assert capfdbinary.readouterr().out == expected


def test_a_guest_alone_writes_its_bytes(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    terminal = Terminal("stdout")
    for data in (b"a", b"b\n", b"c"):
        terminal.report(GuestOutput(1, data))
    assert capfdbinary.readouterr().out == b"ab\nc"
