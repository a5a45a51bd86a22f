"""Pages of docs/ whose examples are all run, and print what the page shows.

A block whose first line is a comment with a file name is that file; each `$` line of a `console` block is run in a
folder that holds them, and what follows it is what it writes to a terminal. Run as a program, this file writes the
outputs anew.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import runpy
import shlex
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hds_guests import command_line, command_line_together

PAGES = [
    Path(__file__).parents[4] / "docs" / name
    for name in ("events.md", "testing.md", "comparing.md", "reports.md", "tracing.md", "aggregation.md")
]
_BLOCK = re.compile(r"^```(?P<kind>\w+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_FILE_NAME = re.compile(r"(?://|#) (?P<name>[\w.]+)")


def write_files(page: str, folder: Path) -> None:
    """The files that the page shows."""
    for block in _BLOCK.finditer(page):
        name = _FILE_NAME.match(block["text"])
        if name is not None and block["kind"] != "console":
            (folder / name["name"]).write_text(block["text"])


def answer(line: str) -> str:
    """What a line behind `$` writes, in the current folder."""
    program, *arguments = shlex.split(line)
    if program == "cat":
        return Path(arguments[0]).read_text()
    if program == "python":
        output = io.StringIO()
        with contextlib.redirect_stdout(output):
            runpy.run_path(arguments[0])
        return output.getvalue()
    assert program == "hds"
    if arguments[-2] == ">":
        Path(arguments[-1]).write_text(command_line(*arguments[:-2]).output)
        return ""
    return command_line_together(*arguments)


def sessions(page: str) -> Iterator[tuple[str, str]]:
    """Every line behind `$` with what the page says that it writes."""
    for block in _BLOCK.finditer(page):
        if block["kind"] == "console":
            for part in re.split(r"^\$ ", block["text"], flags=re.MULTILINE)[1:]:
                line, _, output = part.partition("\n")
                yield line, output


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_every_example_prints_what_the_page_shows(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = path.read_text()
    write_files(page, tmp_path)
    monkeypatch.chdir(tmp_path)
    for line, output in sessions(page):
        assert (line, answer(line)) == (line, output)


def _with_outputs(page: str) -> str:
    def block(match: re.Match[str]) -> str:
        if match["kind"] != "console":
            return match[0]
        lines = [line for line in match["text"].splitlines() if line.startswith("$ ")]
        return "```console\n" + "".join(f"{line}\n{answer(line[2:])}" for line in lines) + "```"

    return _BLOCK.sub(block, page)


if __name__ == "__main__":
    for written in PAGES:
        shown = written.read_text()
        with tempfile.TemporaryDirectory() as place:
            write_files(shown, Path(place))
            os.chdir(place)
            written.write_text(_with_outputs(shown))
    sys.exit(0)
