"""Examples that say in a comment how they are run, and what that prints."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from source_trees import ROOT

from hds.cli.main import main

_COMMAND = re.compile(r"^//\s+hds (run .*)$", re.MULTILINE)


def command_of(script: Path) -> list[str]:
    """The words behind `hds` by which its comment says that it is run."""
    command = _COMMAND.search(script.read_text(encoding="utf-8"))
    assert command is not None, "the example says how to run it"
    return shlex.split(command[1])


def check_output(script: Path, capture: pytest.CaptureFixture[bytes]) -> None:
    """Run it in the current folder; the output is that of tests/examples/, but for the line ends of Windows."""
    assert main(command_of(script)) == 0
    folder = script.relative_to(ROOT / "examples").parts[0]
    expected = ROOT / "tests" / "examples" / folder / (script.stem + ".out")
    assert capture.readouterr().out.replace(b"\r\n", b"\n") == expected.read_bytes()
