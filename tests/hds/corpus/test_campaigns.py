"""Campaigns on a cluster of this machine: what single runs say, once for each content, whatever goes wrong."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("distributed", reason="distributed (extra corpus) is not installed")

from corpus_world import CRASHING, ENDLESS, SCRIPT, dataset, program, samples

import hds.corpus
from hds.corpus import BadResults, Budget

pytestmark = pytest.mark.programs


@pytest.fixture(scope="module")
def campaign(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, hds.corpus.Account]:
    """A campaign of all kinds of files, with two workers: its folder, with `samples` and `results`, and what it did."""
    folder = tmp_path_factory.mktemp("campaign")
    found = samples(folder / "samples", [*(program(code) for code in range(20)), CRASHING, ENDLESS, program(3)])
    (found / "text").write_text("no program")
    (found / "gone").symlink_to("nowhere")
    named = [found, found / "gone"]
    return folder, hds.corpus.run(SCRIPT, named, folder / "results", jobs=2, budget=Budget(timeout=1.0))


def test_each_content_has_a_row_with_its_outcome(campaign: tuple[Path, hds.corpus.Account]) -> None:
    folder, account = campaign
    rows = dataset(folder / "results")
    outcomes = {Path(row["path"]).name: (row["outcome"], row["exit_code"]) for row in rows["programs"]}
    assert outcomes == {
        **{f"{code:04d}": ("ok", code) for code in range(20)},
        "0020": ("guest_crash", None),
        "0021": ("timeout", None),
        "text": ("load_error", None),
        "gone": ("no_input", None),
    }
    assert (account.files, account.run, account.duplicates, account.unreadable) == (25, 24, 1, 1)
    assert len(rows["files"]) == 25  # the double has a row, too
    assert {row["text"] for row in rows["messages"]} == {"call 3c\n"}
    assert {row["name"] for row in rows["triggers"]} == {"exit"}


def test_a_second_run_does_nothing(campaign: tuple[Path, hds.corpus.Account]) -> None:
    folder, _ = campaign
    before = {path: path.stat().st_mtime_ns for path in (folder / "results").glob("*/*")}
    again = hds.corpus.run(SCRIPT, [folder / "samples", folder / "samples" / "gone"], folder / "results")
    assert (again.run, again.done_before) == (0, 24)
    assert {path: path.stat().st_mtime_ns for path in (folder / "results").glob("*/*")} == before


def test_rows_are_what_a_single_run_says(campaign: tuple[Path, hds.corpus.Account], tmp_path: Path) -> None:
    folder, _ = campaign
    (tmp_path / "program").write_bytes(program(7))
    words = ["run", "--format", "json", "--record", "triggers", "-e", SCRIPT, "program"]
    done = subprocess.run([sys.executable, "-m", "hds", *words], cwd=tmp_path, capture_output=True, check=True)
    said = [json.loads(line) for line in done.stdout.splitlines()]
    rows = dataset(folder / "results")
    row = next(row for row in rows["programs"] if row["exit_code"] == 7)
    for kind, table in (("message", "messages"), ("trigger", "triggers")):
        expected = [record for record in said if record["type"] == kind]
        found = [each for each in rows[table] if each["key"] == row["key"]]
        names = expected[0].keys() & found[0].keys()
        assert [{name: each[name] for name in names} for each in found] == [
            {name: record[name] for name in names} for record in expected
        ]
    summary = said[-1]
    assert all(row[name] == summary[name] for name in ("triggers", "messages", "instructions", "cause", "exit_code"))


def test_another_script_wants_another_folder(campaign: tuple[Path, hds.corpus.Account]) -> None:
    folder, _ = campaign
    with pytest.raises(BadResults, match="the script is another one"):
        hds.corpus.run("? print(1);", [folder / "samples"], folder / "results")
