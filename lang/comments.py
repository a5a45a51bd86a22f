"""The comments of a script, which the lexer skips: where they stand, for the printer that puts them back."""

from __future__ import annotations

from lang.lexer import INCLUDE_PATH, TOKEN_PATTERN
from lang.source import SourceFile, Span


def find_comments(source: SourceFile, start: int = 0, end: int | None = None) -> list[Span]:
    """The comments of [start, end) in order; a line comment without its line end."""
    found: list[Span] = []
    at, end = start, len(source.text) if end is None else end
    while at < end:
        match = TOKEN_PATTERN.match(source.text, at, end)
        assert match is not None  # the pattern takes any character
        at = match.end()
        if match.lastgroup in ("comment", "line_comment"):
            found.append(Span(source, match.start(), at))
        elif match.lastgroup == "include":
            # The backslashes of a path are no escapes, so that a path is no string to the pattern.
            path = INCLUDE_PATH.match(source.text, at, end)
            at = path.end() if path else at
    return found
