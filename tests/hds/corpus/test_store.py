"""The dataset: parts that are added, merged and taken away as wholes, whatever interrupts that."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytest.importorskip("pyarrow", reason="pyarrow (extra corpus) is not installed")

import pyarrow as pa
import pyarrow.parquet as pq

from hds.corpus import BadResults, Reading
from hds.corpus.campaign import Identity
from hds.corpus.rows import table
from hds.corpus.store import FULL_PROGRAMS, Progress, Store

IDENTITY = Identity("s.hds", "d" * 64, {"kernel": None}, "0")


def rows(first: int, count: int = 1) -> dict[str, pa.Table]:
    """Programs `first` and following, each with two messages."""
    keys = [f"{number:064d}" for number in range(first, first + count)]
    return {
        "programs": table("programs", ({"key": key, "outcome": "ok"} for key in keys)),
        "messages": table("messages", ({"key": key, "number": at} for key in keys for at in range(2))),
    }


def contents(folder: Path) -> tuple[list[int], list[int]]:
    """The numbers of programs, and those of the programs of messages."""
    reading = Reading(folder)
    return tuple(  # type: ignore[return-value]  # two
        sorted(int(row["key"]) for batch in reading.rows(name, ["key"]) for row in batch.to_pylist())
        for name in ("programs", "messages")
    )


def names(folder: Path, name: str = "programs") -> list[str]:
    """The files of a table."""
    return sorted(path.name for path in (folder / name).iterdir())


def test_rows_come_back_from_another_process_of_writing(tmp_path: Path) -> None:
    with Store(tmp_path, IDENTITY) as store:
        store.add(rows(0, 2))
    with Store(tmp_path, IDENTITY) as store:
        store.add(rows(2))
    assert contents(tmp_path) == ([0, 1, 2], [0, 0, 1, 1, 2, 2])
    assert names(tmp_path) == ["00000000.parquet", "00000001.parquet"]


def test_parts_are_merged_once_they_fill_one(tmp_path: Path) -> None:
    with Store(tmp_path, IDENTITY) as store:
        store.add(rows(0, FULL_PROGRAMS // 2))
        store.compact()
        assert len(names(tmp_path)) == 1
        store.add(rows(FULL_PROGRAMS // 2, FULL_PROGRAMS // 2))
        assert len(names(tmp_path)) == 2
        store.compact()
        store.add(rows(FULL_PROGRAMS))
        store.compact(all_of_them=True)  # what is full stays
    assert names(tmp_path) == names(tmp_path, "messages") == ["00000002.parquet", "00000003.parquet"]
    assert contents(tmp_path)[0] == list(range(FULL_PROGRAMS + 1))


def test_runs_are_taken_away_with_all_their_rows(tmp_path: Path) -> None:
    with Store(tmp_path, IDENTITY) as store:
        store.add(rows(0, 3))
        store.add(rows(3))
        store.drop({f"{1:064d}", f"{3:064d}"}.__contains__)
    assert contents(tmp_path) == ([0, 2], [0, 0, 2, 2])
    assert names(tmp_path) == ["00000002.parquet"]  # of the second part nothing is left


class PowerCutError(BaseException):
    """Nothing happens any more."""


@pytest.fixture
def cut(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """The number of changes to the disk that still happen; None of the following ones do."""
    left = [1 << 30]

    def counted(function: Callable[..., object]) -> Callable[..., object]:
        def wrapper(*arguments: object, **named: object) -> object:
            left[0] -= 1
            if left[0] < 0:
                raise PowerCutError
            return function(*arguments, **named)

        return wrapper

    for name, function in (("rename", os.rename), ("unlink", os.unlink), ("fsync", lambda descriptor: None)):
        monkeypatch.setattr(os, name, counted(function))
    yield left
    left[0] = 1 << 30


@pytest.mark.lasting
@pytest.mark.parametrize("what", ["add", "compact", "drop"])
def test_a_change_happens_wholly_or_not_at_all(tmp_path: Path, cut: list[int], what: str) -> None:
    before, after = {
        "add": ([0, 1], [0, 1, 2]),
        "compact": ([0, 1], [0, 1]),
        "drop": ([0, 1], [1]),
    }[what]
    seen: set[tuple[int, ...]] = set()
    for moment in range(60):
        folder = tmp_path / str(moment)
        with Store(folder, IDENTITY) as store:
            store.add(rows(0))
            store.add(rows(1))
            cut[0] = moment
            try:
                match what:
                    case "add":
                        store.add(rows(2))
                    case "compact":
                        store.compact(all_of_them=True)
                    case _:
                        store.drop({f"{0:064d}"}.__contains__)
            except PowerCutError:
                pass
            finished = cut[0] >= 0
            cut[0] = 1 << 30
        with Store(folder, IDENTITY) as store:
            found = contents(folder)
            assert found[0] in (before, after)
            assert found[1] == sorted(found[0] * 2)
            assert not list(folder.glob("*/*.new"))
            store.add(rows(9))  # and it goes on from there
        assert contents(folder)[0] == [*found[0], 9]
        seen.add(tuple(found[0]))
        if finished:
            assert found[0] == after
            break
    else:
        raise AssertionError("the change never came to its end")
    assert seen == {tuple(before), tuple(after)}


def test_one_writes_at_a_time(tmp_path: Path) -> None:
    with Store(tmp_path, IDENTITY) as store:
        store.note(Progress(total=5, seen=3))
        with pytest.raises(BadResults, match="another campaign writes to"):
            Store(tmp_path, IDENTITY)
        assert Reading(tmp_path).is_written_to()
        assert Reading(tmp_path).progress.seen == 3
    assert not Reading(tmp_path).is_written_to()
    Store(tmp_path, IDENTITY).close()


def test_a_folder_has_the_results_of_one_campaign(tmp_path: Path) -> None:
    Store(tmp_path, IDENTITY).close()
    with pytest.raises(BadResults, match="another campaign: the script is another one"):
        Store(tmp_path, Identity("s.hds", "e" * 64, {}, "0"))
    with pytest.raises(BadResults, match="made by hds 0, and this is 1"):
        Store(tmp_path, Identity("s.hds", "d" * 64, {}, "1"))
    with pytest.raises(BadResults, match=r"other options \(kernel\)"):
        Store(tmp_path, Identity("s.hds", "d" * 64, {"kernel": "nt"}, "0"))


def test_what_an_older_version_wrote_lacks_what_is_new(tmp_path: Path) -> None:
    with Store(tmp_path, IDENTITY) as store:
        store.add({"files": table("files", [{"path": "a", "key": "k"}])})
    path = next((tmp_path / "files").iterdir())
    old = pq.read_table(path).drop_columns(["path_bytes"])
    pq.write_table(old, path)
    found = [row for batch in Reading(tmp_path).rows("files") for row in batch.to_pylist()]
    assert found == [{"path": "a", "path_bytes": None, "key": "k"}]
    with Store(tmp_path, IDENTITY) as store:
        store.add({"files": table("files", [{"path": "b", "key": "k"}])})
        store.compact(all_of_them=True)
    assert [row["path"] for batch in Reading(tmp_path).rows("files") for row in batch.to_pylist()] == ["a", "b"]


def test_what_is_no_dataset_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadResults, match="has no results of hds corpus"):
        Reading(tmp_path)
    Store(tmp_path, IDENTITY).close()
    (tmp_path / "programs" / "00000000.parquet").write_bytes(b"PAR1")
    with pytest.raises(BadResults, match="cannot be read"):
        Store(tmp_path, IDENTITY)
    (tmp_path / "campaign.json").write_text("{")
    with pytest.raises(BadResults, match="cannot be read"):
        Reading(tmp_path)
