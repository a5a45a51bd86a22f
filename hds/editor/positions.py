"""Places as the Language Server Protocol counts them: lines from 0, and units of an encoding from 0 (LSP 3.17,
Position). Every client can count UTF-16; some would rather have another encoding.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from enum import Enum
from functools import cached_property
from itertools import accumulate

from lang import SourceFile


class Encoding(Enum):
    """In what units a client counts; the values are the protocol's names."""

    UTF_8 = "utf-8"
    UTF_16 = "utf-16"
    UTF_32 = "utf-32"


_LONGER = {  # the characters of more than one unit
    Encoding.UTF_8: re.compile(r"[^\x00-\x7f]"),
    Encoding.UTF_16: re.compile("[\U00010000-\U0010ffff]"),
    Encoding.UTF_32: re.compile(r"(?!)"),
}


class Positions:
    """Offsets of one text, which count characters, to positions and back."""

    def __init__(self, source: SourceFile, encoding: Encoding = Encoding.UTF_16) -> None:
        self._source = source
        self._encoding = encoding

    def of(self, source: SourceFile) -> Positions:
        """The places of another text, in the same encoding."""
        return Positions(source, self._encoding)

    @cached_property
    def _longer(self) -> list[int]:
        text = self._source.text
        return [] if text.isascii() else [match.start() for match in _LONGER[self._encoding].finditer(text)]

    @cached_property
    def _additions(self) -> list[int]:
        """How many units the first characters of `_longer` have beyond one each."""
        if self._encoding is Encoding.UTF_16:
            return list(range(len(self._longer) + 1))
        lengths = (len(self._source.text[at].encode("utf-8", "surrogatepass")) - 1 for at in self._longer)
        return list(accumulate(lengths, initial=0))

    def position(self, offset: int) -> tuple[int, int]:
        """Line and unit of the character at an offset from 0 to the length of the text."""
        line, column = self._source.position(offset)
        return line - 1, column - 1 + self._added(offset - column + 1, offset)

    def offset(self, line: int, unit: int) -> int:
        """The offset of a position; one behind the end of its line is that end, one behind the last line the end."""
        length = len(self._source.text)
        if line >= self._source.position(length)[0]:
            return length
        start, end = self._source.line_range(line + 1)
        within = range(start, end + 1)
        at = bisect_left(within, unit, key=lambda offset: offset - start + self._added(start, offset))
        return within[min(at, len(within) - 1)]

    def units(self, start: int, end: int) -> int:
        """How many units the characters [start, end) have."""
        return end - start + self._added(start, end)

    def _added(self, start: int, end: int) -> int:
        longer = self._longer
        return self._additions[bisect_left(longer, end)] - self._additions[bisect_left(longer, start)] if longer else 0
