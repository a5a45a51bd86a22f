"""What a folder of results comes to: the table at the end of a campaign, and what `hds corpus status` shows."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterator
from typing import Any

import msgspec

from hds.corpus.outcomes import RETRIED
from hds.corpus.rows import MAIN
from hds.corpus.store import Reading

MOST_SHOWN = 10  # calls, reasons and outliers
_MOST_COUNTED = 100_000  # names of calls that are counted
_WIDEST = 70  # characters of a path or a reason


class Outlier(msgspec.Struct, frozen=True):
    """A program with the most of something."""

    path: str
    value: float


class Overview(msgspec.Struct, frozen=True):
    """Numbers of all rows. `calls` are system calls by name, `unknown` those that are not carried out, by number."""

    programs: int
    outcomes: dict[str, int]
    reasons: list[tuple[str, str, int]]  # outcome, reason, count: of what did not end well
    calls: list[tuple[str, int]]
    unknown: list[tuple[str, int]]
    slowest: list[Outlier]  # seconds of processor time
    largest: list[Outlier]  # bytes of memory
    busiest: list[Outlier]  # guest instructions
    sums: dict[str, float]

    @property
    def failed(self) -> int:
        """How many `--retry failed` would run again."""
        return sum(count for outcome, count in self.outcomes.items() if outcome in RETRIED)


_SUMMED = ("triggers", "messages", "instructions", "cpu_seconds")
_OUTLIERS = {"slowest": "cpu_seconds", "largest": "memory", "busiest": "instructions"}


def overview(results: Reading) -> Overview:
    """Go through all rows once. Raises BadResults."""
    outcomes: Counter[str] = Counter()
    reasons: Counter[tuple[str, str]] = Counter()
    unknown: Counter[str] = Counter()
    sums = dict.fromkeys(_SUMMED, 0.0)
    most: dict[str, list[tuple[float, str]]] = {name: [] for name in _OUTLIERS}
    columns = ("path", "outcome", "reason", "unknown_calls", "memory", *_SUMMED)
    for batch in results.rows(MAIN, columns):
        for row in batch.to_pylist():
            outcomes[row["outcome"]] += 1
            if row["outcome"] != "ok":
                reason = (row["reason"] or "").replace(row["path"] or "\0", "PATH")
                _count(reasons, (row["outcome"], reason))
            for number, count in row["unknown_calls"] or ():
                unknown[number] += count
            for name in _SUMMED:
                sums[name] += row[name] or 0
            for name, column in _OUTLIERS.items():
                heapq.heappush(most[name], (float(row[column] or 0), row["path"] or ""))
                if len(most[name]) > MOST_SHOWN:
                    heapq.heappop(most[name])
    largest = {
        name: [Outlier(path, value) for value, path in sorted(found, reverse=True)] for name, found in most.items()
    }
    return Overview(
        sum(outcomes.values()),
        dict(outcomes.most_common()),
        [(*key, count) for key, count in reasons.most_common(MOST_SHOWN)],
        _calls(results).most_common(MOST_SHOWN),
        unknown.most_common(MOST_SHOWN),
        **largest,
        sums=sums,
    )


def _calls(results: Reading) -> Counter[str]:
    found: Counter[str] = Counter()
    for batch in results.rows("triggers", ("name",)):
        for each in batch.column(0).value_counts().to_pylist():
            if each["values"] is not None:
                _count(found, each["values"], each["counts"])
    return found


def _count(found: Counter[Any], what: object, times: int = 1) -> None:
    """Count what is counted already, and something new while there is room."""
    if what in found or len(found) < _MOST_COUNTED:
        found[what] += times


def lines_of(found: Overview) -> Iterator[str]:
    """The tables, for people."""
    programs = "program" if found.programs == 1 else "programs"
    yield f"{found.programs:,} {programs}, {_sums(found.sums)}"
    yield ""
    for title, rows in lists_of(found):
        yield from _table(title, [(name, text) for name, _, text in rows])


def lists_of(found: Overview) -> Iterator[tuple[str, list[tuple[str, float, str]]]]:
    """The tables: a title, and rows of a name, a number and how that is written."""
    counted = (
        ("outcome", list(found.outcomes.items())),
        ("why", [(f"{name}: {why}", count) for name, why, count in found.reasons]),
        ("system calls", found.calls),
        ("calls that are not carried out", found.unknown),
    )
    for title, counts in counted:
        if counts:
            yield title, [(name, count, f"{count:,}") for name, count in counts]
    for title, outliers, unit in (
        ("most processor time", found.slowest, "s"),
        ("most memory", found.largest, "MiB"),
        ("most guest instructions", found.busiest, ""),
    ):
        rows = [(each.path, each.value, _amount(each.value, unit)) for each in outliers[:3] if each.value]
        if rows:
            yield title, rows


def _sums(sums: dict[str, Any]) -> str:
    counts = [f"{int(sums[name]):,} {name}" for name in ("triggers", "messages", "instructions")]
    return ", ".join([*counts, f"{sums['cpu_seconds']:,.1f} s of processor time"])


def _amount(value: float, unit: str) -> str:
    match unit:
        case "s":
            return f"{value:.3f} s"
        case "MiB":
            return f"{value / (1 << 20):,.1f} MiB"
        case _:
            return f"{int(value):,}"


def _table(title: str, rows: list[tuple[str, str]]) -> Iterator[str]:
    yield title
    names = [_plain(name) for name, _ in rows]
    width = max(map(len, names), default=0)
    right = max((len(value) for _, value in rows), default=0)
    yield from (f"  {name:<{width}}  {value:>{right}}" for name, (_, value) in zip(names, rows, strict=True))
    yield ""


def _plain(text: str) -> str:
    """Text of strangers on a line of its own."""
    shown = "".join(char if char.isprintable() else "?" for char in text)
    return shown if len(shown) <= _WIDEST else f"{shown[: _WIDEST // 2 - 2]}...{shown[-_WIDEST // 2 + 1 :]}"
