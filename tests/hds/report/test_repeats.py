"""Run-time errors at every trigger: said once in full and counted afterwards; all of them in JSON."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hds_guests import command_line, command_line_together, listing_file, session

from hds.report.repeats import Repeats
from hds.report.terminal import Terminal
from lang.source import SourceFile
from vm.facts.limits import Limits

LOOP = "mov ebx, {}\nagain:\nmov eax, 0x55\nsyscall\ndec ebx\njnz again"
DIVIDE = "!syscall 55 script { print(1 / (@rax - @rax)); }"


@pytest.fixture
def five(tmp_path: Path) -> str:
    """A guest that makes system call 55 five times."""
    return listing_file(tmp_path, LOOP.format(5))


def test_the_same_error_at_the_same_place_is_said_once_and_counted(five: str) -> None:
    errors = command_line("run", "-e", DIVIDE, five).errors
    assert errors.count("is divided by zero") == errors.count("print(1 / (@rax - @rax))") == 1
    *_, repeats, summary = errors.splitlines()
    assert repeats == "event 0: <command line>:1:28: run-time error: division_by_zero: and 4 more like this"
    assert summary.startswith("hds: 5 triggers, 0 messages, 0 lost, ")
    assert "5 script errors" in summary


def test_thousands_are_written_for_people(tmp_path: Path) -> None:
    errors = command_line("run", "-e", DIVIDE, listing_file(tmp_path, LOOP.format(1235))).errors
    assert "and 1,234 more like this" in errors


def test_one_error_is_not_counted(tmp_path: Path) -> None:
    assert "more like this" not in command_line("run", "-e", DIVIDE, listing_file(tmp_path, LOOP.format(1))).errors


def test_events_places_and_kinds_are_told_apart(five: str) -> None:
    other = "!syscall 55 script { if (@rbx > 2) { x = poi(0); } else { print(1 / (@rax - @rax)); } }"
    errors = command_line("run", "-e", f"{DIVIDE}\n{other}", five).errors
    assert errors.count("is divided by zero") == 2
    assert [line for line in errors.splitlines() if "more like" in line] == [
        "event 1: <command line>:2:42: run-time error: invalid_address: and 2 more like this",
        "event 0: <command line>:1:28: run-time error: division_by_zero: and 4 more like this",
        "event 1: <command line>:2:65: run-time error: division_by_zero: and 1 more like this",
    ]


def test_errors_of_code_are_counted_too(five: str) -> None:
    errors = command_line("run", "-e", "!syscall 55 code { cc }", five).errors
    first, repeats, summary = errors.splitlines()
    assert first.startswith("event 0: code stopped: exception 3 at ")
    assert repeats == f"{first}: and 4 more like this"
    assert "5 code errors" in summary


def test_every_error_is_a_record(five: str) -> None:
    ran = command_line("run", "--format", "json", "-e", f"{DIVIDE}\n!syscall 55 code {{ cc }}", five)
    types = [json.loads(line)["type"] for line in ran.output.splitlines()]
    assert (types.count("script_error"), types.count("code_error"), ran.errors) == (5, 5, "")


def test_the_count_stands_behind_the_run_and_in_front_of_what_follows(five: str) -> None:
    text = command_line_together("run", "-e", f'{DIVIDE}\ng\n? printf("after\\n");', five)
    assert text.index("and 4 more") < text.index("after")


def test_the_count_stands_in_front_of_a_halt(five: str) -> None:
    pauses = "!syscall 55 script { print(1 / (@rax - @rax)); }\n!syscall 55 script { if (@rbx == 3) { pause(); } }"
    text = command_line_together("run", "-e", f'{pauses}\ng\n? printf("held\\n");\ng', five)
    assert text.index("and 1 more") < text.index("event 0x1 triggered (pre)") < text.index("held")
    assert text.index("held") < text.index("and 2 more")


def test_halts_that_go_on_do_not_begin_anew(five: str) -> None:
    errors = command_line("run", "--on-break", "continue", "-e", f"{DIVIDE}\n!syscall 55", five).errors
    assert errors.count("is divided by zero") == 1
    assert "and 4 more like this" in errors


def test_errors_outside_events_are_counted_to_their_command(capsys: pytest.CaptureFixture[str]) -> None:
    made, _ = session("")
    made.reporter = Terminal("none")
    for _ in range(2):
        made.interpret(SourceFile("<console>", "? print(1 / (@rax - @rax));"))
    assert capsys.readouterr().err.count("is divided by zero") == 2


def test_the_number_of_sorts_is_limited() -> None:
    said: list[str] = []
    repeats = Repeats(said.append, most=2)
    for key in "abcabcc":
        repeats.add(key, None, lambda key=key: (key, f"{key} in full"))  # type: ignore[misc]  # the default is a str
    assert said == ["a in full", "b in full"]
    repeats.settle()
    assert said[2:] == [
        "a: and 1 more like this",
        "b: and 1 more like this",
        "and 3 more errors of other sorts (limit max_shown_errors)",
    ]
    said.clear()
    repeats.settle()
    assert said == []
    repeats.add("c", None, lambda: ("c", "c in full"))
    assert said == ["c in full"]


def test_the_limit_has_a_flag(five: str) -> None:
    text = command_line("run", "--max-shown-errors", "1", "-e", f"{DIVIDE}\n{DIVIDE}", five).errors
    assert text.count("is divided by zero") == 1
    assert "and 5 more errors of other sorts (limit max_shown_errors)" in text
    assert Limits().max_shown_errors == 100


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ("script { event_enable(999); }", "err, there is no event with id 999 (c000000e)"),
        (
            "stage post script { event_sc(1); }",
            "event_sc has no effect in the post stage: the operation has been carried out",
        ),
    ],
)
def test_what_built_in_functions_say_at_every_trigger_is_counted_too(
    options: str, text: str, five: str, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    errors = command_line("run", "-e", f".logopen {log}\n!syscall 55 {options}", five).errors
    assert [line for line in errors.splitlines() if text in line] == [
        text,
        f"event 0: {text}: and 4 more like this",
    ]
    assert log.read_text().count(text) == 5
    records = command_line("run", "--format", "json", "-e", f"!syscall 55 {options}", five).output.splitlines()
    assert [json.loads(record)["type"] for record in records].count("notice") == 5
