"""P074: a pointer meets a place with a declared integer type; a place without a declared type takes it."""

from __future__ import annotations

import pytest

from lang.compiler import Compiler
from lang.source import SourceFile

INTEGERS = """bool;char;signed char;unsigned char;short;short int;unsigned short;int;signed;signed int;unsigned
unsigned int;long;long int;unsigned long;unsigned long int;long unsigned;long long;long long int;unsigned long long
unsigned long long int;long unsigned long int""".replace("\n", ";").split(";")


def named(script: str) -> list[str]:
    made = Compiler().compile(SourceFile("x", script))
    assert made.ok
    return [item.span.text for item in made.diagnostics if item.code == "P074"]


@pytest.mark.parametrize("kind", INTEGERS)
def test_a_declared_integer_of_any_spelling_is_named(kind: str) -> None:
    assert len(named(f"x = 5; {kind} q_v = &x;")) == 1
    assert named(f"x = 5; {kind} q_v = ({kind})&x;") == []


@pytest.mark.parametrize(
    "script",
    [
        "x = 5; unsigned long q_v = 0; q_v = &x;",
        "x = 5; unsigned long .q = &x;",
        "x = 5; typedef unsigned long word_t; word_t q_v = &x;",
        "x = 5; unsigned long q_v = (int *)&x;",
        "x = 5; unsigned long q_v = &x + 1;",
        "int v = 5; int *p = &v; unsigned long long q_v = p;",
        "x = 5; unsigned long q_v[2] = {&x, 1};",
        "x = 5; struct S { unsigned long m; }; struct S s_v; s_v.m = &x;",
        "long fn(unsigned long n) { return n; } x = 5; print(fn(&x));",
        "unsigned long fn() { y = 1; return &y; } print(fn());",
        "x = 5; unsigned long q_v = 1; unsigned long *p = &q_v; *p = &x;",
        "x = 5; q_v = 1; unsigned long q_v = 2; q_v = &x;",
    ],
)
def test_so_is_every_way_into_one(script: str) -> None:
    assert len(named(script)) == 1


@pytest.mark.parametrize(
    "script",
    [
        "x = 5; y = &x; .g = &x; y = .g;",
        "x = 5; y = &x; unsigned long q_v = y;",
        "x = 5; p = &x; *p = &x;",
        "x = 5; unsigned long q_v = &x == 1;",
    ],
)
def test_a_place_without_a_declared_type_takes_it(script: str) -> None:
    assert named(script) == []
