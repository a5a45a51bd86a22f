"""The cache of machine code: only what nobody else can have written is read, and without it everything works."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from engines import need_machine_code
from hds_guests import command_line, listing_file

need_machine_code()

from vm.native import code_cache  # noqa: E402
from vm.native.jit import compile_text  # noqa: E402

KEY = code_cache.key_of("a", "b")
DATA = b"\x7fELF and more"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the cache is; it does not exist yet."""
    path = tmp_path / "cache" / "hds"
    monkeypatch.setenv("HDS_CACHE", str(path))
    return path


def kept(folder: Path) -> Path:
    """The file of KEY."""
    code_cache.keep(KEY, DATA)
    (file,) = folder.iterdir()
    return file


def test_what_is_kept_is_read(folder: Path) -> None:
    assert code_cache.read(KEY) is None
    file = kept(folder)
    assert code_cache.read(KEY) == DATA
    assert (folder.stat().st_mode & 0o777, file.stat().st_mode & 0o777) == (0o700, 0o600)


def test_keys_know_where_a_text_ends() -> None:
    assert len({code_cache.key_of("ab", "c"), code_cache.key_of("a", "bc"), code_cache.key_of("abc")}) == 3


def writable(file: Path) -> None:
    file.chmod(0o620)


def open_folder(file: Path) -> None:
    file.parent.chmod(0o777)


def link(file: Path) -> None:
    file.rename(file.with_suffix(".x"))
    file.symlink_to(file.with_suffix(".x"))


def linked_folder(file: Path) -> None:
    folder = file.parent
    folder.rename(folder.with_name("elsewhere"))
    folder.symlink_to(folder.with_name("elsewhere"))


def fifo(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


def directory(file: Path) -> None:
    file.unlink()
    file.mkdir()


def changed(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-1] + b"!")


def cut_off(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-1])


def empty(file: Path) -> None:
    file.write_bytes(b"")


def large(file: Path) -> None:
    os.truncate(file, 1 << 40)


@pytest.mark.parametrize(
    "spoil", [writable, open_folder, link, linked_folder, fifo, directory, changed, cut_off, empty, large]
)
def test_what_others_may_have_written_is_not_read(folder: Path, spoil: Callable[[Path], None]) -> None:
    spoil(kept(folder))
    assert code_cache.read(KEY) is None
    code_cache.keep(KEY, DATA)  # says nothing, whatever comes of it


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
@pytest.mark.parametrize("what", ["file", "folder"])
def test_what_belongs_to_somebody_else_is_not_read(folder: Path, what: str) -> None:
    file = kept(folder)
    os.chown(file if what == "file" else folder, 12345, -1)
    assert code_cache.read(KEY) is None


@pytest.mark.parametrize("ending", ["/", "//", "/.", "/./"])
def test_a_link_is_none_the_less_with_a_slash_behind_it(
    folder: Path, ending: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    linked_folder(kept(folder))
    monkeypatch.setenv("HDS_CACHE", f"{folder}{ending}")
    assert code_cache.read(KEY) is None
    monkeypatch.setenv("HDS_CACHE", f"{folder.with_name('elsewhere')}{ending}")
    assert code_cache.read(KEY) == DATA


@pytest.mark.parametrize("path", ["", "/proc/nothing/hds", "/dev/null"])
def test_without_a_folder_everything_is_compiled(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HDS_CACHE", path)
    assert compile_text("define void @nothing() { ret void }").address("nothing")
    assert code_cache.read(KEY) is None


def test_the_folder_follows_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("HDS_CACHE")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CACHE_HOME", "not/absolute")
    code_cache.keep(KEY, DATA)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    code_cache.keep(KEY, DATA)
    assert (tmp_path / "home/.cache/hds" / f"{KEY}.o").exists()
    assert (tmp_path / "xdg/hds" / f"{KEY}.o").exists()


def test_the_oldest_files_make_room(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(code_cache, "MOST_CACHED_BYTES", 4 * (len(DATA) + 8))
    keys = [code_cache.key_of(str(number)) for number in range(6)]
    for age, key in enumerate(keys):
        code_cache.keep(key, DATA)
        os.utime(folder / f"{key}.o", ns=(age, age))
    last = next(key for number in range(1000) if (key := code_cache.key_of(f"last {number}")).startswith("0"))
    code_cache.keep(last, DATA)  # behind one in sixteen the folder is looked at
    assert [key for key in keys if code_cache.read(key)] == keys[3:]
    assert code_cache.read(last) == DATA


def test_guests_do_not_write_to_a_folder_with_the_cache_in_it(folder: Path, tmp_path: Path) -> None:
    program = listing_file(tmp_path, "mov eax, 60; syscall")
    code_cache.keep(KEY, DATA)
    (tmp_path / "link").symlink_to(tmp_path / "cache")
    (tmp_path / "cachet").mkdir()
    within = [tmp_path, folder, folder.parent, tmp_path / "link", Path("/")]
    assert [code_cache.kept_within(each) for each in within] == [str(folder)] * len(within)
    assert code_cache.kept_within(tmp_path / "cachet") is None
    for each in within[:4]:
        ran = command_line("run", "--kernel", "linux", "--root-rw", str(each), "-e", "g", program)
        assert ran.code != 0
        assert f"machine code of hds is kept in {folder}, which" in ran.errors
        assert "HDS_CACHE" in ran.errors
