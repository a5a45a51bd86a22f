"""Every script in examples/ has a test, says how to run it, and has no findings."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from example_runs import command_of

from hds.cli.main import main
from hds.script_tests import read_tests
from lang.source import SourceFile
from vm.facts.limits import DEFAULT_LIMITS

ROOT = Path(__file__).parent.parent
SCRIPTS = sorted(
    path for path in (ROOT / "examples").rglob("*.hds") if path.parent.name not in ("windows", "programs")
)  # those have a program of their own: test_windows_examples.py, test_linux_examples.py
INEVITABLE = {"strace": {"P036"}, "block_path": {"P095"}}  # they show #include and event_sc


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_an_example_does_what_its_tests_say(
    script: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    assert main(["test", str(script.relative_to(ROOT))]) == 0, capsys.readouterr().out


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_an_example_says_how_to_run_it_and_its_test_runs_it_so(script: Path) -> None:
    text = script.read_text(encoding="utf-8")
    words = command_of(script)
    assert words[0] == "run"
    assert script.relative_to(ROOT).as_posix() in words
    (case,) = read_tests(SourceFile(str(script), text), str(script), DEFAULT_LIMITS).cases
    shown = [os.path.relpath(ROOT / word, script.parent) if word.startswith("examples/") else word for word in words]
    assert [word for word in shown[1:] if word in case.words] == list(case.words)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_an_example_has_no_findings(script: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(script)]) == 0
    found = set(re.findall(r"(?:error|warning|portability) ([EWP]\d+)", capsys.readouterr().out))
    assert found == INEVITABLE.get(script.stem, set())


def test_those_for_windows_are_skipped_by_name_where_their_root_is_not(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    scripts = sorted((ROOT / "examples" / "windows").glob("*.hds"))
    for script in scripts:
        (tmp_path / script.name).write_bytes(script.read_bytes())
    monkeypatch.chdir(tmp_path)
    assert main(["test"]) == 0
    said = capsys.readouterr().out
    assert f" {len(scripts)} skipped " in said
    assert "SKIPPED opened_files.hds::with subject.c - c/prog/subject.exe is not there" in said
