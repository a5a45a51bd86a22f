"""Single runs, as their rows keep them: records of `hds run --format json` again, as lines, as far as rows have them.

The rows of a run stand together in each file, and runs in the same order in all files of a part.
"""

from __future__ import annotations

import heapq
import json
from collections.abc import Iterator, Mapping
from itertools import groupby
from operator import itemgetter
from typing import Any

import msgspec

from hds.corpus.outcomes import Outcome
from hds.corpus.rows import MAIN, Row
from hds.corpus.store import Reading
from hds.report.records import SCHEMA_VERSION

_KEY, _NUMBER = itemgetter("key"), itemgetter("number")
_OPTIONAL = ("arguments", "registers", "bytes")  # that a record has or has not
_ALWAYS = ("core", "tick", "pid", "tid", "pc")  # that a message has
_NO_LOSSES = {"flushed": 0, "overwritten": 0, "overwritten_packets": 0, "unsent": 0}


class KeptRun(msgspec.Struct, frozen=True):
    """A program's row, and its records as JSON lines; they are read before the next run is."""

    row: Row
    lines: Iterator[bytes]


def kept_runs(results: Reading, most: int) -> Iterator[KeptRun]:
    """The runs of at most `most` programs: of those that did not end well first. Raises BadResults."""
    wanted = _chosen(results, most)
    programs = (row for batch in results.rows(MAIN) for row in batch.to_pylist() if row["key"] in wanted)
    groups = [_Groups(results, name, wanted) for name in ("messages", "triggers")]
    for row in programs:
        rows = [group.of(row["key"]) for group in groups]
        yield KeptRun(row, (_line(record) for record in _records(row, *rows)))


def _chosen(results: Reading, most: int) -> frozenset[str]:
    good: list[str] = []
    bad: list[str] = []
    for batch in results.rows(MAIN, ("key", "outcome")):
        for row in batch.to_pylist():
            keys = good if row["outcome"] == Outcome.OK.value else bad
            if len(keys) < most:
                keys.append(row["key"])
    return frozenset([*bad, *good][:most])


class _Groups:
    """The rows of a table, run by run."""

    def __init__(self, results: Reading, table: str, wanted: frozenset[str]) -> None:
        rows = (row for batch in results.rows(table) for row in batch.to_pylist() if row["key"] in wanted)
        self._groups = groupby(rows, _KEY)
        self._next = next(self._groups, None)

    def of(self, key: str) -> Iterator[Row]:
        """Those of this run, if they are the next ones."""
        while self._next is not None and self._next[0] == key:
            yield from self._next[1]
            self._next = next(self._groups, None)


def _records(program: Row, messages: Iterator[Row], triggers: Iterator[Row]) -> Iterator[Mapping[str, Any]]:
    said = (_message(row) for row in messages if row["text"] is not None)
    yield from heapq.merge(said, ({**row, "type": "trigger"} for row in triggers), key=_NUMBER)
    if program["outcome"] != Outcome.OK.value:
        yield {
            "type": "failure", "kind": program["outcome"], "code": None, "message": program["reason"] or "",
            "hint": None, "exit_code": 1,
        }  # fmt: skip
    if program["events"] is not None:
        yield _summary(program)


def _message(row: Row) -> Row:
    """A message as a record; what else has a text is shown as one."""
    return {**row, "type": "message", "outputs": [], **{name: row[name] or 0 for name in _ALWAYS}}


def _summary(program: Row) -> Row:
    events = [{**event, "file": None, "line": None, "end_line": None} for event in program["events"]]
    return {
        **{name: value or 0 for name, value in program.items() if isinstance(value, int) or value is None},
        "type": "summary", "schema": SCHEMA_VERSION, "lost": _NO_LOSSES, "events": events, "outputs": [],
        "unknown_system_calls": dict(program["unknown_calls"] or ()), "not_emulated": [], "processes": [],
        "reached_limits": program["reached_limits"] or [], "cause": program["cause"], "stopped": program["reason"],
        "exit_code": program["exit_code"], "crash": program["crash"],
    }  # fmt: skip


def _line(record: Mapping[str, Any]) -> bytes:
    given = {name: value for name, value in record.items() if value is not None or name not in _OPTIONAL}
    return json.dumps(given).encode() + b"\n"
