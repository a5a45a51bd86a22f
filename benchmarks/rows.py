"""Rows of `make bench`: what was measured here and of a peer, in the same run, and the ratio that is wanted.

A benchmark keeps its rows in build/bench/, as JSON, each as soon as it is there; `benchmarks/table.py` prints those of
all benchmarks, and `benchmarks/measured.py` makes the numbers of the documentation of them.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

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
        return shown(self.ratio, self.faster)

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


def shown(ratio: float, faster: bool) -> str:
    """A ratio as people read it."""
    digits = 2 if ratio < 10 else 1 if ratio < 100 else 0
    return f"{ratio:,.{digits}f} x" + (" faster" if faster else "")


def amount(value: float, unit: str) -> str:
    """A number and its unit as people read them."""
    return f"{value:,.0f} {unit}" if value >= 100 else f"{value:.3g} {unit}"


# --- what a benchmark keeps


def begin(benchmark: str) -> None:
    """Forget what the run before has kept."""
    _write(benchmark, {"load": os.getloadavg()[0], "rows": [], "notes": []})


def keep(benchmark: str, rows: Iterable[Row]) -> None:
    """Keep the rows of a benchmark, up to now."""
    _write(benchmark, {**_read(benchmark), "rows": [asdict(row) for row in rows]})


def note(benchmark: str, text: str) -> None:
    """Print and keep what the table is to say of a benchmark: a part is skipped, it has failed."""
    print(f"{benchmark}: {text}", flush=True)
    found = _read(benchmark)
    if text not in found["notes"]:
        _write(benchmark, {**found, "notes": [*found["notes"], text]})


def kept(benchmark: str) -> list[Row]:
    """The rows that a benchmark has kept last; none where it has not run."""
    return [Row(**row) for row in _read(benchmark)["rows"]]


def notes(benchmark: str) -> list[str]:
    """What is to be said of it."""
    return [str(text) for text in _read(benchmark)["notes"]]


def load(benchmark: str) -> float:
    """How many processes wanted a processor when it began."""
    return float(_read(benchmark)["load"])


def _file(benchmark: str) -> Path:
    return FOLDER / f"{benchmark}.json"


def _read(benchmark: str) -> dict[str, Any]:
    file = _file(benchmark)
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    return {"load": 0.0, "rows": [], "notes": []} | found


def _write(benchmark: str, found: dict[str, Any]) -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    _file(benchmark).write_text(json.dumps(found, indent=1), encoding="utf-8")


def table(rows: Iterable[Row]) -> list[str]:
    """The rows as lines, with a heading."""
    lines: list[tuple[str, ...]] = [("what", "ours", "peer", "ratio", "goal", "holds")]
    for row in rows:
        holds = {None: "", True: "yes", False: "NO"}[row.holds]
        values = (amount(value, row.unit) for value in (row.ours, row.peer))
        lines.append((row.what, *values, row.shown, row.goal, " ".join(filter(None, (holds, row.reason)))))
    widths = [max(len(line[column]) for line in lines) for column in range(5)]
    return [
        "  ".join(
            (line[0].ljust(widths[0]), *(line[column].rjust(widths[column]) for column in range(1, 5)), line[5])
        ).rstrip()
        for line in lines
    ]
