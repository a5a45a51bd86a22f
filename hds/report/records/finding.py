"""What the checker and the commands find wrong: the record is `lang.diagnostics.Diagnostic`."""

from typing import Annotated, Literal, NotRequired, TypedDict

from hds.report.failures import FailureKind
from hds.report.records.shown import Line
from hds.report.records.texts import values
from lang import Code, Diagnostic, Severity, Span, render

_KINDS = (FailureKind.COMPILE.value, FailureKind.COMMAND.value, *(kind for kind in values(Severity) if kind != "error"))


class NoteObject(TypedDict):
    """Something that belongs to a finding, at another place if it names one."""

    message: str
    file: NotRequired[str]
    line: NotRequired[int]
    column: NotRequired[int]


class FindingObject(TypedDict):
    """An error, a warning or a remark with its place: lines and columns from 1, `end_column` is behind the last one."""

    type: Literal["finding"]
    kind: Annotated[str, _KINDS]
    code: str
    severity: Annotated[str, values(Severity)]
    message: str
    hint: str | None
    file: str
    line: int
    column: int
    end_line: int
    end_column: int
    notes: list[NoteObject]


def as_object(item: Diagnostic) -> FindingObject:
    """The record of JSON mode."""
    line, column, end_line, end_column = region(item.span)
    return {
        "type": "finding",
        "kind": _kind(item),
        "code": item.code,
        "severity": item.severity.value,
        "message": item.message,
        "hint": item.hint,
        "file": item.span.file.name,
        "line": line,
        "column": column,
        "end_line": end_line,
        "end_column": end_column,
        "notes": [_note(note.message, note.span) for note in item.notes],
    }


def region(span: Span) -> tuple[int, int, int, int]:
    """Line and column of the first character, and of the place behind the last one; all from 1."""
    return (*span.file.position(span.start), *span.file.position(span.end))


def _kind(item: Diagnostic) -> str:
    """An error is a failure of a kind; the others are not."""
    if item.severity is not Severity.ERROR:
        return str(item.severity.value)
    return str((FailureKind.COMMAND if item.code == Code.REFUSED else FailureKind.COMPILE).value)


def _note(message: str, span: Span | None) -> NoteObject:
    if span is None:
        return {"message": message}
    return {"message": message, "file": span.file.name, "line": span.line, "column": span.column}


def shown(item: Diagnostic) -> Line:
    """The message, the line of the source, carets and hints."""
    return Line(render(item))
