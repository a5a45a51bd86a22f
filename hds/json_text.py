"""JSON that users give us, and its escapes.

Python's reader descends in C for each level, and ends the process where that is deep.
"""

from __future__ import annotations

import json
import re
from typing import Any

from vm import late_pattern

MOST_LEVELS = 100
_MARK = late_pattern(r'"(?:[^"\\]|\\.)*"|[\[\]{}]', re.DOTALL)  # a string whole, so that its brackets do not count


def read_json(text: str, *, plain_numbers: bool = False) -> Any:
    """The value of a text. Raises ValueError for what is no JSON, or has more than `MOST_LEVELS` levels.

    With `plain_numbers` NaN and infinities are refused, too, which Python reads and JSON does not have.
    """
    levels = 0
    for mark in () if text.count("[") + text.count("{") <= MOST_LEVELS else _MARK.finditer(text):
        levels += {"[": 1, "{": 1, "]": -1, "}": -1}.get(mark[0], 0)
        if levels > MOST_LEVELS:
            raise ValueError(f"more than {MOST_LEVELS} levels")
    return json.loads(text, parse_constant=_refuse if plain_numbers else None)


def plain(text: str) -> str:
    """Text whose characters all print: the others as JSON escapes them."""
    return text if text.isprintable() else "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in text)


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is no value")
