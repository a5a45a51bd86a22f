"""Drive C: of a Windows guest: no name leads out of the folder, whoever has resolved the path before."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from machine.kernel.linux.errors import LinuxError
from machine.kernel.linux.host_files import HostDirectory, show_folder
from machine.kernel.linux.host_rules import FolderQuota
from machine.kernel.nt.paths import components
from machine.kernel.nt.status import STATUS_OBJECT_NAME_INVALID, NtError
from machine.kernel.nt.volume import Volume
from vm.facts.limits import DEFAULT_LIMITS


@pytest.fixture
def folder(tmp_path: Path) -> HostDirectory:
    """A writable folder with a directory, and a secret beside it."""
    (tmp_path / "secret").write_text("kept")
    (tmp_path / "c" / "prog").mkdir(parents=True)
    (tmp_path / "c" / "own").write_text("own")
    return show_folder(tmp_path / "c", True, FolderQuota(DEFAULT_LIMITS), os.getuid(), os.getgid())


@pytest.mark.parametrize(
    "path",
    ["\\..\\secret", "\\prog\\..\\..\\secret", "\\..", "\\prog\\..\\own", "\\.\\own", "\\prog\\.", "\\..\\..\\secret"],
)
def test_steps_up_are_no_names_for_nt(folder: HostDirectory, path: str) -> None:
    names = components(f"\\??\\C:{path}", None)
    assert isinstance(names, tuple)
    with pytest.raises(NtError) as caught:
        Volume(folder, None).find(names)
    assert caught.value.status == STATUS_OBJECT_NAME_INVALID


@pytest.mark.parametrize("name", [b"..", b"../secret", b"prog/../../secret", b"prog/x", b"/secret"])
@pytest.mark.parametrize(
    "use",
    [
        lambda folder, name: folder.child(name),
        lambda folder, name: folder.make_file(name, 0o600),
        lambda folder, name: folder.make_directory(name, 0o700),
        lambda folder, name: folder.make_link(name, b"own"),
        lambda folder, name: folder.remove_file(name),
        lambda folder, name: folder.remove_directory(name),
        lambda folder, name: folder.rename(name, folder, b"taken"),
        lambda folder, name: folder.rename(b"own", folder, name),
        lambda folder, name: folder.add_name(name, folder, b"own"),
        lambda folder, name: folder.add_name(b"taken", folder, name),
    ],
    ids=["find", "file", "directory", "link", "remove", "rmdir", "rename", "rename to", "name", "name of"],
)
def test_a_directory_of_the_host_takes_one_step_at_a_time(
    folder: HostDirectory, tmp_path: Path, name: bytes, use: Callable[[HostDirectory, bytes], object]
) -> None:
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(LinuxError):
        use(folder, name)
    assert sorted(tmp_path.rglob("*")) == before
    assert (tmp_path / "secret").read_text() == "kept"


def test_numbers_of_files_are_the_same_in_every_run(tmp_path: Path) -> None:
    volumes = []
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        for file in ("a", "b"):
            (tmp_path / name / file).write_text("")
        folder = show_folder(tmp_path / name, True, FolderQuota(DEFAULT_LIMITS), os.getuid(), os.getgid())
        volumes.append(Volume(folder, None))
    told = [[each.number_of(each.find((file,))) for file in ("b", "a", "B")] for each in volumes]
    assert told[0] == told[1]
    assert told[0][0] == told[0][2] != told[0][1]
