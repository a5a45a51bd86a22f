"""`hds diff`: files and runs that are made now, exit codes, text, JSON."""

from __future__ import annotations

import io
import json
import os
import shutil
import sys
from pathlib import Path

import pytest
from hds_guests import command_line
from source_trees import ROOT

from hds.cli.main import main

CALLS = '!syscall script { printf("call %llx at %llx\\n", $context, $ip); }\n'
RUN = "hds run calls.hds greet.asm"


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    shutil.copy(ROOT / "examples" / "guests" / "greet.asm", tmp_path)
    (tmp_path / "calls.hds").write_text(CALLS)
    (tmp_path / "a.jsonl").write_text(command_line("run", "--format", "json", "calls.hds", "greet.asm").output)
    return tmp_path


def test_a_run_that_is_made_now_is_the_file_that_it_would_be() -> None:
    ran = command_line("diff", "a.jsonl", RUN)
    assert (ran.code, ran.output, ran.errors) == (0, "", "hds: 9 same, 0 changed, 0 missing, 0 added\n")
    assert command_line("diff", RUN, RUN).code == 0


def test_what_differs_is_shown_with_its_lines() -> None:
    ran = command_line(
        "diff", "a.jsonl", "hds run -e '!syscall 1 script { printf(\"call 1 at 40001d\\n\"); }' greet.asm"
    )
    assert ran.code == 1
    assert '- 7/: message event 0 pre at 0x400029 "call 27 at 400029\\n"' in ran.output
    assert "    triggers: 5 -> 3\n" in ran.output
    assert ran.errors == "hds: 6 same, 1 changed, 2 missing, 0 added\n"


def test_json_has_an_object_for_each_change() -> None:
    ran = command_line("diff", "--format", "json", "a.jsonl", "hds run --pid 20 calls.hds greet.asm")
    rows = [json.loads(line) for line in ran.output.splitlines()]
    assert rows[0]["kind"] == "changed"
    assert rows[0]["fields"]["pid"] == {"a": 0x1000, "b": 0x20}
    assert rows[0]["a_line"] == rows[0]["b_line"] == 1
    assert rows[-1] == {"type": "diff_summary", "same": 3, "changed": 6, "missing": 0, "added": 0}
    assert ran.code == 1


def test_fields_are_ignored_on_wish_and_unknown_ones_are_named() -> None:
    words = ("--ignore", "pid", "--ignore", "tid", "--ignore", "processes", "--ignore", "tikc")
    ran = command_line("diff", *words, "a.jsonl", "hds run --pid 20 calls.hds greet.asm")
    assert (ran.code, ran.output) == (0, "")
    assert ran.errors.startswith("hds: no record has the field tikc; ")


def test_symbols_take_the_place_of_addresses_in_texts_of_a_run_made_now() -> None:
    one, two = (
        "hds run --symbol m!start={} --base {} calls.hds greet.asm".format(*[base] * 2) for base in ("400000", "500000")
    )
    assert command_line("diff", one, two).code == 1
    ran = command_line("diff", "--symbols", "--ignore", "events", one, two)
    assert (ran.code, ran.output) == (0, "")


@pytest.mark.parametrize(
    ("a", "b", "message"),
    [
        ("nowhere.jsonl", "a.jsonl", "cannot read nowhere.jsonl"),
        ("-", "-", "only one of the two"),
        ("hds eval x.ds", "a.jsonl", "only `hds run` makes a run"),
        ("hds run 'x", "a.jsonl", "this is no command line"),
        ("hds run --nonsense=1", "a.jsonl", "unrecognized arguments: --nonsense=1"),
        ("hds run --engine fast x.hds", "a.jsonl", "invalid choice: 'fast'"),
        ("hds run --help", "a.jsonl", "asks for help"),
        ("hds run nowhere.hds", "a.jsonl", "cannot read nowhere.hds"),
        ("hds run calls.hds nowhere.asm", "a.jsonl", "cannot read nowhere.asm"),
        ("hds run --stdin - calls.hds greet.asm", "a.jsonl", "has no standard input"),
        ("hds run - greet.asm", "a.jsonl", "has no standard input"),
        ("hds run -e '!syscall script { print(1 }'", "a.jsonl", "nothing was run: <command line>:1:"),
        ("greet.asm", "a.jsonl", "greet.asm:1:1: this is no JSON"),
        (".", "a.jsonl", "cannot read ."),
    ],
)
def test_what_cannot_be_compared_is_exit_code_2(a: str, b: str, message: str) -> None:
    ran = command_line("diff", a, b)
    assert (ran.code, ran.output) == (2, "")
    assert message in ran.errors
    told = json.loads(command_line("diff", "--format", "json", a, b).output)
    assert (told["type"], told["kind"], told["exit_code"]) == ("failure", "not_compared", 2)


def test_a_run_without_its_end_is_told_of(place: Path) -> None:
    (place / "cut.jsonl").write_text("")
    ran = command_line("diff", "cut.jsonl", "cut.jsonl")
    assert ran.code == 0
    assert ran.errors.count("hds: cut.jsonl has no summary: the run did not end, or its end is not in the file\n") == 2


def test_a_run_of_too_many_records_is_refused() -> None:
    ran = command_line("diff", "--max-compared-records", "3", "a.jsonl", RUN)
    assert (ran.code, "max_compared_records" in ran.errors) == (2, True)
    ran = command_line("diff", "--max-compared-records", "3", RUN, RUN)
    assert (ran.code, "max_compared_records" in ran.errors) == (2, True)


def test_control_characters_of_a_run_are_shown_escaped(place: Path) -> None:
    (place / "b.jsonl").write_text(json.dumps({"type": "\x1b[31m", "text": "\x07\u202e<b>", "\x9b": 1}) + "\n")
    (place / "c.jsonl").write_text("")
    ran = command_line("diff", "b.jsonl", "c.jsonl")
    assert ran.output == '- 1/: \\u001b[31m "\\u0007\\u202e<b>"\n'


class Terminal(io.StringIO):
    """A standard output that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("plain", "coloured"), [("", True), ("1", False)])
def test_a_terminal_gets_colours_unless_no_color_is_set(
    plain: str, coloured: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", plain)
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    main(["diff", "a.jsonl", os.devnull])
    assert ("\x1b[31m- 1/: message" in terminal.getvalue()) is coloured


def test_a_pipe_gets_no_colours() -> None:
    assert "\x1b" not in command_line("diff", "a.jsonl", os.devnull).output
