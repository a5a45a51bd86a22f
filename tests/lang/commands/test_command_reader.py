"""Text of a file -> commands (A.1, A.2), and what is wrong with a line."""

from __future__ import annotations

import pytest

from lang.commands import Command, read_commands
from lang.diagnostics import Diagnostic
from lang.source import SourceFile


def read(text: str) -> tuple[list[Command], list[Diagnostic]]:
    return read_commands(SourceFile("test.hds", text))


def names(text: str) -> list[str]:
    commands, errors = read(text)
    assert errors == []
    return [command.name.text for command in commands]


def only_error(text: str) -> Diagnostic:
    _, errors = read(text)
    (error,) = errors
    return error


def raw(text: str) -> str:
    (command,), _ = read(text)
    return command.raw.text


@pytest.mark.parametrize("text", ["", " \t\n\r\n", "// c", "/* c */", "# c", "\ufeff", "/* a\n b */\n"])
def test_file_without_commands(text: str) -> None:
    assert read(text) == ([], [])


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_every_line_end_ends_a_command(end: str) -> None:
    assert names(f"events{end}{end}flush{end}exit") == ["events", "flush", "exit"]


def test_command_goes_on_until_its_braces_balance() -> None:
    assert names("!cpuid script {\n\n if (1) {\n }\n}\nevents") == ["!cpuid", "events"]


def test_text_behind_a_closing_brace_belongs_to_the_command() -> None:
    commands, _ = read("!cpuid script {\n} imm no")
    assert [token.text for token in commands[0].tokens] == ["script", "\n", "imm", "no"]


def test_quoted_text_may_span_lines() -> None:
    assert names('.logopen "a\nb"\nevents') == [".logopen", "events"]


def test_block_comment_between_commands_may_span_lines() -> None:
    assert names('events /* a\n { " \n*/\nflush') == ["events", "flush"]


@pytest.mark.parametrize("comment", ['// it"s', "// {", "// }", "# {", '  # "', "/* { */", "// /*"])
def test_comments_do_not_swallow_lines(comment: str) -> None:
    assert names(f"{comment}\nevents") == ["events"]


@pytest.mark.parametrize("comment", ['// "', "// {", "/* } */", "// /*"])
def test_comments_in_a_block_do_not_swallow_lines(comment: str) -> None:
    assert names(f"? {{\n{comment}\n}}\nevents") == ["?", "events"]


def test_hash_line_inside_a_block_belongs_to_the_block() -> None:
    assert raw('? {\n#include "a"\n}') == '{\n#include "a"\n}'


def test_hash_inside_a_line_is_text() -> None:
    assert raw("print 5 # x") == "5 # x"


@pytest.mark.parametrize("name", ["!SYSCALL", "!SysCall"])
def test_names_ignore_case(name: str) -> None:
    (command,), _ = read(name)
    assert (command.name.text, command.canonical_name) == (name, "!syscall")


@pytest.mark.parametrize(
    ("alias", "name"),
    [("eval", "?"), ("event", "events"), ("!msread", "!msrread"), ("!iout", "!ioout"), ("cont", "continue")],
)
def test_alias_stands_for_its_command(alias: str, name: str) -> None:
    (command,), _ = read(alias)
    assert command.canonical_name == name


def test_raw_text_is_trimmed_and_otherwise_unchanged() -> None:
    assert raw('?   printf("a  b"); // c  \n') == 'printf("a  b"); // c'


def test_raw_text_keeps_what_tokens_lose() -> None:
    assert raw(r".sympath SRV*c:\x*https://host/dir") == r"SRV*c:\x*https://host/dir"


def test_raw_text_starts_directly_behind_the_name() -> None:
    assert raw("?{ print(1); }") == "{ print(1); }"


def test_command_without_parameters_has_empty_raw_text() -> None:
    assert raw("events  ") == ""


def test_span_reaches_from_the_name_to_the_end() -> None:
    (command,), _ = read("\n  events e all // c\n")
    assert (command.span.line, command.span.column, command.span.text) == (2, 3, "events e all // c")


def test_display_text_has_no_braces_quotes_or_comments() -> None:
    (command,), _ = read('!SYSCALL 3a /*c*/ pid 1c4 script { print($tid); } "q"')
    assert command.display_text == "!SYSCALL 3a pid 1c4 script  print($tid);  q "


def test_unknown_command_names_the_token_as_written() -> None:
    assert only_error("Foo 1 2").message == "couldn't resolve command at 'Foo'"


@pytest.mark.parametrize(
    ("word", "name"), [("!sycall", "!syscall"), ("syscall", "!syscall"), ("!cupid", "!cpuid"), ("Evnets", "events")]
)
def test_unknown_command_suggests_the_nearest_name(word: str, name: str) -> None:
    assert only_error(word).hint == f"did you mean `{name}`?"


def test_reading_goes_on_after_an_unknown_command() -> None:
    commands, errors = read("foo\nevents\nbar\nflush")
    assert ([command.name.text for command in commands], len(errors)) == (["events", "flush"], 2)


@pytest.mark.parametrize(
    ("text", "code", "position"),
    [
        ("events\n!cpuid script {\n { }\n", "E201", (2, 15)),
        ('events\n.logopen "abc\n', "E202", (2, 10)),
        ("events\n/* abc\n", "E203", (2, 1)),
    ],
)
def test_what_is_never_closed_is_reported_where_it_opens(text: str, code: str, position: tuple[int, int]) -> None:
    error = only_error(text)
    assert (error.code, (error.span.line, error.span.column)) == (code, position)


def test_unclosed_string_in_an_unclosed_block_is_named() -> None:
    assert "2:7" in str(only_error('? {\nprint("a);\n}\n').hint)


def test_commands_before_an_unclosed_block_are_kept() -> None:
    commands, _ = read("events\n? {")
    assert [command.name.text for command in commands] == ["events"]


def test_block_on_a_line_of_its_own_has_no_command() -> None:
    commands, errors = read("!cpuid script\n{ a; }")
    assert (len(commands), [error.code for error in errors]) == (1, ["E204"])


def test_stray_closing_brace_says_so() -> None:
    assert only_error("}").hint == "no block is open here"
