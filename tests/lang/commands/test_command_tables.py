"""What the tables of commands, events and errors promise."""

from __future__ import annotations

from collections import Counter

from vm.facts.commands import COMMAND_BY_NAME, COMMANDS, Support
from vm.facts.events import EVENTS


def test_no_name_stands_for_two_commands() -> None:
    counts = Counter(name for row in COMMANDS for name in (row.name, *row.aliases))
    assert [name for name, count in counts.items() if count > 1] == []


def test_names_are_lower_case() -> None:
    assert [name for name in COMMAND_BY_NAME if name != name.lower()] == []


def test_every_event_is_a_command() -> None:
    assert [row.name for row in COMMANDS if row.is_event] == [row.name for row in EVENTS]


def test_an_event_command_runs_where_its_kind_is_emulated() -> None:
    supports = {row.name: row.support for row in COMMANDS if row.is_event}
    assert supports == {row.name: Support.RUNS if row.emulated else Support.NOT_EMULATED for row in EVENTS}


def test_raw_text_commands() -> None:
    assert {row.name for row in COMMANDS if row.raw_text} == {"?", "print", ".formats", "r", ".sympath"}


def test_no_parameter_stands_twice_in_its_row() -> None:
    for event in EVENTS:
        names = [row.name for row in event.parameters]
        assert len(set(names)) == len(names)
