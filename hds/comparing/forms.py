"""Changes for people and for programs. What runs say never becomes control characters."""

from __future__ import annotations

import json
from collections.abc import Iterator

from hds.comparing.changes import Change, Kind
from hds.comparing.runs import Run
from hds.json_text import plain

WIDEST = 300  # characters of one value
MOST_FIELDS = 40  # of a record that are shown
MARKS = {Kind.SAME: " ", Kind.CHANGED: "~", Kind.MISSING: "-", Kind.ADDED: "+"}
_HEXADECIMAL = ("pc", "context", "registers.", "arguments[")
_TOLD = ("text", "message", "name", "code", "cause")  # what a record is about: the first that it has


def lines_of(change: Change, a: Run, b: Run) -> Iterator[str]:
    """A line for the record, with its place in both runs, and one for each field that differs."""
    run, number = (a, change.a) if change.b is None else (b, change.b)
    assert number is not None
    places = "/".join("" if at is None else str(side.lines[at]) for side, at in ((a, change.a), (b, change.b)))
    yield f"{MARKS[change.kind]} {places}: {_title(run.record(number))}"
    for count, (name, (old, new)) in enumerate(change.fields.items()):
        if count == MOST_FIELDS:
            yield f"    and {len(change.fields) - MOST_FIELDS} more fields"
            return
        yield f"    {plain(name)}: {_value(name, old)} -> {_value(name, new)}"


def change_object(change: Change, a: Run, b: Run) -> dict[str, object]:
    """The change as a JSON object: lines, records, and the fields that differ."""
    made: dict[str, object] = {"type": "change", "kind": change.kind.value}
    for side, run, at in (("a", a, change.a), ("b", b, change.b)):
        made[f"{side}_line"] = None if at is None else run.lines[at]
        made[side] = None if at is None else run.record(at)
    made["fields"] = {name: {"a": old, "b": new} for name, (old, new) in change.fields.items()}
    return made


def _title(record: dict[str, object]) -> str:
    """A record in one line."""
    parts = [str(record["type"])]
    event, stage, pc, symbol = (record.get(name) for name in ("event", "stage", "pc", "symbol"))
    if type(event) is int:
        parts.append(f"event {event:x}" + (f" {stage}" if isinstance(stage, str) else ""))
    if isinstance(symbol, str):
        parts.append(f"at {symbol}")
    elif type(pc) is int and pc:
        parts.append(f"at 0x{pc:x}")
    told = next((record[name] for name in _TOLD if isinstance(record.get(name), str)), None)
    if told is not None:
        parts.append(_value("", told))
    return plain(" ".join(parts))


def _value(name: str, value: object) -> str:
    if type(value) is int and name.startswith(_HEXADECIMAL):
        return f"0x{value:x}"
    text = json.dumps(value, ensure_ascii=False)
    return plain(text if len(text) <= WIDEST else text[:WIDEST] + "...")
