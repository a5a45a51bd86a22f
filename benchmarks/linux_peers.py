"""What a Linux program costs under hds, qemu-user and Qiling, in one run: processor seconds of whole commands.

Run with `python benchmarks/linux_peers.py`. From each the start of the same tool is subtracted: the time that it needs
for /bin/true. "count" counts the system calls in a `!syscall` event, beside qemu-x86_64 (the Debian package qemu-user)
and beside Qiling with a counting hook of its own; "log" prints each call, beside `qemu-x86_64 -strace`, and by
examples/linux/strace.hds beside strace. Qiling gets a virtual environment of its own in build/qiling. A peer that is
not there is skipped, and one that does not end as the native run does is said to fail: its time is that of something
else.
"""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import NamedTuple

from rows import Row, keep, note

ROOT = Path(__file__).parent.parent
ROUNDS = 4  # the fastest counts
SECONDS = 120  # a peer that needs longer is said to fail
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "TZ": "UTC0", "HOME": "/nowhere", "PYTHONPATH": str(ROOT)}
START = ("/bin/true",)
LOOP = "s=0; for ((i = 0; i < 10000; i++)); do ((s += i * i)); done; echo $s"
WORDS = "for i in {1..2000}; do x=word$i; y=${x/word/w}; case $y in w1*) ((n++));; esac; done; echo $n"
COUNT = "!syscall script { .calls++; }"
LOG = '!syscall script { printf("%llx(%llx, %llx, %llx)", $context, @rdi, @rsi, @rdx); }\n' + (
    '!sysret script { printf(" = %lld\\n", @rax); }'
)
QILING = ROOT / "build" / "qiling"
WITH_QILING = """
import sys
from qiling import Qiling
from qiling.const import QL_VERBOSE
from unicorn.x86_const import UC_X86_INS_SYSCALL

calls = [0]
def count(ql):
    calls[0] += 1
ql = Qiling(sys.argv[1:], "/", verbose=QL_VERBOSE.OFF, env={"PATH": "/usr/bin:/bin", "TZ": "UTC0", "HOME": "/nowhere"})
ql.hook_insn(count, UC_X86_INS_SYSCALL, begin=1, end=0)
ql.run()
sys.exit(getattr(ql.os, "exit_code", 0))
"""


@dataclass(frozen=True)
class Tool:
    """A way to run a program: what stands in front of it."""

    name: str
    prefix: tuple[str, ...]


def hds(name: str, *script: str) -> Tool:
    """hds, as its command line does it; `script` are the words that say which."""
    words = ("-m", "hds", "run", "--root", "/", "--guest-output", "stdout", "--guest-exit-code", "--max-instructions")
    return Tool(name, (sys.executable, *words, str(1 << 50), *script))


def qiling() -> Tool | None:
    """Qiling in an environment of its own, which is made here; None where it cannot be had."""
    python = QILING / "bin" / "python"
    if not (QILING / "installed").exists():
        made = subprocess.run([sys.executable, "-m", "venv", str(QILING)], capture_output=True, check=False)
        got = made.returncode == 0 and subprocess.run(
            [str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check", "qiling"],
            capture_output=True, check=False,
        ).returncode == 0  # fmt: skip
        if not got:
            return None
        (QILING / "installed").touch()
    return Tool("Qiling", (str(python), "-c", WITH_QILING))


@cache
def fastest(tool: Tool, command: tuple[str, ...], wanted: Ending) -> float | None:
    """Processor seconds of the fastest round; None where one does not end as it should. It is measured once."""
    best = float("inf")
    for _ in range(ROUNDS):
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        began = usage.ru_utime + usage.ru_stime
        try:
            done = subprocess.run(
                [*tool.prefix, *command], env=ENVIRONMENT, stdin=subprocess.DEVNULL, capture_output=True,
                check=False, timeout=SECONDS,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return None
        if done.returncode != wanted.code or wanted.said not in done.stdout:
            return None
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        best = min(best, usage.ru_utime + usage.ru_stime - began)
    return best


class Ending(NamedTuple):
    """How a command has to end: with this exit code, and these bytes in its output."""

    code: int = 0
    said: bytes = b""


def jobs(folder: Path) -> dict[str, tuple[str, ...]]:
    """What is run: words that begin with a program's path, by name."""
    (folder / "data").write_bytes(bytes(range(256)) * 16384)
    found = {
        "python: import json": ("/usr/bin/python3", "-I", "-c", "import json; print(json.dumps([1, 2]))"),
        "bash: arithmetic": ("/bin/bash", "-c", LOOP),
        "bash: words": ("/bin/bash", "-c", WORDS),
        "dd: 40,000 calls": ("/bin/dd", f"if={folder}/data", "of=/dev/null", "bs=64", "count=20000", "status=none"),
        "sha256sum of 4 MB": ("/usr/bin/sha256sum", f"{folder}/data"),
    }
    return {name: words for name, words in found.items() if shutil.which(words[0])}


def compare(
    here: Tool, peer: Tool, work: dict[str, tuple[str, ...]], goals: dict[str, float], before: list[Row]
) -> list[Row]:
    """A row for each job; `goals` are how many times the peer's time it may take."""
    rows = []
    print(f"{'less the start':25}{here.name:>11}{peer.name:>14}{'ratio':>8}")
    starts = [fastest(tool, START, Ending()) for tool in (here, peer)]
    for title, command in work.items():
        native = subprocess.run(command, env=ENVIRONMENT, stdin=subprocess.DEVNULL, capture_output=True, check=False)
        wanted = Ending(native.returncode, b"" if "log" in here.name else native.stdout)
        row = []
        for tool, start in zip((here, peer), starts, strict=True):
            seconds = fastest(tool, command, wanted)
            row.append(None if seconds is None or start is None else max(seconds - start, 0.001))
        shown = ["fails" if seconds is None else f"{seconds:.3f}s" for seconds in row]
        ratio = f"{row[0] / row[1]:8.2f}" if row[0] is not None and row[1] is not None else f"{'-':>8}"
        if row[0] is not None and row[1] is not None:
            what = f"{title}, {here.name}, against {peer.name}, less the start"
            rows.append(Row(what, row[0], row[1], "s", goals.get(title)))
            keep("linux_peers", [*before, *rows])
        print(f"{title:25}{shown[0]:>11}{shown[1]:>14}{ratio}", flush=True)
        for tool, text in zip((here, peer), shown, strict=True):
            if text == "fails":
                note("linux_peers", f"{tool.name} fails at {title}, so there is no row")
    return rows


def main() -> None:
    print(f"load of the machine: {os.getloadavg()[0]:.1f}")
    count, log = hds("hds count", "-e", COUNT), hds("hds log", "-e", LOG)
    rows: list[Row] = []
    build = ROOT / "build"
    build.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=build) as name:  # a guest has a /tmp of its own
        os.chmod(name, 0o755)  # and is another user
        work = jobs(Path(name))
        qemu = shutil.which("qemu-x86_64")
        if qemu is None:
            note("linux_peers", "rows against qemu-x86_64 are skipped, the Debian package qemu-user is not installed")
        else:
            rows += compare(count, Tool("qemu", (qemu,)), work, {}, rows)
            rows += compare(log, Tool("qemu -strace", (qemu, "-strace")), work, {"dd: 40,000 calls": 1.5}, rows)
        strace, dd = shutil.which("strace"), "dd: 40,000 calls"
        if strace is None or dd not in work:
            note("linux_peers", "the row against strace is skipped, strace or dd is not installed")
        else:
            names = hds("strace.hds log", str(ROOT / "examples/linux/strace.hds"))
            peer = Tool("strace", (strace, "-o", f"{name}/log"))
            rows += compare(names, peer, {dd: work[dd]}, {dd: 2}, rows)
        other = qiling()
        if other is None:
            note("linux_peers", "rows against Qiling are skipped, the package qiling cannot be installed")
        else:
            rows += compare(count, other, work, {}, rows)


if __name__ == "__main__":
    main()
