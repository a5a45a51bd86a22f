"""Tokens of the command level: words, numbers, quoted literals and brace blocks, each tied to its place in the file.

The four kinds and their rules are those of events-and-commands.md A.3. A token's text is what HyperDbg hands to a
command: escapes and comments are gone from it, so it can be shorter than its span; `source_offset` maps back.
"""

from __future__ import annotations

from enum import Enum

import msgspec

from lang.source import Span
from vm.facts.numbers import plain_number


class TokenKind(Enum):
    """What a token is; the values are HyperDbg's names."""

    NUM = "Num"
    STRING = "String"
    STRING_LITERAL = "StringLiteral"
    BRACKET_STRING = "BracketString"


class Token(msgspec.Struct, frozen=True):
    """A token. The span of a literal or a block is its inside, without the quotes or braces.

    `dropped` lists the ranges of the file (start, end) that lie in the span and are missing from the text.
    """

    kind: TokenKind
    text: str
    span: Span
    dropped: tuple[tuple[int, int], ...] = ()

    def __str__(self) -> str:
        """The text, as messages show a token."""
        return self.text

    @property
    def lower(self) -> str:
        """The text as keywords and names are compared: in lower case."""
        return self.text.lower()

    @property
    def value(self) -> int | None:
        """The number of a Num token, at most 64 bits (larger ones saturate); None for the other kinds."""
        return plain_number(self.text) if self.kind is TokenKind.NUM else None

    def source_offset(self, index: int) -> int:
        """Offset in the file of the character `index` of the text (up to its length)."""
        offset = self.span.start + index
        for start, end in self.dropped:
            if start > offset:
                break
            offset += end - start
        return offset

    def span_of(self, start: int, end: int) -> Span:
        """The span of the characters [start, end) of the text."""
        return Span(self.span.file, self.source_offset(start), self.source_offset(end))
