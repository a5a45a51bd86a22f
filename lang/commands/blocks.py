"""Where a brace block ends (events-and-commands.md A.3).

Strings, escaped braces and comments do not count. Comments are handled better than HyperDbg does it: there a `}` in a
`//` comment always closes; here it closes only a brace opened on the same line (`{ x; // c }`), so that a comment in
a longer script may hold any text. The content of the block is not looked at.
"""

from __future__ import annotations

import re

import msgspec

from vm import late_pattern

_MARK = late_pattern(r'\\[{}]|//|/\*|[{}"\r\n]')
_STRING = late_pattern(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
_COMMENT_MARK = late_pattern(r'\\[{}]|"[^"\r\n]*"|[{}\r\n]')


class BlockEnd(msgspec.Struct, frozen=True):
    """`inner_end` is the offset of the closing brace, or None; `dropped` the ranges of backslashes that escape braces.

    `open_string` is the offset of the quote that hides the rest of the file, when there is one.
    """

    inner_end: int | None
    dropped: tuple[tuple[int, int], ...]
    open_string: int | None = None


def find_block_end(text: str, start: int, end: int, last_comment_end: int) -> BlockEnd:
    """The end of the block whose inside starts at `start`.

    `last_comment_end` is the offset of the last `*/` of the text, or -1: knowing it keeps unclosed comments linear.
    """
    depth = on_this_line = 1  # braces open, and how many of them were opened on the current line
    dropped: list[tuple[int, int]] = []
    at = start
    while match := _MARK.search(text, at, end):
        mark, at = match[0], match.end()
        if mark == "//":
            at = _line_comment_end(text, at, end, on_this_line > 0)
        elif mark == "/*":
            if at <= last_comment_end:
                at = text.index("*/", at) + 2
                on_this_line = 0 if _has_line_end(text, match.start(), at) else on_this_line
        elif mark == '"':
            string = _STRING.match(text, match.start(), end)
            if string is None:
                return BlockEnd(None, tuple(dropped), match.start())
            at = string.end()
            on_this_line = 0 if _has_line_end(text, match.start(), at) else on_this_line
        elif mark == "{":
            depth, on_this_line = depth + 1, on_this_line + 1
        elif mark == "}":
            depth, on_this_line = depth - 1, max(0, on_this_line - 1)
            if depth == 0:
                return BlockEnd(match.start(), tuple(dropped))
        elif mark in "\r\n":
            on_this_line = 0
        else:
            dropped.append((match.start(), match.start() + 1))
    return BlockEnd(None, tuple(dropped))


def _line_comment_end(text: str, start: int, end: int, closable: bool) -> int:
    """Where ordinary text goes on: at the end of the line, or at the first brace that closes something before it."""
    opened_in_comment = 0
    at = start
    while match := _COMMENT_MARK.search(text, at, end):
        mark, at = match[0], match.end()
        if mark in "\r\n" or (mark == "}" and closable and not opened_in_comment):
            return match.start()
        if mark == "{":
            opened_in_comment += 1
        elif mark == "}":
            opened_in_comment = max(0, opened_in_comment - 1)
    return end


def _has_line_end(text: str, start: int, end: int) -> bool:
    return text.find("\n", start, end) >= 0 or text.find("\r", start, end) >= 0
