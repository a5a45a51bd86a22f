"""The extension for Visual Studio Code: it fits hds, and builds."""

from __future__ import annotations

import json
import shutil
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import pytest
from example_texts import ROOT

from hds.editor.textmate import textmate_grammar
from hds.version import VERSION

EXTENSION = ROOT / "editors" / "vscode"
PACKAGES = ROOT / "build" / "vscode" / "node_modules"


def manifest() -> dict[str, Any]:
    made: dict[str, Any] = json.loads((EXTENSION / "package.json").read_text())
    return made


def test_it_has_the_version_of_hds() -> None:
    assert manifest()["version"] == VERSION


def test_the_lock_file_names_no_host_and_checks_every_package() -> None:
    locked = json.loads((EXTENSION / "package-lock.json").read_text())["packages"]
    del locked[""]
    assert [name for name, row in locked.items() if "resolved" in row or "integrity" not in row] == []


def test_files_that_it_names_are_there() -> None:
    contributed = manifest()["contributes"]
    for path in (contributed["grammars"][0]["path"], contributed["languages"][0]["configuration"]):
        assert json.loads((EXTENSION / path).read_text())
    assert contributed["grammars"][0]["scopeName"] == textmate_grammar()["scopeName"]


@pytest.mark.programs
def test_it_builds(tmp_path: Path) -> None:
    npm = shutil.which("npm")
    if npm is None or not (PACKAGES / "esbuild").is_dir():
        pytest.skip("needs npm, and the packages of editors/vscode/package-lock.json in build/vscode")
    folder = tmp_path / "vscode"
    shutil.copytree(EXTENSION, folder, ignore=shutil.ignore_patterns("node_modules", "dist", "*.vsix"))
    (folder / "node_modules").symlink_to(PACKAGES)
    made = subprocess.run([npm, "run", "package"], cwd=folder, capture_output=True, text=True, timeout=300)
    assert made.returncode == 0, made.stdout + made.stderr
    with zipfile.ZipFile(folder / "hds.vsix") as archive:
        assert archive.getinfo("extension/dist/extension.js").file_size > 100_000  # with the client of the protocol
        assert not [name for name in archive.namelist() if "node_modules" in name or name.endswith(".ts")]
