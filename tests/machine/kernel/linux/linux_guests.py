"""Real programs for the tests of Linux guests: busybox and small C programs, run here and natively under strace."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import takewhile
from pathlib import Path
from tempfile import gettempdir
from typing import Any

import pytest
from compiled import compiled

from hds.report.records import GuestOutput, Record
from hds.session.session import Session
from machine.kernel.linux import World
from machine.kernel.linux.names import NUMBERS

# Time zone files are not looked for, messages are in English, and nothing else of the tester's environment is seen.
ENVIRONMENT: Mapping[str, str] = {"TZ": "UTC0", "PATH": "/nowhere"}
LOG_EVERY_CALL = r'!syscall script { printf("%d %d\n", $pid, $context); }'

# The vDSO answers these, unless a library does not know it or asks before it does.
WITHOUT_A_CALL = frozenset(NUMBERS[name] for name in ("time", "gettimeofday", "clock_gettime", "getcpu"))

_CALL = re.compile(r"^(\d+)\s+(\w+)\(", re.MULTILINE)


@dataclass(frozen=True)
class Ran:
    """What a run of a program showed and left. `calls` are system call numbers in order, without those of the vDSO."""

    output: bytes
    exit_code: int | None
    files: dict[str, object]
    calls: tuple[int, ...]


def without_calls(ran: Ran) -> Ran:
    """What is left to compare where calls come in another order, or are others."""
    return replace(ran, calls=())


def busybox() -> Path:
    """The static busybox; the test is skipped where it is missing."""
    found = shutil.which("busybox")
    if found is None or b"/ld-linux" in Path(found).read_bytes()[:4096]:
        pytest.skip("the Debian package busybox-static is not installed")
    return Path(found)


def linux_release() -> tuple[int, int]:
    """The version of the Linux below."""
    major, minor = re.findall(r"\d+", platform.release())[:2]
    return int(major), int(minor)


@cache
def flags_below() -> frozenset[str]:
    """What the processor below announces."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return frozenset(next((line for line in lines if line.startswith("flags")), "").split())


@cache
def _strace_works() -> bool:
    if shutil.which("strace") is None:
        return False
    return subprocess.run(["strace", "-o", "/dev/null", "true"], capture_output=True).returncode == 0


def content(folder: Path) -> dict[str, object]:
    """Every name in a folder with its permissions and what it holds."""
    result: dict[str, object] = {}
    for path in sorted(folder.rglob("*")):
        name, mode = str(path.relative_to(folder)), oct(path.lstat().st_mode)
        if path.is_symlink():
            result[name] = (mode, os.readlink(path))
        else:
            result[name] = (mode, path.read_bytes() if path.is_file() else None)
    return result


def without_vdso(numbers: Iterable[int]) -> tuple[int, ...]:
    """The numbers of calls but those that the vDSO answers natively."""
    return tuple(number for number in numbers if number not in WITHOUT_A_CALL)


def strace(trace: Path) -> list[str]:
    """The beginning of a command line; the test is skipped where nothing can be traced."""
    if not _strace_works():
        pytest.skip("the Debian package strace is not installed, or may not trace here")
    return [shutil.which("strace") or "", "-f", "-o", str(trace), "-a", "1"]


def calls_of_trace(trace: Path) -> tuple[int, ...]:
    """The numbers of the calls of the first process, without those of the vDSO and the execve that begins it."""
    found = [(int(process), NUMBERS[name]) for process, name in _CALL.findall(trace.read_text(errors="replace"))]
    return calls_of_the_first(found)[1:]


def calls_of_the_first(calls: Sequence[tuple[int, int]]) -> tuple[int, ...]:
    """Of process ids and numbers: those of the process that is the first to call, without those of the vDSO."""
    return without_vdso(number for process, number in calls if process == calls[0][0])


def exit_code(returned: int) -> int:
    """What a shell would say, of what `subprocess` says: 128 + the signal that ended a program."""
    return returned if returned >= 0 else 128 - returned


USER = 1000  # whom guests take themselves for


def as_user(folder: Path) -> dict[str, Any]:
    """Arguments of subprocess for the user that guests are, where the tests are root's: it can go to the folder."""
    if os.geteuid() != 0:
        return {}
    for above in (folder, *takewhile(lambda each: each != Path(gettempdir()), folder.parents)):
        above.chmod(0o755)
    return {"user": USER, "group": USER, "extra_groups": []}


def natively(program: Path, arguments: Sequence[str], folder: Path, trace: Path) -> Ran:
    """Run a program on this machine under strace, for NativeRuns; the test is skipped where that cannot be done."""
    done = subprocess.run(
        [*strace(trace), str(program), *arguments],
        cwd=folder, env=dict(ENVIRONMENT), stdin=subprocess.DEVNULL, capture_output=True, check=False,
    )  # fmt: skip
    return Ran(done.stdout, exit_code(done.returncode), content(folder), calls_of_trace(trace))


class Listening:
    """Notes what a guest prints to descriptor 1; who runs it may add the messages of its scripts."""

    def __init__(self) -> None:
        self.output = b""
        self.messages: list[str] = []

    def report(self, record: Record, /) -> None:
        if isinstance(record, GuestOutput) and record.descriptor == 1:
            self.output += record.data


def emulated(
    program: Path, arguments: Sequence[str], folder: Path, script: str = LOG_EVERY_CALL, *, shown: bool = True
) -> Ran:
    """Run a program here as the user who runs the test, with its folder as the root or with one in memory."""
    heard = Listening()
    session = Session(
        program,
        arguments=arguments,
        environment=[f"{name}={value}" for name, value in ENVIRONMENT.items()],
        world=World(folder if shown else None, writable=shown, user=os.getuid(), group=os.getgid()),
        reporter=heard,
    )
    session.execute(script)
    summary = session.run(timeout=60)
    return Ran(heard.output, summary.exit_code, content(folder), calls_of_the_first(logged(session)))


def logged(session: Session) -> list[tuple[int, int]]:
    """What LOG_EVERY_CALL has printed: process ids and numbers."""
    pairs = (line.split() for message in session.messages for line in message.text.splitlines())
    return [(int(process), int(number)) for process, number in pairs]


_MUSL = "/usr/lib/x86_64-linux-musl"

# The compilers, and what a program is made into with each: position-dependent and static-pie, glibc and musl.
BUILDS: dict[str, tuple[str, ...]] = {
    "glibc": ("gcc", "-static", "-no-pie"),
    "glibc-pie": ("gcc", "-static-pie"),
    "musl": ("musl-gcc", "-static", "-no-pie"),
    "musl-pie": (
        "musl-gcc", "-static", "-fPIE", "-nostartfiles", "-Wl,-pie,--no-dynamic-linker,-z,text",
        f"{_MUSL}/rcrt1.o", f"{_MUSL}/crti.o", f"{_MUSL}/crtn.o",
    ),
}  # fmt: skip


DYNAMIC = ("gcc", "-pie")


def build(source: str, kind: str, folder: Path, *more: str) -> Path:
    """Compile a C program; the test is skipped where the compiler is missing or cannot link so."""
    compiler, *flags = (*(DYNAMIC if kind == "dynamic" else BUILDS[kind]), *more)
    if shutil.which(compiler) is None:
        pytest.skip(f"there is no {compiler} (Debian packages gcc and libc6-dev, or musl-tools)")
    text, program = folder / "program.c", folder / f"program-{kind}"
    text.write_text(source)
    command = [compiler, "-O1", "-fno-omit-frame-pointer", *flags, "-o", str(program), str(text), "-lm"]
    done = compiled(command, program, [text])
    if done.returncode or (kind != "dynamic" and b"/ld-" in program.read_bytes()):
        pytest.skip(f"{compiler} cannot make a {kind} program here: {done.stderr.splitlines()[-1:]}")
    return program
