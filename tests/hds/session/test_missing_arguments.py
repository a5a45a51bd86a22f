"""`$argN` without `--arg`, in every place where it is used."""

from __future__ import annotations

import pytest
from hds_guests import command_line

from hds.exit_codes import ExitCode

PLACES = [
    "? x = $arg1;",
    "? { print($arg1 + 1); }",
    "print $arg1",
    ".formats $arg1+1",
    "r rax = $arg1",
    "db $arg1",
    "eb 400000 $arg1",
    "bp $arg1",
    "!syscall $arg1",
    "!syscall pid $arg1 script { print(1); }",
    "!epthook $arg1 core 0",
    "!syscall script { print($arg1); }",
    "!syscall script {file:$arg1}",
    "!syscall condition {$arg1}",
    "!syscall asm code { mov rax, $arg1 }",
    "!syscall script { } output {$arg1}",
    ".start path $arg1",
    '.start path "$arg1"',
    ".process pid $arg1",
    "output create log file $arg1",
    ".script $arg1",
    '? { #include "$arg1"\n}',
    '!syscall script { print(1); #include "folder/$arg1.hds"\n}',
    "$arg1 400000",
    "$arg1",
]


@pytest.mark.parametrize("command", PLACES)
@pytest.mark.parametrize("subcommand", ["run", "check"])
def test_the_place_and_the_flag_are_named(subcommand: str, command: str) -> None:
    ran = command_line(subcommand, "-e", f"print 1\n{command}")
    said = ran.errors if subcommand == "run" else ran.output
    assert ran.code == ExitCode.FAILED
    assert said.count(": error ") == 1
    assert f"<command line>:2:{command.index('$arg1') + 1}: error E013: `$arg1` has no value\n" in said
    assert "hint: `--arg VALUE` gives it one" in said


@pytest.mark.parametrize("command", PLACES[:3])
def test_with_a_value_it_is_that_text(command: str) -> None:
    assert command_line("check", "--arg", "5", "--target", "hds", "-e", command).output == ""


def test_the_whole_number_counts() -> None:
    assert "`$arg12` has no value" in command_line("check", "--arg", "5", "-e", "print $arg12").output


@pytest.mark.parametrize("text", ['? printf("$arg1\\n");', "? { /* $arg1 */ print(1); } // $arg1", "// $arg1\nprint 1"])
def test_texts_and_comments_of_scripts_are_left_alone(text: str) -> None:
    assert command_line("check", "--target", "hds", "-e", text).output == ""


def test_a_bare_script_says_so_as_well() -> None:
    ran = command_line("eval", "-e", "print($arg2);", "--arg", "5")
    assert "<command line>:1:7: error E013: `$arg2` has no value\n" in ran.errors
