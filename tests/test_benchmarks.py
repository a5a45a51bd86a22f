"""`make bench` comes to its end whatever becomes of a benchmark, and README.md says of speed what it measured."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from source_trees import ROOT

from hds.cli.measurements import SHOWN, Measured, measured, readme_note, readme_table, rows_by_name, short

BENCHMARKS = ROOT / "benchmarks"
TOOLS = ("rows.py", "table.py", "run.py", "measured.py")
ROWS = """
from rows import Row, keep, note
keep("{name}", [Row("{name} against a peer", {ours}, 2, "s", at_most=1)])
"""


def copied(folder: Path) -> Path:
    """The tools of the benchmarks in a folder of their own, with short limits."""
    made = folder / "benchmarks"
    made.mkdir()
    for name in TOOLS:
        shutil.copy(BENCHMARKS / name, made)
    table = made / "table.py"
    table.write_text(re.sub(r", \d+\),$", ", 2),", table.read_text(), flags=re.MULTILINE))
    return made


def ran(folder: Path, *words: str) -> tuple[int, str]:
    """The exit code and the output of one of the tools."""
    done = subprocess.run([sys.executable, *words], cwd=folder, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.lasting
def test_a_benchmark_that_fails_or_lasts_is_named_and_the_others_run(tmp_path: Path) -> None:
    folder = copied(tmp_path)
    (folder / "start.py").write_text(ROWS.format(name="start", ours=3) + "raise SystemExit(3)")
    (folder / "triggers.py").write_text(ROWS.format(name="triggers", ours=1) + "import time; time.sleep(60)")
    (folder / "native.py").write_text(ROWS.format(name="native", ours=2) + "note('native', 'half of it is skipped')")
    code, said = ran(folder, "run.py", "start", "triggers", "native")
    assert code == 1
    for text in (
        "start: failed with exit code 3", "triggers: ended after 2 s, before it was done",
        "native: half of it is skipped", "linux: it has not run", "3 rows, 3 with a goal, 1 missed",
    ):  # fmt: skip
        assert f"\n{text}" in said
    assert re.search(r"start against a peer .* 1\.50 x +<= 1 x +NO\n", said)


@pytest.mark.lasting
def test_the_documentation_gets_the_medians_of_the_last_runs(tmp_path: Path) -> None:
    folder = copied(tmp_path)
    for name in re.findall(r'Benchmark\("(\w+)"', (folder / "table.py").read_text()):
        (folder / f"{name}.py").write_text(ROWS.format(name=name, ours=1))
    for ours in (9, 1, 3, 1, 2.5):  # the last four count
        (folder / "corpus.py").write_text(ROWS.format(name="corpus", ours=ours))
        ran(folder, "run.py")
    assert ran(folder, "measured.py") == (0, "measured.json: the medians of 4 runs\n")
    found: Any = json.loads((folder / "measured.json").read_text())
    (row,) = found["benchmarks"][-1]["rows"]
    assert (row["what"], row["ours"], row["peer"]) == ("corpus against a peer", "1.75 s", "2 s")
    assert (row["ratio"], row["shown"], row["held"], row["runs"]) == (0.875, "0.88 x", 2, 4)


def test_every_benchmark_is_run_by_make_bench() -> None:
    table = (BENCHMARKS / "table.py").read_text()
    named = re.findall(r'Benchmark\("(\w+)", ".+", \d+\)', table)
    assert sorted(named) == sorted(path.stem for path in BENCHMARKS.glob("*.py") if path.name not in TOOLS)


def ratios_in(text: str) -> list[str]:
    """What looks like a ratio."""
    return re.findall(r"[\d.,]*\d x\b|\d+ times\b|1/\d+", text)


def test_the_readme_has_no_ratio_but_those_that_were_measured() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    before, _, rest = text.partition("<!-- speed, made as the pages of docs/ are -->")
    table, _, behind = rest.partition("<!-- to here -->")
    assert ratios_in(before + behind) == []
    assert len(ratios_in(table)) >= len(SHOWN) - 5  # what a machine has no peers for is left out


def test_what_the_readme_shows_was_measured() -> None:
    names = [row.what for group in measured().benchmarks for row in group.rows]
    assert len(names) == len(set(names))
    assert [name for shown in SHOWN for name in shown.rows if name not in names] == []
    assert isinstance(measured(), Measured)
    assert all(row.held is None or 0 <= row.held <= row.runs for row in rows_by_name(measured()).values())


@pytest.mark.parametrize(
    ("ratio", "text"),
    [(0.042, "0.04"), (0.36, "0.36"), (0.949, "0.95"), (0.96, "1.0"), (1.49, "1.5"), (13.4, "13"), (1234, "1,200")],
)
def test_a_ratio_has_two_digits(ratio: float, text: str) -> None:
    assert short(ratio) == text


def test_the_readme_marks_what_was_measured_earlier_and_says_a_goal_once() -> None:
    earlier = {row.what for group in measured().benchmarks if group.is_earlier for row in group.rows}
    cells = [cell for _, cell in readme_table()]
    marked = [shown for shown, cell in zip(SHOWN, cells, strict=True) if cell.endswith(" *")]
    assert marked == [shown for shown in SHOWN if earlier & set(shown.rows)]
    assert bool(list(readme_note())) == bool(earlier)
    assert max(cell.count("goal") for cell in cells) <= 1
