"""What is found in the emulator's memory is kept: by the files that it follows from, and only where it is whole."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from source_trees import ROOT

from machine.processor import cpu_model, hidden_state, kept_places, window
from machine.processor.kept_places import kept_or_found
from vm.native import code_cache

# What a search finds, in a process that has what others have kept.
_SEARCHES = """
from machine.processor import cpu_model, hidden_state, window
def refuse(*_): raise SystemExit("it is searched for")
for module, name in ((window, "_find_layout"), (cpu_model, "_find_place"), (hidden_state, "_find_places")):
    exec(f"def {name}(): refuse()", vars(module))
    vars(module)[name].__code__ = vars(module)[name].__code__.replace(co_filename=module.__file__)
print(window._layout(), cpu_model._place(), hidden_state._places())
"""


class Found(msgspec.Struct, frozen=True):
    """What a search comes to."""

    place: int


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where it is kept."""
    monkeypatch.setenv("HDS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def find() -> Found | None:
    return Found(7)


def not_at_all() -> Found | None:
    raise AssertionError("it is searched for")


def test_what_was_found_is_not_searched_for_again(folder: Path) -> None:
    assert kept_or_found("a", Found, find) == Found(7)
    assert kept_or_found("a", Found, not_at_all) == Found(7)


def test_nothing_found_is_not_kept(folder: Path) -> None:
    assert kept_or_found("a", Found, lambda: None) is None
    assert not folder.exists()


@pytest.mark.parametrize("data", [b"", b"{}", b"[1]", b'{"place":"x"}'])
def test_what_has_another_form_is_searched_for(folder: Path, data: bytes) -> None:
    key = kept_places._key("a", __file__)
    assert key is not None
    code_cache.keep(key, data)
    assert kept_or_found("a", Found, find) == Found(7)
    assert kept_or_found("a", Found, not_at_all) == Found(7)


def test_without_a_folder_it_is_searched_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HDS_CACHE", "")
    assert kept_or_found("a", Found, find) == Found(7)


def test_another_file_of_the_search_is_another_key(tmp_path: Path) -> None:
    source = tmp_path / "search.py"
    source.write_text("1")
    keys = {kept_places._key("a", str(source)), kept_places._key("b", str(source))}
    os.utime(source, (1, 1))
    keys.add(kept_places._key("a", str(source)))
    assert len(keys) == 3
    assert None not in keys
    assert kept_places._key("a", str(tmp_path / "nowhere.py")) is None


def test_the_next_process_has_what_this_one_has_found(folder: Path) -> None:
    found = [
        kept_or_found("window", window._Layout, window._find_layout),
        kept_or_found("features", tuple[int, int], cpu_model._find_place),
        kept_or_found("hidden state", hidden_state._Places, hidden_state._find_places),
    ]
    assert None not in found
    ran = subprocess.run([sys.executable, "-c", _SEARCHES], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout.strip(), ran.stderr) == (0, " ".join(map(str, found)), "")
