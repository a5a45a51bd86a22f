"""Programs that parse and mean nothing: the compiler and the evaluator give the code of the document (17.1)."""

from __future__ import annotations

import pytest
from evaluator import rejection
from evaluator_law import check

from hds.fuzzing.laws import compiled, parsed
from hds.fuzzing.world import world
from lang.diagnostics import Severity

STRUCT = "struct S { int mx; int my[2]; }; "
ROWS = (
    ("int fn(int .g) { return 1; }", "E030"),
    ("struct S { int .mx; };", "E030"),
    ("struct S { int mx = 5; };", "E030"),
    ("typedef int my_t[3];", "E037"),
    ("int v[2]; v = 5;", "E039"),
    ("int v[2]; int w[2]; v = w;", "E039"),
    ("int v[2]; v++;", "E039"),
    ("int fn() { return 1; } fn = 5;", "E069"),
    ("int fn() { return 1; } int fn = 5;", "E069"),
    ("int fn() { return 1; } fn++;", "E069"),
    ("int .g = 1; double .g = 2.0;", "E070"),
    ("int x = y = 5; int z = .g = 6; double .g = 1.0;", "E070"),
    ("int int v;", "E080"),
    ("my_t v; typedef int my_t;", "E080"),
    ("struct S { struct S inner; };", "E087"),
    ("struct S { struct T *next; };", "E081"),
    ("struct S { void mx; };", "E098"),
    ("int fn(void p_v) { return 1; }", "E098"),
    ("int v[2][] = {1, 2};", "E088"),
    ("int v[-1];", "E088"),
    ("int v[1.5];", "E088"),
    ("int v[1 / 0];", "E088"),
    ("int v[];", "E088"),
    ("int x = {5};", "E099"),
    ("int v[2] = 5;", "E099"),
    ("int v[2] = {1, 2, 3};", "E089"),
    ("int x; x[0] = 1;", "E090"),
    ("void *p = 0; p[0] = 1;", "E090"),
    ("x = 5; x[1.5] = 1;", "E090"),
    ("double v = 1.5; v &= 1;", "E091"),
    ("double v = 1.5; x = ~v;", "E091"),
    ("int *p = 0; p *= 2;", "E091"),
    ("int *p = 0; p += 1.5;", "E091"),
    ("int *p = 0; double v = 1.5; v = p;", "E091"),
    ("int *p = 0; x = 1.5 == p;", "E091"),
    ("int *p = 0; x = 5 - p;", "E091"),
    ("int *p = 0; char *k = 0; x = p - k;", "E091"),
    ("int *p = 0; x = (double)p;", "E092"),
    ("x = (void)5;", "E092"),
    ("p = &5;", "E093"),
    ("p = &$pid;", "E093"),
    ('p = &"abc";', "E093"),
    ("x = *1.5;", "E094"),
    (STRUCT + "struct S v; x = v + 1;", "E095"),
    (STRUCT + "struct S v; if (v) { }", "E095"),
    (STRUCT + "struct S v; print(v);", "E095"),
    (STRUCT + "struct S v; v += 1;", "E095"),
    (STRUCT + "struct S fn() { return 1; }", "E095"),
    (STRUCT + "int fn(struct S p_v) { return 1; }", "E095"),
    ("int fn(int p_v[2]) { return 1; }", "E095"),
    (STRUCT + "struct S v; x = v;", "E096"),
    (STRUCT + "struct S v = 5;", "E096"),
    (STRUCT + "struct S v; int x = v;", "E096"),
    (STRUCT + "struct T { int mx; }; struct S v; struct T w = v;", "E096"),
    (STRUCT + "struct S v; v = 5;", "E096"),
    (STRUCT + "struct S v; v.mz = 5;", "E084"),
    (STRUCT + "struct S v[2]; v.mx = 5;", "E085"),
    ("x = 5; x->mx = 5;", "E085"),
    ("struct T; struct T *p = 0; p->mx = 5;", "E087"),
    ("struct T; struct T *p = 0; p++;", "E087"),
    ("struct T; x = sizeof(struct T);", "E097"),
    ("void fn() { } x = sizeof(fn());", "E097"),
    ("void fn() { } if (fn()) { }", "E063"),
    ("void fn() { } print(fn());", "E063"),
    ("void fn() { } x = -fn();", "E063"),
    ("int fn(int n) { return n; } fn(1, 2);", "E061"),
    ("printf();", "E110"),
    ('printf(L"wide");', "E110"),
    ('printf("%s", L"wide");', "E067"),
    ('printf("%ws", "narrow");', "E067"),
    ('printf("%d", 1.5);', "E112"),
    ('x = wcslen("narrow");', "E067"),
)  # fmt: skip


@pytest.mark.parametrize(("script", "code"), ROWS)
def test_both_reject_it_for_the_same_reason(script: str, code: str) -> None:
    made = compiled(script)
    tree = parsed(script)
    assert tree is not None or code == "E030", "it does not even parse"
    errors = [item.code for item in made.diagnostics if item.severity is Severity.ERROR]
    independent = rejection(tree, world()) if tree is not None else code
    assert (errors[:1], independent) == ([code], code)


ACCEPTED = (
    "int v[2] = {1, 2}; x = *(v + 1); print(x);",
    STRUCT + "struct S v[2]; v->mx = 5; print(v[0].mx);",
    STRUCT + "struct S v = {1, 2, 3}; struct S w = v; w = v; print(w.my[1]);",
    "int *p = q = 5; print(sizeof(q)); int x = .g = 5; print(sizeof(.g));",
    "int x = y = .g = @rax = 5; print(x + y + .g);",
    "int v[3]; int x = v[1] = 5; print(v[1] + x);",
    'print("abc"[1]); printf("%p", 5); x = strlen("abc") + wcslen(L"abc"); print(x);',
    "void *p = (void *)10000080; print(*p); p += 8; print(*p);",
    "int **q; int *p; int x; q = &p; p = &x; **q = 5; print(x);",
    "neg(5); not(5); poi(10000080); print(1);",
)


@pytest.mark.parametrize("script", ACCEPTED)
def test_both_accept_it_and_do_the_same(script: str) -> None:
    assert compiled(script).ok
    assert check(script) is None
