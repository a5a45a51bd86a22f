"""Agreement with reality: mapped files, System V, locks, FIFOs, seccomp, ptrace, INT 0x80 and all at once."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path

import pytest
from linux_guests import ENVIRONMENT, Listening, build, content, exit_code
from native_runs import NativeRuns, native_outputs
from test_linux_processes import ENGINES, code_of

from hds.session import Session, load_engine
from machine.kernel.linux import World
from vm.facts.limits import DEFAULT_LIMITS

pytestmark = pytest.mark.programs

SOURCES = {
    name: Path(__file__).with_name(name).read_text()
    for name in ("shared.c", "file_calls.c", "confined.c", "interrupt.c", "traced.c", "peers.c", "combined.c")
}
CASES = [(name, case) for name, source in SOURCES.items() for case in re.findall(r"CASE\((\w+)\)[,}]", source)]
IN_MEMORY = ("fifos",)  # what a folder of the host has not
LONG = ("overflown",)  # many calls of one kind: with one engine they say what there is to say


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The program of a source."""
    return cache(lambda name: build(SOURCES[name], "glibc", tmp_path_factory.mktemp(Path(name).stem)))


@pytest.fixture(scope="module")
def dynamic(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """combined.c with the machine's own libraries."""
    return build(SOURCES["combined.c"], "dynamic", tmp_path_factory.mktemp("dynamic"))


def with_program(folder: Path, program: Path) -> Path:
    """A folder that has the program."""
    folder.mkdir(exist_ok=True)
    (folder / "program").write_bytes(program.read_bytes())
    (folder / "program").chmod(0o755)
    return folder


def natively(program: Path, case: str, folder: Path) -> tuple[str, int | None, dict[str, object]]:
    """What a case prints on this machine, its exit code, and what it leaves."""
    native = subprocess.run(
        ["./program", case], cwd=with_program(folder, program), env=dict(ENVIRONMENT), stdin=subprocess.DEVNULL,
        capture_output=True, check=False, timeout=100,
    )  # fmt: skip
    return native.stdout.decode().replace(str(folder), ""), exit_code(native.returncode), content(folder)


def emulated(program: Path, case: str, folder: Path, engine: str, *, shown: bool = True) -> tuple[str, int | None]:
    """What a case prints here, and its exit code; in a folder, or in a root in memory."""
    heard = Listening()
    session = Session(
        folder / "program" if shown else program,
        arguments=[case],
        environment=[f"{name}={value}" for name, value in ENVIRONMENT.items()],
        world=World(folder if shown else None, writable=shown, user=0, group=0),
        reporter=heard,
        engine=load_engine(engine, DEFAULT_LIMITS),
    )
    summary = session.run(timeout=60)
    return heard.output.decode(), code_of(summary)


@pytest.mark.parametrize(
    ("source", "case", "engine"),
    [(*row, engine) for row in CASES for engine in (ENGINES[1:] if row[1] in LONG else ENGINES)],
)
def test_what_processes_have_together_is_as_natively(
    source: str, case: str, engine: str, programs: Callable[[str], Path], tmp_path: Path
) -> None:
    program, folder = programs(source), with_program(tmp_path / "here", programs(source))
    native = NativeRuns(partial(natively, program, case), tmp_path)
    if case not in IN_MEMORY:
        here = (*emulated(program, case, folder, engine), content(folder))
        assert here == native.like(here)
    if engine == "native" and case not in ("executed", "hello"):  # in memory, where the program is not
        shown = emulated(program, case, folder, engine, shown=False)
        assert shown == native.like((*shown, {}), lambda run: run[:2])[:2]


@pytest.mark.parametrize("case", [case for source, case in CASES if source == "combined.c"])
def test_dynamic_programs_combine_what_there_is_as_natively(case: str, dynamic: Path, tmp_path: Path) -> None:
    heard = Listening()
    environment = [f"{name}={value}" for name, value in ENVIRONMENT.items()]
    session = Session(
        dynamic, arguments=[case], environment=environment, world=World(Path("/"), user=0, group=0), reporter=heard
    )  # fmt: skip
    code = code_of(session.run(timeout=60))
    here = heard.output, code
    assert here == native_outputs([dynamic, case], tmp_path, env=dict(ENVIRONMENT)).like(here)
