"""A statement of the script language where a command is expected: the hint shows how to run it."""

from __future__ import annotations

import pytest

from lang.commands import read_commands
from lang.source import SourceFile
from vm.facts.builtins import ALIASES, BUILTINS


def hint(text: str) -> str:
    commands, errors = read_commands(SourceFile("x", text))
    assert commands == []
    return errors[0].hint or ""


@pytest.mark.parametrize(
    "line",
    [
        'printf("a");', 'printf("a %d\\n", @rax);', "print(1);", "strlen(@rdi);", "event_enable(1);", "db(100);",
        "x = 5;", "x=5;", ".g = 1;", "@rax = 5;", "rax = 5;", "i++;", "p += 2;", "k--;", "total += 2;",
        "if (@rax == 1) { print(1); }", "for (i = 0; i < 5; i++) { print(i); }", "int x = 5;",
    ],
)  # fmt: skip
def test_the_hint_is_the_line_behind_a_question_mark(line: str) -> None:
    assert hint(line).endswith(f"`? {line}`")
    assert hint(f"  {line}  // a comment").endswith(f"`? {line}`")
    if line.endswith(";"):
        assert hint(line.removesuffix(";")).endswith(f"`? {line}`")


COMMAND_NAMES = {"print", "flush", "pause", "eb", "ed", "eq", "db", "dd", "dq"}  # are commands, too


def test_the_name_of_every_built_in_function_has_it() -> None:
    names = sorted({*(row.name for row in BUILTINS), *ALIASES} - COMMAND_NAMES)
    assert [name for name in names if not hint(f"{name} 5").endswith(f"`? {name}(...);`")] == []
    assert [name for name in names if not hint(f"{name}(5)").endswith(f"`? {name}(5);`")] == []


@pytest.mark.parametrize("name", sorted(COMMAND_NAMES))
def test_so_does_the_name_of_a_command_with_parentheses(name: str) -> None:
    assert hint(f"{name}(5)").endswith(f"`? {name}(5);`")


def test_long_statements_are_not_repeated() -> None:
    assert hint("if (@rax == 1) {\n print(1);\n}").endswith("`? { ... }`")
    assert hint(f"total = {'1 + ' * 30}1;").endswith("`? { ... }`")


@pytest.mark.parametrize(("line", "meant"), [("prnt 1", "print"), ("!sycall", "!syscall")])
def test_a_misspelt_command_keeps_its_hint(line: str, meant: str) -> None:
    assert hint(line) == f"did you mean `{meant}`?"
