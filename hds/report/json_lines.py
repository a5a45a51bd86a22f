"""The renderer for programs: every record as a JSON object, one on a line (`hds run --format json`).

Two runs give the same lines. docs/records.schema.json says what each has.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping

import msgspec
from msgspec.structs import replace

from hds.report import streams
from hds.report.records import EXACT, Forwarded, Record, json_object, with_hexadecimal
from machine import GuestOutput, Kept, Message

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

    def report_messages(self, messages: Kept, /) -> None:
        """Write many lines: what messages have in common is made once."""
        if self.reads_fields:
            for message in messages:
                self.report(message)
            return
        frames: dict[tuple[object, ...], tuple[bytes, bytes, bytes]] = {}
        lines: list[bytes] = []
        for message in messages:
            text = _quoted(message.text)
            if text is None or message.time >= EXACT:
                lines.append(_line(json_object(message) or {}))
                continue
            origin = message.event_id, message.stage, message.process_id, message.thread_id, message.core
            common = (*origin, message.instruction_pointer, message.symbol, message.outputs)
            if common not in frames:
                frames[common] = _frame(message)
            head, middle, tail = frames[common]
            lines.append(b"%s%d%s%s%s" % (head, message.time, middle, text, tail))
        streams.output().write_bytes(b"".join(lines))


def _frame(message: Message) -> tuple[bytes, bytes, bytes]:
    """The line of a message in three parts, between which its time and its text stand."""
    tick, text = b'"tick": ', b'"text": '
    head, _, rest = _line(json_object(replace(message, time=0, text=b"")) or {}).partition(tick + b"0")
    middle, _, tail = rest.rpartition(text + b'""')  # what symbols and outputs say has no bare quotes
    return head + tick, middle + text, tail


def _quoted(data: bytes) -> bytes | None:
    """A text as JSON has it; None where its bytes are none."""
    try:
        return _encoded(data.decode())
    except UnicodeDecodeError:
        return None


def write_object(made: Mapping[str, object]) -> None:
    """One line in UTF-8, whatever the encoding of standard output; ASCII on a terminal."""
    streams.output().write_bytes(_line(made))


def _line(made: Mapping[str, object]) -> bytes:
    return _encoded(made) + b"\n"


def _encoded(value: object) -> bytes:
    plain = sys.stdout is not None and sys.stdout.isatty()
    try:
        return (_ASCII if plain else _UNICODE).encode(value).replace("\x7f", "\\u007f").encode()
    except UnicodeEncodeError:  # surrogates: file names that are not UTF-8
        return _ASCII.encode(value).encode()
