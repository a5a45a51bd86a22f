"""What a Windows program costs here, on Wine's DLLs: its start, a script on every call, and ruff.exe at work.

Run with `python benchmarks/windows.py`. It needs what the tests of Windows programs need (tests/machine/kernel/nt), and
says what is missing. Processor seconds of whole processes, the least of several that take turns. Goals: hello.exe
without an event at most 3 x a static Linux program in hds; with a script on every call at most 1.5 x of hello.exe
alone; ruff.exe at most 25 x the native ruff for Linux, less the start of each.
"""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

from rows import Row, keep, note

TESTS = Path(__file__).resolve().parents[1] / "tests"
sys.path[:0] = [str(TESTS.parent), str(TESTS), str(TESTS / "machine" / "kernel" / "nt")]  # tests/hds is not hds
from windows_world import MISSING, build, extracted, make_root, wheel_of  # noqa: E402 - what the tests have

HDS = Path(sys.executable).with_name("hds")
ROUNDS, LONG_ROUNDS = 5, 3
FUNCTIONS = 10_000  # of five lines each
HELLO = '#include <stdio.h>\nint main(void) { puts("hello"); return 0; }\n'
NOTHING = "? .calls = 0;\n"
EVERY_CALL = NOTHING + "!syscall script { .calls = .calls + 1; }\n"
RULES = "E,F,W,B,UP,SIM,PL,C4,RUF,N,I,PT"
CHECK = ("check", "--isolated", "--no-cache", "--select", RULES, "--statistics", "--exit-zero")
FUNCTION = (
    "def function_{0}(first, second: int = {0}) -> int:\n"
    "    total = [item * second for item in range(first) if item % 3]\n"
    "    if total and first > {0}:\n"
    '        print(f"{{first}} of {{second}}", len(total))\n'
    "    return sum(total) + {0}\n"
)


def seconds(folder: Path, *command: Path | str) -> float:
    """Processor seconds of a process, whatever its exit code; its output is not looked at."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False)
    assert b"exited with code" in done.stderr or done.returncode == 0, done.stderr
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def fastest(*runs: Callable[[], float], rounds: int) -> tuple[float, ...]:
    """The least seconds of each; they take turns, so that what else the host does meets all."""
    rows = [[run() for run in runs] for _ in range(rounds)]
    return tuple(min(column) for column in zip(*rows, strict=True))


ROWS: list[Row] = []


def report(title: str, here: float, peer: float, goal: float) -> None:
    """One row."""
    ROWS.append(Row(title.replace("; ", ", against "), here, peer, "s", goal))
    keep("windows", ROWS)
    print(f"{title:40}{here:8.3f}s{peer:8.3f}s{here / peer:8.2f}{goal:8.2f}", flush=True)


def compare_starts(folder: Path, root: Path) -> None:
    """The rows of hello.exe."""
    (folder / "hello.c").write_text(HELLO)
    subprocess.run(["gcc", "-O2", "-static", "-o", "hello", "hello.c"], cwd=folder, check=True)
    for name, text in (("nothing.hds", NOTHING), ("calls.hds", EVERY_CALL)):
        (folder / name).write_text(text)
    program = root / "prog" / "hello.exe"
    windows = partial(seconds, folder, HDS, "run", "--root", root, "--events-from", "start")
    here, with_script, linux = fastest(
        partial(windows, "nothing.hds", program),
        partial(windows, "calls.hds", program),
        partial(seconds, folder, HDS, "run", "nothing.hds", folder / "hello"),
        rounds=ROUNDS,
    )
    report("hello.exe; a static Linux program", here, linux, 3)
    report("with a script on every call; without", with_script, here, 1.5)


def compare_ruff(folder: Path, root: Path) -> None:
    """The row of ruff, which needs its wheels."""
    wheels = [wheel_of("ruff", platform) for platform in ("win_amd64", "linux")]
    if None in wheels:
        note("windows", "the row of ruff is skipped, no wheels (HDS_WHEELS)")
        return
    native = extracted("ruff", "linux", folder)
    extracted("ruff", "win_amd64", root / "prog")
    (root / "Windows" / "System32" / "bcryptprimitives.dll").write_bytes(build(folder, "prng").read_bytes())
    work = root / "prog"
    (work / "long.py").write_text("".join(FUNCTION.format(number) for number in range(FUNCTIONS)))
    (work / "empty.py").write_text("")
    here = partial(seconds, work, HDS, "run", "--root", root, folder / "nothing.hds", "ruff.exe", *CHECK)
    peer = partial(seconds, work, native, *CHECK)
    start, peer_start, end, peer_end = fastest(
        partial(here, "empty.py"), partial(peer, "empty.py"), partial(here, "long.py"), partial(peer, "long.py"),
        rounds=LONG_ROUNDS,
    )  # fmt: skip
    report(f"ruff.exe, {5 * FUNCTIONS:,} lines; natively", end - start, peer_end - peer_start, 25)


def main() -> None:
    if MISSING is not None or shutil.which("gcc") is None:
        note("windows", f"skipped, {MISSING or 'gcc is missing'}")
        return
    print(f"load of the machine: {os.getloadavg()[0]:.1f}")
    print(f"{'':40}{'here':>9}{'peer':>9}{'ratio':>8}{'goal':>8}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        root = make_root(folder / "c", folder, "hello")
        compare_starts(folder, root)
        compare_ruff(folder, root)


if __name__ == "__main__":
    main()
