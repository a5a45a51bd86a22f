"""README.md and docs/ tell the truth: what they show is executed, and prints what stands there (executed_pages.py)."""

from __future__ import annotations

import json
import re
import shlex
import tomllib
from itertools import pairwise
from pathlib import Path

import pytest
import yaml
from executed_pages import DOCS, ELSEWHERE, PAGES, Reader, Unit, blocks_of, name_of, units_of
from hds_guests import command_line
from source_trees import ROOT

DATA = {"json": json.loads, "toml": tomllib.loads, "yaml": yaml.safe_load}
OTHERS = {"text", "lua", "bash"}  # output; settings of an editor; what is for somewhere else
EXECUTED = {"console", "sh", "python", "sql"}


def marks(unit: Unit) -> list[pytest.MarkDecorator]:
    """Where a unit is executed."""
    if not unit.lines_for_the_shell:
        return []
    return [pytest.mark.programs, pytest.mark.skipif(unit.missing is not None, reason=unit.missing or "")]


UNITS = [pytest.param(unit, id=unit.name, marks=marks(unit)) for path in PAGES for unit in units_of(path)]


@pytest.mark.parametrize("unit", UNITS)
def test_what_a_page_shows_is_what_happens(unit: Unit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    reader = Reader()
    for block in unit.blocks:
        assert reader.follow(block) == block.text


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_a_page_has_nothing_that_is_not_executed(path: Path) -> None:
    """Every block is executed, is a file that something else of its page names, or is data."""
    if name_of(path) in ELSEWHERE:
        assert (ROOT / ELSEWHERE[name_of(path)]).is_file()
        return
    page = path.read_text(encoding="utf-8")
    blocks = [block for block in blocks_of(page) if block.kind not in OTHERS]
    for block in blocks:
        if block.kind in DATA:
            DATA[block.kind](block.text)
    left = [block for block in blocks if block.kind not in EXECUTED | DATA.keys()]
    assert [block.text for block in left if block.file_name is None] == []
    names = {block.file_name for block in blocks if block.file_name is not None}
    assert {name for name in names if page.count(name) == 1} == set()
    assert re.findall(r"^    (?:\$ )?hds \w.*$", re.sub(r"^```.*?^```$", "", page, flags=re.M | re.S), re.M) == []


RECIPES = [
    pytest.param(path, title, id=title)
    for path in sorted((DOCS / "cookbook").glob("*.md"))
    for title in re.findall(r"^## (.*)$", path.read_text(encoding="utf-8"), re.MULTILINE)
]


def scripts_of(line: str) -> str:
    """The commands of a command line of `hds run` or `hds check`."""
    words = shlex.split(line.replace("|", " "))
    return "\n".join(after for word, after in pairwise(words) if word == "-e" and words[1] != "trace")


@pytest.mark.parametrize(("path", "title"), RECIPES)
def test_a_recipe_names_the_other_tool_and_every_difference_that_the_checker_sees(path: Path, title: str) -> None:
    section = re.split(r"^## ", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    (text,) = (part for part in section if part.startswith(f"{title}\n"))
    assert re.findall(r"^\*\*(Elsewhere|On HyperDbg):\*\* \S", text, re.MULTILINE) == ["Elsewhere", "On HyperDbg"]
    blocks = list(blocks_of(text))
    scripts = [block.text for block in blocks if block.kind == "hds"]
    scripts += [scripts_of(line) for block in blocks for line in block.lines]
    symbols = [f"--symbol={name}=400000" for name in sorted(set(re.findall(r"\b[a-z]\w*!\w+", " ".join(scripts))))]
    found = "".join(command_line("check", *symbols, "-e", script).output for script in scripts if script)
    assert "error E" not in found
    noted = text.rpartition("**On HyperDbg:**")[2]
    assert set(re.findall(r"portability (P\d+)", found)) == set(re.findall(r"P\d{3}", noted))


def test_the_cookbook_has_recipes_for_many_tasks() -> None:
    assert len(RECIPES) >= 40
