"""Events and commands stand once: language, machine and tool read the same rows."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from source_trees import FILES, nodes_of

from hds.session.commands.families import HOMES
from lang.commands import parse_event, read_commands
from lang.source import SourceFile
from machine.events.exits import exit_of
from machine.events.sdk import KIND_BY_NUMBER
from vm.facts.commands import COMMAND_BY_NAME, Support
from vm.facts.events import BLOCK_OPTIONS, EVENT_BY_NAME, EVENT_KINDS, EVENTS, GIVEN, EventRow

WRITTEN = {"!interrupt": "20", "!crwrite": "0", "!epthook": "1", "!epthook2": "1", "!trace": "step-in"}
WRITTEN |= {"!mode": "u pid 4", "!monitor": "rw 1 2"}


@pytest.mark.parametrize("row", EVENTS, ids=lambda row: row.name)
def test_language_machine_and_tool_reach_the_same_row(row: EventRow) -> None:
    text = f"{row.name} {WRITTEN.get(row.name, '')}"
    commands, _ = read_commands(SourceFile("test", text))
    event, errors = parse_event(commands[0])
    assert (errors, event and event.event) == ([], row)
    assert all(KIND_BY_NUMBER[kind.number] is kind for kind in row.kinds)
    assert all(exit_of(kind).kind is kind for kind in row.kinds if kind.emulated)
    assert row.name in HOMES
    assert (COMMAND_BY_NAME[row.name].doc, COMMAND_BY_NAME[row.name].forms) == (
        row.doc,
        (f"{row.own_usage} [OPTIONS]",),
    )


def test_the_kinds_of_one_command_are_written_alike() -> None:
    for row in EVENTS:
        shapes = [(k.parameters, k.stages, k.needs_pid, k.takes_range, k.ignores_unknown) for k in row.kinds]
        assert all(shape == shapes[0] for shape in shapes), row.name


def test_optional_parameters_of_the_programming_interface_follow_from_the_rows() -> None:
    given = {kind.family: kind.sdk_parameters for kind in EVENT_KINDS}
    assert given["crwrite"] == ("register", "mask")
    assert given["cpuid"] == (GIVEN, "leaf")
    assert given["monitor"] == ("from", "to")
    assert given["tsc"] == ()
    for kind in EVENT_KINDS:
        places = [n for row in kind.parameters for n in (row.optional_param, row.given_param) if n]
        assert sorted(places) == list(range(1, len(places) + 1)), kind.name


def test_words_of_parameters_are_numbers_of_the_programming_interface() -> None:
    """B.14: mode `user+kernel 1, user 3, kernel 0`, trace `step-in 1, step-out 2, instrumentation 3`."""
    words = {(kind.family, row.name): row.choices for kind in EVENT_KINDS for row in kind.parameters if row.choices}
    assert {word: int(number) for word, number in words["mode", "mode"].items()} == {"u": 3, "k": 0, "ku": 1, "uk": 1}
    trace = words["trace", "type"]
    assert [trace[word] for word in ("step", "step-out", "instrumentstep")] == [1, 2, 3]
    kinds = EVENT_BY_NAME["!monitor"].kinds
    for word, number in words["monitor", "access"].items():
        kind = EVENT_BY_NAME["!monitor"].kind_with(number)
        assert kind.number == number
        assert sorted(kind.name.removeprefix("monitor ")) == sorted(word)
    assert {kind.number for kind in kinds} == set(words["monitor", "access"].values())


def test_only_a_row_says_whether_its_event_is_emulated() -> None:
    assert {row.name for row in COMMAND_BY_NAME.values() if row.support is Support.NOT_EMULATED} == {
        row.name for row in EVENTS if not row.emulated
    }


def test_blocks_are_claimed_in_this_order() -> None:
    assert BLOCK_OPTIONS == ("condition", "code", "script", "output")


def tables_of_event_commands(path: Path) -> Iterator[str]:
    """Where two event commands stand in one tuple, list, set or mapping."""
    names = EVENT_BY_NAME.keys() | {kind.sdk_name for kind in EVENT_KINDS}
    for node in nodes_of(path):
        items: list[ast.expr | None] = []
        if isinstance(node, ast.Tuple | ast.List | ast.Set):
            items = [*node.elts]
        elif isinstance(node, ast.Dict):
            items = [*node.keys]
        elif isinstance(node, ast.Call):
            items = [*node.args]
        found = [item.value for item in items if isinstance(item, ast.Constant) and item.value in names]
        if len(found) > 1:
            yield f"{path.name}:{node.lineno} lists {found}"  # type: ignore[attr-defined]  # all have one


@pytest.mark.walls
def test_no_table_of_event_commands_stands_elsewhere() -> None:
    others = [path for name, path in FILES.items() if name != "vm/facts/events.py"]
    assert [table for path in others for table in tables_of_event_commands(path)] == []
