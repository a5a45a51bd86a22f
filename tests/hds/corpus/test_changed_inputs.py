"""Files that come, change, go, or cannot be read, and names of all kinds: what the dataset says of them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("distributed", reason="distributed (extra corpus) is not installed")

from corpus_world import SCRIPT, dataset, program, samples

import hds.corpus
from hds.corpus import NoPrograms
from hds.corpus.inputs import path_of_row

pytestmark = pytest.mark.programs
WORDS = (sys.executable, "-m", "hds", "corpus", "-e", SCRIPT, "--jobs", "1", "--quiet")


def files(results: Path) -> dict[str, str]:
    """The files by name, with the outcomes of their runs; each has one row."""
    rows = dataset(results)
    outcomes = {row["key"]: row["outcome"] for row in rows["programs"]}
    found = {os.path.basename(path_of_row(row)): outcomes[row["key"]] for row in rows["files"]}
    assert len(found) == len(rows["files"])
    return found


def test_a_file_that_changes_has_its_new_run(tmp_path: Path) -> None:
    folder, results = samples(tmp_path / "samples", map(program, range(3))), tmp_path / "results"
    hds.corpus.run(SCRIPT, [folder], results, jobs=1)
    (folder / "0000").write_bytes(b"no program")
    (folder / "0001").write_bytes(program(2))
    again = hds.corpus.run(SCRIPT, [folder], results, jobs=1)
    assert (again.run, again.done_before) == (1, 2)
    assert files(results) == {"0000": "load_error", "0001": "ok", "0002": "ok"}
    assert len(dataset(results)["programs"]) == 4  # a content that was run stays
    assert len({row["key"] for row in dataset(results)["files"]}) == 2


def test_a_name_that_was_wrong_leaves_nothing_once_it_is_right(tmp_path: Path) -> None:
    folder, results = samples(tmp_path / "samples", [program(3)]), tmp_path / "results"
    (tmp_path / "list").write_text(f"{folder}/0000\r\n{folder}/000O\r\n")
    hds.corpus.run(SCRIPT, [f"@{tmp_path}/list"], results, jobs=1)
    hds.corpus.run(SCRIPT, [f"@{tmp_path}/list"], results, jobs=1)
    assert files(results) == {"0000": "ok", "000O": "no_input"}
    (tmp_path / "list").write_text(f"{folder}/0000\n")
    hds.corpus.run(SCRIPT, [f"@{tmp_path}/list"], results, jobs=1)
    assert files(results) == {"0000": "ok"}
    assert len(dataset(results)["programs"]) == 1


def test_a_name_that_is_wrong_is_said_before_anything_runs(tmp_path: Path) -> None:
    samples(tmp_path / "samples", [program(3)])
    for words in (("samples/000O", "samples"), ("samples", "--select", "zzz"), ("@nowhere", "samples")):
        done = subprocess.run(
            [*WORDS, "-o", "results", *words], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stdout) == (3, "")
        assert done.stderr.startswith("hds: ")
        assert not (tmp_path / "results").exists()


STRANGE = (b"a\xff", b"a\xfe", b"a\\xff", b"two\nlines", b" ", "ä€😀".encode(), b"-e", b"@x", b"\x1b[31m")


def test_files_have_the_names_that_they_have(tmp_path: Path) -> None:
    folder, results = tmp_path / os.fsdecode(b"folder\xf0"), tmp_path / "results"
    folder.mkdir()
    for code, name in enumerate(STRANGE):
        (folder / os.fsdecode(name)).write_bytes(program(code))
    (folder / os.fsdecode(b"gone\xff")).symlink_to("nowhere")
    (tmp_path / "list").write_bytes(os.fsencode(folder) + b"/gone\xff\n")
    os.mkfifo(folder / "pipe")
    (folder / "loop").symlink_to(folder)
    named: list[str | Path] = [folder, f"@{tmp_path}/list"]
    first = hds.corpus.run(SCRIPT, named, results, jobs=1)
    assert first.outcomes == {"ok": len(STRANGE), "no_input": 1}
    again = hds.corpus.run(SCRIPT, named, results, jobs=1)
    assert (again.run, again.done_before, again.outcomes) == (0, len(STRANGE), {})
    rows = dataset(results)
    names = {os.path.basename(os.fsencode(path_of_row(row))): row["exit_code"] for row in rows["programs"]}
    assert names == {**{name: code for code, name in enumerate(STRANGE)}, b"gone\xff": None}
    assert {path_of_row(row) for row in rows["files"]} == {path_of_row(row) for row in rows["programs"]}


def test_what_is_no_regular_file_is_a_row_and_holds_nothing_up(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "list").write_bytes(b"/dev/null\n/dev/zero\n/proc/self/mem\nnul\0byte\n" + b"x" * 5000 + b"\n")
    named: list[str | Path] = [*(tmp_path / name for name in ("pipe", "empty", "loop")), f"@{tmp_path}/list"]
    hds.corpus.run(SCRIPT, named, tmp_path / "results", jobs=1)
    found = files(tmp_path / "results")
    assert found.pop("empty") == "load_error"
    assert set(found.values()) <= {"no_input", "load_error"}
    assert found["loop"] == found["zero"] == found["pipe"] == "no_input"


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    folder = samples(tmp_path / "samples", [program(3)])
    (tmp_path / "file").write_bytes(b"")
    for results in ("/proc/results", str(tmp_path / "file"), str(tmp_path / "file" / "inner"), "/dev/null"):
        done = subprocess.run([*WORDS, "-o", results, str(folder)], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout) == (3, ""), results
        assert done.stderr.startswith("hds: ")
    with pytest.raises(NoPrograms):
        hds.corpus.run(SCRIPT, ["nul\0byte"], tmp_path / "results")
