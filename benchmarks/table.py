"""The table that `make bench` ends with: every ratio, its goal, and whether it holds. Exit code 1 where one does not.

Usage: python benchmarks/table.py. Benchmarks that have not run, have failed or were skipped in part are named.
"""

from __future__ import annotations

import sys
from typing import NamedTuple

from rows import Row, kept, notes, table


class Benchmark(NamedTuple):
    """A file of this folder: what it is about, and the seconds after which `make bench` ends it."""

    name: str
    title: str
    most_seconds: int


BENCHMARKS = (
    Benchmark("start", "What a start costs", 90),
    Benchmark("triggers", "What a trigger costs", 180),
    Benchmark("native", "The native engine", 60),
    Benchmark("linux", "A real program: busybox, by processor time", 200),
    Benchmark("windows", "A Windows program, on Wine's DLLs", 240),
    Benchmark("linux_peers", "A Linux program beside qemu-user and Qiling", 200),
    Benchmark("mappings", "Calls on memory", 60),
    Benchmark("compile", "Checking scripts", 120),
    Benchmark("compactness", "The size of bytecode", 30),
    Benchmark("memory", "What a run keeps", 180),
    Benchmark("callbacks", "Python at a trigger", 60),
    Benchmark("fuzzing", "hds fuzz", 90),
    Benchmark("corpus", "hds corpus", 240),
)


def show() -> int:
    """Print the table; 1 where a row misses its goal, or a benchmark has no rows."""
    found: list[Row] = []
    missing = 0
    for benchmark in BENCHMARKS:
        rows, said = kept(benchmark.name), notes(benchmark.name)
        found += rows
        missing += not rows
        for text in said if rows or said else ["it has not run"]:
            print(f"{benchmark.name}: {text}")
    print("\n".join(table(found)))
    missed = [row.what for row in found if row.holds is False]
    without = f", {missing} benchmarks without a row" if missing else ""
    print(
        f"{len(found)} rows, {sum(row.holds is not None for row in found)} with a goal, {len(missed)} missed{without}"
    )
    return int(bool(missed or missing))


if __name__ == "__main__":
    sys.exit(show())
