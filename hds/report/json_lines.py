"""The renderer for programs: every record as a JSON object, one on a line (`hds run --format json`).

Two runs give the same lines. docs/records.schema.json says what each has.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping

import msgspec

from hds.report import streams
from hds.report.records import Record, json_object
from machine import GuestOutput


class JsonLines(msgspec.Struct, frozen=True):
    """Writes to standard output; the guest's output only where it is wanted."""

    shows_guest_output: bool = True

    def report(self, record: Record, /) -> None:
        """Write one line, or none."""
        if isinstance(record, GuestOutput) and not self.shows_guest_output:
            return
        made = json_object(record)
        if made is not None:
            write_object(made)


def write_object(made: Mapping[str, object]) -> None:
    """One line in UTF-8, whatever the encoding of standard output; ASCII on a terminal."""
    plain = sys.stdout is not None and sys.stdout.isatty()
    try:
        data = json.dumps(made, ensure_ascii=plain).replace("\x7f", "\\u007f").encode()
    except UnicodeEncodeError:  # surrogates: file names that are not UTF-8
        data = json.dumps(made).encode()
    streams.output().write_bytes(data + b"\n")
