"""What a page says of a run, gathered from its records in one pass; what is kept is bounded by named limits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterator
from typing import Generic, TypeVar

import msgspec

from hds.exporting.runs import RecordedRun, shown
from hds.report.records import (
    AggregateObject,
    LineHitsObject,
    MessageObject,
    SummaryObject,
    TriggerObject,
    without_twins,
)
from vm.facts.limits import Limits

K = TypeVar("K", bound=Hashable)
LONGEST_TEXT = 1000  # characters of a message
HEAT_ROWS = 48  # of addresses
HEAT_COLUMNS = 64  # of time
MOST_FIELDS = 40  # names of fields
MOST_AGGREGATES = 40
OUTSIDE = -1  # in the place of an event's number: a message that no event made


class Tally(Generic[K]):
    """How often each of at most `most` keys came; `others` counts what came of further keys."""

    def __init__(self, most: int) -> None:
        self.counts: Counter[K] = Counter()
        self.others = 0
        self._most = most

    def add(self, key: K) -> None:
        """It came once more."""
        if key in self.counts or len(self.counts) < self._most:
            self.counts[key] += 1
        else:
            self.others += 1

    def top(self, number: int) -> tuple[list[tuple[K, int]], int, int]:
        """The most frequent ones; how many keys there are beside them, and how often these came."""
        few = self.counts.most_common(number)
        rest = self.counts.total() - sum(count for _, count in few)
        return few, len(self.counts) - len(few), rest + self.others


class Timeline:
    """How often something came, by series and time; the bins are so wide that `most` of them are enough."""

    def __init__(self, most: int) -> None:
        self.width = 1  # ticks
        self._most = most
        self.series: dict[int, Counter[int]] = {}
        self.last = 0

    def add(self, series: int, tick: int) -> None:
        """It came at this time, from 0."""
        tick = max(0, tick)
        while tick // self.width >= self._most:
            self.width *= 2
            self.series = {name: _halved(counts) for name, counts in self.series.items()}
        self.last = max(self.last, tick)
        self.series.setdefault(series, Counter())[tick // self.width] += 1


def _halved(counts: Counter[int]) -> Counter[int]:
    made: Counter[int] = Counter()
    for number, count in counts.items():
        made[number // 2] += count
    return made


class HeatMap:
    """How often addresses were accessed, by time: rows of 2^shift bytes, columns of `width` ticks."""

    def __init__(self) -> None:
        self.width = 1
        self.shift = 0
        self.counts: Counter[tuple[int, int]] = Counter()  # by row and column
        self._rows: set[int] = set()

    def add(self, address: int, tick: int) -> None:
        """One access, at a time from 0."""
        tick = max(0, tick)
        while tick // self.width >= HEAT_COLUMNS:
            self.width *= 2
            self._fold(0, 1)
        self._rows.add(address >> self.shift)
        while len(self._rows) > HEAT_ROWS:
            self.shift += 1
            self._rows = {row >> 1 for row in self._rows}
            self._fold(1, 0)
        self.counts[address >> self.shift, tick // self.width] += 1

    def _fold(self, row_bits: int, column_bits: int) -> None:
        made: Counter[tuple[int, int]] = Counter()
        for (row, column), count in self.counts.items():
            made[row >> row_bits, column >> column_bits] += count
        self.counts = made

    @property
    def rows(self) -> list[int]:
        """The rows that there are, by address."""
        return sorted(self._rows)


class Field:
    """The values of one field of messages (`--fields`): how often each came, and the span and sum of the numbers."""

    def __init__(self, most: int) -> None:
        self.values: Tally[int | str] = Tally(most)
        self.numbers = self.sum = self.least = self.most = 0

    def add(self, value: int | str) -> None:
        """It came once more."""
        if isinstance(value, int):
            self.least = min(self.least, value) if self.numbers else value
            self.most = max(self.most, value) if self.numbers else value
            self.sum += value
            self.numbers += 1
        self.values.add(value if isinstance(value, int) else shown(value))


class Thread(msgspec.Struct, frozen=True):
    """One that triggers came from."""

    pid: int
    tid: int
    process: str
    thread: str


class Script(msgspec.Struct, frozen=True):
    """A text with scripts: of each line its hits, None where it has no code, and its text."""

    name: str
    lines: list[tuple[int | None, str]]
    is_complete: bool


class Gathered:
    """A run as a page shows it. Texts show what they have (`runs.shown`)."""

    def __init__(self, run: RecordedRun, limits: Limits) -> None:
        self.run = run
        self.limits = limits
        self.types: Counter[str] = Counter()
        self.timeline = Timeline(limits.max_report_bins)
        self.message_times = Timeline(limits.max_report_bins)
        self.contexts: dict[int, Tally[tuple[int, str]]] = {}  # by event
        self.accesses: dict[int, HeatMap] = {}  # by event: contexts as if they were addresses
        self.threads: Tally[Thread] = Tally(limits.max_report_values)
        self.calls: Tally[tuple[Thread, int, str]] = Tally(limits.max_report_values)
        self.messages: list[tuple[int, int, int, int, str, str]] = []  # tick, event, pid, tid, place, text
        self.fields: dict[str, Field] = {}
        self.left_out_fields: set[str] = set()  # of these at most as many as of the others
        self.aggregates: list[AggregateObject] = []
        self.scripts: list[Script] = []
        self.left_out_lines = 0
        self.faults: Tally[str] = Tally(limits.max_report_values)
        self.summary: SummaryObject | None = None
        for record in run:
            self.types[record["type"]] += 1
            if record["type"] == "trigger":
                self._trigger(record)
            elif record["type"] == "message":
                self._message(record)
            elif record["type"] == "lines":
                self._script(record)
            elif record["type"] == "call":
                thread = Thread(record["pid"], record["tid"], "", "")
                self.calls.add((thread, record["number"], shown(record["name"])))
            elif record["type"] == "aggregate":
                if len(self.aggregates) < MOST_AGGREGATES:
                    self.aggregates.append(record)
            elif record["type"] == "summary":
                self.summary = record
            elif record["type"] == "finding":
                place = f"{record['file']}:{record['line']}:{record['column']}"
                self.faults.add(shown(f"{place}: {record['code']}: {record['message']}"))
            elif record["type"] == "script_error":
                place = "" if record["file"] is None else f"{record['file']}:{record['line']}:{record['column']}: "
                self.faults.add(shown(f"{place}{record['text']}"))
            elif record["type"] == "code_error":
                self.faults.add(shown(f"event {record['event']:x}: {record['text']}"))
            elif record["type"] == "failure":
                self.faults.add(shown(record["message"]))

    def _trigger(self, record: TriggerObject) -> None:
        event, context = record["event"], record["context"]
        most = self.limits.max_report_values
        self.timeline.add(event, record["tick"])
        name = shown(record["name"] or "")
        self.contexts.setdefault(event, Tally(most)).add((context, name))
        self.accesses.setdefault(event, HeatMap()).add(context, record["tick"])
        thread = Thread(record["pid"], record["tid"], shown(record["process"]), shown(record["thread"]))
        self.threads.add(thread)
        if name:
            self.calls.add((thread, context, name))

    def _message(self, record: MessageObject) -> None:
        event = OUTSIDE if record["event"] is None else record["event"]
        self.message_times.add(event, record["tick"])
        for row in record.get("fields", ()):
            for name, value in without_twins(row).items():
                self._field(name, value)
        if len(self.messages) < self.limits.max_report_messages:
            place = shown(record["symbol"] or (f"{record['pc']:x}" if record["pc"] else ""))
            text = record["text"].removesuffix("\n")
            said = shown(text[:LONGEST_TEXT]) + ("..." if len(text) > LONGEST_TEXT else "")
            self.messages.append((record["tick"], event, record["pid"], record["tid"], place, said))

    def _field(self, name: str, value: int | str) -> None:
        if name not in self.fields:
            if len(self.fields) == MOST_FIELDS:
                self.left_out_fields |= {name} if len(self.left_out_fields) < MOST_FIELDS else set()
                return
            self.fields[name] = Field(self.limits.max_report_values)
        self.fields[name].add(value)

    def _script(self, record: LineHitsObject) -> None:
        room = self.limits.max_report_lines - sum(len(script.lines) for script in self.scripts)
        lines = [(line["hits"], shown(line["text"][:LONGEST_TEXT])) for line in record["lines"][:room]]
        self.left_out_lines += len(record["lines"]) - len(lines)
        self.scripts.append(Script(shown(record["file"]), lines, record["complete"]))

    @property
    def event_names(self) -> dict[int, str]:
        """The numbers of events with their kinds."""
        return {} if self.summary is None else {row["event"]: shown(row["kind"]) for row in self.summary["events"]}

    def heat_maps(self) -> Iterator[tuple[int, HeatMap]]:
        """Those of the events that watch memory."""
        for event, heat in self.accesses.items():
            if self.event_names.get(event, "").startswith("monitor"):
                yield event, heat
