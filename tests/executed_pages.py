"""README.md and the pages of docs/, executed: every command line and script that they show, and what it prints.

A block with a file name, in a comment at its beginning or as its title, is that file, written where it stands. Each
line behind `$` in a `console` block is run, and what follows it is what it writes to a terminal; lines of a `sh` block
are run, and succeed; those of a `bash` block are for somewhere else (they install something, or want other machines).
Python without a file name runs in one interpreter, SQL in DuckDB. A page is one unit, run from its top in a folder that
has `examples`; in README.md and the cookbook each section is one, with what stands in front of the first.

`hds`, `cat`, `echo $?` and `python` are run in this process. A unit with other programs needs the shell, and is of the
second stage. `make outputs PAGES=docs/tutorial.md` writes the outputs of pages anew.
"""

from __future__ import annotations

import contextlib
import os
import re
import runpy
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hds_guests import text_stream
from source_trees import ROOT

from hds.cli.main import main

DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]
BY_SECTION = ("README.md", "cookbook/")
WINE = ROOT / "build" / "wine"  # Wine's DLLs, as .ci/run unpacks them

# Pages whose blocks another test executes, since they are of a form of their own.
ELSEWHERE = {
    "language.md": "tests/lang/test_language_examples.py",
    "diagnostics.md": "tests/lang/test_diagnostic_codes.py",
    "portability.md": "tests/lang/test_diagnostic_codes.py",
    "command-line.md": "tests/hds/cli/test_word_order.py",
    "gdb.md": "tests/hds/gdb/test_real_gdb.py",
    "console.md": "tests/hds/cli/test_console.py",
}

_BLOCK = re.compile(
    r"""^\#\#[ ](?P<title>[^\n]*)$ | ^```(?P<kind>[\w-]*)(?:[ ]title="(?P<name>[\w./-]+)")?\n(?P<text>.*?)^```$""",
    re.MULTILINE | re.DOTALL | re.VERBOSE,
)
_FILE_NAME = re.compile(r"(?://|#) (?P<name>[\w/-]+\.\w+)(?=:|\n)")
_QUOTED = re.compile(r"'[^']*'|\"(?:\\.|[^\"\\])*\"")
_REDIRECTED = re.compile(r" (?:> (?P<file>[\w./-]+)|2>&1|(?P<quiet>2>/dev/null))$")
_OF_THIS_MACHINE = re.compile(r"(?<= )/(?:usr/)?bin/[\w.-]+|--root / ")
_COUNT = re.compile(r"\d+(?= guest instructions)")  # which depends on the compiler; shown as N


@dataclass(frozen=True)
class Block:
    """A block of code of a page."""

    section: str
    kind: str
    file_name: str | None  # of the file that it is
    text: str
    start: int
    end: int

    @property
    def lines(self) -> list[str]:
        """The command lines that are run."""
        if self.kind == "console":
            return [line[2:] for line in self.text.splitlines() if line.startswith("$ ")]
        return self.text.splitlines() if self.kind == "sh" else []


@dataclass(frozen=True)
class Unit:
    """What is executed in one folder, in order."""

    name: str
    blocks: tuple[Block, ...]

    @property
    def lines_for_the_shell(self) -> list[str]:
        """Those that make it one of the second stage."""
        return [line for block in self.blocks for line in block.lines if not is_run_here(line)]

    @property
    def missing(self) -> str | None:
        """What this machine lacks for it."""
        lines = self.lines_for_the_shell
        if any(" wine/" in line for line in lines) and not WINE.is_dir():
            return "Wine's DLLs are not unpacked in build/wine"
        named = {words[0] for line in lines for words in _simple_commands(line)} - {"hds", "python"}
        named |= {path for line in lines for path in _OF_THIS_MACHINE.findall(line) if not path.startswith("--")}
        lacking = sorted(name for name in named if not name.startswith("./") and shutil.which(name) is None)
        return f"not installed: {', '.join(lacking)}" if lacking else None


def _simple_commands(line: str) -> Iterator[list[str]]:
    """The words of each simple command of a line."""
    for part in re.split(r"\|\||&&|[|;&]", _QUOTED.sub("''", re.sub(r"\d?>&\d", "", line))):
        if words := part.split():
            yield words


def is_run_here(line: str) -> bool:
    """Whether a line is run in this process."""
    if line == "echo $?":
        return True
    rest = _QUOTED.sub("''", _REDIRECTED.sub("", line))
    here = line.split()[0] in ("hds", "cat", "python") and not re.search(r"[|;&<>$`*{}]", rest)
    return here and not _OF_THIS_MACHINE.search(line)


def blocks_of(page: str) -> Iterator[Block]:
    """The blocks of a page's text, in order."""
    section = ""
    for match in _BLOCK.finditer(page):
        if match["title"] is not None:
            section = match["title"]
        else:
            comment = None if match["kind"] in ("console", "sh", "bash") else _FILE_NAME.match(match["text"])
            name = comment["name"] if comment else match["name"]
            yield Block(section, match["kind"], name, match["text"], match.start("text"), match.end("text"))


def name_of(path: Path) -> str:
    """The page's name: from docs/ on, or README.md."""
    return path.relative_to(DOCS).as_posix() if path.is_relative_to(DOCS) else path.name


def units_of(path: Path) -> Iterator[Unit]:
    """The units of a page that have something to execute."""
    name = name_of(path)
    if name in ELSEWHERE:
        return
    blocks = tuple(blocks_of(path.read_text(encoding="utf-8")))
    made = [Unit(name, blocks)]
    if name.startswith(BY_SECTION):
        shared = tuple(block for block in blocks if not block.section)
        sections = dict.fromkeys(block.section for block in blocks if block.section)
        made = [
            Unit(f"{name}: {title}", (*shared, *(block for block in blocks if block.section == title)))
            for title in sections
        ]
    for unit in made:
        if any(block.lines or block.kind in ("python", "sql") for block in unit.blocks):
            yield unit


class Reader:
    """Somebody who follows a page in the current folder, which is empty at first."""

    def __init__(self) -> None:
        os.symlink(ROOT / "examples", "examples")
        if WINE.is_dir():
            os.symlink(WINE, "wine")
        self._names: dict[str, Any] = {}
        self._code = 0

    def follow(self, block: Block) -> str:
        """Do what a block says, and give its text with the outputs that there were."""
        if block.file_name is not None:
            Path(block.file_name).parent.mkdir(parents=True, exist_ok=True)
            Path(block.file_name).write_text(block.text, encoding="utf-8")
        elif block.kind == "python":
            exec(compile(block.text, "<page>", "exec"), self._names)
        elif block.kind == "sql":
            import duckdb

            for statement in filter(str.strip, block.text.split(";")):
                duckdb.execute(statement)
        elif block.kind == "sh":
            for line in block.lines:
                answer = self._answer(line)
                assert self._code == 0, f"{line}\n{answer}"
        elif block.kind == "console":
            text = ""
            for line in block.lines:
                text += f"$ {line}\n{self._answer(line)}".rstrip("\n") + "\n"
            return _COUNT.sub("N", text) if "N guest instructions" in block.text else text
        return block.text

    def _answer(self, line: str) -> str:
        """What a line writes to a terminal."""
        if line == "echo $?":
            return f"{self._code}\n"
        return (self._run_here(line) if is_run_here(line) else self._run_in_shell(line)).replace("\r\n", "\n")

    def _run_in_shell(self, line: str) -> str:
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        made = subprocess.run(
            ["bash", "-c", line],
            env={**os.environ, "PATH": path},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=120,
            check=False,
        )
        self._code = made.returncode
        return made.stdout.decode()

    def _run_here(self, line: str) -> str:
        redirection = _REDIRECTED.search(line)
        program, *arguments = shlex.split(_REDIRECTED.sub("", line))
        errors = text_stream()
        output = text_stream() if redirection and (redirection["file"] or redirection["quiet"]) else errors
        self._code = 0
        with contextlib.redirect_stdout(output), contextlib.redirect_stderr(errors):
            if program == "cat":
                sys.stdout.write("".join(Path(name).read_text(encoding="utf-8") for name in arguments))
            elif program == "python":
                runpy.run_path(os.path.abspath(arguments[0]), run_name="__main__")  # processes that it makes import it
            else:
                self._code = main(arguments)
        if redirection and redirection["file"]:
            Path(redirection["file"]).write_text(output.text, encoding="utf-8")
            return errors.text
        return output.text


def _written_anew(path: Path) -> str:
    """The text of a page with the outputs that its commands have now."""
    page = path.read_text(encoding="utf-8")
    texts: dict[int, tuple[int, str]] = {}
    for unit in units_of(path):
        with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
            reader = Reader()
            texts |= {block.start: (block.end, reader.follow(block)) for block in unit.blocks}
    for start in sorted(texts, reverse=True):
        end, text = texts[start]
        page = page[:start] + text + page[end:]
    return page


if __name__ == "__main__":
    for name in sys.argv[1:]:
        Path(name).write_text(_written_anew(Path(name).resolve()), encoding="utf-8")
