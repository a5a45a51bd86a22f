"""Agreement with reality: what programs share - mapped files, System V's and POSIX's objects - is as natively."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from linux_guests import ENVIRONMENT, build, content
from test_linux_processes import ENGINES, Listening, code_of

from hds.session import Session, load_engine
from machine.kernel.linux import World
from vm.facts.limits import DEFAULT_LIMITS

pytestmark = pytest.mark.programs

SOURCE = Path(__file__).with_name("shared.c").read_text()
CASES = re.findall(r"CASE\((\w+)\)[,}]", SOURCE)


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(SOURCE, "glibc", tmp_path_factory.mktemp("shared"))


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


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("case", CASES)
def test_what_is_shared_is_as_natively(case: str, engine: str, program: Path, tmp_path: Path) -> None:
    folders = [tmp_path / "native", tmp_path / "here"]
    for folder in folders:
        folder.mkdir()
        (folder / "program").write_bytes(program.read_bytes())
        (folder / "program").chmod(0o755)
    native = subprocess.run(
        ["./program", case], cwd=folders[0], env=dict(ENVIRONMENT), stdin=subprocess.DEVNULL, capture_output=True
    )
    code = native.returncode if native.returncode >= 0 else 128 - native.returncode
    output = native.stdout.decode().replace(str(folders[0]), "")
    assert emulated(program, case, folders[1], engine) == (output, code)
    assert content(folders[1]) == content(folders[0])
    if case != "executed":  # the program is not in there
        assert emulated(program, case, folders[1], engine, shown=False)[1] == code
