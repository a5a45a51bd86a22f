"""Programs of this machine with `--root /`, here and natively under strace: what both show of the first process."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pytest
from linux_guests import (
    ENVIRONMENT as COMMON,
    LOG_EVERY_CALL,
    Listening,
    Ran,
    calls_of_the_first,
    calls_of_trace,
    exit_code,
    logged,
    strace,
)
from native_runs import NativeRuns

from hds.session.session import Session
from machine.kernel import Capture, ScriptedNetwork
from machine.kernel.linux import World

ENVIRONMENT = {**COMMON, "PATH": "/usr/bin:/bin", "HOME": "/nowhere"}


def program(name: str) -> Path:
    """A program by its path or by the name of Debian's; the test is skipped where it is missing."""
    found = shutil.which(name, path="/usr/bin:/bin")
    if found is None:
        pytest.skip(f"there is no {name} (.ci/run installs it)")
    return Path(found)


def native_runs(command: Sequence[str], folder: Path) -> NativeRuns[Ran]:
    """Runs of it on this machine."""
    return NativeRuns(partial(natively, command), folder)


def natively(command: Sequence[str], folder: Path) -> Ran:
    """Run it on this machine; the calls are those of the first process, without those that begin it."""
    path, trace = program(command[0]), folder / "trace"
    done = subprocess.run(
        [*strace(trace), str(path), *command[1:]],
        cwd="/", env=dict(ENVIRONMENT), stdin=subprocess.DEVNULL, capture_output=True, check=False,
    )  # fmt: skip
    return Ran(done.stdout, exit_code(done.returncode), {}, calls_of_trace(trace))


def here(
    command: Sequence[str],
    script: str = LOG_EVERY_CALL,
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
    return Ran(heard.output, summary.exit_code, {}, calls_of_the_first(logged(session)))
