"""Lines as directives write them, and back."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from hds.script_tests.texts import lines_of, unquoted, written


@given(st.binary(max_size=40))
def test_a_written_line_means_itself(data: bytes) -> None:
    for line in lines_of(data):
        assert unquoted(written(line)) == line
        assert "\n" not in written(line)
        assert written(line).isprintable()


@given(st.text(max_size=20).filter(lambda text: "\n" not in text))
def test_any_text_is_written_in_one_line(text: str) -> None:
    assert unquoted(written(text.encode("utf-8", "surrogatepass").decode("utf-8", "surrogateescape"))) is not None


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("plain text", "plain text"),
        ("...", '"..."'),
        ("  a", "  a"),
        ("a ", '"a "'),
        (" ...", '" ..."'),
        ('"a"', '"\\"a\\""'),
        ("a\tb\x1b\x7f", '"a\\tb\\x1b\\x7f"'),
        ("caf\u00e9 \u202e", '"caf\u00e9 \\u202e"'),
    ],
)
def test_what_a_line_looks_like(line: str, text: str) -> None:
    assert written(line) == text


@pytest.mark.parametrize("text", ['"', '"a', '"a\\"', '"\\q"', '"a"b"', '"\\U00110000"'])
def test_a_wrong_quote_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"missing|escape|quotes|character"):
        unquoted(text)
