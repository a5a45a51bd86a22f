"""What an aggregation came to, at the end of a run (`--aggregate`)."""

from typing import Annotated, Literal, NotRequired, TypedDict

import msgspec

from hds.report.records.shown import Output
from hds.report.records.texts import Wide

_UNITS = "KMGTPE"


class Bucket(msgspec.Struct, frozen=True):
    """How many values were in [start, end); None where it has no such end."""

    start: int | None
    end: int | None
    count: int

    @property
    def range(self) -> str:
        """Its ends as people read them: [8], [1K, 2K), [1M, ...), (..., 0)."""
        if self.start is not None and self.end == self.start + 1:
            return f"[{_number(self.start)}]"
        if self.start is None:
            return f"(..., {_number(self.end or 0)})"
        return f"[{_number(self.start)}, {'...' if self.end is None else _number(self.end)})"


def _number(value: int) -> str:
    """With the unit of 1,024, where it is a whole number of them."""
    unit = ""
    for unit_above in _UNITS:
        if not value or value % 1024:
            break
        value, unit = value // 1024, unit_above
    return f"{value}{unit}"


class Group(msgspec.Struct, frozen=True):
    """The rows with the same keys: how many, and what the function makes of them (None for histograms).

    `shown` are the keys as people read them, numbers of system calls by name.
    """

    keys: tuple[int | str | None, ...]
    shown: tuple[str, ...]
    count: int
    value: int | None
    buckets: tuple[Bucket, ...] = ()


class Aggregated(msgspec.Struct, frozen=True):
    """The groups of one expression, the largest first.

    `others` are the rows of groups that are not here, `skipped` those without a number to compute with. `is_complete`
    is false where there were more groups than are kept (limit max_aggregate_groups). `remark` says why nothing is here.
    """

    expression: str
    function: str
    value_of: str | None
    by: tuple[str, ...]
    groups: tuple[Group, ...]
    others: int = 0
    skipped: int = 0
    is_complete: bool = True
    remark: str | None = None


class BucketObject(TypedDict):
    """A bucket of a histogram; null where it has no such end."""

    least: Annotated[int | None, Wide("the least value in it")]
    below: Annotated[int | None, Wide("the first value above it")]
    count: int


class GroupObject(TypedDict):
    """The rows with the same keys."""

    by: Annotated[dict[str, int | str | None], "the keys; null where a row has none"]
    by_hex: NotRequired[Annotated[dict[str, str], "hexadecimal, beside numbers from 2^53 on"]]
    names: Annotated[list[str], "the keys as people read them, system calls by name"]
    count: Annotated[int, "rows"]
    value: Annotated[int | None, Wide("of the function; null for histograms, and beyond 64 bits")]
    buckets: Annotated[list[BucketObject], "of a histogram, those between the lowest and the highest with values"]


class AggregateObject(TypedDict):
    """What an --aggregate came to; the largest groups come first."""

    type: Literal["aggregate"]
    expression: str
    function: str
    argument: Annotated[str | None, "what it computes with"]
    keys: list[str]
    groups: list[GroupObject]
    other: Annotated[int, "rows of groups that are not here"]
    skipped: Annotated[int, "rows without a number to compute with"]
    complete: Annotated[bool, "false where there were more groups than max_aggregate_groups"]


def as_object(record: Aggregated) -> AggregateObject:
    """The record of JSON mode."""
    return {
        "type": "aggregate",
        "expression": record.expression,
        "function": record.function,
        "argument": record.value_of,
        "keys": list(record.by),
        "groups": [
            {
                "by": dict(zip(record.by, group.keys, strict=True)),
                "names": list(group.shown),
                "count": group.count,
                "value": group.value if group.value is not None and -(1 << 63) <= group.value < 1 << 64 else None,
                "buckets": [{"least": each.start, "below": each.end, "count": each.count} for each in group.buckets],
            }
            for group in record.groups
        ],
        "other": record.others,
        "skipped": record.skipped,
        "complete": record.is_complete,
    }


def shown(record: Aggregated) -> Output:
    """Tables and bars."""
    from hds.report.bars import table  # Rich is loaded for these only

    return Output(table(record))
