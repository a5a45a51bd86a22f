"""What programs do to find a debugger: INT3, INT1, UD2, the trap flag, ports, time stamps behave as natively."""

from __future__ import annotations

from pathlib import Path

import pytest
from linux_guests import build
from native_runs import native_outputs
from test_signals import here

SOURCE = Path(__file__).with_name("tricks.c").read_text()


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(SOURCE, "glibc", tmp_path_factory.mktemp("tricks"))


@pytest.mark.parametrize("engine", ["reference", "native"])
@pytest.mark.parametrize("name", ["raised", "stepped", "pushed", "timed"])
def test_a_trick_shows_what_it_shows_natively(name: str, engine: str, program: Path, tmp_path: Path) -> None:
    found = here(program, name, engine)
    assert found == native_outputs([program, name], tmp_path).like(found)


def test_icebp_is_a_breakpoint_behind_it(program: Path) -> None:
    lines = here(program, "icebp", "reference")[0].decode().splitlines()
    assert lines[:2] == ["icebp: [5 code 1 at 1 rip 1 flags 0]", "prefixed icebp: [5 code 1 at 2 rip 2 flags 0]"]
    assert lines[2].startswith("stepped icebp: [5 code 1 at 11 rip 11 flags 100] [5 code 2 at 12 rip 12 flags 100]")
