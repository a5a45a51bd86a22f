"""What an input is, and how numbers are read."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
from hds_guests import command_line, listing_file

from hds.cli.main import main
from hds.exit_codes import ExitCode
from hds.inputs import is_bare_script, parse_number
from hds.session.command_scripts import read_command_file
from lang.compiler import Compiler
from lang.diagnostics import Severity
from lang.source import SourceFile
from vm.facts.limits import DEFAULT_LIMITS, LARGEST, LIMITS, LimitRow
from vm.facts.numbers import DECIMAL, number_in


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


MANY = "1" * 5000  # more digits than Python's int() takes


@pytest.mark.parametrize(
    ("text", "most", "value"),
    [
        ("0", 9, 0),
        ("0005", 9, 5),
        ("0" * 5000 + "9", 9, 9),
        ("10", 9, None),
        (MANY, 1 << 64, None),
        ("", 9, None),
        ("-1", 9, None),
        ("²", 9, None),
        ("٣", 9, None),
        ("f", 99, None),
    ],
)
def test_decimal_digits_of_any_number_are_read_or_refused(text: str, most: int, value: int | None) -> None:
    assert number_in(text, DECIMAL, most) == value


@pytest.mark.parametrize(
    "arguments",
    [
        ["--max-steps", MANY],
        ["--max-steps", "0" * 30 + MANY],
        ["--max-nesting", "10001"],
        ["--max-include-depth", "501"],
        ["--max-stack-bytes", str((1 << 32) + 1)],
        ["--max-global-bytes", str(LARGEST)],
        ["--max-assembler-seconds", str(LARGEST)],
        ["--max-open-files", "2"],
        ["--set", f"rax=0n{MANY}"],
        ["--set", f"rax={MANY}"],
    ],
    ids=lambda words: f"{words[0]} {words[1][:12]}",
)
def test_numbers_of_flags_that_are_too_large_are_refused(arguments: list[str]) -> None:
    assert main(["eval", *arguments, "-e", "print(1);"]) == ExitCode.USAGE


@pytest.mark.lasting
@pytest.mark.parametrize("at", ["least", "most"])
@pytest.mark.parametrize("row", LIMITS, ids=lambda row: row.name)
def test_no_value_that_a_limit_may_have_breaks_a_run(row: LimitRow, at: str, tmp_path: Path) -> None:
    commands = '!syscall asm condition { mov al, 1 } script { .n = .n + 1; printf("%d", .n); }'
    flag = f"--{row.name.replace('_', '-')}={getattr(row, at)}"
    ran = command_line("run", flag, "-e", commands, listing_file(tmp_path))
    assert ran.code in (ExitCode.OK, ExitCode.FAILED, ExitCode.NO_INPUT, ExitCode.GUEST, ExitCode.LIMIT), ran.errors
    assert "internal error" not in ran.errors


def test_memory_that_the_host_does_not_give_is_no_bug(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise OSError(errno.ENOMEM, "Cannot allocate memory")

    monkeypatch.setattr("hds.cli.subcommands.run.new_session", refused)
    ran = command_line("run", "-e", "g")
    assert (ran.code, ran.errors) == (ExitCode.LIMIT, "hds: the host gives no more memory\n")


@pytest.mark.parametrize("text", ["nan", "inf", "-1", "1e400", "1000001", "", "x"])
@pytest.mark.parametrize("words", [("run", "-e", "g", "--timeout"), ("fuzz", "--seconds")], ids=["run", "fuzz"])
def test_a_time_is_a_number_of_seconds(words: tuple[str, ...], text: str) -> None:
    assert command_line(*words[:-1], f"{words[-1]}={text}").code == ExitCode.USAGE


@pytest.mark.parametrize("words", [("run",), ("check",), ("eval",), ("fmt",), ("compile", "-e", "print 1", "-o")])
def test_an_empty_path_is_said_to_be_empty(words: tuple[str, ...]) -> None:
    ran = command_line(*words, "")
    assert ran.code == ExitCode.NO_INPUT
    assert "hds: the path of a file is empty\n" in ran.errors


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (f"!syscall pid 0n{MANY} script {{ }}", "E2"),
        (f"!syscall sc {MANY}", "E2"),
        (f"!epthook {MANY}+1", "E005"),
        (f"print 0n{MANY}", "E005"),
        (f".formats {MANY}", "E005"),
        (f"? print(0n{MANY});", "E005"),
    ],
    ids=lambda text: text[:20],
)
def test_numbers_of_commands_that_are_too_large_are_found_where_they_stand(command: str, code: str) -> None:
    file = read_command_file(SourceFile("commands.hds", command), DEFAULT_LIMITS)
    found = [*file.findings, *(item for script in file.scripts for item in script.compile(Compiler()).diagnostics)]
    errors = [item for item in found if item.severity is Severity.ERROR]
    assert errors
    assert all(item.code.startswith(code) and "1111" in item.span.text for item in errors)
