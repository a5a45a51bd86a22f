"""`hds trace` of Windows programs on Wine's DLLs: what their calls are given and give, by name."""

from __future__ import annotations

import json
import re
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


@pytest.mark.parametrize(
    ("arguments", "end"),
    [
        (("2", "7"), "3221226505 (0xc0000409, STATUS_STACK_BUFFER_OVERRUN)"),
        (("e",), "3221225477 (0xc0000005, STATUS_ACCESS_VIOLATION)"),
        (("x", "7"), "7"),
    ],
    ids=["fast fail", "status", "code"],
)
def test_every_end_has_a_line_with_the_name_of_its_code(arguments: tuple[str, ...], end: str, tmp_path: Path) -> None:
    root = make_root(tmp_path / "c", tmp_path, "ends")
    program = (str(root / "prog" / "ends.exe"), *arguments)
    lines = command_line("trace", "--guest-output", "none", "--root", str(root), *program).output.splitlines()
    assert re.sub(r"^\[pid +\d+\] ", "", lines[-1]) == f"+++ exited with {end} +++"
    rows = command_line("trace", "--json", "--guest-output", "none", "--root", str(root), *program).output.splitlines()
    ends = [row for row in map(json.loads, rows) if row["type"] == "incident" and row["kind"] == "exit"]
    assert (ends[-1]["text"], ends[-1]["code"]) == (f"+++ exited with {end} +++", int(end.partition(" ")[0]))
