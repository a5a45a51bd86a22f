"""Diagnostics: what the compiler says, and how it looks.

A Diagnostic is a value; passes append to a `Diagnostics` list and go on where they can. `render` gives file:line:col,
the source line, carets under the span, and separate note and hint lines.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import Enum

from lang.characters import escape
from lang.source import Span


class Severity(Enum):
    """What a diagnostic means for the compilation; only errors stop it."""

    ERROR = "error"
    WARNING = "warning"
    REMARK = "remark"
    PORTABILITY = "portability"

    @property
    def is_for_everybody(self) -> bool:
        """Whether `run` and `eval` report it, too, and not only `check`."""
        return self in (Severity.ERROR, Severity.WARNING)


_SEVERITIES = {"E": Severity.ERROR, "W": Severity.WARNING, "R": Severity.REMARK, "P": Severity.PORTABILITY}


@dataclass(frozen=True)
class Note:
    """Something that belongs to a diagnostic, at another place."""

    message: str
    span: Span | None = None


@dataclass(frozen=True)
class Diagnostic:
    """One finding. `code` is a row of `lang.codes` or `lang.commands.errors`."""

    code: str
    message: str
    span: Span
    hint: str | None = None
    notes: tuple[Note, ...] = ()

    @property
    def severity(self) -> Severity:
        """Told by the code."""
        return severity_of(self.code)


def severity_of(code: str) -> Severity:
    """Told by the first letter of the code."""
    return _SEVERITIES[code[0]]


@dataclass
class Diagnostics:
    """The findings of one compilation, in the order they were made; one per code and place."""

    items: list[Diagnostic] = field(default_factory=list)
    _seen: set[tuple[str, int, int, int]] = field(default_factory=set)

    def add(self, code: str, message: str, span: Span, hint: str | None = None, notes: tuple[Note, ...] = ()) -> None:
        """Record a finding, unless the same code was found at the same place already."""
        key = (code, id(span.file), span.start, span.end)
        if key not in self._seen:
            self._seen.add(key)
            self.items.append(Diagnostic(code, message, span, hint, notes))

    @property
    def has_errors(self) -> bool:
        """Whether anything was found that stops the compilation."""
        return any(item.severity is Severity.ERROR for item in self.items)

    def __iter__(self) -> Iterator[Diagnostic]:
        return iter(self.items)


def sort_key(item: Diagnostic) -> tuple[str, int, str]:
    """By place, then by code."""
    return item.span.file.name, item.span.start, item.code


def render(item: Diagnostic) -> str:
    """The diagnostic as text of several lines, without a final line feed."""
    lines = [f"{item.span}: {item.severity.value} {item.code}: {item.message}", *excerpt(item.span)]
    for note in item.notes:
        lines.append(f"  note: {note.message}" + (f" ({note.span})" if note.span else ""))
        if note.span:
            lines += excerpt(note.span)
    if item.hint:
        lines.append(f"  hint: {item.hint}")
    return "\n".join(lines)


def excerpt(span: Span) -> Iterable[str]:
    """The source line of a span's start and the carets below it."""
    number, column = span.file.position(span.start)
    line = span.file.line(number)
    width = max(1, min(span.end - span.start, len(line) - column + 1))
    before = printable(line[: column - 1])
    shown = printable(line[column - 1 : column - 1 + width])
    margin = f"{number:>5} | "
    yield margin + before + shown + printable(line[column - 1 + width :])
    yield " " * (len(margin) - 2) + "| " + " " * len(before) + "^" * max(1, len(shown))


def printable(text: str) -> str:
    """A tab becomes one blank, and what does not print an escape sequence, so that carets stand where they should."""
    return "".join(c if c.isprintable() else " " if c == "\t" else escape(c) for c in text)
