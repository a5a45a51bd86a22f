"""Records as columns: Arrow tables and pandas frames. Both libraries are extras, imported when they are asked for."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from hds.version import install_command


class MissingExtra(ImportError):  # noqa: N818 - it reads as what happened
    """A library that belongs to an extra is not installed."""

    def __init__(self, library: str, extra: str) -> None:
        super().__init__(f"{library} is not installed: {install_command(extra)}")


def arrow_table(records: Iterable[Mapping[str, Any]]) -> Any:
    """A pyarrow.Table of records of one type, a column for each name; `registers` becomes `registers.rax` and so on.

    Columns of numbers are 64 bits wide, unsigned where no value is negative; Arrow shares their memory. Texts in
    hexadecimal beside numbers are left out. Raises MissingExtra.
    """
    try:
        import pyarrow
    except ImportError:
        raise MissingExtra("pyarrow", "arrow") from None

    rows = [_flat(record) for record in records]
    names = dict.fromkeys(name for row in rows for name in row)
    columns = {name: [row.get(name) for row in rows] for name in names}
    return pyarrow.table({name: _column(pyarrow, values) for name, values in columns.items()})


def _flat(record: Mapping[str, Any]) -> dict[str, Any]:
    row: dict[str, Any] = {}
    for name, value in record.items():
        if name.endswith("_hex"):
            continue
        if isinstance(value, Mapping):
            row |= {f"{name}.{inner}": each for inner, each in value.items()}
        else:
            row[name] = value
    return row


def _column(pyarrow: Any, values: Sequence[Any]) -> Any:
    if values and all(type(value) is int for value in values):
        code, kind = ("Q", pyarrow.uint64()) if min(values) >= 0 else ("q", pyarrow.int64())
        numbers = array(code, values)
        return pyarrow.Array.from_buffers(kind, len(values), [None, pyarrow.py_buffer(numbers)])
    present = [value for value in values if value is not None]
    if present and all(type(value) is int for value in present):
        return pyarrow.array(values, pyarrow.uint64() if min(present) >= 0 else pyarrow.int64())
    if present and all(isinstance(value, list) for value in present):
        numbers_only = all(type(inner) is int for value in present for inner in value)
        return pyarrow.array(values, pyarrow.list_(pyarrow.uint64() if numbers_only else pyarrow.string()))
    return pyarrow.array(values)


def pandas_frame(records: Iterable[Mapping[str, Any]]) -> Any:
    """The same as a pandas.DataFrame; columns of numbers without gaps share its memory. Raises MissingExtra."""
    try:
        import pandas  # noqa: F401 - pyarrow makes the frame, and says less clearly what is missing
    except ImportError:
        raise MissingExtra("pandas", "pandas") from None
    return arrow_table(records).to_pandas(split_blocks=True)
