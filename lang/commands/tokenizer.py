"""Text -> lines of tokens, as events-and-commands.md A.2 to A.4 and H say.

A line here is a logical one: it ends at a line end outside quotes, braces and block comments, and is what HyperDbg
calls a command buffer. Beyond HyperDbg, and on purpose: tab, CR and LF separate tokens, comments may contain
anything, and a line that begins with `#` is a comment. Names and numbers are not interpreted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from lang.code import Code
from lang.commands.blocks import find_block_end
from lang.commands.tokens import Token, TokenKind
from lang.diagnostics import Diagnostic
from lang.source import SourceFile, Span
from vm import late_pattern
from vm.facts.numbers import is_plain_number

_BLANKS = " \t\r\n\f\v"

_PIECE = late_pattern(
    r"""(?P<line_end>\r\n|\r|\n)
      | (?P<blank>[ \t\f\v]+)
      | (?P<quote>")
      | (?P<brace>\{)
      | (?P<line_comment>//)
      | (?P<block_comment>/\*)
      | (?P<escape>\\n(?![0-9]))  # but \n16 is a decimal number
      | (?P<hash>\#)
      | (?P<word>[^ \t\r\n\f\v"{/\\#]+|.)""",
    re.VERBOSE,
)
_LITERAL = late_pattern(r'"([^"\\]*+(?:\\.[^"\\]*+)*+)"', re.DOTALL)
_ESCAPE = late_pattern(r"\\.", re.DOTALL)
_LINE_END = late_pattern(r"[\r\n]")
# HyperDbg ends a comment at any written \n. Here it must stand alone, so that `// c:\new` is a comment to its end.
_COMMENT_END = late_pattern(r"[\r\n]|(?<=[ \t])\\n(?=[ \t]|\Z)")


class Line(msgspec.Struct, frozen=True):
    """The tokens of one logical line, its span without the line end, and what is wrong with its quotes and braces."""

    tokens: tuple[Token, ...]
    span: Span
    errors: tuple[Diagnostic, ...] = ()


def tokenize(source: SourceFile) -> list[Token]:
    """All tokens of a text, whatever line they stand on."""
    return [token for line in read_lines(source) for token in line.tokens]


def read_lines(source: SourceFile) -> Iterator[Line]:
    """The logical lines that hold at least one token or error."""
    return _Scanner(source).lines()


def trim(text: str, start: int, end: int) -> tuple[int, int]:
    """The range without the white space at its ends."""
    while start < end and text[start] in _BLANKS:
        start += 1
    while start < end and text[end - 1] in _BLANKS:
        end -= 1
    return start, end


class _Scanner:
    """One pass over the text. A word grows from pieces, since a comment inside it joins what stands around it."""

    def __init__(self, source: SourceFile) -> None:
        self._source = source
        self._text = source.text
        self._at = 1 if source.text.startswith("\ufeff") else 0
        self._last_comment_end = source.text.rfind("*/")
        self._line_start = self._at
        self._blank_so_far = True  # only white space since the last line end, so that `#` begins a comment
        self._word_start: int | None = None
        self._word_end = 0
        self._gaps: list[tuple[int, int]] = []  # of the word: comments in it
        self._tokens: list[Token] = []
        self._errors: list[Diagnostic] = []

    def lines(self) -> Iterator[Line]:
        while match := _PIECE.match(self._text, self._at):
            start, self._at = match.span()
            match match.lastgroup:
                case "word":
                    self._extend_word(start)
                case "blank":
                    self._end_word()
                    continue
                case "line_end":
                    yield from self._end_line(start)
                case "quote":
                    self._literal(start)
                case "brace":
                    self._block(start)
                case "line_comment":
                    self._line_comment()
                case "block_comment":
                    self._block_comment(start)
                case "escape":
                    if self._word_start is not None:
                        self._extend_word(start)
                case _:
                    self._hash(start)
            self._blank_so_far = match.lastgroup == "line_end"
        yield from self._end_line(self._at)

    def _span(self, start: int, end: int) -> Span:
        return Span(self._source, start, end)

    def _end_line(self, end: int) -> Iterator[Line]:
        self._end_word()
        if self._tokens or self._errors:
            yield Line(tuple(self._tokens), self._span(self._line_start, end), tuple(self._errors))
            self._tokens, self._errors = [], []
        self._line_start = self._at

    def _extend_word(self, start: int) -> None:
        """Adds the text from `start` to the current offset; what lies between it and the word so far is dropped."""
        if self._word_start is None:
            self._word_start = start
        elif start != self._word_end:
            self._gaps.append((self._word_end, start))
        self._word_end = self._at

    def _end_word(self) -> None:
        if self._word_start is not None:
            self._add_word(self._word_start, self._word_end, tuple(self._gaps))
            self._word_start, self._gaps = None, []

    def _add_word(self, start: int, end: int, dropped: tuple[tuple[int, int], ...]) -> None:
        text = self._without(start, end, dropped)
        kind = TokenKind.NUM if is_plain_number(text) else TokenKind.STRING
        self._tokens.append(Token(kind, text, self._span(start, end), dropped))

    def _add_rest(self, start: int, dropped: tuple[tuple[int, int], ...] = ()) -> None:
        """What follows a quote or brace that is never closed: one ordinary token, trimmed."""
        start, end = trim(self._text, start, len(self._text))
        if start < end:
            self._add_word(start, end, dropped)
        self._at = len(self._text)

    def _without(self, start: int, end: int, dropped: tuple[tuple[int, int], ...]) -> str:
        """The text of a range without the ranges in it that are dropped."""
        if not dropped:
            return self._text[start:end]
        edges = [start, *(edge for gap in dropped for edge in gap), end]
        return "".join(self._text[edges[i] : edges[i + 1]] for i in range(0, len(edges), 2))

    def _literal(self, start: int) -> None:
        self._end_word()
        match = _LITERAL.match(self._text, start)
        if match is None:
            self._report(Code.STRING_NOT_CLOSED, "this quote is never closed", start)
            self._add_rest(self._at)
            return
        self._at = match.end()
        inside_start, inside_end = match.span(1)
        escapes = _ESCAPE.finditer(self._text, inside_start, inside_end)
        dropped = tuple((escape.start(), escape.start() + 1) for escape in escapes if escape[0] == '\\"')
        text = self._without(inside_start, inside_end, dropped)
        if text:
            self._tokens.append(
                Token(TokenKind.STRING_LITERAL, text, self._span(inside_start, inside_end), dropped),
            )

    def _block(self, start: int) -> None:
        self._end_word()
        inside = self._at
        block = find_block_end(self._text, inside, len(self._text), self._last_comment_end)
        if block.inner_end is None:
            hint = None
            if block.open_string is not None:
                line, column = self._source.position(block.open_string)
                hint = f"the string that begins at {line}:{column} is never closed and hides the rest of the file"
            self._report(Code.BLOCK_NOT_CLOSED, "this brace is never closed", start, hint=hint)
            self._add_rest(inside, block.dropped)
            return
        self._at = block.inner_end + 1
        text = self._without(inside, block.inner_end, block.dropped)
        self._tokens.append(Token(TokenKind.BRACKET_STRING, text, self._span(inside, block.inner_end), block.dropped))

    def _line_comment(self) -> None:
        end = _COMMENT_END.search(self._text, self._at)
        if end is None:
            self._at = len(self._text)
        else:
            self._at = end.start() if end[0] in "\r\n" else end.end()

    def _block_comment(self, start: int) -> None:
        if self._at <= self._last_comment_end:
            self._at = self._text.index("*/", self._at) + 2
            return
        self._extend_word(start)
        self._report(Code.COMMENT_NOT_CLOSED, "this comment is never closed", start, width=2)

    def _hash(self, start: int) -> None:
        if not self._blank_so_far:
            self._extend_word(start)
            return
        end = _LINE_END.search(self._text, self._at)
        self._at = end.start() if end else len(self._text)

    def _report(self, code: Code, message: str, start: int, *, width: int = 1, hint: str | None = None) -> None:
        self._errors.append(Diagnostic(code, message, self._span(start, start + width), hint))
