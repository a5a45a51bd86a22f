"""The Windows programs that hds promises to run: output, exit code and calls, the same on both engines and every time.

They run on Wine's DLLs, and on Windows' own where HDS_WINDOWS_ROOT names some (docs/windows.md).
"""

from __future__ import annotations

import shutil
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from windows_world import END, PROGRAMS, WINDOWS, Outcome, build, make_root, missing_in, needs_windows, needs_wine, run

pytestmark = pytest.mark.programs
INT3, UD2 = 0x8000_0003, 0xC000_001D


@dataclass(frozen=True)
class Row:
    """A program, what it prints, its exit code, and calls behind the entry point.

    `calls` are made in this order, whatever stands between, or are all there are (`only`); `counts` says how often.
    """

    name: str
    lines: Sequence[str]
    code: int = 0
    calls: Sequence[str] = ()
    counts: Mapping[str, int] = field(default_factory=dict)
    only: bool = False
    arguments: Sequence[str] = ()
    stdin: bytes | None = None
    writable: bool = False


ROWS = (
    Row("free", ["freestanding"], 7, ("WriteFile", "TerminateProcess"), only=True),
    Row("k32", ["kernel32"], 3, ("WriteFile", *END), only=True),
    Row("hello", ["hello, 1 args, printf"], 5, ("WriteFile", *END), {"WriteFile": 1, "TerminateProcess": 2}),
    # Which of the two comes first is the library's: Wine's writes what is buffered when it is unloaded.
    Row("hello-ucrt", ["hello, 1 args, printf"], 5, END, {"WriteFile": 1, "TerminateProcess": 2}),
    Row(
        "file",
        ["open 1 err 0", "read 7 content size 7", "delete 1", "attr ffffffff"],
        calls=(
            "CreateFile", "WriteFile", "Close", "CreateFile", "ReadFile", "QueryInformationFile", "Close", "CreateFile",
            "Close", "QueryAttributesFile", *END,
        ),
        counts={"CreateFile": 3},
        writable=True,
    ),
    Row(
        "virt",
        ["old 4 prot 2 size 1000"],
        calls=("AllocateVirtualMemory", "ProtectVirtualMemory", "QueryVirtualMemory", "FreeVirtualMemory", *END),
    ),
    Row(
        "thr",
        ["n=4000 code=8"],
        calls=("CreateThreadEx", "ResumeThread", "WaitForMultipleObjects", "TerminateThread", "WriteFile", *END),
        counts={"CreateThreadEx": 4, "ResumeThread": 4, "TerminateThread": 4, "WaitForMultipleObjects": 1},
    ),
    Row(
        "exc",
        ["veh e0000001", "after raise", "veh c0000005", "after av"],
        calls=("WriteFile", "Continue", "WriteFile", "WriteFile", "Continue", "WriteFile", *END),
        counts={"Continue": 2},
    ),
    Row("seh", ["longjmp 42"], calls=("WriteFile", *END), counts={"WriteFile": 1}),
    Row("seh2", ["seh c000001d", "hits 1"], calls=("WriteFile", "Continue", "WriteFile", *END), counts={"Continue": 1}),
    Row(
        "div",
        ["veh c0000094", "after div", "veh 80000003", "after int3", "veh c000001d"],
        UD2,
        ("WriteFile", "Continue", "WriteFile", "WriteFile", "Continue", "WriteFile", "WriteFile", "TerminateProcess"),
        {"WriteFile": 5},
    ),
    Row("int3", ["before"], INT3, ("WriteFile", "TerminateProcess"), {"WriteFile": 1}),
    Row("cpp", ["caught boom"], calls=("WriteFile", *END), counts={"WriteFile": 1}),
    Row(
        "clock",
        ["ticks 1 counter 1 precise 1"],
        calls=("QueryPerformanceCounter", "DelayExecution", "QueryPerformanceCounter", "WriteFile", *END),
        counts={"DelayExecution": 1},
    ),
    Row(
        "reg",
        ["open 0", "query 0 Windows 10 Pro", "absent 2"],
        calls=("OpenKeyEx", "WriteFile", "QueryValueKey", "WriteFile", "OpenKeyEx", "WriteFile", *END),
    ),
    Row(
        "cat",
        ["line one", "line two", "find 1", "map 1", "process 0 1"],
        calls=(
            "ReadFile", "WriteFile", "WriteFile", "ReadFile", "OpenFile", "QueryDirectoryFile", "CreateFile",
            "CreateSection", "MapViewOfSection", "CreateUserProcess", "WriteFile", *END,
        ),
        stdin=b"one\ntwo\n",
    ),
    Row(
        "lib",
        ["size 0", "C:\\prog\\lib.exe"],
        calls=("OpenFile", "CreateSection", "MapViewOfSection", "ProtectVirtualMemory", "WriteFile", *END),
    ),
    Row(
        "go",
        ["go 42"],
        calls=("OpenFile", "MapViewOfSection", "CreateEvent", "CreateThreadEx", "WriteFile", "TerminateProcess"),
        counts={"WriteFile": 1},
    ),
    Row(
        "cli-64",
        ["Cannot open C:\\prog\\cli-64-script.py"],
        2,
        ("QueryPerformanceCounter", "CreateFile", "WriteFile", *END),
        {"CreateFile": 1, "WriteFile": 1},
    ),
    Row(
        "sync",
        [
            "event 0", "thread 0", "timeout 102", "apc 7", "sleep c0", "mutex 1", "timer 0", "stack 5050", "code 42",
            "debugger 0",
        ],
        calls=(
            "CreateEvent", "CreateThreadEx", "WaitForMultipleObjects", "SetEvent", "TerminateThread", "QueueApcThread",
            "Continue", "CreateMutant", "CreateTimer", "SetTimer", "WaitForMultipleObjects", *END,
        ),
    ),
    Row("guard", ["guard 1", "first 0", "second 0", "overflows 1 code 9"], calls=("Continue", "WriteFile", *END)),
    Row("../Windows/System32/cmd", ["hi"], calls=("WriteFile", "WriteFile", *END), arguments=("/c", "echo", "hi")),
)  # fmt: skip


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("accepted")


@pytest.fixture(scope="session")
def root(built: Path) -> Path:
    return make_root(built / "wine", built)


@pytest.fixture(scope="session")
def windows(built: Path) -> Path:
    return make_root(built / "windows", built, windows=WINDOWS)


def place(row: Row, root: Path, built: Path) -> None:
    """Put the row's program into C:\\prog; the test is skipped where it cannot be had."""
    target = root / "prog" / f"{row.name}.exe"
    if target.exists():
        return
    sources = [path for path in PROGRAMS.iterdir() if path.stem == row.name]
    if not sources:
        launcher = next((path for entry in sys.path for path in Path(entry).glob(f"setuptools/{row.name}.exe")), None)
        if launcher is None:
            pytest.skip(f"{row.name}.exe is missing: setuptools is not installed, or the folder has none")
        target.write_bytes(launcher.read_bytes())
        return
    if sources[0].suffix == ".go" and shutil.which("go") is None:
        pytest.skip("the Debian package golang-go is not installed")
    shutil.copyfile(build(built, row.name), target)


def outcome_of(row: Row, root: Path, engine: str) -> Outcome:
    return run(root, row.name, *row.arguments, writable=row.writable, stdin=row.stdin, engine=engine)


def hold_against(row: Row, found: Outcome) -> None:
    """What the row says, and nothing less."""
    assert (found.lines, found.code) == (list(row.lines), row.code)
    if row.only:
        assert found.own == list(row.calls)
    assert missing_in(found.own, row.calls) == []
    counts = Counter(found.own)
    assert {name: counts[name] for name in row.counts} == row.counts


@needs_wine
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name.rpartition("/")[2])
def test_a_program_does_what_it_does_on_windows_in_every_run_and_on_both_engines(
    row: Row, root: Path, built: Path
) -> None:
    place(row, root, built)
    first, other = (outcome_of(row, root, engine) for engine in ("native", "reference"))
    hold_against(row, first)
    assert (other.text, other.calls, other.summary) == (first.text, first.calls, first.summary)


@needs_windows
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name.rpartition("/")[2])
def test_a_program_does_the_same_on_windows_own_files(row: Row, windows: Path, built: Path) -> None:
    place(row, windows, built)
    hold_against(row, outcome_of(row, windows, "native"))
