"""JSON that somebody gives us: as Python reads it, but for what is so deep that Python's reader ends the process."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator

import pytest
from hypothesis import given, strategies as st

from hds.json_text import MOST_LEVELS, read_json

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(alphabet='[]{}"\\a\n'),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(alphabet='[{"\\'), inner),
)


@pytest.fixture
def deep_recursion() -> Iterator[None]:
    """As behind the compilation of a deeply nested script."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(1_000_000)
    yield
    sys.setrecursionlimit(before)


@given(VALUES)
def test_json_is_read_as_python_reads_it(value: object) -> None:
    assert read_json(json.dumps(value)) == value
    assert read_json(json.dumps(value, ensure_ascii=False, indent=2)) == value


@pytest.mark.usefixtures("deep_recursion")
@pytest.mark.parametrize("text", ["[" * 200_000, '{"a":' * 200_000, "[" * (MOST_LEVELS + 1) + "]" * (MOST_LEVELS + 1)])
def test_json_that_is_too_deep_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="more than 100 levels"):
        read_json(text)


@pytest.mark.parametrize("text", ["[" * MOST_LEVELS + "]" * MOST_LEVELS, '"' + "[" * 500 + '"', "[[],[]]" + " " * 10])
def test_brackets_in_strings_and_beside_each_other_are_not_deep(text: str) -> None:
    assert read_json(text) == json.loads(text)


@pytest.mark.parametrize("text", ["", "[", '"', '"\\', "]]]]", "{]}"])
def test_what_is_no_json_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_json(text)
