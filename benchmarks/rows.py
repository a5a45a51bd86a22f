"""Rows of `make bench`: what was measured here and of a peer, in the same run, and the ratio that is wanted.

A benchmark keeps its rows in build/bench/, as JSON; `python benchmarks/table.py` prints those of all benchmarks.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "build" / "bench"


@dataclass(frozen=True)
class Row:
    """What is compared with what, and both numbers, of which less is better.

    The ratio is `ours / peer`, and at most `at_most`; or, where `faster`, `peer / ours`, and at least `at_least`.
    `reason` says why a goal is not reached.
    """

    what: str
    ours: float
    peer: float
    unit: str
    at_most: float | None = None
    at_least: float | None = None
    faster: bool = False
    reason: str = ""

    @property
    def ratio(self) -> float:
        """How many times the peer's, or how many times as fast."""
        above, below = (self.peer, self.ours) if self.faster else (self.ours, self.peer)
        return above / below if below else float("inf")

    @property
    def shown(self) -> str:
        """The ratio as people read it."""
        digits = 2 if self.ratio < 10 else 1 if self.ratio < 100 else 0
        return f"{self.ratio:,.{digits}f} x" + (" faster" if self.faster else "")

    @property
    def goal(self) -> str:
        """The goal as people read it; empty where there is none."""
        if self.at_most is not None:
            return f"<= {self.at_most:g} x"
        return "" if self.at_least is None else f">= {self.at_least:g} x"

    @property
    def holds(self) -> bool | None:
        """Whether the goal is reached; None where there is none."""
        if self.at_most is not None:
            return self.ratio <= self.at_most
        return None if self.at_least is None else self.ratio >= self.at_least


def keep(benchmark: str, rows: Iterable[Row]) -> None:
    """Keep the rows of a benchmark, in place of those of the run before."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    found = {"load": os.getloadavg()[0], "rows": [asdict(row) for row in rows]}
    (FOLDER / f"{benchmark}.json").write_text(json.dumps(found, indent=1))


def kept(benchmark: str) -> list[Row]:
    """The rows that a benchmark has kept last; none where it has not run."""
    file = FOLDER / f"{benchmark}.json"
    return [Row(**row) for row in json.loads(file.read_text())["rows"]] if file.exists() else []


def table(rows: Iterable[Row]) -> list[str]:
    """The rows as lines, with a heading."""
    lines: list[tuple[str, ...]] = [("what", "ours", "peer", "ratio", "goal", "holds")]
    for row in rows:
        holds = {None: "", True: "yes", False: "NO"}[row.holds]
        values = (f"{value:,.{0 if value >= 100 else 3}f} {row.unit}" for value in (row.ours, row.peer))
        lines.append((row.what, *values, row.shown, row.goal, " ".join(filter(None, (holds, row.reason)))))
    widths = [max(len(line[column]) for line in lines) for column in range(5)]
    return [
        "  ".join(
            (line[0].ljust(widths[0]), *(line[column].rjust(widths[column]) for column in range(1, 5)), line[5])
        ).rstrip()
        for line in lines
    ]
