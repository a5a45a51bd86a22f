"""Text of a command file -> its commands.

Every logical line (see tokenizer.py) is one command, selected by its first token. A line with an unclosed quote,
brace or comment, or with an unknown name, gives an error and no command; reading goes on with the next line.
Parameters are not looked at, nothing is executed, and no text makes it raise.
"""

from __future__ import annotations

import re

from lang.code import Code
from lang.commands.statements import statement_hint
from lang.commands.syntax import Command
from lang.commands.tokenizer import Line, read_lines, trim
from lang.commands.tokens import Token, TokenKind
from lang.diagnostics import Diagnostic
from lang.lexer import ARGUMENT, NO_ARGUMENT_HINT
from lang.nearest import NearestName
from lang.source import SourceFile, Span
from vm import late_pattern
from vm.facts.commands import COMMAND_BY_NAME

_ASSIGNMENT = late_pattern(r"(?:[-+*/%&|^]|<<|>>)?=(?!=)|\+\+|--")
_NEAREST = NearestName(COMMAND_BY_NAME)
_ARGUMENT_IN_BLOCK = late_pattern(
    # What is never closed goes to the end, as in a script.
    r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|//[^\r\n]*|/\*.*?(?:\*/|\Z)|' + ARGUMENT.pattern,
    re.DOTALL,
)


def read_commands(source: SourceFile) -> tuple[list[Command], list[Diagnostic]]:
    """The commands of a file, and the errors of the lines that are none; both in the order of the file."""
    commands: list[Command] = []
    errors: list[Diagnostic] = []
    for line in read_lines(source):
        result = _command(line)
        if isinstance(result, Command):
            commands.append(result)
        else:
            errors.extend(result)
    return commands, errors


def _command(line: Line) -> Command | tuple[Diagnostic, ...]:
    if line.errors:
        return line.errors
    name = line.tokens[0]
    if name.kind is TokenKind.BRACKET_STRING:
        hint: str | None = "write the `{` on the line of the command that the block belongs to"
        return (Diagnostic(Code.NO_COMMAND, "this block does not follow a command", name.span, hint),)
    row = COMMAND_BY_NAME.get(name.lower)
    if row is None and ARGUMENT.match(name.text):
        return _unset_arguments(line.tokens, raw_text=False)
    if row is None:
        message = f"couldn't resolve command at '{name.text}'"
        hint = statement_hint(_written(line)) or _hint(name.lower)
        return (Diagnostic(Code.UNKNOWN_COMMAND, message, name.span, hint),)
    if not row.raw_text and len(line.tokens) > 1 and _ASSIGNMENT.match(line.tokens[1].text):
        message = f"this assigns to `{name.text}`, which is a command here"
        place = name.span.to(line.tokens[1].span)
        return (Diagnostic(Code.NO_COMMAND, message, place, statement_hint(_written(line))),)
    if "$arg" in line.span.text and (unset := _unset_arguments(line.tokens, row.raw_text)):
        return unset
    behind_name = name.span.end + (name.kind is TokenKind.STRING_LITERAL)  # the span of a literal lacks its quotes
    raw = Span(line.span.file, *trim(line.span.file.text, behind_name, line.span.end))
    return Command(name, row, line.tokens[1:], raw, name.span.to(raw))


def _unset_arguments(tokens: tuple[Token, ...], raw_text: bool) -> tuple[Diagnostic, ...]:
    """E013 for every `$argN` that has no value; what a script has in quotes or comments is its own."""
    errors: list[Diagnostic] = []
    for token in tokens:
        if token.kind is TokenKind.STRING_LITERAL and raw_text:
            continue
        pattern = _ARGUMENT_IN_BLOCK if token.kind is TokenKind.BRACKET_STRING else ARGUMENT
        for match in pattern.finditer(token.span.text):
            if match[0].startswith("$"):
                span = Span(token.span.file, token.span.start + match.start(), token.span.start + match.end())
                errors.append(Diagnostic(Code.NO_ARGUMENT, f"`{match[0]}` has no value", span, NO_ARGUMENT_HINT))
    return tuple(errors)


def _written(line: Line) -> str:
    """The text of the line from its first token to its last, without the comments around them."""
    last = line.tokens[-1]
    end = last.span.end + (last.kind is not TokenKind.STRING and last.kind is not TokenKind.NUM)  # a closing mark
    return line.span.file.text[line.tokens[0].span.start : end]


def _hint(name: str) -> str | None:
    if name.startswith("}"):
        return "no block is open here"
    nearest = _NEAREST.find(name)
    return f"did you mean `{nearest}`?" if nearest else None
