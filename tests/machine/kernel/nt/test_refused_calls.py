"""What Windows programs ask for in vain: the call fails, and the last line of a run counts and names it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from windows_world import make_root, needs_wine

from hds.cli.main import main

pytestmark = [needs_wine, pytest.mark.programs]
NEEDS_GO = pytest.mark.skipif(shutil.which("go") is None, reason="go is missing")
CASES = [
    ("reaches", ["started 0", "socket 0", "process 0", "error 5"], 1),
    pytest.param("dials", ["socket false", "process false"], 2, marks=NEEDS_GO),
]


@pytest.mark.parametrize("engine", ["native", "reference"])
@pytest.mark.parametrize(("name", "lines", "opened"), CASES)
def test_sockets_and_child_processes_are_refused_and_named(
    name: str, lines: list[str], opened: int, engine: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    root = make_root(tmp_path / "c", tmp_path, name)
    script = tmp_path / "nothing.hds"
    script.write_text("")
    words = ("run", "--guest-output", "stdout", "--engine", engine, "--root", str(root))
    main([*words, str(script), str(root / "prog" / f"{name}.exe")])
    said = capfd.readouterr()
    assert said.out.splitlines() == lines
    assert f"failed as unknown or refused: NtOpenFile x {opened}, NtCreateUserProcess x 1" in said.err
    assert r"not emulated: \Device\Afd (sockets)" in said.err
