"""Debian's strace and gdb trace programs inside, as natively."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from linux_guests import Listening, build
from native_runs import NativeRuns

from hds.session import Session
from machine.kernel.linux import World

pytestmark = pytest.mark.programs

TRACED = r"""
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>
static void *run(void *data) { write(1, "t\n", 2); return 0; }
int main() {
    pthread_t thread;
    pthread_create(&thread, 0, run, 0);
    pthread_join(thread, 0);
    if (!fork()) { write(1, "c\n", 2); _exit(3); }
    int status;
    wait(&status);
    raise(SIGUSR1);
    return 5;
}
"""
DEBUGGED = r"""
#include <stdio.h>
static int square(int x) { return x * x; }
int main(int argc, char **argv) {
    int total = 0;
    for (int i = 0; i < 4; i++) total += square(i);
    printf("%d\n", total);
    return total;
}
"""
COMMANDS = (
    "break square", "run", "bt", "print x", "continue", "finish", "delete", "watch total", "continue", "continue",
    "print total", "stepi", "x/i $pc", "info threads", "delete", "continue",
)  # fmt: skip
# What is another one in each run: addresses of libraries and the stack, ids, users, random bytes, the environment.
_VARIES = (
    (r"0x[0-9a-f]+", "ADDRESS"), (r"si_uid=\d+", "USER"), (r"\b\d{4,7}\b", "NUMBER"), (r'"(\\x[0-9a-f]+)+"', "BYTES"),
    (r"/\* \d+ vars? \*/", "ENVIRONMENT"), (r" +", " "), (r"si_[us]time=\d+", "TIME"),
)  # fmt: skip


def _plain(output: bytes) -> str:
    text = output.decode()
    for pattern, name in _VARIES:
        text = re.sub(pattern, name, text)
    return text


def both(command: str, folder: Path) -> tuple[NativeRuns[str], str]:
    """What a command of the shell writes, natively and here."""
    shell = ("/bin/sh", "-c", command)

    def natively(_folder: Path) -> str:
        done = subprocess.run(shell, cwd="/", env={"PATH": "/usr/bin"}, capture_output=True, check=False)
        return _plain(done.stdout)

    heard = Listening()
    session = Session(
        Path(shell[0]), arguments=shell[1:], environment=["PATH=/usr/bin"], world=World(Path("/")), reporter=heard
    )
    session.run(timeout=200)
    return NativeRuns(natively, folder), _plain(heard.output)


@pytest.fixture
def traced(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    for tool in ("strace", "gdb"):
        if shutil.which(tool) is None:
            pytest.skip(f"there is no {tool} (Debian package {tool})")
    source, flags = request.param
    folder = Path("/var/tmp") / tmp_path.name  # the guest's /tmp is in memory
    folder.mkdir(exist_ok=True)
    yield build(source, "dynamic", folder, *flags)
    shutil.rmtree(folder)


@pytest.mark.parametrize("traced", [(TRACED, ("-pthread",))], indirect=True)
def test_strace_of_threads_and_processes(traced: Path, tmp_path: Path) -> None:
    native, inside = both(
        f"cd /tmp; strace -ff -o hds-calls {traced}; echo $?; cat hds-calls.*; rm -f hds-calls.*", tmp_path
    )
    assert "exited with 3" in inside
    assert inside == native.like(inside)


@pytest.mark.parametrize("traced", [(DEBUGGED, ("-g", "-O0"))], indirect=True)
def test_gdb_with_breakpoints_watchpoints_and_steps(traced: Path, tmp_path: Path) -> None:
    # Without its folder gdb has no modules in Python to read, which takes longer than all else.
    options = " ".join(f"-ex '{command}'" for command in COMMANDS)
    native, inside = both(f"gdb -batch -nx -data-directory=/nowhere {options} {traced}", tmp_path)
    assert "Hardware watchpoint 2: total" in inside
    assert inside == native.like(inside)
