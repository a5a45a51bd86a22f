"""The records of a run, from the lines that `hds run --format json` writes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from hds.json_text import read_json

Object = dict[str, Any]
HINT = "a run is what `hds run --format json` writes: one object in each line"
_CUT_OFF = "; this line does not end: was the file cut off?"
_NAMES = {
    list: "an array",
    str: "a text",
    int: "a number",
    float: "a number",
    bool: "true or false",
    type(None): "null",
}


class BadRun(ValueError):  # noqa: N818 - it says what is wrong
    """The text is no run; it says where and why."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


def records_of(name: str, lines: Iterable[bytes]) -> Iterator[tuple[int, Object]]:
    """The records with the numbers of their lines, from 1; each line has its line feed. Raises BadRun."""
    for number, line in enumerate(lines, 1):
        line = line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line
        if line.strip():
            yield number, _object(f"{name}:{number}", line)


def _object(place: str, line: bytes) -> Object:
    """One line. Raises BadRun."""
    hint = HINT if line.endswith(b"\n") else HINT + _CUT_OFF
    try:
        value = read_json(line.decode("utf-8").rstrip("\r\n"), plain_numbers=True)
    except UnicodeDecodeError as error:
        raise BadRun(f"{place}:{error.start + 1}: byte 0x{line[error.start]:02x} is not UTF-8", hint) from None
    except json.JSONDecodeError as error:
        raise BadRun(f"{place}:{error.colno}: this is no JSON: {error.msg}", hint) from None
    except (ValueError, RecursionError) as error:
        raise BadRun(f"{place}: this is no JSON: {str(error)[:100]}", hint) from None
    if not isinstance(value, dict):
        raise BadRun(f"{place}: expected an object, found {_NAMES[type(value)]}", HINT)
    if not isinstance(value.get("type"), str):
        raise BadRun(f"{place}: the object has no type, or one that is no text", HINT)
    return value
