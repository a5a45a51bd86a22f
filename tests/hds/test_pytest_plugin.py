"""The plugin of pytest: it runs the tests of script files, says what differs, and is nothing without such files."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from source_trees import ROOT

SCRIPT = (
    "print(1);\n\n// test: good\n//   out: 1\n\n// test: bad\n//   out: 2\n\n// test: absent\n//   needs: nowhere\n"
)


def run_pytest(folder: Path, *words: str) -> str:
    """What pytest says in a folder."""
    command = [sys.executable, "-m", "pytest", "-p", "hds.pytest_plugin", "-p", "no:cacheprovider", *words]
    found = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=60, check=False, env={"PYTHONPATH": str(ROOT)}
    )
    return found.stdout + found.stderr


@pytest.mark.lasting
def test_script_files_are_collected_and_run_like_others(tmp_path: Path) -> None:
    (tmp_path / "a.ds").write_text(SCRIPT)
    (tmp_path / "b.ds").write_text("// test: wrong\n// outt: 1\n")
    (tmp_path / "c.ds").write_text("print(1);\n")
    (tmp_path / "e.ds").write_text("print(1);\n// test: \x1b[31mred\u202e\n//   out: 1\n")
    (tmp_path / "f.ds").write_bytes("\ufeffprint(1);\n// test: a\n//   out: 1\n".encode("utf-16-le"))
    (tmp_path / "test_d.py").write_text("def test_d():\n    assert True\n")
    text = run_pytest(tmp_path, "-v", "--continue-on-collection-errors")
    assert "a.ds::good PASSED" in text
    assert "a.ds:7:1: the output differs\n- 2\n+ 1\n" in text
    assert "a.ds::absent SKIPPED (nowhere is not there)" in text
    assert "b.ds:2:1: error E300: unknown directive `outt`" in text
    assert "Traceback" not in text
    assert "e.ds::\\x1b[31mred\\u202e PASSED" in text
    assert "f.ds:1:1: the file is UTF-16" in text
    assert "1 failed, 3 passed, 1 skipped, 2 errors" in text


@pytest.mark.lasting
def test_without_a_test_in_a_script_nothing_of_hds_is_loaded(tmp_path: Path) -> None:
    (tmp_path / "c.ds").write_text("print(1);\n")
    (tmp_path / "test_d.py").write_text(
        "import sys\ndef test_d():\n    assert not {'lang', 'machine', 'unicorn', 'hds.cli'} & set(sys.modules)\n"
    )
    assert "1 passed" in run_pytest(tmp_path)


def test_it_is_an_entry_point() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["entry-points"]["pytest11"] == {"hds.pytest_plugin": "hds.pytest_plugin"}
