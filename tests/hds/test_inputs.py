"""What an input is, and how numbers are read."""

from __future__ import annotations

import pytest

from hds.inputs import is_bare_script, parse_number
from lang.source import SourceFile


@pytest.mark.parametrize(
    "text",
    [
        "print(5);",
        "x = 5;",
        "i = 0; while (i < 3) { i++; }",
        "a = 5;",
        ".counter += 1;",
        "@rax = 5;",
        "v[2] = 1;",
        "x++;",
        "*p = 5;",
        "{ print(1); }",
        "int fn(int n) { return n; }",
        "struct P { int mx; };",
        "if (1) { }",
        '#include "x.hds";',
        "// comment\n/* another */ for (;;) { }",
        '\ufeffprintf("x");',
        ".a.b = 5;",
        "r = 5;",
    ],
)
def test_a_statement_on_the_first_line_makes_a_bare_script(text: str) -> None:
    assert is_bare_script(SourceFile("x", text))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "? { print(5); }",
        "?{ print(5); }",
        "!syscall script { x = 5; }",
        "!sycall script { }",
        "print @rax",
        "print x == 5",
        "r rax = 5",
        "g",
        "events",
        ".script other.hds",
        "// print(5);\n? x = 5;",
        "# a note\n? x = 5;",
        "eb 1000 90 90",
        "output create log file x",
    ],
)
def test_anything_else_is_a_command_file(text: str) -> None:
    assert not is_bare_script(SourceFile("x", text))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("10", 0x10),
        ("0n10", 10),
        ("0y101", 5),
        ("0o17", 0o17),
        ("fffff800`1000", 0xFFFFF8001000),
        ("-1", (1 << 64) - 1),
        ("ffffffffffffffff", (1 << 64) - 1),
        ("10000000000000000", None),
        ("", None),
        ("0x", None),
        ("xyz", None),
        ("0n1f", None),
        ("--1", None),
    ],
)
def test_numbers_are_those_of_scripts(text: str, value: int | None) -> None:
    assert parse_number(text) == value
