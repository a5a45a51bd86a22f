"""docs/corpus.md says what the tables of the code say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

pytest.importorskip("pyarrow", reason="pyarrow (extra corpus) is not installed")

from hds.corpus import Outcome
from hds.corpus.rows import TABLES

PAGE = (Path(__file__).parents[3] / "docs" / "corpus.md").read_text(encoding="utf-8")
COUNTS = {"lost_messages", "script_errors", "code_errors", "refused_commands", "breaks", "unkept"}  # `...`, and below


def test_outcomes_are_those_of_the_page() -> None:
    section = PAGE.partition("## Outcomes")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `(\w+)` \| (yes|no) \| (.*) \|$", section, re.MULTILINE)
    assert rows == [(each.value, "yes" if each.is_retried else "no", each.doc) for each in Outcome]


@pytest.mark.parametrize("name", TABLES)
def test_columns_are_named_on_the_page(name: str) -> None:
    row = next(line for line in PAGE.splitlines() if line.startswith(f"| `{name}/*.parquet`"))
    if name == "messages":
        row += next(line for line in PAGE.splitlines() if line.startswith("| `triggers/*.parquet`"))  # as above
    assert set(TABLES[name].names) - COUNTS <= set(re.findall(r"`(\w+)`", row))
