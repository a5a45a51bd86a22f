"""README.md and docs/ tell the truth: what they show is executed, and prints what stands there (executed_pages.py)."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest
import yaml
from executed_pages import ELSEWHERE, PAGES, Reader, Unit, blocks_of, name_of, units_of
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
