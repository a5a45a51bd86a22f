"""docs/tutorial-windows.md: every command is run, in order, and prints what the page shows.

A block that begins with a comment with a file's name is that file. Run as a program, this file writes the outputs anew.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from source_trees import ROOT
from windows_world import DEBS, needs_wine

PAGE = ROOT / "docs" / "tutorial-windows.md"
_BLOCK = re.compile(r"^```(?P<kind>\w+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_FILE_NAME = re.compile(r"// (?P<name>[\w.]+)\n")
_COUNT = re.compile(r"\d+(?= guest instructions)")  # which depends on the compiler
_DOWNLOADS = ("apt-get download", "dpkg-deb -x")


def written_anew(page: str, folder: Path) -> str:
    """The page with the outputs that its commands have in this folder."""
    (folder / "examples").symlink_to(ROOT / "examples")
    (folder / "wine").symlink_to(DEBS)
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"

    def answered(block: re.Match[str]) -> str:
        name = _FILE_NAME.match(block["text"])
        if name is not None:
            (folder / name["name"]).write_text(block["text"])
        if block["kind"] != "console":
            return block[0]
        text = ""
        for command in re.findall(r"^\$ (.*)$", block["text"], re.MULTILINE):
            # grep that finds nothing, and programs that fail, say so by their exit codes: the page shows texts only
            made = subprocess.run(
                ["bash", "-c", command], cwd=folder, env={**os.environ, "PATH": path}, capture_output=True, text=True,
                timeout=120, check=False,
            )  # fmt: skip
            assert made.stderr == "", command
            text += f"$ {command}\n{made.stdout}".rstrip("\n") + "\n"
        return f"```console\n{_COUNT.sub('N', text)}```"

    return _BLOCK.sub(answered, page)


@pytest.mark.programs
@needs_wine
def test_every_command_prints_what_the_page_shows(tmp_path: Path) -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert written_anew(page, tmp_path) == page


def test_what_is_downloaded_is_downloaded_by_the_continuous_integration_too() -> None:
    (commands,) = (block["text"] for block in _BLOCK.finditer(PAGE.read_text()) if block["kind"] == "sh")
    lines = commands.splitlines()
    assert [line.startswith(begin) for line, begin in zip(lines, _DOWNLOADS, strict=True)] == [True, True]
    script = (ROOT / ".ci" / "run").read_text()
    assert "libwine" in script
    assert "dpkg-deb -x" in script


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as made:
        PAGE.write_text(written_anew(PAGE.read_text(encoding="utf-8"), Path(made)), encoding="utf-8")
