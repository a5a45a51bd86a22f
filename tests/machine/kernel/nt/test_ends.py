"""How Windows programs end, and what the last line of a run says of it."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from windows_world import COMPILER, PROGRAMS, make_root, needs_wine

from hds.session.engines import load_engine
from hds.session.session import Session
from hds.session.summary import summarize
from machine.kernel.linux import World
from machine.kernel.nt.calls.ends import why_not_loaded
from machine.kernel.nt.kernel import NtKernel
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


VIOLATION = "3221225477 (0xc0000005, STATUS_ACCESS_VIOLATION)"
OVERRUN = "3221226505 (0xc0000409, STATUS_STACK_BUFFER_OVERRUN)"
both_engines = pytest.mark.parametrize("engine", ["native", "reference"])


@both_engines
@pytest.mark.parametrize("how", ["e", "t", "r"])
def test_a_status_that_a_program_ends_itself_with_is_no_exception(root: Path, how: str, engine: str) -> None:
    assert end_of(root, how, engine=engine) == f"ends.exe exited with code {VIOLATION}"


@both_engines
@pytest.mark.parametrize("how", ["e", "t", "r"])
def test_nor_is_one_that_it_has_raised_and_handled(root: Path, how: str, engine: str) -> None:
    assert end_of(root, "E", how, engine=engine) == "ends.exe exited with code 3758101044 (0xe0001234)"


@both_engines
@pytest.mark.parametrize(
    ("how", "code", "place"),
    [
        ("f", VIOLATION, "ends!main"),
        ("u", "3221225501 (0xc000001d, STATUS_ILLEGAL_INSTRUCTION)", "ends!main"),
        ("o", VIOLATION, "kernelbase!RaiseException"),
        ("l", "3221225502 (0xc000001e, STATUS_INVALID_LOCK_SEQUENCE)", "ends!main"),
        ("n", "3758101044 (0xe0001234)", "kernelbase!RaiseException"),
        ("0", "3221225728 (0xc0000100)", "kernelbase!RaiseException"),
        ("c 0", "0", "kernelbase!RaiseException"),
        ("c 7", "7", "kernelbase!RaiseException"),
        ("c 40010005", "1073807365 (0x40010005, DBG_CONTROL_C)", "kernelbase!RaiseException"),
        ("c e06d7363", "3765269347 (0xe06d7363, a C++ exception of Microsoft's compiler)", "kernelbase!RaiseException"),
        ("d e0001234", "3758101044 (0xe0001234)", "kernelbase!RaiseException"),
        ("d 7", "7", "kernelbase!RaiseException"),
        ("F e0001234", "3758101044 (0xe0001234)", "kernelbase!RaiseException"),
        ("F 7", "7", "kernelbase!RaiseException"),
        ("T e0001234", "3758101044 (0xe0001234)", "kernelbase!RaiseException"),
        ("q", "3221227010 (0xc0000602, STATUS_FAIL_FAST_EXCEPTION)", "kernelbase!RaiseFailFastException"),
    ],
)
def test_an_exception_that_nobody_handles_is_named(root: Path, how: str, code: str, place: str, engine: str) -> None:
    start, _, behind = end_of(root, *how.split(), engine=engine).partition(": ")
    assert start == f"ends.exe exited with code {code}"
    assert re.fullmatch(rf"exception at 0x\w+ \({place}\+0x\w+\) in thread 1004", behind)


@pytest.mark.parametrize(
    ("code", "told"), [("0", "0"), ("7", "7"), ("-1", "4294967295 (-1)"), ("65536", "65536 (0x10000)")]
)
def test_a_code_that_a_program_exits_with_is_told_as_programs_have_it(root: Path, code: str, told: str) -> None:
    assert end_of(root, "x", code) == f"ends.exe exited with code {told}"


@both_engines
@pytest.mark.parametrize(
    ("code", "named"), [("7", "7 (FAST_FAIL_FATAL_APP_EXIT)"), ("0", "0 (FAST_FAIL_LEGACY_GS_VIOLATION)"), ("99", "63")]
)
def test_a_fast_fail_names_its_status_its_code_and_the_thread(root: Path, code: str, named: str, engine: str) -> None:
    found = end_of(root, "2", code, engine=engine)
    start, end = found.split(" at 0x1400")
    assert start == f"ends.exe exited with code {OVERRUN}: exception"
    assert re.fullmatch(rf"\w+ \(ends!fail(\+0x\w+)?\) in thread 1008: fast fail with code {re.escape(named)}", end)


@both_engines
def test_a_fault_without_a_stack_for_its_handlers_is_named_too(root: Path, engine: str) -> None:
    start, _, end = end_of(root, "s", engine=engine).partition(" at 0x1400")
    assert start == f"ends.exe exited with code {VIOLATION}: exception"
    assert end.endswith(" in thread 1004: write of 0x8, which is not mapped or not allowed")


@both_engines
@pytest.mark.parametrize("how", ["u", "2"])
def test_a_place_in_a_program_without_symbols_is_an_offset_in_it(root: Path, how: str, engine: str) -> None:
    found = re.search(r"at 0x14000(\w+) \(bare\+0x(\w+)\)", end_of(root, how, "7", name="bare", engine=engine))
    assert found is not None
    assert found[1] == found[2]


@pytest.fixture
def lacking(tmp_path: Path) -> Path:
    """C: with a program that imports `answer` from absent.dll."""
    return make_root(tmp_path / "c", tmp_path, "lacks")


def give_dll_without(root: Path, name: str) -> None:
    shutil.copyfile(root / "Windows" / "System32" / "version.dll", root / "prog" / name)


def test_a_dll_that_the_loader_does_not_find_is_named(lacking: Path) -> None:
    wanted = (
        "exited with code 3221225781 (0xc0000135, STATUS_DLL_NOT_FOUND): absent.dll is missing, which lacks.exe imports"
    )
    assert end_of(lacking, name="lacks") == f"lacks.exe {wanted}"
    assert shell_code(lacking, name="lacks") == 5
    assert shell_code(lacking, "--guest-exit-code", name="lacks") == 0x35


def test_a_function_that_wines_loader_does_not_find_is_named_when_it_is_called(lacking: Path) -> None:
    give_dll_without(lacking, "absent.dll")
    assert end_of(lacking, name="lacks").endswith(" in thread 1004: the absent.dll of this folder has no answer")


def test_what_the_loader_of_windows_does_not_find_is_named(lacking: Path) -> None:
    give_dll_without(lacking, "absent.dll")
    session = Session(lacking / "prog" / "lacks.exe", MachineOptions(world=World(lacking)))
    kernel = session.machine.kernels.get("nt")
    assert isinstance(kernel, NtKernel)
    state = kernel.state(next(iter(session.machine.processes)))
    assert why_not_loaded(state, 0xC000_0139) == "absent.dll has no answer, which lacks.exe imports"
    assert why_not_loaded(state, 0xC000_0138) == why_not_loaded(state, 0xC000_0142) == "it was not loaded"
    assert why_not_loaded(state, 7) == ""
    state.is_loaded = True
    assert why_not_loaded(state, 0xC000_0139) == ""


def test_a_dll_that_raises_while_it_is_loaded_ends_the_program_in_its_loader(lacking: Path) -> None:
    source, target = PROGRAMS / "raises.c", lacking / "prog" / "absent.dll"
    subprocess.run([COMPILER, "-O1", "-shared", "-o", str(target), str(source)], check=True, timeout=120)
    assert end_of(lacking, name="lacks") == "lacks.exe exited with code 3758096503 (0xe0000077): it was not loaded"
    assert shell_code(lacking, name="lacks") == 5


def shell_code(root: Path, *words: str, name: str = "ends") -> int:
    """What a shell is told."""
    program = str(root / "prog" / f"{name}.exe")
    options = [word for word in words if word.startswith("--")]
    command = [sys.executable, "-m", "hds", "run", "--quiet", *options, "--root", str(root), "-e", "g", program]
    return subprocess.run(
        [*command, *(word for word in words if word not in options)], check=False, timeout=120, capture_output=True
    ).returncode


def test_a_program_that_fails_with_a_low_byte_of_zero_is_no_success(root: Path) -> None:
    assert shell_code(root, "--guest-exit-code", "0") == 1
    assert shell_code(root, "--guest-exit-code", "u") == 0x1D


@pytest.mark.parametrize(("how", "code"), [("u", 5), ("n", 5), ("q", 5), ("2", 5), ("e", 0)])
def test_an_exception_that_nobody_handles_is_a_crash_and_an_exit_is_none(root: Path, how: str, code: int) -> None:
    """ExitCode.GUEST; the last one exits with the status of an exception that it has handled."""
    assert shell_code(root, how, *(["7"] if how == "2" else [])) == code
