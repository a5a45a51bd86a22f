"""`hds doctor` where there is nothing to look at; tests/machine/kernel/nt looks at a folder of DLLs."""

from __future__ import annotations

from pathlib import Path

import pytest

from hds.cli.main import main


def test_of_an_empty_folder_every_file_is_missing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--root", str(tmp_path)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "calls of ntdll: there is no ntdll"
    assert "files: 0 found, 7 missing" in lines
    assert lines[2].split() == ["missing", "ntdll.dll"]


def test_a_folder_that_is_not_there_is_no_input(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--root", str(tmp_path / "x")]) == 3
    assert main(["doctor"]) == 2
    capsys.readouterr()


def test_an_ntdll_that_is_none_is_told_of_as_broken(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    system = tmp_path / "windows" / "SYSTEM32"
    system.mkdir(parents=True)
    (system / "NTDLL.dll").write_bytes(b"MZ" + bytes(100))
    assert main(["doctor", "--root", str(tmp_path)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == ["calls of ntdll: it is broken", "files: 0 found, 6 missing, 1 broken"]
    why = "not a PE file: it has no `PE` signature"
    assert lines[2].split(maxsplit=1) == ["broken", f"C:\\windows\\system32\\ntdll.dll: {why}"]
