"""Diagnostics: what the compiler says, and how it looks.

A Diagnostic is a value; passes append to a `Diagnostics` list and go on where they can. `render` gives file:line:col,
the source line, carets under the span, and separate note and hint lines.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from enum import Enum

import msgspec

from lang.characters import escape
from lang.code import Code
from lang.source import Span
from vm.facts.limits import DEFAULT_LIMITS, Limits


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


class Note(msgspec.Struct, frozen=True):
    """Something that belongs to a diagnostic, at another place."""

    message: str
    span: Span | None = None


LONGEST = 500  # characters of a message or hint
WIDEST = 200  # characters of a source line that an excerpt shows

# A hint that takes time to find is a function: it is called only for a finding that is recorded.
Hint = str | Callable[[], str | None] | None


class Diagnostic(msgspec.Struct, frozen=True):
    """One finding. `code` has a row in `lang.codes`."""

    code: Code
    message: str
    span: Span
    hint: str | None = None
    notes: tuple[Note, ...] = ()

    @property
    def severity(self) -> Severity:
        """Told by the code."""
        return severity_of(self.code)


def severity_of(code: Code) -> Severity:
    """Told by the first letter of the code."""
    return _SEVERITIES[code[0]]


class Diagnostics(msgspec.Struct):
    """The findings of one compilation, in the order they were made; one per code and place.

    What goes beyond `max_errors`, and beyond `max_findings` of one code, is left out; the last one in says so.
    """

    limits: Limits = DEFAULT_LIMITS
    items: list[Diagnostic] = msgspec.field(default_factory=list)
    errors: int = 0
    _seen: dict[str, set[Span]] = msgspec.field(default_factory=dict)  # places by code
    _texts: dict[str, str] = msgspec.field(default_factory=dict)  # equal messages are one object

    def add(self, code: Code, message: str, span: Span, hint: Hint = None, notes: tuple[Note, ...] = ()) -> None:
        """Record a finding, unless the same code was found at the same place already."""
        seen = self._seen.setdefault(code, set())
        is_error = severity_of(code) is Severity.ERROR
        count = self.errors if is_error else len(seen)
        most = self.limits.max_errors if is_error else self.limits.max_findings
        if count >= most or span in seen:
            return
        seen.add(span)
        self.errors += is_error
        if count + 1 == most:
            what, limit = ("errors", "max_errors") if is_error else (f"findings {code}", "max_findings")
            notes = (*notes, Note(f"further {what} are left out (limit {limit})"))
        said = hint() if callable(hint) else hint
        said = None if said is None else self._text(said)
        self.items.append(Diagnostic(code, self._text(message), span, said, notes))

    @property
    def has_errors(self) -> bool:
        """Whether anything was found that stops the compilation."""
        return self.errors > 0

    def __iter__(self) -> Iterator[Diagnostic]:
        return iter(self.items)

    def _text(self, text: str) -> str:
        """A message as it is kept: with an end, and equal ones as one object."""
        if len(text) > LONGEST:
            text = text[:LONGEST] + "..."
        return self._texts.setdefault(text, text)


class SilentDiagnostics(Diagnostics):
    """Records nothing: for a walk whose findings another one makes again."""

    def add(self, code: Code, message: str, span: Span, hint: Hint = None, notes: tuple[Note, ...] = ()) -> None:
        """Nothing."""


def too_deep(diagnostics: Diagnostics, span: Span, limits: Limits) -> None:
    """E121."""
    diagnostics.add(Code.TOO_DEEP, f"nested more than {limits.max_nesting} levels deep (limit max_nesting)", span)


def sort_key(item: Diagnostic) -> tuple[str, int, str]:
    """By place, then by code."""
    return item.span.file.name, item.span.start, item.code


def in_order(items: Iterable[Diagnostic]) -> list[Diagnostic]:
    """Sorted by `sort_key`, without making all these keys."""
    found = sorted(items, key=lambda item: item.code)
    found.sort(key=lambda item: item.span.start)
    found.sort(key=lambda item: item.span.file.name)
    return found


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
    number, _ = span.file.position(span.start)
    first, last = span.file.line_range(number)
    start = min(span.start, last)
    left = first if start - first <= WIDEST else start - WIDEST // 2
    right = last if last - left <= WIDEST else left + WIDEST
    text, end = span.file.text, min(max(span.end, start), right)
    before = ("... " if left > first else "") + printable(text[left:start])
    shown = printable(text[start:end])
    margin = f"{number:>5} | "
    yield margin + before + shown + printable(text[end:right]) + (" ..." if right < last else "")
    yield " " * (len(margin) - 2) + "| " + " " * len(before) + "^" * max(1, len(shown))


def printable(text: str) -> str:
    """A tab becomes one blank, and what does not print an escape sequence, so that carets stand where they should."""
    return "".join(c if c.isprintable() else " " if c == "\t" else escape(c) for c in text)
