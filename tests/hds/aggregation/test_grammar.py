"""Expressions of `--aggregate`."""

from __future__ import annotations

import pytest

from hds.aggregation.grammar import Aggregate, AggregateError, parse
from vm.facts.limits import Limits


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("count", Aggregate("count")),
        (" count() by $context ", Aggregate("count() by $context", by=("context",))),
        ("top 3 by pid,name", Aggregate("top 3 by pid,name", by=("pid", "name"), top=3)),
        ("sum(size)", Aggregate("sum(size)", "sum", "size")),
        (
            "top 0x10 avg(fields.pid) by x",
            Aggregate("top 0x10 avg(fields.pid) by x", "avg", "fields.pid", None, ("x",), 16),
        ),
        ("hist(fields.size)", Aggregate("hist(fields.size)", "hist", "size")),
        ("lhist(x, -5, 0x10, 4)", Aggregate("lhist(x, -5, 0x10, 4)", "lhist", "x", (-5, 16, 4))),
    ],
)
def test_what_expressions_mean(text: str, meant: Aggregate) -> None:
    assert parse(text, Limits()) == meant


@pytest.mark.parametrize(
    ("text", "column", "message", "hint"),
    [
        ("", 1, "there is nothing", "as in"),
        ("cnt by x", 1, "there is no function 'cnt'", "did you mean count?"),
        ("count bu x", 7, "expected 'by' or the end, found 'bu'", "did you mean 'by'?"),
        ("sum", 4, "expected '(', found the end", "it is sum(x)"),
        ("sum(3)", 5, "expected a name, found '3'", "a value of the trigger"),
        ("lhist(x, 1, 2)", 14, "expected ',', found ')'", "it is lhist(x, min, max, step)"),
        ("count by a, a", 13, "'a' stands there already", "each name once"),
        ("top 0 by a", 5, "'top' shows at least 1 group", "as in"),
        ("top x", 5, "expected a number, found 'x'", "decimal"),
        ("top 99999999999999999999999", 5, "the number has more than 64 bits", "a smaller one"),
        ("lhist(x, 1, 1, 1)", 1, "lhist has no buckets", "min is less"),
        ("lhist(x, 0, 9999, 1)", 1, "lhist has more than 1000 buckets (limit max_aggregate_buckets)", "a larger step"),
        ("sum(fields.)", 5, "a field has a name", "as in fields.size"),
        ("count by a ; b", 12, "expected ',' or the end, found ';'", "as in"),
    ],
)
def test_mistakes_have_a_place_and_a_hint(text: str, column: int, message: str, hint: str) -> None:
    with pytest.raises(AggregateError) as caught:
        parse(text, Limits())
    assert str(caught.value) == f"column {column} of '{text}': {message}"
    assert hint in caught.value.hint
