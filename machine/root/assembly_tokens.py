"""The words of assembly text, and places in it.

Statements end at `;` and at line ends; `//` and `/* */` are comments.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from functools import cached_property
from typing import NamedTuple

from vm import late_pattern

_LONGEST_MESSAGE = 300  # characters


class AssemblerError(Exception):
    """Assembly text that is refused: where (line and column from 1), why, and where known what to write instead."""

    def __init__(self, message: str, line: int, column: int, hint: str = "") -> None:
        super().__init__(f"line {line}, column {column}: {message}")
        self.message = message
        self.line = line
        self.column = column
        self.hint = hint


class Source:
    """A text, and where its lines begin; those are looked for when somebody asks."""

    def __init__(self, text: str) -> None:
        self.text = text

    @cached_property
    def line_starts(self) -> list[int]:
        """The offset of the first character of each line."""
        return [0, *(match.end() for match in re.finditer("\n", self.text))]


class Position(NamedTuple):
    """A place in a text."""

    source: Source
    offset: int

    @property
    def line(self) -> int:
        """The line, from 1."""
        return bisect_right(self.source.line_starts, self.offset)

    @property
    def column(self) -> int:
        """The column, from 1."""
        return self.offset - self.source.line_starts[self.line - 1] + 1

    def error(self, message: str, hint: str = "") -> AssemblerError:
        """An error at this place."""
        return AssemblerError(shortened(message, _LONGEST_MESSAGE), self.line, self.column, hint)


class Token(NamedTuple):
    """A word, a string or a punctuation character."""

    kind: str  # word, string or the punctuation character itself
    text: str
    position: Position


_TOKEN = late_pattern(
    r"(?P<space>[ \t\r\f\v]+)|(?P<comment>//[^\n]*|/\*.*?\*/)|(?P<end>;|\n)|(?P<string>\"[^\"\n]*\"|'[^'\n]*')"
    r"|(?P<word>[sS][tT][ \t]*\([ \t]*[0-7][ \t]*\)|[A-Za-z0-9_.$@?`]+)|(?P<mark><<|>>|/(?!\*)|[\[\]():,+\-*%&|^~])",
    re.DOTALL,
)


def label_names(text: str) -> frozenset[str]:
    """Every word that a colon follows; numbers and registers among them are refused later, where they stand."""
    names: set[str] = set()
    word, offset = "", 0
    for match in _TOKEN.finditer(text):
        if match.start() != offset:
            break  # what follows is wrong, and is read no further
        offset, kind = match.end(), match.lastgroup
        if kind == "mark" and word and match.group() == ":":
            names.add(word)
        if kind not in ("space", "comment"):
            word = match.group() if kind == "word" else ""
    return frozenset(names)


def split(source: Source, most: int) -> Iterator[list[Token]]:
    """The tokens of each non-empty statement, of which each has at `most` so many."""
    group: list[Token] = []
    offset = 0
    for match in _TOKEN.finditer(source.text):
        if match.start() != offset:
            break
        offset = match.end()
        kind = str(match.lastgroup)
        if kind in ("space", "comment"):
            continue
        lexeme, position = match.group(), Position(source, match.start())
        if kind == "end":
            if group:
                yield group
                group = []
            continue
        if kind == "string" and not (lexeme.isprintable() and lexeme.isascii()):
            raise position.error("a string with control or non-ASCII characters", "write such bytes as numbers")
        if len(group) == most:
            raise position.error(f"more than {most} words in one statement (max_assembly_statements)")
        group.append(Token(lexeme if kind == "mark" else kind, lexeme, position))
    if offset != len(source.text):
        raise _bad_character(source.text, offset, Position(source, offset))
    if group:
        yield group


def _bad_character(text: str, offset: int, position: Position) -> AssemblerError:
    character = text[offset]
    if text.startswith("/*", offset):
        return position.error("this comment is not closed")
    if character in "\"'":
        return position.error("this string is not closed")
    hints = {"<": "replace <expression> by its value first", "#": "comments begin with //"}
    return position.error(f"unexpected character {character!r}", hints.get(character, ""))


def shortened(text: str, longest: int) -> str:
    """The text, cut to `longest` characters."""
    return text if len(text) <= longest else f"{text[: longest - 3]}..."
