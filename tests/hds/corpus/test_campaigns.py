"""Campaigns on a cluster of this machine: what single runs say, once for each content, whatever goes wrong."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("distributed", reason="distributed (extra corpus) is not installed")

import psutil
from corpus_world import CRASHING, ENDLESS, SCRIPT, dataset, program, samples
from effort import often

import hds.corpus
from hds.corpus import BadResults, Budget, CommandRefused, NoPrograms

pytestmark = pytest.mark.programs
FORKS = "hds.corpus.fork_server"


@pytest.fixture(scope="module")
def campaign(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, hds.corpus.Account]:
    """A campaign of all kinds of files, with two workers, of which one is killed early on.

    Its folder, with `samples` and `results`, and what it did.
    """
    folder = tmp_path_factory.mktemp("campaign")
    found = samples(folder / "samples", [*(program(code) for code in range(20)), CRASHING, ENDLESS, program(3)])
    (found / "text").write_text("no program")
    (found / "gone").symlink_to("nowhere")
    named = [found, found / "gone"]
    killed: list[int] = []

    def kill_a_worker(account: hds.corpus.Account) -> None:
        if account.run > 3 and not killed:
            with contextlib.suppress(psutil.NoSuchProcess):  # of a program that has come to its end meanwhile
                servers = [each for each in psutil.Process().children(recursive=True) if FORKS in each.cmdline()]
                if servers:
                    os.kill(parent := servers[0].ppid(), signal.SIGKILL)
                    killed.append(parent)

    account = hds.corpus.run(SCRIPT, named, folder / "results", jobs=2, budget=Budget(timeout=1.0), watch=kill_a_worker)
    assert killed
    return folder, account


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
    assert (account.files, account.run, account.duplicates, account.unreadable) == (25, 23, 1, 1)
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


def test_what_failed_is_run_again_and_replaces_its_rows(
    campaign: tuple[Path, hds.corpus.Account], tmp_path: Path
) -> None:
    folder, _ = campaign
    shutil.copytree(folder / "results", tmp_path / "results")
    named = [folder / "samples", folder / "samples" / "gone"]
    dry = hds.corpus.run(SCRIPT, named, tmp_path / "results", retry=True, dry_run=True)
    assert (dry.run, dry.unreadable) == (1, 1)
    again = hds.corpus.run(SCRIPT, named, tmp_path / "results", retry=True, jobs=1, budget=Budget(timeout=0.5))
    assert again.outcomes == {"timeout": 1, "no_input": 1}
    changing = {"instructions": 0}
    assert [row | changing for row in dataset(tmp_path / "results")["programs"]] == [
        row | changing for row in dataset(folder / "results")["programs"]
    ]


def test_what_failed_and_is_not_named_keeps_its_rows(
    campaign: tuple[Path, hds.corpus.Account], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, _ = campaign
    before = dataset(folder / "results")
    shutil.copytree(folder / "results", tmp_path / "results")
    one = [folder / "samples" / "0000", folder / "samples" / "0001"]
    assert hds.corpus.run(SCRIPT, one, tmp_path / "results", retry=True).run == 0
    hds.corpus.run(SCRIPT, [folder / "samples"], tmp_path / "results", retry=True, select="0001")
    assert dataset(tmp_path / "results") == before
    again = os.path.relpath(folder / "samples" / "gone")  # another name of the same file
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(os.fsencode(again) + b"\n")))
    assert hds.corpus.run(SCRIPT, ["-"], tmp_path / "results", retry=True).outcomes == {"no_input": 1}
    assert dataset(tmp_path / "results") == before


def test_a_file_that_is_named_twice_has_one_row(
    campaign: tuple[Path, hds.corpus.Account], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, _ = campaign
    monkeypatch.chdir(folder)
    named: list[str | Path] = [
        "samples/0003",
        folder / "samples" / "0003",
        "samples/0022",
        "samples/gone",
        folder / "samples" / "gone",
    ]
    hds.corpus.run(SCRIPT, named, tmp_path / "results", jobs=1)
    rows = dataset(tmp_path / "results")
    paths = {str(folder / name) for name in ("samples/0003", "samples/0022", "samples/gone")}
    assert len(rows["files"]) == 3
    assert {row["path"] for row in rows["files"]} == paths
    assert len(rows["programs"]) == 2


def test_what_is_no_order_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no program is named"):
        hds.corpus.run(SCRIPT, [], tmp_path / "results")
    with pytest.raises(ValueError, match="jobs=0"):
        hds.corpus.run(SCRIPT, ["x"], tmp_path / "results", jobs=0)
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_bytes(b"")
    for dry in (True, False):
        with pytest.raises(NoPrograms, match="there is no file in what is named"):
            hds.corpus.run(SCRIPT, str(tmp_path / "empty"), tmp_path / "results", dry_run=dry)
        with pytest.raises(NoPrograms, match=r"cannot read .*/nowhere: No such file"):
            hds.corpus.run(SCRIPT, [tmp_path, tmp_path / "nowhere"], tmp_path / "results", dry_run=dry)
        with pytest.raises(NoPrograms, match="--select takes no file"):
            hds.corpus.run(SCRIPT, [tmp_path], tmp_path / "results", select="zzz", dry_run=dry)
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("x x x", r"script\.hds:1:1: error E240: incorrect use of the 'x': "),
        ("!syscall script { print(1); }\nwrmsr", "incorrect use of the 'wrmsr': "),
        ("!pte", "incorrect use of the '!pte': "),
        ("!smi", "a command of the script is refused for all programs"),
    ],
)
def test_a_command_that_no_program_makes_right_is_refused_once(tmp_path: Path, script: str, why: str) -> None:
    folder = samples(tmp_path / "samples", map(program, range(3)))
    with pytest.raises(CommandRefused, match=why):
        hds.corpus.run(script, [folder], tmp_path / "results", jobs=1)
    if (tmp_path / "results").exists():
        assert dataset(tmp_path / "results")["programs"] == []


def test_a_command_that_programs_make_right_is_a_row_of_each(tmp_path: Path) -> None:
    folder = samples(tmp_path / "samples", [program(1), b"no program", program(2)])
    account = hds.corpus.run("u 400078 l 4\ndb 100000", [folder], tmp_path / "results", jobs=1)
    assert account.outcomes == {"refused_command": 2, "load_error": 1}


def test_the_command_line_shows_what_it_comes_to(campaign: tuple[Path, hds.corpus.Account]) -> None:
    folder, _ = campaign
    words = [sys.executable, "-m", "hds", "corpus"]
    line = [*words, "status", str(folder / "results")]
    shown = subprocess.run(line, capture_output=True, text=True, check=False)
    assert shown.returncode == 1  # a timeout, and a file that cannot be read
    assert "24 programs, " in shown.stdout
    assert "\n  ok           20\n" in shown.stdout
    line += ["--format", "json"]
    found = json.loads(subprocess.run(line, capture_output=True, text=True, check=False).stdout)
    assert (found["programs"], found["outcomes"]["guest_crash"], found["calls"]) == (24, 1, [["exit", 20]])


def test_duckdb_reads_the_dataset(campaign: tuple[Path, hds.corpus.Account]) -> None:
    folder, _ = campaign
    duckdb = pytest.importorskip("duckdb", reason="duckdb is not installed")
    query = f"SELECT name, count(*) FROM '{folder}/results/triggers/*.parquet' GROUP BY name"
    assert duckdb.sql(query).fetchall() == [("exit", 20)]


def test_nothing_of_the_current_folder_is_executed(tmp_path: Path) -> None:
    for name in ("msgspec", "hds", "multiprocessing", "socket", "struct", "pickle"):
        (tmp_path / f"{name}.py").write_text("open('caught', 'w').close()\n")
    (tmp_path / "script.hds").write_text(SCRIPT)
    samples(tmp_path / "samples", [program(3)])
    as_installed = "import sys; del sys.path[0]; from hds.cli import entry; entry()"
    words = ["corpus", "script.hds", "-o", "results", "samples"]
    done = subprocess.run(
        [sys.executable, "-c", as_installed, *words], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.returncode, (tmp_path / "caught").exists()) == (0, False), done.stderr
    assert [row["outcome"] for row in dataset(tmp_path / "results")["programs"]] == ["ok"]


@pytest.mark.nightly
def test_two_thousand_programs_have_rows_in_files_of_a_thousand(tmp_path: Path) -> None:
    count = often(40, 2000)
    programs = (program(number % 256, b"\x90" * (number // 256)) for number in range(count))
    folder = samples(tmp_path / "samples", programs)
    account = hds.corpus.run(SCRIPT, [folder], tmp_path / "results", jobs=2)
    assert account.outcomes == {"ok": count}
    assert len(list((tmp_path / "results" / "programs").iterdir())) <= (count + 999) // 1000
