"""The renderer for programs: every record as a JSON object, one on a line (`hds run --format json`).

Two runs give the same lines. docs/records.schema.json says what each has.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping

import msgspec
from msgspec.structs import astuple, replace

from hds.report import streams
from hds.report.records import EXACT, Forwarded, Record, Triggered, json_object, with_hexadecimal
from machine import GuestOutput, Kept, Message

_MOST_FRAMES = 4096
_TICK, _TEXT, _END = b'"tick": 0', b'"text": ""', b"}\n"
_ASCII, _UNICODE = json.JSONEncoder(), json.JSONEncoder(ensure_ascii=False)


class JsonLines(msgspec.Struct, frozen=True):
    """Writes to standard output; the guest's output, and the fields of messages, only where they are wanted.

    What messages and triggers have in common with earlier ones is made once.
    """

    shows_guest_output: bool = True
    reads_fields: bool = False
    _frames: dict[tuple[object, ...], tuple[bytes, bytes, bytes]] = msgspec.field(default_factory=dict)

    def report(self, record: Record, /) -> None:
        """Write one line, or none."""
        if isinstance(record, GuestOutput) and not self.shows_guest_output:
            return
        streams.output().write_bytes(self._line_of(record))

    def report_messages(self, messages: Kept, /) -> None:
        """Write many lines."""
        streams.output().write_bytes(b"".join(map(self._line_of, messages)))

    def _line_of(self, record: Record) -> bytes:
        if isinstance(record, Message) and not self.reads_fields and record.time < EXACT:
            return self._message(record)
        if isinstance(record, Triggered) and record.time < EXACT:
            return self._trigger(record)
        made = json_object(record)
        if made is not None and self.reads_fields and isinstance(record, Message | Forwarded):
            from hds.report.fields import rows_of

            message = record.message if isinstance(record, Forwarded) else record
            rows = [{name: field.value for name, field in row.items()} for row in rows_of(message.text)]
            made |= with_hexadecimal({"fields": rows})
        return b"" if made is None else _line(made)

    def _message(self, message: Message) -> bytes:
        text = _quoted(message.text)
        if text is None:
            return _line(json_object(message) or {})
        origin = message.event_id, message.stage, message.process_id, message.thread_id, message.core
        common = (*origin, message.instruction_pointer, message.symbol, message.outputs)
        head, middle, tail = self._frames.get(common) or self._keep(common, replace(message, time=0, text=b""))
        return b"%s%d%s%s%s" % (head, message.time, middle, text, tail)

    def _trigger(self, record: Triggered) -> bytes:
        plain = replace(record, time=0, registers=None, arguments=None)
        common = astuple(plain)
        head, _, tail = self._frames.get(common) or self._keep(common, plain)
        recorded: dict[str, object] = {}
        if record.registers is not None:
            recorded["registers"] = dict(record.registers)
        if record.arguments is not None:
            recorded["arguments"] = list(record.arguments)
        if recorded:  # the last members of the object
            numbers = msgspec.json.format(msgspec.json.encode(with_hexadecimal(recorded)), indent=0)
            tail = tail[: -len(_END)] + b", " + numbers[1:] + b"\n"
        return b"%s%d%s" % (head, record.time, tail)

    def _keep(self, common: tuple[object, ...], record: Message | Triggered) -> tuple[bytes, bytes, bytes]:
        """The line of a record at time 0 in its parts: up to the time, up to the text of a message, what is left."""
        if len(self._frames) >= _MOST_FRAMES:
            self._frames.clear()
        head, tick, rest = _line(json_object(record) or {}).partition(_TICK)
        middle, text, tail = rest.rpartition(_TEXT)  # what symbols and outputs say has no bare quotes
        self._frames[common] = parts = head + tick[:-1], middle + text[:-2], tail
        return parts


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
