"""Every script in examples/linux/programs/ runs as its comment says, with the output kept in tests/examples/linux/."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from compiled import compiled
from example_runs import check_output
from source_trees import ROOT

from hds.cli.main import main

pytestmark = pytest.mark.programs

EXAMPLES = ROOT / "examples" / "linux" / "programs"
SCRIPTS = sorted(EXAMPLES.glob("*.hds"))
INEVITABLE = {"anti_debugging": {"P095"}, "deny": {"P095"}}  # event_sc
LIBC = Path("/lib/x86_64-linux-gnu/libc.so.6")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `subject` and the examples."""
    if shutil.which("gcc") is None or not LIBC.exists():
        pytest.skip("there is no gcc, or no libc of Debian (packages gcc and libc6-dev)")
    made = tmp_path_factory.mktemp("examples")
    source, subject = EXAMPLES / "subject.c", made / "subject"
    compiled(["gcc", "-O1", "-o", str(subject), str(source)], subject, [source]).check_returncode()
    (made / "examples").symlink_to(ROOT / "examples")
    return made


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_an_example_prints_what_it_is_expected_to(
    script: Path, place: Path, capsysbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(place)
    check_output(script, capsysbinary)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_an_example_has_no_findings(script: Path, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    programs = ["--program", str(place / "subject"), "--program", str(LIBC)]
    assert main(["check", *programs, str(script)]) == 0
    found = set(re.findall(r"(?:error|warning|portability) ([EWP]\d+)", capsys.readouterr().out))
    assert found == INEVITABLE.get(script.stem, set())
