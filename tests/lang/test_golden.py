"""The files of tests/golden do what their comments say (tests/golden/README.md), on both engines."""

from __future__ import annotations

from pathlib import Path

import pytest

from hds.cli.main import main

FOLDER = Path(__file__).parents[1] / "golden"
FILES = sorted(FOLDER.glob("*.hds"))


@pytest.mark.parametrize("engine", ["reference", "native"])
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_tests_of_a_file_pass(path: Path, engine: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["test", "--engine", engine, str(path)]) == 0, capsys.readouterr().out


def test_every_kind_of_run_time_error_has_a_file() -> None:
    from vm.engine import FaultKind

    # No operation of the language can be invalid: infinities never arise. Ctrl-C comes from outside.
    without = {FaultKind.FLOAT_INVALID, FaultKind.INTERRUPTED}
    names = {path.stem.removeprefix("stop_") for path in FILES if path.stem.startswith("stop_")}
    assert names == {kind.value for kind in FaultKind if kind not in without}
