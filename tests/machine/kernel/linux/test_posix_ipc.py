"""POSIX message queues, shared memory and semaphores, and extended attributes: as natively, on both engines."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from linux_guests import Listening, as_user, build, exit_code
from native_runs import NativeRuns

from hds.session import Session, load_engine
from machine.kernel.linux import World
from vm.facts.limits import DEFAULT_LIMITS

SOURCE = Path(__file__).with_name("posix_ipc.c").read_text()
RACING = ("between", "waking")  # which of two threads or processes says something first is the scheduler's
GROUPS = ("opening", "passing", "between", "notifying", "waking", "shared", "named")

pytestmark = pytest.mark.programs


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(SOURCE, "glibc", tmp_path_factory.mktemp("posix_ipc"))


@pytest.mark.parametrize("group", GROUPS)
def test_posix_ipc_answers_as_natively(group: str, program: Path, tmp_path: Path) -> None:
    def said(run: tuple[bytes, int | None]) -> tuple[list[bytes], int | None]:
        lines = run[0].splitlines()
        return sorted(lines) if group in RACING else lines, run[1]

    def natively(folder: Path) -> tuple[bytes, int | None]:
        as_guest = as_user(program.parent) and as_user(folder)
        folder.chmod(0o777)
        command = [str(program), group, f"/hds-{os.getpid()}"]
        ran = subprocess.run(command, cwd=folder, capture_output=True, check=False, **as_guest)
        return ran.stdout, exit_code(ran.returncode)

    native = NativeRuns(natively, tmp_path)
    if b" = -1 38\n" in native.first[0]:
        pytest.skip("the kernel below has no POSIX message queues, or no keys")
    for engine in ("reference", "native"):
        heard = Listening()
        session = Session(
            program, arguments=(group, f"/hds-{os.getpid()}"), world=World(), reporter=heard,
            engine=load_engine(engine, DEFAULT_LIMITS),
        )  # fmt: skip
        summary = session.run(timeout=60)
        here = heard.output, summary.exit_code
        assert said(here) == said(native.like(here, said))
