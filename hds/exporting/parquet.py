"""Tables for pandas, DuckDB, Spark and the like: Parquet files of triggers, messages, their fields, and events.

Numbers of 64 bits are unsigned, but for `number` of a field; `recording` is the name of the file that a row comes from.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from hds.exporting.runs import RecordedRun
from hds.report.records import MessageObject, without_twins
from hds.session import MissingExtra

_MASK = (1 << 64) - 1
_BATCH = 20_000  # rows that are kept in memory
_COMMON = {"recording": "string", "event": "uint64", "stage": "string", "core": "uint64", "tick": "uint64"}
_PLACE = {"pid": "uint64", "tid": "uint64", "pc": "uint64", "symbol": "string"}
COLUMNS = {
    "triggers": {
        **_COMMON,
        **_PLACE,
        "process": "string",
        "thread": "string",
        "context": "uint64",
        "name": "string",
        "arguments": "list<uint64>",
        "registers": "map<string, uint64>",
    },
    "messages": {**_COMMON, **_PLACE, "text": "string"},
    "fields": {
        **_COMMON,
        **_PLACE,
        "message": "uint64",
        "line": "uint64",
        "name": "string",
        "number": "int64",
        "unsigned": "uint64",
        "text": "string",
    },
    "events": {
        "recording": "string",
        "event": "uint64",
        "kind": "string",
        "command": "string",
        "file": "string",
        "line": "uint64",
        "triggers": "uint64",
        "rejections": "uint64",
        "fuel": "uint64",
        "time_ns": "uint64",
        "errors": "uint64",
        "code_errors": "uint64",
    },
}
_SIGNED = ("number",)
_TABLES = {"trigger": "triggers", "message": "messages"}


def fill(folder: Path, runs: Sequence[RecordedRun]) -> None:
    """Write a file for each table. Raises MissingExtra, BadRun, OSError."""
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        raise MissingExtra("pyarrow", "arrow") from None
    kinds = {
        "string": pyarrow.string(),
        "uint64": pyarrow.uint64(),
        "int64": pyarrow.int64(),
        "list<uint64>": pyarrow.list_(pyarrow.uint64()),
        "map<string, uint64>": pyarrow.map_(pyarrow.string(), pyarrow.uint64()),
    }
    tables = {}
    try:
        for name, columns in COLUMNS.items():
            schema = pyarrow.schema([(column, kinds[kind]) for column, kind in columns.items()])
            tables[name] = _Table(parquet.ParquetWriter(folder / f"{name}.parquet", schema), schema, pyarrow)
        for run in runs:
            messages = 0
            for record in run:
                if record["type"] == "summary":
                    for event in record["events"]:
                        tables["events"].add({"recording": run.name, **event})
                elif record["type"] in _TABLES:
                    tables[_TABLES[record["type"]]].add({"recording": run.name, **record})
                if record["type"] == "message":
                    for field in _fields(record):
                        tables["fields"].add({"recording": run.name, **record, "message": messages, **field})
                    messages += 1
    finally:
        for table in tables.values():
            table.close()


def _fields(record: MessageObject) -> Iterator[dict[str, object]]:
    """The columns of each pair `name=value` of a message (`--fields`); from 2^63 on there is no `number`."""
    for line, pairs in enumerate(record.get("fields", ())):
        for name, value in without_twins(pairs).items():
            if isinstance(value, str):
                yield {"line": line, "name": name, "text": value}
            else:
                number = value if value <= _MASK >> 1 else None
                yield {"line": line, "name": name, "number": number, "unsigned": value, "text": None}


class _Table:
    """A file that rows are added to."""

    def __init__(self, writer: Any, schema: Any, pyarrow: Any) -> None:
        self._writer = writer
        self._schema = schema
        self._pyarrow = pyarrow
        self._rows: list[dict[str, object]] = []

    def add(self, row: dict[str, object]) -> None:
        """One more; names that are no columns are left out."""
        self._rows.append(
            {name: row.get(name) if name in _SIGNED else _value(row.get(name)) for name in self._schema.names}
        )
        if len(self._rows) == _BATCH:
            self._flush()

    def _flush(self) -> None:
        self._writer.write_table(self._pyarrow.Table.from_pylist(self._rows, schema=self._schema))
        self._rows = []

    def close(self) -> None:
        """The file is whole."""
        self._flush()
        self._writer.close()


def _value(value: object) -> object:
    """A value as Arrow takes it: texts are UTF-8, numbers unsigned."""
    if type(value) is int:
        return value & _MASK
    if isinstance(value, list):
        return [_value(inner) for inner in value]
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode("utf-8")
    return [(_value(name), _value(inner)) for name, inner in value.items()] if isinstance(value, dict) else value
