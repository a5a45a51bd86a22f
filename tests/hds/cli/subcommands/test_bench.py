"""`hds bench`: a row for each event, and what it says where nothing can be measured."""

from __future__ import annotations

import json
import re

import pytest
from engines import need_machine_code
from hds_guests import command_line
from source_trees import ROOT

GREET = str(ROOT / "examples" / "guests" / "greet.asm")  # write three times, getpid, exit


def test_each_event_is_measured_on_a_program() -> None:
    need_machine_code()
    text = "!syscall 1 script { .n = .n + 1; }\n!syscall script { event_disable($event_id); }\n!cpuid script { }"
    ran = command_line("bench", "--json", "--rounds", "1", "-e", text, GREET)
    assert ran.code == 0
    assert "line 1: 3 triggers are too few to be timed\n" in ran.errors
    rows = [json.loads(line) for line in ran.output.splitlines()]
    assert [(row["event"], row["line"], row["triggers"], row["guest"]) for row in rows] == [
        ("syscall", 1, 3, GREET), ("syscall", 2, 1, GREET), ("cpuid", 3, 0, GREET),
    ]  # fmt: skip
    assert rows[0]["fuel_per_trigger"] == 2
    assert rows[1]["callbacks"] == {"event_disable": 1}
    assert rows[2]["nanoseconds_per_trigger"] is None


def test_events_without_a_guest_and_files_without_events_are_told() -> None:
    ran = command_line("bench", "-e", "!trace step-out script { }")
    assert (ran.code, ran.output) == (1, "")
    assert ran.errors == "hds: line 1: no built-in guest triggers trace: name a PROGRAM\n"
    assert command_line("bench", "-e", "? print(1);").errors == "hds: the commands have no event to measure\n"
    assert command_line("bench", "-e", "!syscall script { print(; }").code == 1
    assert command_line("bench", "--stdin", "-", "-e", "!tsc", GREET).code == 2


@pytest.mark.programs  # it is timed
def test_the_table_has_the_costs_of_a_built_in_guest() -> None:
    need_machine_code()
    ran = command_line("bench", "--rounds", "1", "-e", "!syscall 1 script { .n = .n + @rdx; }")
    assert (ran.code, ran.errors) == (0, "")
    heading, row = ran.output.splitlines()
    assert heading.split("  ")[0] == "event"
    assert re.fullmatch(r"!syscall 1 script \{ .n = .n \+ @rdx; \} +[\d,]+ +2\.0( +([\d.,]+|-)){2} +[\d,]+  none", row)


@pytest.mark.programs  # it is timed
def test_columns_stay_apart_however_long_their_numbers_are() -> None:
    need_machine_code()
    ran = command_line(
        "bench", "--rounds", "1", "--max-steps", "100000000", "-e", "!syscall 27 script { while (1) { } }", GREET
    )
    assert ran.code == 0
    heading, row = ran.output.splitlines()
    assert " 100,000,001.0  " in row
    assert re.split("  +", row.rstrip())[-1] == "1 trigger: message or error"
    assert len(re.split("  +", heading)) == len(re.split("  +", row)) == 7


@pytest.mark.programs  # it is timed
@pytest.mark.parametrize("event", ["!interrupt d1", "!ioout", "!syscall2", "!exception", "!trace step-in"])
def test_a_built_in_guest_triggers_often_enough_to_be_timed(event: str) -> None:
    need_machine_code()
    ran = command_line("bench", "--rounds", "1", "-e", f"{event} script {{ }}")
    assert (ran.code, ran.errors) == (0, "")


@pytest.mark.parametrize("rounds", ["0", "100", "x"])
def test_how_many_rounds_there_may_be_is_said(rounds: str) -> None:
    assert (
        f"argument --rounds: '{rounds}' is no decimal number from 1 to 99\n"
        in command_line("bench", "--rounds", rounds, "-e", "!tsc").errors
    )
