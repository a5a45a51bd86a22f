"""A run as its records: JSON objects, from lines of a file or from a run that is made now."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from hds.json_text import read_json
from vm.facts.limits import Limits

Object = dict[str, Any]
LEAST_ADDRESS = 0x1000  # smaller numbers are none
_WORD = re.compile(r"(?<![\w`])(?:0x)?([0-9A-Fa-f`]{4,19})(?![\w`])")


class BadRun(ValueError):  # noqa: N818 - it says what is wrong
    """The text is no run; it says where and why."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


class Run(msgspec.Struct):
    """The records of a run, as texts, which take least memory; `places` are the names of addresses that are known.

    `lines` are the numbers of the records' lines in their file.
    """

    name: str
    limits: Limits
    texts: list[str] = msgspec.field(default_factory=list)
    lines: list[int] = msgspec.field(default_factory=list)
    places: dict[int, str] = msgspec.field(default_factory=dict)
    _bytes: int = 0

    def add(self, record: Mapping[str, object], line: int) -> None:
        """One more record. Raises BadRun where there are too many."""
        text = json.dumps(record, separators=(",", ":"))
        self._bytes += len(text)
        for name, count in (("max_compared_records", len(self.texts) + 1), ("max_compared_bytes", self._bytes)):
            if count > getattr(self.limits, name):
                flag = "--" + name.replace("_", "-")
                raise BadRun(f"{self.name} has more than the limit {name} allows", f"{flag} raises it")
        self.texts.append(text)
        self.lines.append(line)
        pc, symbol = record.get("pc"), record.get("symbol")
        if type(pc) is int and isinstance(symbol, str):
            self.places.setdefault(pc, symbol)

    def record(self, number: int) -> Object:
        """One of them, by its index."""
        found: Object = json.loads(self.texts[number])
        return found

    @classmethod
    def of_lines(cls, name: str, data: bytes, limits: Limits) -> Run:
        """The run that a file of JSON lines has. Raises BadRun."""
        run = cls(name, limits)
        for number, line in enumerate(data.removeprefix(b"\xef\xbb\xbf").split(b"\n"), 1):
            if line.strip():
                run.add(_object(f"{name}:{number}", line), number)
        return run


def _object(place: str, line: bytes) -> Object:
    """One line. Raises BadRun."""
    hint = "a run is what `hds run --format json` writes: one object in each line"
    try:
        value = read_json(line.decode("utf-8"), plain_numbers=True)
    except UnicodeDecodeError as error:
        raise BadRun(f"{place}:{error.start + 1}: byte 0x{line[error.start]:02x} is not UTF-8", hint) from None
    except json.JSONDecodeError as error:
        raise BadRun(f"{place}:{error.colno}: this is no JSON: {error.msg}", hint) from None
    except (ValueError, RecursionError) as error:
        raise BadRun(f"{place}: this is no JSON: {str(error)[:100]}", hint) from None
    if not isinstance(value, dict):
        raise BadRun(f"{place}: expected an object, found {_NAMES[type(value)]}", hint)
    if not isinstance(value.get("type"), str):
        raise BadRun(f"{place}: the object has no type, or one that is no text", hint)
    return value


_NAMES = {
    list: "an array",
    str: "a text",
    int: "a number",
    float: "a number",
    bool: "true or false",
    type(None): "null",
}


def hexadecimal_words(text: str) -> Iterator[tuple[int, int, int]]:
    """What looks like an address in a text: where it stands, [start, end), and its value."""
    for match in _WORD.finditer(text):
        digits = match[1].replace("`", "")
        if digits and len(digits) <= 16 and int(digits, 16) >= LEAST_ADDRESS:
            yield match.start(), match.end(), int(digits, 16)
