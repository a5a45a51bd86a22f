"""What every stretch of a script is, for those who show it: highlighting, editors. Lexical, so that any text will do.

The parts are the lexer's own tokens, and what it passes over: comments, and what begins no token.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from typing import NamedTuple

from lang.diagnostics import SilentDiagnostics
from lang.lexer import ESCAPE, KEYWORDS, TOKEN_PATTERN, Token, tokenize
from lang.source import SourceFile
from vm.facts.builtins import ALIASES


class PartKind(Enum):
    """What a stretch of a text can be; the names that a script has given are told apart by `lang.references` only."""

    COMMENT = "comment"
    COMMAND = "command"
    EVENT = "event command"
    OPTION = "option"  # a keyword of a command
    CONSTANT = "constant"  # a word that is the value of an option
    WORD = "word"  # any other word of a command
    KEYWORD = "keyword"
    TYPE = "type"
    BUILTIN = "built-in function"
    FUNCTION = "function"
    REGISTER = "register"
    PSEUDO_REGISTER = "pseudo-register"
    GLOBAL = "global"
    MEMBER = "member"
    NAME = "name"
    SYMBOL = "symbol"
    NUMBER = "number"
    STRING = "string"
    ESCAPE = "escape sequence"
    OPERATOR = "operator"
    PUNCTUATION = "punctuation"
    DIRECTIVE = "directive"
    PATH = "path"
    CODE = "machine code"
    ASSEMBLY = "assembly text"
    ERROR = "error"


class Part(NamedTuple):
    """The characters [start, end) of a text, at least one."""

    kind: PartKind
    start: int
    end: int


_KINDS: dict[str, PartKind] = {
    "TYPE_WORD": PartKind.TYPE,
    "BUILTIN": PartKind.BUILTIN,
    "REGISTER": PartKind.REGISTER,
    "PSEUDO": PartKind.PSEUDO_REGISTER,
    "SYMBOL": PartKind.SYMBOL,
    "NUMBER": PartKind.NUMBER,
    "FLOAT": PartKind.NUMBER,
    "NAME": PartKind.NAME,
    "DOTTED": PartKind.GLOBAL,
    "STRING": PartKind.STRING,
    "INCLUDE": PartKind.DIRECTIVE,
} | dict.fromkeys(map(str.upper, KEYWORDS), PartKind.KEYWORD)
_PUNCTUATION = frozenset(("LPAR", "RPAR", "LBRACE", "RBRACE", "LSQB", "RSQB", "SEMICOLON", "COMMA"))
# Behind these a word with a dot in front is a member; behind all others it is a global.
_ENDS_OF_PLACES = frozenset(("NAME", "DOTTED", "RPAR", "RSQB"))
_PASSED_OVER: dict[str | None, PartKind] = {
    "line_comment": PartKind.COMMENT,
    "comment": PartKind.COMMENT,
    "open_comment": PartKind.COMMENT,
    "open_string": PartKind.STRING,
    "directive": PartKind.DIRECTIVE,
}
_OPEN = ("open_comment", "open_string")  # take the rest of the text


def script_parts(source: SourceFile, start: int = 0, end: int | None = None) -> Iterator[Part]:
    """The parts of [start, end), which is a script, in order; white space is in none. Never raises."""
    at, end = start, len(source.text) if end is None else end
    tokens = tokenize(source, SilentDiagnostics(), start, end)
    for number, token in enumerate(tokens):
        yield from _between(source.text, at, token.span.start)
        before = tokens[number - 1].type if number else ""
        behind = tokens[number + 1].type if number + 1 < len(tokens) else ""
        yield from _parts(token, before, behind)
        at = token.span.end
    yield from _between(source.text, at, end)


def _parts(token: Token, before: str, behind: str) -> Iterator[Part]:
    kind, (start, end) = token.type, (token.span.start, token.span.end)
    match kind:
        case "STRING":
            yield from _string(token.text, start)
        case "INCLUDE":
            yield Part(PartKind.DIRECTIVE, start, start + len(token.text))
            quote = token.span.text.find('"')
            if quote >= 0:
                yield Part(PartKind.PATH, start + quote, end)
        case "NAME" if behind == "LPAR":
            yield Part(PartKind.BUILTIN if token.text in ALIASES else PartKind.FUNCTION, start, end)
        case "NAME" if before in ("ARROW", "DOT"):
            yield Part(PartKind.MEMBER, start, end)
        case "DOTTED" if before in _ENDS_OF_PLACES:
            yield Part(PartKind.PUNCTUATION, start, start + 1)
            yield Part(PartKind.MEMBER, start + 1, end)
        case "NUMBER" if token.text.startswith("'"):
            yield Part(PartKind.ERROR, start, end)
        case _:
            other = PartKind.PUNCTUATION if kind in _PUNCTUATION else PartKind.OPERATOR
            yield Part(_KINDS.get(kind, other), start, end)


def _string(text: str, start: int) -> Iterator[Part]:
    at = 0
    for match in ESCAPE.finditer(text, 1):
        if at < match.start():
            yield Part(PartKind.STRING, start + at, start + match.start())
        yield Part(PartKind.ESCAPE, start + match.start(), start + match.end())
        at = match.end()
    if at < len(text):
        yield Part(PartKind.STRING, start + at, start + len(text))


def _between(text: str, at: int, end: int) -> Iterator[Part]:
    """What stands between two tokens."""
    while at < end:
        match = TOKEN_PATTERN.match(text, at, end)
        assert match is not None  # the pattern takes any character
        last = end if match.lastgroup in _OPEN else match.end()
        if match.lastgroup != "space":
            yield Part(_PASSED_OVER.get(match.lastgroup, PartKind.ERROR), at, last)
        at = last
