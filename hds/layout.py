"""`hds fmt`: the canonical layout of bare scripts and of command files.

A command stands on one line; its words are separated by one blank, its quoted words, code and comments stay as they
are, and its script is laid out by `lang.printer`: on the same line if it is a single statement, else indented below it.
The result is read again and must hold the same tokens as the input; a layout that would not is never given out.
"""

from __future__ import annotations

import msgspec

from lang import (
    WIDTH,
    Code,
    Diagnostic,
    Diagnostics,
    Hint,
    Line,
    Note,
    SourceFile,
    Span,
    find_comments,
    parse,
    print_program,
    syntax as s,
    tokenize,
)
from lang.commands import Line as CommandLine, Token, TokenKind, read_lines
from vm import late_pattern
from vm.facts.commands import COMMAND_BY_NAME
from vm.facts.limits import Limits

# What a layout does not need to know: arguments, and the contents of included files.
_UNNEEDED = frozenset((Code.NO_ARGUMENT, Code.UNREADABLE_INCLUDE, Code.INCLUDE_CYCLE, Code.DEEP_INCLUDES))
_COMMENT_START = late_pattern(r"/\*|//|#")
_LINE_END = late_pattern(r"\r\n?|\n")


class CannotLayOut(Exception):  # noqa: N818 - it says what happened
    """A text has errors, or no safe layout; `diagnostics` say where."""

    def __init__(self, diagnostics: list[Diagnostic]) -> None:
        super().__init__("the text has errors")
        self.diagnostics = diagnostics


class _LayoutDiagnostics(Diagnostics):
    def add(self, code: Code, message: str, span: Span, hint: Hint = None, notes: tuple[Note, ...] = ()) -> None:
        if code not in _UNNEEDED:
            super().add(code, message, span, hint, notes)


def lay_out_script(source: SourceFile, limits: Limits) -> str:
    """A bare script in the canonical layout. Raises CannotLayOut."""
    program, comments = _parsed(Span(source, 0, len(source.text)), limits)
    text = "".join(f"{line}\n" for line in print_program(program, comments))
    again = SourceFile(source.name, text)
    if _tokens(Span(source, 0, len(source.text))) != _tokens(Span(again, 0, len(text))):
        raise _unsafe(Span(source, 0, 0))
    return text


def lay_out_commands(source: SourceFile, limits: Limits) -> str:
    """A command file in the canonical layout. Raises CannotLayOut."""
    out: list[str] = []
    at = 0
    for line in read_lines(source):
        if line.errors:
            raise CannotLayOut(list(line.errors))
        first = _extent(line.tokens[0]).start
        prefix = _between(source.text[at:first], out, at == 0)
        out.append(prefix + _command(line, limits))
        at = line.span.end
    rest = _between(source.text[at:], out, at == 0).rstrip()
    text = "\n".join([*out, rest] if rest else out).strip("\n")
    text = f"{text}\n" if text else ""
    if _command_tokens(source) != _command_tokens(SourceFile(source.name, text)):
        raise _unsafe(Span(source, 0, 0))
    return text


def _unsafe(span: Span) -> CannotLayOut:
    message = "this text cannot be laid out without changing its meaning; it is left as it is"
    return CannotLayOut([Diagnostic(Code.SYNTAX, message, span)])


def _parsed(span: Span, limits: Limits) -> tuple[s.Program, list[Span]]:
    """The tree of a script and its comments. Raises CannotLayOut."""
    diagnostics = _LayoutDiagnostics(limits)
    program = parse(span.file, diagnostics, start=span.start, end=span.end, limits=limits)
    if program is None:
        raise CannotLayOut([item for item in diagnostics if item.code.startswith("E")])
    return program, find_comments(span.file, span.start, span.end)


# --- command lines ----------------------------------------------------------------------------------------------------


def _between(text: str, out: list[str], at_start: bool) -> str:
    """Emit the comments between two commands; what stands on the line of the second one is given back."""
    lines = _LINE_END.split(text.removeprefix("\ufeff"))
    if not at_start:
        lines = lines[1:]  # the rest of the line of the command before, which is empty
    inside = False  # a block comment of several lines
    for line in lines[:-1]:
        shown = line.rstrip() if inside else line.strip()
        if shown or (out and out[-1]):
            out.append(shown)
        inside = _in_comment(line, inside)
    last = lines[-1].rstrip() if inside else lines[-1].strip() if lines else ""
    return f"{last} " if last else ""


def _in_comment(line: str, inside: bool) -> bool:
    """Whether a block comment is open behind a line between commands."""
    at = 0
    while True:
        if inside:
            end = line.find("*/", at)
            if end < 0:
                return True
            at, inside = end + 2, False
        opening = _COMMENT_START.search(line, at)
        if opening is None or opening[0] != "/*":
            return False
        at, inside = opening.end(), True


class _Extent(msgspec.Struct, frozen=True):
    """The characters of a token with its quotes or braces."""

    start: int
    end: int


def _extent(token: Token) -> _Extent:
    edge = token.kind in (TokenKind.STRING_LITERAL, TokenKind.BRACKET_STRING)
    return _Extent(token.span.start - edge, token.span.end + edge)


def _command(line: CommandLine, limits: Limits) -> str:
    text, tokens = line.span.file.text, line.tokens
    row = COMMAND_BY_NAME.get(tokens[0].lower)
    if row is not None and row.raw_text:
        return _raw_command(line, row.name, limits)
    parts: list[str] = []
    at = _extent(tokens[0]).start
    for number, token in enumerate(tokens):
        extent = _extent(token)
        parts.append(text[at : extent.start].strip())
        is_script = number > 0 and tokens[number - 1].lower == "script" and token.kind is TokenKind.BRACKET_STRING
        if is_script and not token.dropped and not token.text.startswith("file:") and row is not None and row.is_event:
            parts.append(_block(token.span, limits))
        else:
            parts.append(text[extent.start : extent.end])
        at = extent.end
    parts.append(text[at : line.span.end].strip())
    return " ".join(part for part in parts if part)


def _raw_command(line: CommandLine, name: str, limits: Limits) -> str:
    text, word = line.span.file.text, _extent(line.tokens[0])
    written = text[word.start : word.end]
    raw_start, raw_end = word.end, line.span.end
    raw = text[raw_start:raw_end].strip()
    if name != "?" or not raw:
        return f"{written} {raw}".rstrip()
    program, comments = _parsed(Span(line.span.file, raw_start, raw_end), limits)
    if len(program.items) == 1 and isinstance(program.items[0], s.Block) and not program.question:
        return f"{written} {_joined(print_program(program, comments), program.items[0].statements, comments)}"
    lines = print_program(program, width=None)
    if comments or any("\n" in line.text for line in lines):
        return f"{written} {raw}"
    # Without braces around them a line end would end the command, except inside the braces of a statement.
    return f"{written} {_outside_braces(lines)}"


def _outside_braces(lines: list[Line]) -> str:
    """The lines of a script, with line ends only where a brace is open."""
    text = ""
    for line in lines:
        if line.text:
            inside = line.level > 0 or (line.text.startswith("}") and bool(text))
            text += (f"\n{line}" if inside else f" {line.text}") if text else line.text
    return text


def _block(span: Span, limits: Limits) -> str:
    """The script block of an event, with its braces."""
    program, comments = _parsed(span, limits)
    lines = print_program(program, comments)
    if not lines:
        return "{ }"
    inner = [Line(line.level + 1 if line.text else 0, line.text) for line in lines]
    return _joined([Line(0, "{"), *inner, Line(0, "}")], () if program.question else program.items, comments)


def _joined(lines: list[Line], items: tuple[s.Statement, ...], comments: list[Span]) -> str:
    """A block on one line if it holds one plain statement, else on several."""
    plain = len(items) == 1 and not comments and isinstance(items[0], s.Simple | s.Return) and len(lines) == 3
    if plain and "\n" not in lines[1].text and len(lines[1].text) <= WIDTH:
        return f"{{ {lines[1].text} }}"
    return "\n".join(map(str, lines))


# --- what must stay the same ------------------------------------------------------------------------------------------


def _tokens(span: Span) -> list[tuple[str, str]]:
    """The tokens of a script without the commas that may stand at the end of a list, and its comments."""
    found = [(token.type, token.text) for token in tokenize(span.file, Diagnostics(), span.start, span.end)]
    kept = [
        token for number, token in enumerate(found) if token[0] != "COMMA" or found[number + 1 : number + 2] != [_CLOSE]
    ]
    comments = [
        ("comment", " ".join(comment.text.split())) for comment in find_comments(span.file, span.start, span.end)
    ]
    return kept + comments


_CLOSE = ("RBRACE", "}")


def _command_tokens(source: SourceFile) -> list[object]:
    """The commands of a file as far as a layout must not change them."""
    found: list[object] = []
    for line in read_lines(source):
        row = COMMAND_BY_NAME.get(line.tokens[0].lower) if line.tokens else None
        if row is not None and row.name == "?":
            found.append(_tokens(Span(source, _extent(line.tokens[0]).end, line.span.end)))
            continue
        for token in line.tokens:
            script = token.kind is TokenKind.BRACKET_STRING and not token.dropped
            found.append(_tokens(token.span) if script else (token.kind, token.text))
        found.append(None)
    return found
