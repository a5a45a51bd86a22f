"""The renderer for programs: every record as a JSON object, one on a line (`hds run --format json`).

Two runs give the same lines. docs/records.schema.json says what each has.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping

import msgspec

from hds.report import streams
from hds.report.records import Forwarded, Record, json_object, with_hexadecimal
from machine import GuestOutput, Message

_ASCII, _UNICODE = json.JSONEncoder(), json.JSONEncoder(ensure_ascii=False)


class JsonLines(msgspec.Struct, frozen=True):
    """Writes to standard output; the guest's output, and the fields of messages, only where they are wanted."""

    shows_guest_output: bool = True
    reads_fields: bool = False

    def report(self, record: Record, /) -> None:
        """Write one line, or none."""
        if isinstance(record, GuestOutput) and not self.shows_guest_output:
            return
        made = json_object(record)
        if made is not None and self.reads_fields and isinstance(record, Message | Forwarded):
            from hds.report.fields import rows_of

            message = record.message if isinstance(record, Forwarded) else record
            rows = [{name: field.value for name, field in row.items()} for row in rows_of(message.text)]
            made |= with_hexadecimal({"fields": rows})
        if made is not None:
            write_object(made)


def write_object(made: Mapping[str, object]) -> None:
    """One line in UTF-8, whatever the encoding of standard output; ASCII on a terminal."""
    plain = sys.stdout is not None and sys.stdout.isatty()
    try:
        data = (_ASCII if plain else _UNICODE).encode(made).replace("\x7f", "\\u007f").encode()
    except UnicodeEncodeError:  # surrogates: file names that are not UTF-8
        data = _ASCII.encode(made).encode()
    streams.output().write_bytes(data + b"\n")
