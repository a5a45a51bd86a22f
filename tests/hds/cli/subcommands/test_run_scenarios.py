"""The documented scenarios as files that a user can run (events-and-commands G.5).

Each `scenarios/NAME.hds` says in its first lines with which options and guest it is run; `NAME.out` is what that writes
to a terminal, without the summary. `PYTHONPATH=tests/hds:tests/hds/report python` of this file writes them anew.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import pytest
from hds_guests import command_line_together

FOLDER = Path(__file__).parent / "scenarios"
SCENARIOS = sorted(FOLDER.glob("*.hds"))
_HEADER = re.compile(r"// (hds|guest): (.*)")


def arguments(scenario: Path) -> list[str]:
    """The command line of a scenario, behind `hds`, in its folder."""
    header = dict(_HEADER.findall(scenario.read_text()))
    return ["run", "--quiet", *header.get("hds", "").split(), scenario.name, header["guest"]]


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda path: path.stem)
def test_a_scenario_writes_what_is_documented(scenario: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(FOLDER)
    assert command_line_together(*arguments(scenario)) == scenario.with_suffix(".out").read_text()


def test_every_guest_and_script_of_the_scenarios_is_used() -> None:
    texts = "".join(scenario.read_text() for scenario in SCENARIOS)
    for path in FOLDER.iterdir():
        if path.suffix in (".asm", ".script"):
            assert path.name in texts


if __name__ == "__main__":
    os.chdir(FOLDER)
    for each in SCENARIOS:
        each.with_suffix(".out").write_text(command_line_together(*arguments(each)))
    sys.exit(0)
