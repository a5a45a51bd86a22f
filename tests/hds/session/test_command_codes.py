"""Codes of the command level: the bad example of each gives it, and the good one is accepted."""

from __future__ import annotations

import pytest
from hds_guests import closing, session

from hds.session.availability import refused_commands
from lang.code import Code
from lang.codes import COMMAND_ERRORS, Row
from lang.source import SourceFile


def codes(commands: str, *, carried_out: bool, offline: bool) -> list[str]:
    """The codes of what is wrong with a command file; those of its execution, too, and of what hds refuses."""
    made, _ = session()
    with closing(made.outputs):
        prepared = made.prepare(SourceFile("<test>", commands))
        found = [item.code for item in prepared.diagnostics]
        found += [item.code for item in refused_commands(prepared.file)] if offline else []
        if carried_out and not prepared.has_errors:
            found += [item.code for item in made.perform(prepared)]
    return [str(code) for code in found if code.startswith(("E", "W02", "W03"))]


@pytest.mark.parametrize("row", COMMAND_ERRORS, ids=lambda row: str(row.code))
def test_the_bad_example_gives_the_code(row: Row) -> None:
    assert codes(row.bad, carried_out=row.code == Code.REFUSED, offline=row.code == Code.NOT_AVAILABLE) == [row.code]


@pytest.mark.parametrize("row", COMMAND_ERRORS, ids=lambda row: str(row.code))
def test_the_good_example_is_good(row: Row) -> None:
    assert codes(row.good, carried_out=row.code == Code.REFUSED, offline=row.code == Code.NOT_AVAILABLE) == []


def test_codes_are_unique_and_in_order() -> None:
    found = [row.code for row in COMMAND_ERRORS]
    assert found == sorted(set(found))
