"""Findings of the checker as SARIF 2.1.0."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import PurePath
from urllib.parse import quote

from hds.report.failures import Failure
from hds.report.records import region
from hds.version import VERSION
from lang import Diagnostic, Severity, Span

SARIF_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning"}


def sarif(findings: Sequence[Diagnostic], failures: Sequence[Failure] = ()) -> dict[str, object]:
    """The SARIF log of one run of the checker. Rules are listed for the codes that occur.

    `failures` say which inputs could not be checked.
    """
    codes = sorted({str(item.code) for item in findings})
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
    line, column, end_line, end_column = region(span)
    place = {"startLine": line, "startColumn": column, "endLine": end_line, "endColumn": end_column}
    path = PurePath(span.file.name)
    uri = path.as_uri() if path.is_absolute() else quote(path.as_posix(), errors="surrogateescape")
    return {"physicalLocation": {"artifactLocation": {"uri": uri}, "region": place}}


@cache
def code_titles() -> dict[str, str]:
    """The one-line meaning of every code."""
    from lang.codes import ROWS

    return {row.code: row.title for row in ROWS}
