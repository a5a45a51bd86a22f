"""`hds trace` of Windows programs on Wine's DLLs: what their calls are given and give, by name."""

from __future__ import annotations

from pathlib import Path

import pytest
from hds_guests import command_line
from windows_world import make_root, needs_wine

pytestmark = [pytest.mark.programs, needs_wine]
SHOWN = {
    "hello": [
        'NtWriteFile(0x54<File>, 0, NULL, 0, {Status=STATUS_SUCCESS, Information=23}, "hello, 1 args, printf\\r\\n", ',
        "NtTerminateProcess(NtCurrentProcess(), 0x00000005) = ?",
        "+++ exited with 5 +++",
    ],
    "files": [
        '<C:\\prog\\made>, GENERIC_READ|SYNCHRONIZE, {Name="\\??\\C:\\prog\\made", Attributes=OBJ_CASE_INSENSITIVE}, ',
        "NULL, FILE_ATTRIBUTE_NORMAL, FILE_SHARE_READ, FILE_CREATE, FILE_DIRECTORY_FILE|FILE_SYNCHRONOUS_IO_NONALERT, ",
        '<C:\\prog\\made\\one.txt>, 0, NULL, 0, {Status=STATUS_SUCCESS, Information=5}, "world", 15, NULL, NULL) =',
        "NULL, 0) = STATUS_OBJECT_NAME_COLLISION",
        "24, FileStandardInformation) = STATUS_SUCCESS",
        ", PAGE_READWRITE, SEC_COMMIT, 0xb0<C:\\prog\\made\\one.txt>) = STATUS_SUCCESS",
        "ViewShare, 0, PAGE_READWRITE) = STATUS_SUCCESS",
        'FileBothDirectoryInformation, FALSE, "*", TRUE) = STATUS_SUCCESS',
    ],
    "reg": [
        ", KEY_READ, {RootDirectory=0xa4<\\REGISTRY\\Machine>, Name=",
        '"ProductName", KeyValuePartialInformation, {Type=REG_SZ, Data="Windows 10 Pro\\0"}, 256, [42]) =',
    ],
}


@pytest.mark.parametrize("name", SHOWN)
def test_arguments_have_the_names_of_windows(name: str, tmp_path: Path) -> None:
    root = make_root(tmp_path / "c", tmp_path, name)
    ran = command_line("trace", "-y", "--root-rw", str(root), str(root / "prog" / f"{name}.exe"))
    assert ran.code == 0
    assert [each for each in SHOWN[name] if each not in ran.output] == []


def test_classes_choose_calls_of_windows(tmp_path: Path) -> None:
    root = make_root(tmp_path / "c", tmp_path, "reg")
    ran = command_line("trace", "-e", "trace=%registry", "--root", str(root), str(root / "prog" / "reg.exe"))
    assert {line.partition("(")[0] for line in ran.output.splitlines()[:-1]} == {"NtOpenKeyEx", "NtQueryValueKey"}
