"""All benchmarks, one after the other, each in a process of its own: what `make bench` does.

Usage: python benchmarks/run.py [NAME...]. One that fails, or takes longer than its limit (`table.py`), is named in the
table at the end and does not keep the others from running; the rows that it had until then count. A run of all is kept
in build/bench/runs/, of which `benchmarks/measured.py` makes the numbers of README.md and docs/benchmarks.md.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from measured import keep_run
from rows import begin, note
from table import BENCHMARKS, Benchmark, show

HERE = Path(__file__).parent


def run(benchmark: Benchmark) -> None:
    """Run one of them; what it prints is seen as it comes."""
    print(f"--- {benchmark.title} ({benchmark.name})", flush=True)
    begin(benchmark.name)
    began = time.monotonic()
    words = [sys.executable, "-u", str(HERE / f"{benchmark.name}.py")]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    with subprocess.Popen(words, start_new_session=True, env=environment) as child:
        try:
            code = child.wait(benchmark.most_seconds)
            if code:
                note(benchmark.name, f"failed with exit code {code}")
        except subprocess.TimeoutExpired:
            note(benchmark.name, f"ended after {benchmark.most_seconds} s, before it was done")
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)  # it, and what it has started
    print(f"--- {benchmark.name}: {time.monotonic() - began:.0f} s\n", flush=True)


def main() -> int:
    """Run those that are named, or all."""
    names = sys.argv[1:]
    unknown = set(names) - {benchmark.name for benchmark in BENCHMARKS}
    if unknown:
        sys.exit(f"there is no benchmark {', '.join(sorted(unknown))}")
    began = time.monotonic()
    for benchmark in BENCHMARKS:
        if not names or benchmark.name in names:
            run(benchmark)
    code = show()
    print(f"{time.monotonic() - began:.0f} s in all")
    if not names:
        print(f"kept as {keep_run().relative_to(HERE.parent)}: `make measured` brings the documentation up to date")
    return code


if __name__ == "__main__":
    sys.exit(main())
