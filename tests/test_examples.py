"""Every script in examples/ runs as its own comment says, with the output kept in tests/examples/."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from hds.cli.main import main

ROOT = Path(__file__).parent.parent
SCRIPTS = sorted(
    path for path in (ROOT / "examples").rglob("*.hds") if path.parent.name not in ("windows", "programs")
)  # those have a program of their own: test_windows_examples.py, test_linux_examples.py
INEVITABLE = {"strace": {"P036"}, "block_path": {"P095"}}  # they show #include and event_sc
COMMAND = re.compile(r"^//\s+hds (run .*)$", re.MULTILINE)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_an_example_prints_what_it_is_expected_to(
    script: Path, capsysbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    command = COMMAND.search(script.read_text(encoding="utf-8"))
    assert command is not None, "the example says how to run it"
    assert main(shlex.split(command[1])) == 0
    expected = ROOT / "tests" / "examples" / (script.stem + ".out")
    assert capsysbinary.readouterr().out == expected.read_bytes()


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_an_example_has_no_findings(script: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(script)]) == 0
    found = set(re.findall(r"(?:error|warning|portability) ([EWP]\d+)", capsys.readouterr().out))
    assert found == INEVITABLE.get(script.stem, set())
