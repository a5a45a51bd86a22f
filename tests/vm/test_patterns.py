"""Patterns that are compiled late."""

from __future__ import annotations

import re

import pytest

from vm.patterns import late_pattern


def test_a_pattern_is_compiled_when_it_is_used() -> None:
    wrong = late_pattern("(")
    with pytest.raises(re.error):
        wrong.match("")


def test_it_does_what_a_compiled_one_does() -> None:
    late, compiled = (
        late_pattern("(?P<word>[a-z]+)|(b)", re.IGNORECASE),
        re.compile("(?P<word>[a-z]+)|(b)", re.IGNORECASE),
    )
    for _ in range(2):
        assert late.sub("x", "Ab 1 c") == compiled.sub("x", "Ab 1 c")
        assert [each.span() for each in late.finditer("Ab 1 c")] == [
            each.span() for each in compiled.finditer("Ab 1 c")
        ]
        assert (late.pattern, late.flags, late.groupindex) == (compiled.pattern, compiled.flags, compiled.groupindex)
    assert late_pattern(rb"\d").search(b"a1") is not None
