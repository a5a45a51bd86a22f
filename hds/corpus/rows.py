"""The dataset's tables: their columns, and the rows that a program's run becomes.

A row of `programs` for each program, one of `messages` for each record that has a text, one of `triggers` for each
event that triggered. `key` says which run a row belongs to, `number` its place among the run's records.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pyarrow as pa

from hds.corpus.outcomes import Outcome
from hds.session import GENERAL_AND_STATE

Row = dict[str, Any]

_PLACE = (
    ("event", pa.uint32()),
    ("stage", pa.string()),
    ("core", pa.uint32()),
    ("tick", pa.uint64()),
    ("pid", pa.uint64()),
    ("tid", pa.uint64()),
    ("pc", pa.uint64()),
    ("symbol", pa.string()),
)
_RUN = (("key", pa.string()), ("number", pa.uint32()))
_PATH = (("path", pa.string()), ("path_bytes", pa.string()))  # the latter in hexadecimal, where it is no UTF-8
_EVENT = pa.struct(
    [
        ("event", pa.uint32()),
        ("kind", pa.string()),
        ("command", pa.string()),
        *((name, pa.uint64()) for name in ("triggers", "rejections", "fuel", "errors", "code_errors")),
    ]
)
_CRASH = pa.struct(
    [
        ("vector", pa.uint32()),
        ("name", pa.string()),
        ("error_code", pa.uint64()),
        ("rip", pa.uint64()),
        ("address", pa.uint64()),
        ("exit_code", pa.int64()),
    ]
)
_COUNTS = (
    "triggers", "messages", "lost_messages", "instructions", "script_errors", "code_errors", "refused_commands",
    "breaks",
)  # fmt: skip
MEASURED = ("seconds", "cpu_seconds", "memory")  # what differs from run to run

TABLES: Mapping[str, pa.Schema] = {
    "programs": pa.schema(
        [
            ("key", pa.string()),
            *_PATH,
            ("sha256", pa.string()),
            ("size", pa.uint64()),
            ("kind", pa.string()),
            ("outcome", pa.string()),
            ("reason", pa.string()),
            ("cause", pa.string()),
            ("exit_code", pa.int64()),
            ("crash", _CRASH),
            *((name, pa.uint64()) for name in _COUNTS),
            ("unkept", pa.uint64()),
            ("unknown_calls", pa.map_(pa.string(), pa.uint64())),
            ("reached_limits", pa.list_(pa.string())),
            ("events", pa.list_(_EVENT)),
            ("seconds", pa.float64()),
            ("cpu_seconds", pa.float64()),
            ("memory", pa.uint64()),
        ]
    ),
    "messages": pa.schema([*_RUN, ("type", pa.string()), *_PLACE, ("text", pa.string()), ("bytes", pa.string())]),
    "triggers": pa.schema(
        [
            *_RUN,
            *_PLACE,
            ("process", pa.string()),
            ("thread", pa.string()),
            ("context", pa.uint64()),
            ("name", pa.string()),
            ("arguments", pa.list_(pa.uint64())),
            ("registers", pa.struct([(name, pa.uint64()) for name in GENERAL_AND_STATE])),
        ]
    ),
    "files": pa.schema([*_PATH, ("key", pa.string())]),
}
MAIN, FILES = "programs", "files"
_OUTCOMES = {outcome.value: outcome for outcome in Outcome}


def table(name: str, rows: Iterable[Row]) -> pa.Table:
    """Rows as a table; what a column has no place for is an error. Raises pyarrow.ArrowInvalid, OverflowError."""
    return pa.Table.from_pylist(list(rows), TABLES[name])


def rows_of(key: str, records: Iterable[Mapping[str, Any]]) -> tuple[Row, list[Row], list[Row]]:
    """What the records of a run say of its program, its messages and its triggers.

    The records are those of `hds run --format json`, and come from a process that nobody vouches for.
    """
    program: Row = {}
    messages: list[Row] = []
    triggers: list[Row] = []
    outcome, reason = Outcome.OK, ""
    for number, record in enumerate(records):
        match record.get("type"):
            case "summary":
                program |= _of_summary(record)
            case "unkept":
                program["unkept"] = record["count"]
            case "trigger":
                triggers.append({**record, "key": key, "number": number})
            case "failure":
                outcome, reason = _OUTCOMES[record["kind"]], record["message"]
            case kind:
                text = record.get("text", record.get("message"))
                messages.append({**record, "key": key, "number": number, "type": kind, "text": text})
    if outcome is Outcome.OK:
        reason = program["stopped"]
    program |= {"outcome": outcome.value, "reason": reason}
    return program, messages, triggers


def _of_summary(record: Mapping[str, Any]) -> Row:
    made = {name: record[name] for name in (*_COUNTS, "cause", "exit_code", "crash", "events", "reached_limits")}
    return {**made, "unknown_calls": list(record["unknown_system_calls"].items()), "stopped": record["stopped"]}
