"""How findings look and where they point; several mistakes are found in one go."""

from __future__ import annotations

import pytest

from lang.code import Code
from lang.compiler import Compiler
from lang.diagnostics import Diagnostic, Note, render
from lang.source import SourceFile, Span


def found(script: str) -> list[tuple[str, int, int]]:
    """Codes of errors with line and column."""
    made = Compiler(portability=False).compile(SourceFile("test", script))
    return [(item.code, item.span.line, item.span.column) for item in made.diagnostics if item.code.startswith("E")]


def message(script: str) -> str:
    """The text of the first error, with its hint."""
    made = Compiler(portability=False).compile(SourceFile("test", script))
    item = next(item for item in made.diagnostics if item.code.startswith("E"))
    return f"{item.message} | {item.hint}"


def test_a_finding_shows_its_line_carets_notes_and_hint() -> None:
    source = SourceFile("file.hds", "one;\n\tx\x01 = ä + b;\nthree;\n")
    start = source.text.index("ä")
    item = Diagnostic(
        Code.SYNTAX, "what", Span(source, start, start + 5), "help", (Note("see", Span(source, 0, 3)), Note("no place"))
    )
    assert render(item).splitlines() == [
        "file.hds:2:7: error E030: what",
        "    2 |  x\\x01 = ä + b;",
        "      |          ^^^^^",
        "  note: see (file.hds:1:1)",
        "    1 | one;",
        "      | ^^^",
        "  note: no place",
        "  hint: help",
    ]


@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
def test_every_kind_of_line_end_counts(ends: str) -> None:
    assert found(f"x = 1;{ends}y = 2;{ends}  b0 = 3;") == [("E031", 3, 3)]


def test_several_syntax_errors_are_found() -> None:
    script = "x = ;\nif (x) print(1);\ny = 1 +;\nwhile () { }\nz = 3;\n5 = x;\n"
    assert [line for _, line, _ in found(script)] == [1, 2, 3]
    assert found("while () { }\n5 = x;\nbreak;\n") == [("E040", 1, 1), ("E039", 2, 1), ("E034", 3, 1)]


def test_lexical_errors_come_before_syntax_errors_and_those_before_the_others() -> None:
    assert found("x = ;\ny = 0n1a;\nnothing();\n") == [("E004", 2, 8)]
    assert found("x = ;\nnothing();\n") == [("E030", 1, 5)]


def test_a_missing_semicolon_is_reported_where_it_is_missing() -> None:
    assert found("x = 5\ny = 6;\nz = 7\nprint(x);") == [("E030", 1, 6), ("E030", 3, 6)]


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("a = 5;", ["the number 0xa", "'a_v'"]),
        ("add(1);", ["0xadd", "'add_fn'"]),
        ("int f1(int n) { return n; }", ["a function name", "'f1_fn'"]),
        ("int fn(int b) { return b; }", ["a parameter name", "'b_p'"]),
        ("struct P { int c; };", ["0xc"]),
        ("db = 5;", ["built-in function", "0xdb"]),
        ("int cx = 5;", ["`cx` is a register"]),
        ("strlenn(5);", ["strlen"]),
        ("print(@raxx);", ["@rax"]),
        ("print($pidd);", ["$pid"]),
        ("x = 0X10;", ["0x10"]),
        ("x = 12u;", ["no suffixes"]),
        ("print('A');", ["0x41"]),
        ("!syscall script { }", ["`!syscall` is a command", "on a line of their own"]),
        ("x = y ? 1 : 2;", ["if / else"]),
        ("switch (x) { }", ["no `switch`", "elsif"]),
        ("if (x = 5) { }", ["`==` compares"]),
        ("x--3;", ["- -"]),
        ("print 5;", ["print(...)"]),
        ("int fn(int n);", ["leave it out"]),
        ("fn(int n) { return n; }", ["int fn(...)"]),
        ("return 5;", ["`return;`"]),
        ("if (x) { } elseif (y) { }", ["no `elseif`", "`elsif`"]),
        ("whlie (x) { }", ["`while`"]),
        ("if (x) { } els { }", ["`else`"]),
        ("rax = ; ", ["expected an expression"]),
    ],
)
def test_a_message_helps(script: str, words: list[str]) -> None:
    text = message(script)
    assert [word for word in words if word not in text] == [], text


@pytest.mark.parametrize(
    ("script", "marked"),
    [
        ('printf("%d and %s\\n", 1, 1.5);', "1.5"),
        ('printf("%d %x\\n", 1);', "%x"),
        ("print(5, 6);", "print(5, 6)"),
        ("struct P { int mx; }; struct P v; v.other = 1;", "other"),
        ("int v[2] = {1, 2, 3};", "3"),
        ("x = 1 / (2 + q1());", "q1"),
        ("double v = 1.5; v = v << 2;", "v"),
    ],
)
def test_the_carets_stand_under_the_culprit(script: str, marked: str) -> None:
    made = Compiler(portability=False).compile(SourceFile("test", script))
    item = next(item for item in made.diagnostics if item.code.startswith("E"))
    assert item.span.text == marked


def test_too_many_globals_are_an_error_and_a_remark() -> None:
    script = "".join(f".n{number} = 1;\n" for number in range(513))
    made = Compiler().compile(SourceFile("test", script))
    assert {item.code for item in made.diagnostics} == {"E120", "P111"}
