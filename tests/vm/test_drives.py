"""Paths of Windows: which folder stands for a drive, how names are found in it, and that nothing leads out of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from vm.drives import NO_DRIVES, DriveRefused, Drives, read_drives


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    """A folder that stands for a drive, and a file outside."""
    disk = tmp_path / "disk"
    (disk / "Users" / "Sina").mkdir(parents=True)
    (disk / "Users" / "Sina" / "Script.TXT").write_text("in")
    (tmp_path / "secret").write_text("out")
    (disk / "out").symlink_to(tmp_path)
    (disk / "in").symlink_to("Users/Sina")
    for name in ("two", "TWO"):
        (disk / name).write_text(name)
    return disk.resolve()


def drives(disk: Path) -> Drives:
    return read_drives([f"c={disk}", f"\\\\server\\share={disk}"])


@pytest.mark.parametrize(
    "path",
    [
        "c:\\users\\sina\\script.txt",
        "C:/Users/SINA/Script.TXT",
        "c:users\\sina\\script.txt",
        "c:\\\\users\\\\sina\\\\script.txt",
        "c:\\no where\\..\\users\\.\\sina\\script.txt",
        "c:\\in\\script.txt",
        "\\\\?\\c:\\users\\sina\\script.txt",
        "\\\\Server\\Share\\users\\sina\\script.txt",
        "\\\\\\\\server\\\\share\\\\users\\\\sina\\\\script.txt",
        "\\\\?\\UNC\\server\\share\\users\\sina\\script.txt",
    ],
)
def test_a_path_of_windows_is_found_whatever_its_case(disk: Path, path: str) -> None:
    assert drives(disk).locate(path) == disk / "Users" / "Sina" / "Script.TXT"


def test_an_exact_name_wins_over_one_in_other_case(disk: Path) -> None:
    assert drives(disk).locate("c:\\two") == disk / "two"
    assert drives(disk).locate("c:\\TWO") == disk / "TWO"
    with pytest.raises(DriveRefused, match="'Two' may be any of TWO, two"):
        drives(disk).locate("c:\\Two")


def test_what_does_not_exist_keeps_its_name(disk: Path) -> None:
    assert drives(disk).locate("c:\\users\\New.log") == disk / "Users" / "New.log"
    assert drives(disk).locate("c:\\a\\b") == disk / "a" / "b"


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("c:\\..\\secret", "leads out of its drive by '..'"),
        ("c:\\users\\..\\..\\secret", "leads out of its drive by '..'"),
        ("c:\\out\\secret", "leads out of the folder .* by a link"),
        ("c:\\OUT\\new", "leads out of the folder .* by a link"),
        ("c:\\a\0b", "cannot look up"),
    ],
)
def test_nothing_leads_out_of_the_folder(disk: Path, path: str, message: str) -> None:
    with pytest.raises(DriveRefused, match=message):
        drives(disk).locate(path)


@pytest.mark.parametrize(
    ("path", "hint"),
    [
        ("c:\\x", "--drive c=DIR says where it is"),
        ("Z:/x", "--drive z=DIR says where it is"),
        ("c:x", "--drive c=DIR says where it is"),
        ("\\\\server\\share\\x", "--drive \\\\server\\share=DIR says where it is"),
        ("\\\\.\\pipe\\x", "--drive \\\\.\\pipe=DIR says where it is"),
        ("\\x", "write the drive: c:\\..., and give --drive c=DIR"),
        ("\\\\server", "write the drive: c:\\..., and give --drive c=DIR"),
    ],
)
def test_a_path_of_windows_without_a_folder_is_refused_with_a_hint(path: str, hint: str) -> None:
    with pytest.raises(DriveRefused) as caught:
        NO_DRIVES.locate(path)
    assert caught.value.hint == hint
    assert str(caught.value).startswith(f"'{path}' is a path of Windows")


@pytest.mark.parametrize(
    ("path", "found"),
    [("a\\b.txt", "base/a/b.txt"), ("a/b.txt", "base/a/b.txt"), ("..\\b", "base/../b"), ("/tmp/x", "/tmp/x"),
     ("//tmp/x", "//tmp/x"), ("ab:c", "base/ab:c")],
)  # fmt: skip
def test_in_other_paths_a_backslash_is_a_separator(path: str, found: str) -> None:
    assert NO_DRIVES.locate(path, Path("base")) == Path(found)


@pytest.mark.parametrize("text", ["c", "c=", "=x", "cc=.", "c:\\x=.", "/=.", "\\\\server=."])
def test_a_malformed_drive_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected c=DIR"):
        read_drives([text])


def test_a_drive_needs_a_folder_that_exists(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="is no folder"):
        read_drives([f"c={tmp_path / 'none'}"])
    assert read_drives([f"C:={tmp_path}"]) == Drives({"c:": tmp_path})
