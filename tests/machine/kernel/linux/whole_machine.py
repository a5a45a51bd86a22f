"""Programs of this machine with `--root /`, here and natively under strace: what both show of the first process."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
from linux_guests import ENVIRONMENT as COMMON, Listening, Ran, strace, without_vdso

from hds.session.session import Session
from machine.kernel import Capture, ScriptedNetwork
from machine.kernel.linux import World
from machine.kernel.linux.names import NUMBERS

ENVIRONMENT = {**COMMON, "PATH": "/usr/bin:/bin", "HOME": "/nowhere"}
LOG_CALLS_OF_EACH = r'!syscall script { printf("%d %d\n", $pid, $context); }'

_CALL = re.compile(r"^(\d+)\s+(\w+)\(", re.MULTILINE)


def program(name: str) -> Path:
    """A program by its path or by the name of Debian's; the test is skipped where it is missing."""
    found = shutil.which(name, path="/usr/bin:/bin")
    if found is None:
        pytest.skip(f"there is no {name} (.ci/run installs it)")
    return Path(found)


def natively(command: Sequence[str], trace: Path) -> Ran:
    """Run it on this machine; the calls are those of the first process, without those that begin it."""
    path = program(command[0])
    done = subprocess.run(
        [*strace(trace), str(path), *command[1:]],
        cwd="/", env=dict(ENVIRONMENT), stdin=subprocess.DEVNULL, capture_output=True, check=False,
    )  # fmt: skip
    found = _CALL.findall(trace.read_text(errors="replace"))
    names = [name for identity, name in found if identity == found[0][0]]
    return Ran(done.stdout, done.returncode, {}, without_vdso(NUMBERS[name] for name in names[1:]))


def here(
    command: Sequence[str],
    script: str = LOG_CALLS_OF_EACH,
    *,
    network: ScriptedNetwork | None = None,
    capture: Capture | None = None,
) -> Ran:
    """Run it on the emulated machine, as the same user."""
    heard = Listening()
    session = Session(
        program(command[0]),
        arguments=tuple(command[1:]),
        environment=[f"{name}={value}" for name, value in ENVIRONMENT.items()],
        world=World(Path("/"), user=os.getuid(), group=os.getgid(), network=network, capture=capture),
        reporter=heard,
    )
    session.execute(script)
    summary = session.run(timeout=120)
    calls = [tuple(map(int, line.split())) for message in session.messages for line in message.text.splitlines()]
    first = [number for identity, number in calls if identity == calls[0][0]]
    return Ran(heard.output, summary.exit_code, {}, without_vdso(first))
