"""Every script in examples/windows/ runs as its own comment says, with the output kept in tests/examples/windows/."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from example_runs import check_output, command_of
from source_trees import ROOT
from windows_world import COMPILER, make_root, needs_wine

from hds.cli.main import main

pytestmark = [needs_wine, pytest.mark.programs]

EXAMPLES = ROOT / "examples" / "windows"
SCRIPTS = sorted(EXAMPLES.glob("*.hds"))
EVENT_SC, WIDE_TEXT = {"P095"}, {"P093"}
INEVITABLE = {
    "blocked_file": EVENT_SC, "connections": EVENT_SC, "protected_variable": EVENT_SC, "skipped_sleeps": EVENT_SC,
    "dll_loads": WIDE_TEXT, "file_activity": WIDE_TEXT, "opened_files": WIDE_TEXT, "registry_keys": WIDE_TEXT,
}  # fmt: skip
PROGRAMS = sorted(EXAMPLES.glob("*.c"))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `c` and the examples."""
    made = tmp_path_factory.mktemp("examples")
    root = make_root(made / "c", made)
    for source in PROGRAMS:
        target = root / "prog" / f"{source.stem}.exe"
        subprocess.run([COMPILER, "-O1", "-static", str(source), "-o", str(target)], check=True, timeout=120)
    (made / "examples").symlink_to(ROOT / "examples")
    return made


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_an_example_prints_what_it_is_expected_to(
    script: Path, place: Path, capsysbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(place)
    check_output(script, capsysbinary)


def test_the_examples_do_what_their_tests_say(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for script in SCRIPTS:
        shutil.copy(script, tmp_path)
    shutil.copytree(place / "c", tmp_path / "c")
    monkeypatch.chdir(tmp_path)
    assert main(["test"]) == 0, capsys.readouterr().out
    assert f" {len(SCRIPTS)} passed " in capsys.readouterr().out


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_an_example_has_no_findings(script: Path, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    program = str(place / command_of(script)[-1])
    assert main(["check", "--root", str(place / "c"), "--program", program, str(script)]) == 0
    found = set(re.findall(r"(?:error|warning|portability) ([EWP]\d+)", capsys.readouterr().out))
    assert found == INEVITABLE.get(script.stem, set())
