"""How Windows programs end, and what the last line of a run says of it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from windows_world import COMPILER, PROGRAMS, make_root, needs_wine

from hds.session.engines import load_engine
from hds.session.session import Session
from hds.session.summary import summarize
from machine.kernel.linux import World
from machine.options import MachineOptions

pytestmark = [needs_wine, pytest.mark.programs]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """C: with the program, and with the same one without symbols."""
    folder = tmp_path_factory.mktemp("ends")
    made = make_root(folder / "c", folder, "ends")
    source = PROGRAMS / "ends.c"
    subprocess.run([COMPILER, "-O1", "-s", "-o", str(made / "prog" / "bare.exe"), str(source)], check=True, timeout=120)
    return made


def end_of(root: Path, *words: str, name: str = "ends", engine: str | None = None) -> str:
    """The last line."""
    options = MachineOptions(world=World(root))
    made = load_engine(engine, options.limits)
    session = Session(root / "prog" / f"{name}.exe", options, engine=made, arguments=words)
    session.run()
    return summarize(session).stopped


both_engines = pytest.mark.parametrize("engine", ["native", "reference"])


@both_engines
@pytest.mark.parametrize("how", ["e", "t", "r"])
def test_a_status_that_a_program_ends_itself_with_is_no_exception(root: Path, how: str, engine: str) -> None:
    assert end_of(root, how, engine=engine) == "ends.exe exited with code 3221225477"


@both_engines
@pytest.mark.parametrize(
    ("how", "status", "place"),
    [
        ("f", 0xC000_0005, "ends!main"),
        ("u", 0xC000_001D, "ends!main"),
        ("o", 0xC000_0005, "kernelbase!RaiseException"),
        ("l", 0xC000_001E, "ends!main"),
        ("n", 0xE000_1234, "kernelbase!RaiseException"),
        ("0", 0xC000_0100, "kernelbase!RaiseException"),
    ],
)
def test_an_exception_that_nobody_handles_is_named(root: Path, how: str, status: int, place: str, engine: str) -> None:
    wanted = rf"ends\.exe exited with code {status}: exception {status:x} at 0x\w+ \({place}\+0x\w+\) in thread 1004"
    assert re.fullmatch(wanted, end_of(root, how, engine=engine))


@both_engines
@pytest.mark.parametrize(
    ("code", "named"), [("7", "7 (FAST_FAIL_FATAL_APP_EXIT)"), ("0", "0 (FAST_FAIL_LEGACY_GS_VIOLATION)"), ("99", "63")]
)
def test_a_fast_fail_names_its_status_its_code_and_the_thread(root: Path, code: str, named: str, engine: str) -> None:
    found = end_of(root, "2", code, engine=engine)
    start, end = found.split(" at 0x1400")
    assert start == "ends.exe exited with code 3221226505: exception c0000409"
    assert re.fullmatch(rf"\w+ \(ends!fail(\+0x\w+)?\) in thread 1008: fast fail with code {re.escape(named)}", end)


@both_engines
def test_a_fault_without_a_stack_for_its_handlers_is_named_too(root: Path, engine: str) -> None:
    start, _, end = end_of(root, "s", engine=engine).partition(" at 0x1400")
    assert start == "ends.exe exited with code 3221225477: exception c0000005"
    assert end.endswith(" in thread 1004: write of 0x8, which is not mapped or not allowed")


@both_engines
@pytest.mark.parametrize("how", ["u", "2"])
def test_a_place_in_a_program_without_symbols_is_an_offset_in_it(root: Path, how: str, engine: str) -> None:
    found = re.search(r"at 0x14000(\w+) \(bare\+0x(\w+)\)", end_of(root, how, "7", name="bare", engine=engine))
    assert found is not None
    assert found[1] == found[2]


def test_a_program_that_fails_with_a_low_byte_of_zero_is_no_success(root: Path) -> None:
    program = str(root / "prog" / "ends.exe")
    command = [
        sys.executable,
        "-m",
        "hds",
        "run",
        "--quiet",
        "--guest-exit-code",
        "--root",
        str(root),
        "-e",
        "g",
        program,
    ]
    assert subprocess.run([*command, "0"], check=False, timeout=120).returncode == 1
    assert subprocess.run([*command, "u"], check=False, timeout=120).returncode == 0x1D
