"""What the last runs of `make bench` have come to, as the documentation has it: `make measured`.

Usage: python benchmarks/measured.py [RUNS]. Of the last RUNS runs (4, or as many as there are) it takes the median of
each row and how often its goal held, and writes benchmarks/measured.json, of which `hds.cli.documentation` makes
docs/benchmarks.md and the table in README.md.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any

from rows import FOLDER, Row, amount, kept, load, notes, shown
from table import BENCHMARKS

FILE = Path(__file__).with_name("measured.json")
RUNS = FOLDER / "runs"
ENOUGH = 4  # runs


def keep_run() -> Path:
    """Keep what the benchmarks have kept, as one more run; its file."""
    RUNS.mkdir(parents=True, exist_ok=True)
    number = 1 + max((int(file.stem) for file in RUNS.glob("*.json")), default=0)
    benchmarks = {
        each.name: {"rows": [asdict(row) for row in kept(each.name)], "notes": notes(each.name)} for each in BENCHMARKS
    }
    loads = [load(each.name) for each in BENCHMARKS]
    file = RUNS / f"{number:04}.json"
    file.write_text(json.dumps({"machine": machine(), "load": max(loads), "benchmarks": benchmarks}, indent=1))
    return file


def machine() -> str:
    """What this is: the number of processors and their model."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    model = next((line.partition(": ")[2] for line in lines if line.startswith("model name")), "unknown processors")
    return f"{len(os.sched_getaffinity(0))} processors ({model})"


def summary(runs: Sequence[Any]) -> dict[str, Any]:
    """The medians of some runs, the last of which says which rows there are and what they are called."""
    return {
        "machine": runs[-1]["machine"],
        "runs": len(runs),
        "load": round(max(run["load"] for run in runs), 1),
        "benchmarks": [
            {
                "title": benchmark.title,
                "notes": runs[-1]["benchmarks"][benchmark.name]["notes"],
                "rows": [
                    _median(_same(runs, benchmark.name, row["what"]))
                    for row in runs[-1]["benchmarks"][benchmark.name]["rows"]
                ],
            }
            for benchmark in BENCHMARKS
        ],
    }


def _same(runs: Sequence[Any], benchmark: str, what: str) -> list[Row]:
    return [Row(**row) for run in runs for row in run["benchmarks"][benchmark]["rows"] if row["what"] == what]


def _median(rows: list[Row]) -> dict[str, Any]:
    last, ratio = rows[-1], median(row.ratio for row in rows)
    return {
        "what": last.what,
        "ours": amount(median(row.ours for row in rows), last.unit),
        "peer": amount(median(row.peer for row in rows), last.unit),
        "ratio": float(f"{ratio:.3g}"),
        "faster": last.faster,
        "shown": shown(ratio, last.faster),
        "goal": last.goal,
        "held": None if last.holds is None else sum(row.holds is True for row in rows),
        "runs": len(rows),
        "reason": last.reason,
    }


def main() -> None:
    """Write the file."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else ENOUGH
    files = sorted(RUNS.glob("*.json"))[-count:]
    if not files:
        sys.exit("there is no run yet: make bench")
    found = summary([json.loads(file.read_text()) for file in files])
    FILE.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(f"{FILE.name}: the medians of {len(files)} runs")


if __name__ == "__main__":
    main()
