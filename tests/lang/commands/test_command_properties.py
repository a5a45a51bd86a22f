"""Laws that hold for every text."""

from __future__ import annotations

import gc
import random
import time

import pytest
from hypothesis import given, strategies as st

from lang.commands import Command, parse_event, read_commands, tokenize
from lang.diagnostics import Diagnostic
from lang.source import SourceFile, Span
from vm.facts.events import BLOCK_OPTIONS, EVENTS, SCALAR_OPTIONS

pytestmark = pytest.mark.slow

FRAGMENTS = st.sampled_from(
    [
        *"{}\"\\/*#'\n\r\t ;,`",
        "//",
        "/*",
        "*/",
        "\\n",
        "\\{",
        "\\}",
        '\\"',
        "{a}",
        "{ 90 }",
        "asm",
        "file:",
        "all",
        "55",
        "0n1",
        "yes",
        "l",
        "? ",
        *BLOCK_OPTIONS,
        *SCALAR_OPTIONS,
        *(event.name for event in EVENTS),
    ]
)
TEXTS = st.lists(FRAGMENTS | st.characters(), max_size=40).map("".join)
EVENT_TEXTS = st.tuples(st.sampled_from(EVENTS), st.lists(FRAGMENTS, max_size=20)).map(
    lambda parts: " ".join([parts[0].name, *parts[1]])
)


def read(text: str) -> tuple[SourceFile, list[Command], list[Diagnostic]]:
    source = SourceFile("test.hds", text)
    commands, errors = read_commands(source)
    errors = errors + [error for command in commands if command.row.is_event for error in parse_event(command)[1]]
    return source, commands, errors


def inside(span: Span, source: SourceFile) -> bool:
    return span.file is source and 0 <= span.start <= span.end <= len(source.text)


@given(TEXTS | EVENT_TEXTS)
def test_errors_lie_in_the_file(text: str) -> None:
    source, _, errors = read(text)
    assert all(inside(error.span, source) for error in errors)


@given(TEXTS | EVENT_TEXTS)
def test_commands_lie_in_the_file_one_behind_the_other(text: str) -> None:
    source, commands, _ = read(text)
    edges = [offset for command in commands for offset in (command.span.start, command.span.end)]
    assert edges == sorted(edges)
    assert all(inside(command.raw, source) for command in commands)


@given(TEXTS)
def test_every_character_of_a_token_is_found_in_the_file(text: str) -> None:
    for token in tokenize(SourceFile("test.hds", text)):
        found = "".join(text[token.source_offset(index)] for index in range(len(token.text)))
        assert (found, token.source_offset(len(token.text))) == (token.text, token.span.end)


@given(EVENT_TEXTS)
def test_an_event_is_understood_or_explained(text: str) -> None:
    commands, _ = read_commands(SourceFile("test.hds", text))
    for command in commands:
        if command.row.is_event:
            event, errors = parse_event(command)
            assert (event is None) == bool(errors)


@given(TEXTS)
def test_reading_twice_gives_the_same(text: str) -> None:
    source = SourceFile("test.hds", text)
    assert read_commands(source) == read_commands(source)


@pytest.mark.lasting
@pytest.mark.parametrize(
    "unit",
    ["a\n", "{", "}", "{}", '"', '\\"', "/*", "//", "{//", "{//}", '{//"', "{/*", "#\n", "\\", "\\n", "a/**/", "? {\n"],
)
def test_no_repeated_text_takes_more_than_linear_time(unit: str) -> None:
    reads_in_linear_time(unit * (50_000 // len(unit)))


def test_a_megabyte_of_garbage_reads_in_linear_time() -> None:
    alphabet = "abcdef0123456789 !.$@;,()[]<>\t"
    characters = random.Random(1).choices([*alphabet, "{x", "}", "/*y*/", "//", "\n", "\\", '"z"'], k=1_000_000)
    reads_in_linear_time("".join(characters)[:1_000_000])


@pytest.mark.lasting
def test_a_megabyte_of_events_reads_in_linear_time() -> None:
    event = '!syscall 55 pid 490 script {\n  if (@rcx == 1) {\n    printf("%x\\n", $pid);\n  }\n}\n'
    reads_in_linear_time(event * (1_000_000 // len(event)))


def reads_in_linear_time(text: str) -> None:
    """Ten times the text takes ten times the time, and not a hundred times; a busy machine takes longer for both."""
    part = text[: len(text) // 10]
    assert seconds_to_read(text) < 50 * min(seconds_to_read(part) for _ in range(3)) + 0.2


def seconds_to_read(text: str) -> float:
    """Without the search for garbage, which takes the longer the more objects there are."""
    gc.disable()
    try:
        start = time.process_time()
        read_commands(SourceFile("test.hds", text))
        return time.process_time() - start
    finally:
        gc.enable()
