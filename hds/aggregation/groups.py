"""Aggregations under way: rows of triggers and messages come in, groups of bounded number are kept."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec

from hds.aggregation.grammar import FIELDS, VALUES, Aggregate
from hds.report import Field, rows_of
from hds.report.records import Aggregated, Bucket, Group, Message, Record, Triggered
from lang import nearest_name
from vm.facts.limits import Limits

Value = int | str | None
Key = tuple[Value, str | None]  # with the name of a system call
Row = Mapping[str, Value | Field]

_STAGES = ("pre", "post")
_HEXADECIMAL = {"event", "pid", "tid", "pc", "context"}
_BELOW, _ZERO = -1, 0  # buckets of `hist`; all others are numbers of bits


class Aggregation:
    """All aggregations of a run. It hears the records, in order, and has a record of each at the end."""

    def __init__(self, aggregates: Iterable[Aggregate], limits: Limits) -> None:
        tables = [_Table(aggregate, limits.max_aggregate_groups) for aggregate in aggregates]
        self._tables = tables
        self._of_triggers = [table for table in tables if not table.aggregate.reads_messages]
        self._of_messages = [table for table in tables if table.aggregate.reads_messages]
        self._last: dict[int, Triggered] = {}  # by core: messages that follow are of it
        self.needs_triggers = any(table.aggregate.needs_triggers for table in tables)

    def hear(self, record: Record) -> None:
        """Take what is of use to it."""
        if isinstance(record, Triggered):
            self._last[record.core] = record
            if self._of_triggers:
                row = _of_trigger(record)
                for table in self._of_triggers:
                    table.add(row, record.name)
        elif isinstance(record, Message) and self._of_messages:
            self._message(record)

    def _message(self, message: Message) -> None:
        found = rows_of(message.text)
        if not found:
            return
        values, name = self._values(message)
        for fields in found:
            row: Row = fields | values | {f"{FIELDS}{field}": fields[field] for field in VALUES if field in fields}
            for table in self._of_messages:
                table.add(row, name)

    def _values(self, message: Message) -> tuple[dict[str, Value], str | None]:
        """Of the trigger that a message is of, and the name of its call; None outside events."""
        if message.event_id is None:
            return dict.fromkeys(VALUES), None
        last = self._last.get(message.core)
        if last is not None and (last.event_id, last.stage, last.thread_id) == (
            message.event_id, message.stage, message.thread_id,
        ):  # fmt: skip
            return _of_trigger(last), last.name
        return dict.fromkeys(VALUES) | {
            "event": message.event_id,
            "stage": _STAGES[message.stage],
            "core": message.core,
            "tick": message.time,
            "pid": message.process_id,
            "tid": message.thread_id,
            "pc": message.instruction_pointer,
        }, None

    def records(self) -> list[Aggregated]:
        """What they have come to."""
        return [table.record() for table in self._tables]


def _of_trigger(record: Triggered) -> dict[str, Value]:
    return {
        "event": record.event_id,
        "stage": _STAGES[record.stage],
        "core": record.core,
        "tick": record.time,
        "pid": record.process_id,
        "tid": record.thread_id,
        "process": record.process,
        "thread": record.thread,
        "pc": record.instruction_pointer,
        "symbol": record.symbol,
        "context": record.context,
        "name": record.name,
    }


class _Group(msgspec.Struct):
    keys: tuple[Key, ...]
    shown: tuple[str, ...]  # a field as it was printed first
    count: int = 0
    value: int = 0
    buckets: dict[int, int] = msgspec.field(default_factory=dict)


class _Table:
    """One aggregation: its groups by their keys, the first `most` of them."""

    def __init__(self, aggregate: Aggregate, most: int) -> None:
        self.aggregate, self._most = aggregate, most
        self._groups: dict[tuple[Key, ...], _Group] = {}
        self._others = self._skipped = 0
        self._seen: set[str] = set()  # names of fields that some row had
        self._is_complete = True
        self._add = _ADDING[aggregate.function]

    def add(self, row: Row, name: str | None) -> None:
        """Take a row, if it has all fields; `name` is that of the trigger's system call."""
        aggregate = self.aggregate
        missing = [each for each in aggregate.names if each not in row]
        if missing:
            self._seen.update(each for each in aggregate.names if each not in VALUES and each in row)
            return
        value = 0 if aggregate.value_of is None else _value(row[aggregate.value_of])
        if not isinstance(value, int):
            self._skipped += 1
            return
        keys = tuple((_value(row[each]), name if each == "context" else None) for each in aggregate.by)
        group = self._groups.get(keys)
        if group is None:
            if len(self._groups) == self._most:
                self._others += 1
                self._is_complete = False
                return
            shown = tuple(_shown(each, row[each], called) for each, (_, called) in zip(aggregate.by, keys, strict=True))
            group = self._groups[keys] = _Group(keys, shown)
        self._add(aggregate, group, value)
        group.count += 1

    def record(self) -> Aggregated:
        """What it has come to."""
        aggregate = self.aggregate
        groups = sorted((self._made(group) for group in self._groups.values()), key=_order)
        shown = groups[: aggregate.top]
        others = self._others + sum(group.count for group in groups[len(shown) :])
        remark = None if groups or self._skipped else self._remark()
        return Aggregated(
            aggregate.text, aggregate.function, aggregate.value_of, aggregate.by, tuple(shown), others, self._skipped,
            self._is_complete, remark,
        )  # fmt: skip

    def _remark(self) -> str:
        """Why there is nothing."""
        if not self.aggregate.reads_messages:
            return "nothing was counted: no event has triggered"
        never = [name for name in self.aggregate.names if name not in VALUES and name not in self._seen]
        if not never:
            return "nothing was counted: no line of a message has all these fields"
        near = nearest_name(never[0], VALUES)
        meant = f"; did you mean {near}?" if near else ""
        return f"nothing was counted: no message has a field {never[0].removeprefix(FIELDS)}=...{meant}"

    def _made(self, group: _Group) -> Group:
        aggregate = self.aggregate
        buckets = tuple(_buckets(aggregate, group.buckets)) if group.buckets else ()
        value = None if buckets else group.value
        if aggregate.function == "avg":
            value = abs(group.value) // group.count * (-1 if group.value < 0 else 1)
        return Group(tuple(value for value, _ in group.keys), group.shown, group.count, value, buckets)


def _count(aggregate: Aggregate, group: _Group, value: int) -> None:
    group.value += 1


def _sum(aggregate: Aggregate, group: _Group, value: int) -> None:
    group.value += value


def _min(aggregate: Aggregate, group: _Group, value: int) -> None:
    group.value = min(group.value, value) if group.count else value


def _max(aggregate: Aggregate, group: _Group, value: int) -> None:
    group.value = max(group.value, value) if group.count else value


def _hist(aggregate: Aggregate, group: _Group, value: int) -> None:
    place = _BELOW if value < 0 else value.bit_length()
    group.buckets[place] = group.buckets.get(place, 0) + 1


def _lhist(aggregate: Aggregate, group: _Group, value: int) -> None:
    assert aggregate.bounds is not None
    least, end, step = aggregate.bounds
    place = _BELOW if value < least else (value - least) // step if value < end else _last(aggregate)
    group.buckets[place] = group.buckets.get(place, 0) + 1


def _last(aggregate: Aggregate) -> int:
    """The bucket of what is not below max."""
    assert aggregate.bounds is not None
    least, end, step = aggregate.bounds
    return -(-(end - least) // step)


_ADDING: dict[str, Callable[[Aggregate, _Group, int], None]] = {
    "count": _count, "sum": _sum, "avg": _sum, "min": _min, "max": _max, "hist": _hist, "lhist": _lhist,
}  # fmt: skip


def _buckets(aggregate: Aggregate, counts: Mapping[int, int]) -> Sequence[Bucket]:
    """From the lowest to the highest that has values, those without between them."""
    return [Bucket(*_range(aggregate, place), counts.get(place, 0)) for place in range(min(counts), max(counts) + 1)]


def _range(aggregate: Aggregate, place: int) -> tuple[int | None, int | None]:
    """Where a bucket begins and ends."""
    if aggregate.bounds is None:
        return (None, 0) if place == _BELOW else (0, 1) if place == _ZERO else (1 << (place - 1), 1 << place)
    least, end, step = aggregate.bounds
    if place == _BELOW:
        return None, least
    start = least + place * step
    return (end, None) if place == _last(aggregate) else (start, min(start + step, end))


def _order(group: Group) -> tuple[object, ...]:
    """The largest first, then by keys: none, numbers, texts."""
    size = group.count if group.value is None else group.value
    keys = [(0, 0, "") if key is None else (1, key, "") if isinstance(key, int) else (2, 0, key) for key in group.keys]
    return -size, keys, group.shown


def _value(given: Value | Field) -> Value:
    return given.value if isinstance(given, Field) else given


def _shown(name: str, value: Value | Field, called: str | None) -> str:
    if isinstance(value, Field):
        return value.text
    if called is not None:
        return called
    if value is None:
        return "-"
    return f"0x{value:x}" if isinstance(value, int) and name in _HEXADECIMAL else str(value)
