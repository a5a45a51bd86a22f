"""Source files and spans: where every token, node, instruction and error comes from.

Positions are counted as language.md section 2 says: line and column from 1, a column is one character, a tab is one
column; LF, CR LF and CR end a line.
"""

from __future__ import annotations

import bisect
from functools import cached_property

import msgspec

from vm import late_pattern

_LINE_END = late_pattern(r"\r\n|\r|\n")


class SourceFile(msgspec.Struct, frozen=True, eq=False, dict=True):
    """A named text. Two files are the same only if they are the same object."""

    name: str
    text: str

    def __repr__(self) -> str:
        return f"SourceFile({self.name!r})"

    @cached_property
    def _line_starts(self) -> list[int]:
        return [0, *(match.end() for match in _LINE_END.finditer(self.text))]

    def position(self, offset: int) -> tuple[int, int]:
        """Line and column, both from 1, of the character at `offset` (0 up to the length of the text)."""
        line = bisect.bisect_right(self._line_starts, offset)
        return line, offset - self._line_starts[line - 1] + 1

    def line_range(self, number: int) -> tuple[int, int]:
        """Where the text of line `number` (1 up to the number of lines) begins, and where its line end does."""
        starts = self._line_starts
        start = starts[number - 1]
        if number == len(starts):
            return start, len(self.text)
        end = starts[number]
        return start, end - (2 if self.text.endswith("\r\n", start, end) else 1)


class NotText(Exception):  # noqa: N818 - it reads as what happened
    """The bytes of a file are no UTF-8; the text says why, `span` where the first byte stands that is none."""

    def __init__(self, message: str, span: Span) -> None:
        super().__init__(message)
        self.span = span


def read_text(name: str, data: bytes) -> SourceFile:
    """The file with this content. Raises NotText."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise NotText("the file is UTF-16; save it as UTF-8", Span(SourceFile(name, ""), 0, 0))
    try:
        return SourceFile(name, data.decode("utf-8"))
    except UnicodeDecodeError as error:
        before = SourceFile(name, data[: error.start].decode("utf-8"))
        message = f"byte 0x{data[error.start]:02x} is not UTF-8; save the file as UTF-8"
        raise NotText(message, Span(before, len(before.text), len(before.text))) from None


class Span(msgspec.Struct, frozen=True):
    """The half-open range [start, end) of characters of a file."""

    file: SourceFile
    start: int
    end: int

    def to(self, other: Span) -> Span:
        """The span from the start of this one to the end of `other`, in the same file."""
        return Span(self.file, self.start, max(self.end, other.end)) if other.file is self.file else self

    @property
    def text(self) -> str:
        """The characters of the span."""
        return self.file.text[self.start : self.end]

    @property
    def line(self) -> int:
        """Line of the first character, from 1."""
        return self.file.position(self.start)[0]

    @property
    def column(self) -> int:
        """Column of the first character, from 1."""
        return self.file.position(self.start)[1]

    def __str__(self) -> str:
        line, column = self.file.position(self.start)
        return f"{self.file.name}:{line}:{column}"
