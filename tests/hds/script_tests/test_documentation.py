"""docs/testing.md has every directive, and the workflow for CI is YAML whose commands work."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import yaml
from source_trees import ROOT

from hds.cli.main import main
from hds.script_tests import DIRECTIVES

PAGE = (ROOT / "docs" / "testing.md").read_text(encoding="utf-8")
_FILE = re.compile(r"// (?P<name>hello\.asm|trace\.hds)\n.*?(?=^```)", re.MULTILINE | re.DOTALL)
WORKFLOW = ROOT / "docs" / "hds-tests.yml"


def test_the_page_has_the_table_of_directives() -> None:
    rows = [f"| `{f'{row.key}: {row.value}'.rstrip()}` | {row.doc} |" for row in DIRECTIVES.values()]
    assert re.findall(r"^\| `[a-z-]+:.*$", PAGE, re.MULTILINE) == rows


def test_the_commands_of_the_workflow_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = yaml.safe_load(WORKFLOW.read_text())["jobs"]["hds"]["steps"]
    commands = [step["run"] for step in steps if step.get("run", "").startswith("hds ")]
    (tmp_path / "scripts").mkdir()
    for match in _FILE.finditer(PAGE):
        (tmp_path / "scripts" / match["name"]).write_text(match[0])
    monkeypatch.chdir(tmp_path)
    assert [main(shlex.split(command)[1:]) for command in commands] == [0, 0]
    assert len(commands) == 2
    (uploaded,) = (step["with"]["path"] for step in steps if "upload-artifact" in step.get("uses", ""))
    assert (tmp_path / uploaded).is_file()
