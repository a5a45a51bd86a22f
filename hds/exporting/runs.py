"""A recorded run, read once from beginning to end: its records as the types that they were written from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast, get_args

import msgspec

from hds.recorded_runs import HINT, BadRun, Object, records_of
from hds.report import record_type
from hds.report.records import SCHEMA_VERSION, RecordObject
from lang import escaped

_KINDS = {record_type(kind): kind for kind in get_args(RecordObject)}


class RecordedRun(msgspec.Struct):
    """The lines of a run, and what is known of them when they have been read.

    `unknown` counts records of types that a later version has added.
    """

    name: str
    lines: Iterator[bytes]
    records: int = 0
    unknown: int = 0
    ended: bool = False

    def __iter__(self) -> Iterator[RecordObject]:
        """The records, each checked against its schema. Raises BadRun and what reading raises."""
        for number, record in records_of(self.name, self.lines):
            place = f"{self.name}:{number}"
            kind = _KINDS.get(record["type"])
            if record["type"] == "summary":
                self._check_schema(place, record)
            if kind is None:
                self.unknown += 1
                continue
            if not all(map(_is_known, _numbers(record))):
                raise BadRun(f"{place}: a number of this {record['type']} has more than 64 bits", HINT)
            try:
                made = msgspec.convert(record, kind)
            except (msgspec.ValidationError, OverflowError) as error:
                raise BadRun(f"{place}: this {record['type']} is none of hds: {error}", HINT) from None
            self.records += 1
            yield cast(RecordObject, made)
        if self.unknown and not self.records:
            raise BadRun(f"{self.name}: none of its {self.unknown} objects is a record of hds", HINT)

    def _check_schema(self, place: str, record: Object) -> None:
        """Raises BadRun for a summary of a schema that this hds does not read."""
        self.ended = True
        version, ours = record.get("schema"), SCHEMA_VERSION.partition(".")[0]
        if not isinstance(version, str) or version.partition(".")[0] != ours:
            said = f"{version!r}"[:40]
            raise BadRun(f"{place}: the schema of the records is {said}; this hds reads {ours}.x", HINT)


def _numbers(value: object) -> Iterator[int]:
    """The numbers in a record, at whatever depth."""
    if type(value) is int:
        yield value
    elif isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _numbers(inner)


def _is_known(number: int) -> bool:
    return -(1 << 63) <= number < 1 << 64


def shown(text: str) -> str:
    """The text with an escape sequence for each character that hides what it does, and for each half of a pair."""
    return escaped(text).encode("utf-8", "backslashreplace").decode("utf-8")
