"""Agreement with reality: pseudoterminals, by terminals.c and by programs that run others in one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from linux_guests import as_user, build, emulated, linux_release
from native_runs import native_outputs
from whole_machine import here as ran_here, program as program_of

pytestmark = pytest.mark.programs

SOURCE = Path(__file__).with_name("terminals.c").read_text()
GROUPS = re.findall(r'\{"(\w+)", \1\}', SOURCE)


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The compiled groups."""
    return build(SOURCE, "glibc", tmp_path_factory.mktemp("terminals"), "-w")


@pytest.mark.parametrize("group", GROUPS)
def test_terminals_answer_as_natively(group: str, program: Path, tmp_path: Path) -> None:
    if linux_release() < (6, 12):
        pytest.skip("these are the answers of Linux 6.12 and later")
    native = native_outputs([program, group], tmp_path, cwd=tmp_path, start_new_session=True, **as_user(program.parent))
    ran = emulated(program, (group,), tmp_path, script="", shown=False)
    here = ran.output, ran.exit_code
    assert here == native.like(here)


def test_two_runs_in_a_terminal_are_the_same(program: Path, tmp_path: Path) -> None:
    first, second = (emulated(program, ("jobs",), tmp_path, shown=False) for _ in range(2))
    assert first == second


SHELL = """
import os, pty
child, fd = pty.fork()
if not child:
    os.execvp("sh", ["sh", "-c", "test -t 0 && stty size; read x; echo got $x; exit 4"])
os.write(fd, b"hello\\n")
seen = b""
try:
    while data := os.read(fd, 100):
        seen += data
except OSError:
    pass
print(sorted(seen.split(b"\\r\\n")), os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def test_a_shell_runs_in_the_terminal_that_python_makes() -> None:
    ran = ran_here((str(program_of("python3")), "-IS", "-c", SHELL))
    assert ran.output.decode() == "[b'', b'0 0', b'got hello', b'hello'] 4\n"
