"""Findings of the checker as text, as JSON objects and as SARIF 2.1.0."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import PurePath
from urllib.parse import quote

from hds.report.failures import Failure, FailureKind
from hds.version import VERSION
from lang.commands import Code
from lang.diagnostics import Diagnostic, Severity
from lang.source import Span

SARIF_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning"}


def _region(span: Span) -> tuple[int, int, int, int]:
    """Line and column of the first character, and of the place behind the last one; all from 1."""
    return (*span.file.position(span.start), *span.file.position(span.end))


def as_object(item: Diagnostic) -> dict[str, object]:
    """One finding for `--format json`. `end_column` is that of the place behind the last character."""
    line, column, end_line, end_column = _region(item.span)
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


def _kind(item: Diagnostic) -> str:
    """An error is a failure of a kind; the others are not."""
    if item.severity is not Severity.ERROR:
        return str(item.severity.value)
    return str((FailureKind.COMMAND if item.code == Code.REFUSED else FailureKind.COMPILE).value)


def _note(message: str, span: Span | None) -> dict[str, object]:
    if span is None:
        return {"message": message}
    return {"message": message, "file": span.file.name, "line": span.line, "column": span.column}


def sarif(findings: Sequence[Diagnostic], failures: Sequence[Failure] = ()) -> dict[str, object]:
    """The SARIF log of one run of the checker. Rules are listed for the codes that occur.

    `failures` say which inputs could not be checked.
    """
    codes = sorted({item.code for item in findings})
    index = {code: number for number, code in enumerate(codes)}
    titles = code_titles()
    rules = [{"id": code, "shortDescription": {"text": titles.get(code, code)}} for code in codes]
    return {
        "$schema": SARIF_SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {"driver": {"name": "hds", "version": VERSION, "rules": rules}},
                "columnKind": "unicodeCodePoints",
                "results": [_result(item, index) for item in findings],
                "invocations": [
                    {
                        "executionSuccessful": not failures,
                        "toolExecutionNotifications": [_notification(failure) for failure in failures],
                    }
                ],
            }
        ],
    }


def _result(item: Diagnostic, index: dict[str, int]) -> dict[str, object]:
    text = item.message if item.hint is None else f"{item.message} (hint: {item.hint})"
    result: dict[str, object] = {
        "ruleId": item.code,
        "ruleIndex": index[item.code],
        "level": _LEVELS.get(item.severity, "note"),
        "message": {"text": text},
        "locations": [_location(item.span)],
    }
    related = [
        {**_location(note.span), "message": {"text": note.message}} for note in item.notes if note.span is not None
    ]
    if related:
        result["relatedLocations"] = related
    return result


def _notification(failure: Failure) -> dict[str, object]:
    return {"level": "error", "descriptor": {"id": failure.kind.value}, "message": {"text": failure.message}}


def _location(span: Span) -> dict[str, object]:
    line, column, end_line, end_column = _region(span)
    region = {"startLine": line, "startColumn": column, "endLine": end_line, "endColumn": end_column}
    path = PurePath(span.file.name)
    uri = path.as_uri() if path.is_absolute() else quote(path.as_posix(), errors="surrogateescape")
    return {"physicalLocation": {"artifactLocation": {"uri": uri}, "region": region}}


@cache
def code_titles() -> dict[str, str]:
    """The one-line meaning of every code."""
    from lang.codes import ERRORS, PORTABILITY, REMARKS, WARNINGS
    from lang.commands import CODES as COMMAND_CODES

    return {str(row.code): row.title for row in (*ERRORS, *COMMAND_CODES, *WARNINGS, *REMARKS, *PORTABILITY)}
