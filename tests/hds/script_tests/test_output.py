"""Expected lines with gaps and patterns against written ones."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, strategies as st

from hds.script_tests.cases import Item
from hds.script_tests.output import Part, compare, matches, shown
from lang.source import SourceFile, Span

NOWHERE = Span(SourceFile("a.hds", ""), 0, 0)


def item(text: str) -> Item:
    """`...` is a gap, `/x/` a pattern."""
    if text == "...":
        return Item("", NOWHERE, gap=True)
    if text.startswith("/"):
        return Item(text[1:-1], NOWHERE, re.compile(text[1:-1]))
    return Item(text, NOWHERE)


@pytest.mark.parametrize(
    ("expected", "lines", "same"),
    [
        ("a b", "a b", True),
        ("a", "a b", False),
        ("", "", True),
        ("", "a", False),
        ("...", "", True),
        ("...", "a b", True),
        ("... b", "a b", True),
        ("... b", "b a", False),
        ("a ... b", "a b", True),
        ("a ... b ... a", "a c b c a", True),
        ("a ... a", "a", False),
        ("... a b ...", "a a b", True),
        ("... b a ... b a ...", "b a a b", False),
        ("/[ab]/ /c+/", "b ccc", True),
        ("/[ab]/", "bb", False),
    ],
)
def test_when_lines_are_as_expected(expected: str, lines: str, same: bool) -> None:
    assert matches([item(text) for text in expected.split()], lines.split()) is same


@given(
    st.lists(st.sampled_from(["a", "b", "...", "/[ab]/"]), max_size=7),
    st.lists(st.sampled_from(["a", "b"]), max_size=7),
)
def test_lines_are_as_expected_where_a_regular_expression_says_so(expected: list[str], lines: list[str]) -> None:
    pattern = "".join({"...": "(?:[ab],)*", "/[ab]/": "[ab],"}.get(text, f"{text},") for text in expected)
    same = re.fullmatch(pattern, "".join(f"{line}," for line in lines)) is not None
    assert matches([item(text) for text in expected], lines) is same


@given(st.lists(st.sampled_from(["a", "b", "..."]), max_size=7), st.lists(st.sampled_from(["a", "b"]), max_size=7))
def test_a_comparison_has_every_item_once_and_says_where_they_differ(expected: list[str], lines: list[str]) -> None:
    items = [item(text) for text in expected]
    compared = compare(items, lines)
    assert [each.item for each in compared if each.item is not None] == list(range(len(items)))
    added = [each.line for each in compared if each.line is not None]
    assert added == sorted(set(added))
    if not any(each.gap for each in items):
        assert (all(each.part is Part.SAME for each in compared)) is matches(items, lines)


def test_a_long_difference_is_cut() -> None:
    items = [item(f"a{number}") for number in range(500)]
    told = list(shown(items, ["b" * 1000] * 500))
    assert len(told) < 70
    assert max(map(len, told)) < 300
