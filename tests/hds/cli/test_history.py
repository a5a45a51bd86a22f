"""The file of what was typed: what is kept, and which files are not touched."""

from __future__ import annotations

from pathlib import Path

import pytest

from hds.cli import history


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "state" / "history"
    monkeypatch.setenv("HDS_HISTORY", str(path))
    return path


def test_texts_come_back_in_order_and_blocks_as_one(file: Path) -> None:
    assert history.read() == []
    texts = ["r rax", "? {\n  print(1);\n}", 'printf("ä\\n")']
    for text in texts:
        history.add(text)
    assert history.read() == texts
    assert file.stat().st_mode & 0o777 == 0o600


def test_an_empty_name_keeps_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HDS_HISTORY", "")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    history.add("g")
    assert (history.read(), list(tmp_path.iterdir())) == ([], [])


def test_the_file_lies_in_the_state_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("HDS_HISTORY", raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    history.add("g")
    assert (tmp_path / "hds" / "history").read_text() == '"g"\n'


def test_a_link_is_not_followed(file: Path, tmp_path: Path) -> None:
    target = tmp_path / "secret"
    target.write_text('"r"\n')
    file.parent.mkdir()
    file.symlink_to(target)
    history.add("g")
    assert (history.read(), target.read_text()) == ([], '"r"\n')


def test_lines_of_others_are_passed_over(file: Path) -> None:
    file.parent.mkdir()
    file.write_bytes(b'"g"\n\xff{\n7\n"t"\n')
    assert history.read() == ["g", "t"]


def test_the_older_half_goes_when_there_is_too_much(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "MOST_BYTES", 200)
    for number in range(100):
        history.add(f"print {number}")
    assert file.stat().st_size <= 200
    kept = history.read()
    assert kept == [f"print {number}" for number in range(100 - len(kept), 100)]
    assert len(kept) > 5
