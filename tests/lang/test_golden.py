"""The files of tests/golden do what their comments say (tests/golden/README.md); scripts run on both engines."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from language_world import Run

from hds.session.command_scripts import read_command_file
from lang.compiler import Compiler
from lang.diagnostics import Diagnostic, Severity
from lang.source import SourceFile
from vm.facts.limits import Limits

FOLDER = Path(__file__).parents[1] / "golden"
MANY_ERRORS = Limits(max_errors=1000)
FILES = sorted(FOLDER.glob("*.hds"))
OUTPUT = re.compile(r"//> ?(.*)$", re.MULTILINE)
FINDING = re.compile(r"//! (?!stop)([EWRP][0-9 EWRP]+)")
STOP = re.compile(r"//! stop (\w+)")


def findings(source: SourceFile) -> list[Diagnostic]:
    compiler = Compiler(MANY_ERRORS)
    if "commands" not in source.name:
        return list(compiler.compile(source).diagnostics)
    file = read_command_file(source, MANY_ERRORS)
    return [*file.findings, *(item for script in file.scripts for item in script.compile(compiler).diagnostics)]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_checker_finds_what_stands_in_the_comments(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    expected = {
        (number, code)
        for number, line in enumerate(text.splitlines(), 1)
        for match in FINDING.finditer(line)
        for code in match[1].split()
    }
    portability = "portability" in path.stem
    found = {
        (item.span.line, item.code)
        for item in findings(SourceFile(str(path), text))
        if (item.severity is Severity.PORTABILITY) == portability
    }
    assert found == expected


@pytest.mark.parametrize("path", [path for path in FILES if "errors" not in path.stem and "commands" not in path.stem])
def test_the_script_prints_what_stands_in_the_comments(run: Run, path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    outcome = run(text, str(path))
    assert outcome.output == "".join(f"{line}\n" for line in OUTPUT.findall(text))
    stop = STOP.search(text)
    assert outcome.fault == (stop[1] if stop else None)


def test_every_kind_of_run_time_error_has_a_file() -> None:
    from vm.engine import FaultKind

    # No operation of the language can be invalid: infinities never arise. Ctrl-C comes from outside.
    without = {FaultKind.FLOAT_INVALID, FaultKind.INTERRUPTED}
    names = {path.stem.removeprefix("stop_") for path in FILES if path.stem.startswith("stop_")}
    assert names == {kind.value for kind in FaultKind if kind not in without}
