"""`hds run` ends at the first refused command; --keep-going, the console and Session go on, as HyperDbg does."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hds_guests import TWO_CALLS, command_line, listing_file, session, shown

from hds.cli.console import Console
from hds.exit_codes import ExitCode
from hds.report.reporters import Questions
from hds.session.session import ENDED_AT_REFUSAL
from lang.source import SourceFile

REFUSED = ("r zzz", "!syscall core 99", "!epthook 400000 pid 77 script { }", ".start path /no/where", "output open x")


@pytest.mark.parametrize("refused", REFUSED)
def test_a_command_refused_before_the_start_ends_the_run_there(refused: str, tmp_path: Path) -> None:
    ran = command_line("run", "-e", f"print 1\n{refused}\nprint 2", listing_file(tmp_path))
    assert (ran.code, ran.output) == (ExitCode.FAILED, "1\n")
    assert ran.errors.count("error E240") == 1
    assert ENDED_AT_REFUSAL in ran.errors
    assert "0 guest instructions, 1 refused command; no program was run" in ran.errors


@pytest.mark.parametrize("refused", REFUSED)
def test_with_keep_going_the_next_command_is_carried_out_and_the_guest_run(refused: str, tmp_path: Path) -> None:
    ran = command_line("run", "--keep-going", "-e", f"print 1\n{refused}\nprint 2", listing_file(tmp_path))
    assert (ran.code, ran.output) == (ExitCode.FAILED, "1\n2\n")
    assert "guest instructions, 1 refused command; " in ran.errors
    assert "no program was run" not in ran.errors


def test_a_command_refused_behind_the_first_start_ends_the_run_at_that_command(tmp_path: Path) -> None:
    commands = "!syscall 55 script { pause(); }\ng\nprint @rdi\nr zzz\nprint 2\ng"
    ran = command_line("run", "-e", commands, listing_file(tmp_path))
    assert ran.code == ExitCode.FAILED
    assert ran.output.splitlines()[-1] == "1"
    assert "1 trigger, 1 message, 0 lost, 3 guest instructions, 1 refused command; stopped: break" in ran.errors


def test_one_between_two_runs_ends_it_as_well(tmp_path: Path) -> None:
    commands = "bp 40000e\ng\nr zzz\ng"
    ran = command_line("run", "-e", commands, listing_file(tmp_path))
    assert ran.code == ExitCode.FAILED
    assert "guest instructions, 1 refused command; stopped: break" in ran.errors


@pytest.mark.parametrize("depth", [1, 2])
def test_a_command_refused_in_a_file_that_script_runs_ends_all_of_it(depth: int, tmp_path: Path) -> None:
    inner = tmp_path / "0.hds"
    inner.write_text("print 2\nr zzz\nprint 3\n")
    for number in range(1, depth):
        (tmp_path / f"{number}.hds").write_text(f".script {tmp_path}/{number - 1}.hds\nprint 4\n")
    commands = f"print 1\n.script {tmp_path}/{depth - 1}.hds\nprint 5"
    assert command_line("run", "-e", commands, listing_file(tmp_path)).output == "1\n2\n"
    kept = command_line("run", "--keep-going", "-e", commands, listing_file(tmp_path))
    assert kept.output == "1\n2\n3\n" + "4\n" * (depth - 1) + "5\n"


def test_json_has_the_refusal_and_its_end_as_records(tmp_path: Path) -> None:
    ran = command_line("run", "--format", "json", "-e", "r zzz\nprint 2", listing_file(tmp_path))
    assert [json.loads(line)["type"] for line in ran.output.splitlines()] == ["finding", "notice", "summary"]


def test_what_is_typed_goes_on() -> None:
    made, said = session(TWO_CALLS)
    lines = iter(("r zzz", "print 2"))

    def read_line(prompt: str) -> str:
        return next(lines, "q")

    Console(read_line).interact(made)
    assert said.text.endswith("2\n")
    assert ENDED_AT_REFUSAL not in said.text


def test_what_is_typed_at_a_halt_of_a_run_goes_on() -> None:
    made, said = session(TWO_CALLS)
    typed = iter(("r zzz", "print 2", "g"))
    made.questions = Questions(next_commands=lambda: next(typed, None))
    commands = SourceFile("<test>", "!syscall 55 script { pause(); }\ng\n")
    made.perform(made.prepare(commands), keeps_going=False)
    assert "\n2\n" in f"\n{said.text}"
    assert not made.ended


def test_a_session_in_python_goes_on() -> None:
    assert shown("r zzz\nprint 2").endswith("2\n")
