"""Tables for pandas, DuckDB, Spark and the like: Parquet files of the triggers, messages and events of all runs.

Numbers of 64 bits are unsigned; `recording` is the name of the file that a row comes from.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hds.exporting.runs import RecordedRun
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
        "list<uint64>": pyarrow.list_(pyarrow.uint64()),
        "map<string, uint64>": pyarrow.map_(pyarrow.string(), pyarrow.uint64()),
    }
    tables = {}
    try:
        for name, columns in COLUMNS.items():
            schema = pyarrow.schema([(column, kinds[kind]) for column, kind in columns.items()])
            tables[name] = _Table(parquet.ParquetWriter(folder / f"{name}.parquet", schema), schema, pyarrow)
        for run in runs:
            for record in run:
                if record["type"] == "summary":
                    for event in record["events"]:
                        tables["events"].add({"recording": run.name, **event})
                elif record["type"] in _TABLES:
                    tables[_TABLES[record["type"]]].add({"recording": run.name, **record})
    finally:
        for table in tables.values():
            table.close()


class _Table:
    """A file that rows are added to."""

    def __init__(self, writer: Any, schema: Any, pyarrow: Any) -> None:
        self._writer = writer
        self._schema = schema
        self._pyarrow = pyarrow
        self._rows: list[dict[str, object]] = []

    def add(self, row: dict[str, object]) -> None:
        """One more; names that are no columns are left out."""
        self._rows.append({name: _value(row.get(name)) for name in self._schema.names})
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
