"""What every stretch of a command file is, scripts included, for those who show it. Any text will do."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from enum import Enum
from functools import cache
from typing import NamedTuple

from lang.code import Code
from lang.commands.tokenizer import Line, read_lines
from lang.commands.tokens import Token, TokenKind
from lang.parts import Part, PartKind, script_parts
from lang.source import SourceFile
from vm import late_pattern
from vm.facts.commands import COMMAND_BY_NAME, CommandRow
from vm.facts.events import ASSEMBLED_OPTIONS, BLOCK_OPTIONS, EVENT_BY_NAME, SCALAR_OPTIONS, ParameterKind

_COMMENT = late_pattern(r"//[^\r\n]*|/\*.*?(?:\*/|\Z)|\#[^\r\n]*", re.DOTALL)
_WORD_OF_USAGE = late_pattern(r"(?<![\w.{])[a-z][a-z0-9-]*(?![\w}])")
_FILE = late_pattern(r"\s*(file:)\s*(.*?)\s*\Z", re.DOTALL)
_STRETCH = late_pattern(r"\S+")
_NAME = late_pattern(r"[^,\s]+|(,)")


class Language(Enum):
    """What stands in a stretch of a command that is no words of it."""

    SCRIPT = "a script"
    FILE = "`file:` and a path"
    CODE = "machine code in hexadecimal"
    ASSEMBLY = "assembly text"
    NAMES = "names of output sources"


class Embedded(NamedTuple):
    """The characters [start, end) of a file: the inside of a block, or the text behind a raw-text command.

    `closed` tells whether a brace ends it, if one begins it.
    """

    language: Language
    start: int
    end: int
    closed: bool = True


def without_escapes(source: SourceFile, tokens: Iterable[Token]) -> SourceFile:
    """The file with a blank for every backslash in front of a brace of a block, so that offsets stay."""
    dropped = [gap for token in tokens if token.kind is TokenKind.BRACKET_STRING for gap in token.dropped]
    if not dropped:
        return source
    characters = list(source.text)
    for start, end in dropped:
        characters[start:end] = " " * (end - start)
    return SourceFile(source.name, "".join(characters))


def row_of(line: Line) -> CommandRow | None:
    """The row of the command that a line is, if it is one."""
    return COMMAND_BY_NAME.get(line.tokens[0].lower) if line.tokens else None


def is_script_command(row: CommandRow | None) -> bool:
    """Whether the text behind a command's name is a script, or an expression of one."""
    return row is not None and row.raw_text and ("EXPRESSION" in row.usage or "STATEMENTS" in row.usage)


def embedded(line: Line) -> list[Embedded]:
    """What stands in a line besides the words of its command, in order; in a block that is never closed, too."""
    if is_script_command(row_of(line)):
        return [Embedded(Language.SCRIPT, _extent(line.tokens[0])[1], line.span.end)]
    opened = next((error.span.start for error in line.errors if error.code == Code.BLOCK_NOT_CLOSED), None)
    before = [token for token in line.tokens if opened is None or token.span.start < opened]
    found = [
        Embedded(_language(before[:number], token.text), token.span.start, token.span.end)
        for number, token in enumerate(before)
        if token.kind is TokenKind.BRACKET_STRING
    ]
    if opened is not None:
        text = line.span.file.text[opened + 1 :]
        found.append(Embedded(_language(before, text), opened + 1, len(line.span.file.text), closed=False))
    return found


def _language(before: list[Token], text: str) -> Language:
    """What a block holds, by the words in front of it."""
    words = [token.lower for token in before[-2:]]
    match words:
        case [*_, "script"]:
            return Language.FILE if _FILE.match(text) else Language.SCRIPT
        case ["asm", word] if word in ASSEMBLED_OPTIONS:
            return Language.ASSEMBLY
        case [*_, word] if word in ASSEMBLED_OPTIONS:
            return Language.CODE
        case [*_, "output"]:
            return Language.NAMES
    return Language.SCRIPT


def command_parts(source: SourceFile) -> Iterator[Part]:
    """The parts of a command file, in order; white space is in none. Never raises."""
    lines = list(read_lines(source))
    text = without_escapes(source, (token for line in lines for token in line.tokens))
    at = 0
    for line in lines:
        for part in _line_parts(line, text):
            yield from _comments(source.text, at, part.start)
            yield part
            at = max(at, part.end)
    yield from _comments(source.text, at, len(source.text))


def _line_parts(line: Line, text: SourceFile) -> Iterator[Part]:
    blocks = embedded(line)
    row = row_of(line)
    raw_text = is_script_command(row)
    inside = 0  # the end of the block before
    for number, token in enumerate(line.tokens):
        start, end = _extent(token)
        while blocks and blocks[0].start <= start + 1 and (number or not raw_text):
            yield from _block_parts(blocks[0], text)
            inside = blocks.pop(0).end
        if token.span.start < inside or token.kind is TokenKind.BRACKET_STRING:
            continue
        if blocks and raw_text and number:
            break
        kind = _kind(token, line.tokens[:number], row)
        for first, last in _pieces(token, start, end):
            yield Part(kind, first, last)
    for block in blocks:
        yield from _block_parts(block, text)


def _extent(token: Token) -> tuple[int, int]:
    """The characters of a token with its quotes or braces."""
    edge = token.kind in (TokenKind.STRING_LITERAL, TokenKind.BRACKET_STRING)
    return token.span.start - edge, token.span.end + edge


def _pieces(token: Token, start: int, end: int) -> Iterator[tuple[int, int]]:
    """A word without the comments in it."""
    if token.kind not in (TokenKind.STRING_LITERAL, TokenKind.BRACKET_STRING):
        for first, last in token.dropped:
            yield start, first
            start = last
    yield start, end


def _kind(token: Token, before: tuple[Token, ...], row: CommandRow | None) -> PartKind:
    if token.kind is TokenKind.STRING_LITERAL:
        return PartKind.STRING
    if not before:
        if row is None:
            return PartKind.WORD
        return PartKind.EVENT if row.is_event else PartKind.COMMAND
    if row is not None and token.lower in words_of(row.name):
        return PartKind.OPTION
    if token.kind is TokenKind.NUM:
        return PartKind.NUMBER
    if "!" in token.text:
        return PartKind.SYMBOL
    is_value = row is not None and row.is_event and before[-1].lower in SCALAR_OPTIONS
    return PartKind.CONSTANT if is_value or (row and token.lower in choices_of(row.name)) else PartKind.WORD


@cache
def words_of(command: str) -> frozenset[str]:
    """The keywords of a command: options, and the words that stand in its usage."""
    event = EVENT_BY_NAME.get(command)
    if event is not None:
        own = (row.keyword for row in event.parameters if row.keyword)
        return frozenset((*SCALAR_OPTIONS, *BLOCK_OPTIONS, "asm", *own))
    return frozenset(_WORD_OF_USAGE.findall(COMMAND_BY_NAME[command].usage.replace("{name}", " ")))


@cache
def choices_of(command: str) -> frozenset[str]:
    """The words that an event's own parameters choose among."""
    event = EVENT_BY_NAME.get(command)
    rows = () if event is None else event.parameters
    return frozenset(word for row in rows if row.kind is ParameterKind.CHOICE for word in row.choices)


def _block_parts(block: Embedded, text: SourceFile) -> Iterator[Part]:
    start, end = block.start, block.end
    braced = text.text[start - 1 : start] == "{"
    if braced:
        yield Part(PartKind.PUNCTUATION, start - 1, start)
    match block.language:
        case Language.SCRIPT:
            yield from script_parts(text, start, end)
        case Language.FILE:
            found = _FILE.match(text.text[start:end])
            assert found is not None
            yield Part(PartKind.OPTION, start + found.start(1), start + found.end(1))
            if found[2]:
                yield Part(PartKind.PATH, start + found.start(2), start + found.end(2))
        case Language.NAMES:
            for word in _NAME.finditer(text.text, start, end):
                yield Part(PartKind.PUNCTUATION if word[1] else PartKind.WORD, word.start(), word.end())
        case _:
            kind = PartKind.CODE if block.language is Language.CODE else PartKind.ASSEMBLY
            for word in _STRETCH.finditer(text.text, start, end):
                yield Part(kind, word.start(), word.end())
    if braced and block.closed:
        yield Part(PartKind.PUNCTUATION, end, end + 1)


def _comments(text: str, at: int, end: int) -> Iterator[Part]:
    for match in _COMMENT.finditer(text, at, end):
        yield Part(PartKind.COMMENT, match.start(), match.end())
