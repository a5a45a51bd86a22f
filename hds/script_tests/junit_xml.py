"""Verdicts as JUnit XML (`--junit`): a suite for each file, as Jenkins, GitLab and others read it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import PurePath
from xml.etree import ElementTree

from hds.script_tests.cases import TestFile
from hds.script_tests.verdicts import Status, Verdict, failure_lines
from lang import render

_NO_XML = re.compile("[^\t\n\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit(files: Sequence[TestFile], verdicts: Sequence[Verdict]) -> bytes:
    """The document, in UTF-8. Files with faulty directives are errors."""
    root = ElementTree.Element("testsuites")
    by_path: dict[str, list[Verdict]] = {}
    for verdict in verdicts:
        by_path.setdefault(verdict.path, []).append(verdict)
    for file in files:
        own = by_path.get(file.path, [])
        if own or file.errors:
            _suite(root, file, own)
    for name in ("tests", "failures", "errors"):
        root.set(name, str(sum(int(suite.get(name, "0")) for suite in root)))
    root.set("name", "hds test")
    root.set("time", _seconds(sum(verdict.seconds for verdict in verdicts)))
    ElementTree.indent(root)
    data: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return data + b"\n"


def _suite(root: ElementTree.Element, file: TestFile, verdicts: Sequence[Verdict]) -> None:
    statuses = [verdict.status for verdict in verdicts]
    suite = ElementTree.SubElement(
        root,
        "testsuite",
        name=_plain(file.path),
        tests=str(len(verdicts) + bool(file.errors)),
        failures=str(statuses.count(Status.FAILED)),
        errors=str(statuses.count(Status.ERROR) + bool(file.errors)),
        skipped=str(statuses.count(Status.SKIPPED)),
        time=_seconds(sum(verdict.seconds for verdict in verdicts)),
    )
    if file.errors:
        case = _case(suite, file.path, "directives", 0.0, file.errors[0].span.line)
        text = "\n".join(render(item) for item in file.errors)
        _add(case, "error", f"{file.errors[0].code}: {file.errors[0].message}", file.errors[0].code, text)
    for verdict in verdicts:
        case = _case(suite, file.path, verdict.case.name, verdict.seconds, verdict.case.span.line)
        if verdict.status is Status.FAILED:
            first = verdict.mismatches[0]
            _add(case, "failure", first.message, first.kind, "\n".join(failure_lines(verdict)))
        elif verdict.status is Status.ERROR:
            _add(case, "error", verdict.reason, "error", verdict.reason)
        elif verdict.status is Status.SKIPPED:
            ElementTree.SubElement(case, "skipped", message=_plain(verdict.reason))


def _case(suite: ElementTree.Element, path: str, name: str, seconds: float, line: int) -> ElementTree.Element:
    classname = ".".join(PurePath(path).with_suffix("").parts).strip("./")
    return ElementTree.SubElement(
        suite,
        "testcase",
        name=_plain(name),
        classname=_plain(classname),
        file=_plain(path),
        line=str(line),
        time=_seconds(seconds),
    )


def _add(case: ElementTree.Element, kind: str, message: str, type_: str, text: str) -> None:
    ElementTree.SubElement(case, kind, message=_plain(message), type=type_).text = _plain(text)


def _seconds(value: float) -> str:
    return f"{value:.3f}"


def _plain(text: str) -> str:
    """Without what XML cannot have."""
    return _NO_XML.sub(lambda match: f"\\x{ord(match[0]):02x}", text)
