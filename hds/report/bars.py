"""Aggregations as people read them: tables and bars, the same on every terminal."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from hds.json_text import plain

if TYPE_CHECKING:
    from hds.report.records import Aggregated, Bucket

_BAR = 40  # columns
_WIDEST = 60  # characters of a key
_UNLIMITED = 1 << 16  # columns


def table(record: Aggregated) -> str:
    """A heading, a row or a histogram for each group, and what is not there; lines with their ends."""
    text = f"{plain(record.expression)}\n"
    if any(group.buckets for group in record.groups):
        for group in record.groups:
            if record.by:
                keys = zip(record.by, group.shown, strict=True)
                text += "".join(f"{', '.join(f'{name} {_cut(value)}' for name, value in keys)}\n")
            text += _histogram(group.buckets)
    elif record.groups:
        values = [group.value or 0 for group in record.groups]
        heading = (*record.by, record.function)
        rows = [
            (*map(_cut, group.shown), f"{value:,}", _bar(value, max(values)))
            for group, value in zip(record.groups, values, strict=True)
        ]
        text += _lines(heading, rows)
    if record.remark is not None:
        text += f"{plain(record.remark)}\n"
    if record.others:
        text += f"other: {record.others:,}\n"
    if not record.is_complete:
        text += "there were more groups than are kept (limit max_aggregate_groups)\n"
    if record.skipped:
        text += f"without a number in {record.value_of}: {record.skipped:,}\n"
    return f"\n{text}"


def _histogram(buckets: Sequence[Bucket]) -> str:
    most = max(bucket.count for bucket in buckets)
    return _lines((), [(each.range, f"{each.count:,}", _bar(each.count, most)) for each in buckets])


def _lines(heading: Sequence[str], rows: Sequence[tuple[str, ...]]) -> str:
    """Columns of which the last two are a number and a bar."""
    made = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, show_header=bool(heading), header_style="")
    names = [*heading, ""] if heading else [""] * len(rows[0])
    for place, name in enumerate(names):
        made.add_column(Text(name), justify="right" if place == len(names) - 2 else "left", no_wrap=True)
    for row in rows:
        made.add_row(*map(Text, row))
    console = Console(
        file=io.StringIO(), width=_UNLIMITED, color_system=None, force_terminal=False, force_jupyter=False,
        legacy_windows=False, _environ={},
    )  # fmt: skip
    with console.capture() as captured:
        console.print(made)
    return "".join(f"{line.rstrip()}\n" for line in captured.get().splitlines())


def _bar(value: int, most: int) -> str:
    """As bpftrace draws it; nothing for what is not positive."""
    length = value * _BAR // most if value > 0 else 0
    return f"|{'@' * length:<{_BAR}}|"


def _cut(text: str) -> str:
    text = plain(text)
    return text if len(text) <= _WIDEST else text[: _WIDEST - 3] + "..."
