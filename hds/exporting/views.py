"""A gathered run as what the page's template and its script are given: rows of texts and numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import TypeVar

import msgspec

from hds.exporting.gathering import (
    MOST_AGGREGATES,
    MOST_FIELDS,
    OUTSIDE,
    Field,
    Gathered,
    HeatMap,
    Script,
    Tally,
    Thread,
    Timeline,
)
from hds.exporting.runs import shown
from hds.report.records import AggregateObject, Bucket, EventObject, GroupObject, SummaryObject, plural

MOST_ROWS = 40  # of a table of counts
MOST_AGGREGATE_ROWS = 400
MOST_SERIES = 8  # of a chart; further events are one series
MOST_FAULTS = 200
MOST_EVENTS = 1000
K = TypeVar("K", bound=Hashable)


class Row(msgspec.Struct, frozen=True):
    """A row of a table of counts; `share` of the largest, in percent."""

    cells: tuple[str, ...]
    count: str
    share: float


class Table(msgspec.Struct, frozen=True):
    """What was counted, and what the table leaves out."""

    title: str
    columns: tuple[str, ...]
    rows: list[Row]
    rest: str
    counted: str = "count"


class EventRow(msgspec.Struct, frozen=True):
    """What an event did."""

    number: str
    kind: str
    triggers: str
    rejections: str
    fuel: str
    time: str
    errors: str
    command: str
    place: str


class HeatCell(msgspec.Struct, frozen=True):
    """A stretch of time in which there were accesses."""

    column: int
    opacity: float


class HeatRow(msgspec.Struct, frozen=True):
    """A stretch of addresses."""

    address: str
    count: str
    cells: list[HeatCell]


class HeatTable(msgspec.Struct, frozen=True):
    """A heat map."""

    title: str
    columns: int
    rows: list[HeatRow]
    note: str


class LineRow(msgspec.Struct, frozen=True):
    """A line of a script."""

    number: str
    hits: str
    text: str
    is_missed: bool


class ScriptTable(msgspec.Struct, frozen=True):
    """A script and its hits."""

    name: str
    lines: list[LineRow]


class Chart(msgspec.Struct, frozen=True):
    """A chart's texts, and where its counts are."""

    title: str
    note: str
    timeline: Timeline


class View:
    """A run as the page shows it."""

    def __init__(self, gathered: Gathered) -> None:
        self._gathered = gathered
        self.name = shown(gathered.run.name)
        self.summary = gathered.summary
        self.events = [_event(row) for row in self._event_objects()[:MOST_EVENTS]]
        self.measured = any("time_ns" in row for row in self._event_objects())
        self.timeline = _chart(gathered)
        self.notes = list(self._notes())
        self.tables = list(self._tables())
        self.heat_maps = [_heat_table(event, heat) for event, heat in gathered.heat_maps()]
        self.faults = gathered.faults.top(MOST_FAULTS)[0]
        self.scripts = [ScriptTable(script.name, list(_lines(script))) for script in gathered.scripts if script.lines]
        self.message_count = gathered.types["message"]
        self.message_events = [(_event_text(event), self._event_name(event)) for event in self._message_events()]

    def _event_objects(self) -> list[EventObject]:
        return [] if self.summary is None else self.summary["events"]

    def _event_name(self, event: int) -> str:
        if event == OUTSIDE:
            return "no event"
        return f"{event:x} {self._gathered.event_names.get(event, '')}".rstrip()

    def _message_events(self) -> list[int]:
        return sorted(self._gathered.message_times.series)

    def _notes(self) -> Iterator[str]:
        if self.summary is None:
            yield "The run has no summary: its end is not in the file."
        if self._gathered.run.unknown:
            yield f"{plural(self._gathered.run.unknown, 'record')} of types that this hds does not know left out."
        if not self._gathered.types["trigger"] and not self._gathered.types["call"]:
            yield "Triggers are not recorded one by one: `hds run --record triggers` does that."
        if self.events and not self.measured:
            yield "Times of events are not measured: `hds run --record times` does that."
        if len(self._event_objects()) > MOST_EVENTS:
            yield f"The first {MOST_EVENTS} of {len(self._event_objects())} events are shown."
        if self._gathered.left_out_fields:
            yield f"The first {MOST_FIELDS} fields of messages are shown."
        if self._gathered.types["aggregate"] > MOST_AGGREGATES:
            yield f"The first {MOST_AGGREGATES} of {self._gathered.types['aggregate']} aggregates are shown."
        if self._gathered.left_out_lines:
            yield f"{plural(self._gathered.left_out_lines, 'line')} of scripts left out."
        if not all(script.is_complete for script in self._gathered.scripts):
            yield "The hits of lines are not complete: the scripts have more than max_counted_instructions."

    def _tables(self) -> Iterator[Table]:
        watching = {event for event, _ in self._gathered.heat_maps()}
        for event, contexts in sorted(self._gathered.contexts.items())[:MOST_ROWS]:
            if event in watching:
                continue
            title = f"$context of event {self._event_name(event)}"
            rows, rest = _counted(contexts, lambda key: (f"{key[0]:x}", key[1]))
            named = any(row.cells[1] for row in rows)
            if not named:
                rows = [Row(row.cells[:1], row.count, row.share) for row in rows]
            yield Table(title, ("context", "name")[: 1 + named], rows, rest)
        if self._gathered.threads.counts:
            yield Table(
                "Triggers by process and thread", ("process", "thread"), *_counted(self._gathered.threads, _thread)
            )
        if self._gathered.calls.counts:
            rows, rest = _counted(self._gathered.calls, lambda key: (*_thread(key[0]), key[2]))
            yield Table("Calls by process and thread", ("process", "thread", "call"), rows, rest)
        yield from map(_aggregate_table, self._gathered.aggregates)
        for name, field in self._gathered.fields.items():
            yield _field_table(shown(name), field)

    def data(self) -> object:
        """What the script of the page is given."""
        return {"timeline": self._timeline_data(), "messages": self._message_data()}

    def _timeline_data(self) -> object:
        if self.timeline is None:
            return None
        timeline = self.timeline.timeline
        bins = range(timeline.last // timeline.width + 2)  # the last one ends the chart
        order = sorted(timeline.series, key=lambda event: (-timeline.series[event].total(), event))
        few, others = sorted(order[:MOST_SERIES]), order[MOST_SERIES:]
        series = [(self._event_name(event), timeline.series[event]) for event in few]
        if others:
            together: Counter[int] = Counter()
            for event in others:
                together.update(timeline.series[event])
            series.append((f"{len(others)} other events", together))
        return {
            "width": timeline.width,
            "ticks": [number * timeline.width for number in bins],
            "labels": [label for label, _ in series],
            "counts": [[counts[number] for number in bins] for _, counts in series],
        }

    def _message_data(self) -> object:
        rows = [
            (f"{tick:,}", _event_text(event), f"{pid:x}/{tid:x}", place, text)
            for tick, event, pid, tid, place, text in self._gathered.messages
        ]
        return {"rows": rows, "total": self.message_count, "kept": len(rows)}


def overview(views: Sequence[View]) -> list[tuple[str, list[str]]]:
    """What the runs came to, side by side; without what none of them has."""
    columns = [{} if view.summary is None else _came_to(view.summary) for view in views]
    labels = dict.fromkeys(label for column in columns for label, text in column.items() if text)
    missing = "its end is not in the file"
    return [(label, [column.get(label, "") if column else missing for column in columns]) for label in labels]


def _came_to(summary: SummaryObject) -> dict[str, str]:
    return {
        "ended": shown(summary["stopped"]),
        "exit code": "" if summary["exit_code"] is None else str(summary["exit_code"]),
        "triggers": f"{summary['triggers']:,}",
        "messages": f"{summary['messages']:,}",
        "lost messages": f"{summary['lost_messages']:,}",
        "guest instructions": f"{summary['instructions']:,}",
        "script errors": f"{summary['script_errors']:,}",
        "code errors": f"{summary['code_errors']:,}",
        "breaks": f"{summary['breaks']:,}",
        "limits reached": shown(", ".join(summary["reached_limits"])),
        "not emulated": shown(", ".join(summary["not_emulated"])),
    }


def _event_text(event: int) -> str:
    return "-" if event == OUTSIDE else f"{event:x}"


def _thread(thread: Thread) -> tuple[str, str]:
    return f"{thread.process} ({thread.pid:x})".lstrip(), f"{thread.thread} ({thread.tid:x})".lstrip()


def _event(row: EventObject) -> EventRow:
    place = "" if row["file"] is None else shown(f"{row['file']}:{row['line']}")
    errors = row["errors"] + row["code_errors"]
    took = f"{row['time_ns'] / 1e6:,.3f}" if "time_ns" in row else ""
    return EventRow(
        f"{row['event']:x}", shown(row["kind"]), f"{row['triggers']:,}", f"{row['rejections']:,}",
        f"{row['fuel']:,}", took, f"{errors:,}", shown(row["command"].strip()), place,
    )  # fmt: skip


def _lines(script: Script) -> Iterator[LineRow]:
    for number, (hits, text) in enumerate(script.lines, 1):
        yield LineRow(f"{number}", "" if hits is None else f"{hits:,}", text, hits == 0)


def _chart(gathered: Gathered) -> Chart | None:
    for title, timeline in (("Triggers", gathered.timeline), ("Messages", gathered.message_times)):
        if timeline.series:
            stretch = "each tick" if timeline.width == 1 else f"stretches of {timeline.width:,} ticks"
            return Chart(
                f"{title} over time", f"ticks are guest instructions, and the counts are those of {stretch}", timeline
            )
    return None


def _counted(tally: Tally[K], cells: Callable[[K], tuple[str, ...]]) -> tuple[list[Row], str]:
    """The rows of the most frequent keys, and what is said of the others."""
    most, keys, count = tally.top(MOST_ROWS)
    largest = max((number for _, number in most), default=1)
    rows = [Row(cells(key), f"{number:,}", round(100 * number / largest, 1)) for key, number in most]
    if not count:
        return rows, ""
    kinds = f"{keys:,} others" if not tally.others else f"at least {keys + 1:,} others"
    return rows, f"{kinds} came {count:,} times."


def _aggregate_table(record: AggregateObject) -> Table:
    """What an --aggregate came to: a row for each group, or for each bucket of its histogram."""
    columns = tuple(map(shown, record["keys"]))
    is_histogram = any(group["buckets"] for group in record["groups"])
    rows = _bucket_rows(record["groups"]) if is_histogram else _group_rows(record["groups"])
    left_out = len(rows) - MOST_AGGREGATE_ROWS
    said = (
        (left_out > 0, f"{plural(max(left_out, 0), 'row')} left out."),
        (record["other"], f"other: {record['other']:,}."),
        (not record["complete"], "There were more groups than are kept (limit max_aggregate_groups)."),
        (record["skipped"], f"Without a number in {shown(record['argument'] or '')}: {record['skipped']:,}."),
    )
    return Table(
        shown(record["expression"]), (*columns, "range") if is_histogram else columns, rows[:MOST_AGGREGATE_ROWS],
        " ".join(text for applies, text in said if applies), "count" if is_histogram else shown(record["function"]),
    )  # fmt: skip


def _group_rows(groups: Sequence[GroupObject]) -> list[Row]:
    values = [group["value"] or 0 for group in groups]
    largest = max(values, default=0)
    return [
        Row(
            tuple(map(shown, group["names"])),
            "" if group["value"] is None else f"{value:,}",
            _share(value, largest),
        )
        for group, value in zip(groups, values, strict=True)
    ]


def _bucket_rows(groups: Sequence[GroupObject]) -> list[Row]:
    rows = []
    for group in groups:
        most = max((bucket["count"] for bucket in group["buckets"]), default=0)
        for each in group["buckets"]:
            span = Bucket(each["least"], each["below"], each["count"]).range
            cells = (*map(shown, group["names"]), span)
            rows.append(Row(cells, f"{each['count']:,}", _share(each["count"], most)))
    return rows


def _share(value: int, most: int) -> float:
    return round(100 * value / most, 1) if value > 0 else 0.0


def _field_table(name: str, field: Field) -> Table:
    """The most frequent values of a field, and what its numbers come to."""
    rows, rest = _counted(field.values, lambda value: (_value(value),))
    if field.numbers:
        span = f"Least {_value(field.least)}, most {_value(field.most)}, sum {_value(field.sum)}."
        rest = f"{span} {rest}".rstrip()
    return Table(f"Values of {name}", ("value",), rows, rest)


def _value(value: int | str) -> str:
    """A number in both notations, where they differ."""
    if isinstance(value, str):
        return value
    return str(value) if abs(value) < 10 else f"{value} ({value:#x})"


def _heat_table(event: int, heat: HeatMap) -> HeatTable:
    """The rows of a heat map: the darker, the more accesses, by the square root."""
    largest = max(heat.counts.values())
    columns = max(column for _, column in heat.counts) + 1
    cells: dict[int, list[HeatCell]] = {row: [] for row in heat.rows}
    sums: Counter[int] = Counter()
    for (row, column), count in sorted(heat.counts.items()):
        cells[row].append(HeatCell(column, round(0.15 + 0.85 * (count / largest) ** 0.5, 3)))
        sums[row] += count
    rows = [HeatRow(f"{row << heat.shift:x}", f"{sums[row]:,}", cells[row]) for row in cells]
    size = "byte" if heat.shift == 0 else f"{1 << heat.shift:,} bytes"
    note = f"A row for each {size} with accesses, a column for {heat.width:,} ticks; at most {largest:,} in one."
    return HeatTable(f"Accesses to memory, event {event:x}", columns, rows, note)
