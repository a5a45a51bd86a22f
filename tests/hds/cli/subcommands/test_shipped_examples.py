"""`hds examples`: every example is listed with what it shows, and copies run as what they were copied from."""

from __future__ import annotations

from pathlib import Path

import pytest
from hds_guests import command_line

from hds.cli.subcommands.examples import examples_folder, title
from hds.exit_codes import ExitCode


def test_every_example_is_listed_with_a_title() -> None:
    listed = dict(line.split(None, 1) for line in command_line("examples").output.splitlines() if ".hds " in line)
    found = {path.relative_to(examples_folder()).as_posix() for path in examples_folder().rglob("*.hds")}
    assert listed.keys() == found
    assert min(map(len, listed.values())) > 5


def test_copies_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    line = command_line("examples", "mine").output.splitlines()[1]
    assert command_line(*line.split()[1:]).code == ExitCode.OK
    assert (tmp_path / "mine" / "linux" / "call_names.ds").is_file()


def test_what_is_there_is_left_alone(tmp_path: Path) -> None:
    again = command_line("examples", str(tmp_path))
    assert again.code == ExitCode.NO_INPUT
    assert again.errors.startswith(f"hds: {tmp_path} exists already\n  hint: ")
    nowhere = command_line("examples", "/proc/x")
    assert (nowhere.code, nowhere.errors) == (
        3,
        "hds: cannot copy the examples to /proc/x: No such file or directory\n",
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [("// A filter: only this.\n//  hds run", "A filter"), ("// One of two. Other.\n", "One of two"), ("? x;", "")],
)
def test_a_title_ends_with_its_clause(text: str, expected: str) -> None:
    assert title(text) == expected
