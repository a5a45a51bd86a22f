"""`hds check`: compile only. Errors, warnings and portability remarks of command files and bare scripts."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from hds.cli.options import (
    Compiling,
    Inputs,
    Selection,
    TextKind,
    add_compiling,
    add_inputs,
    add_kind,
    add_limits,
    add_programs,
    add_selection,
    options_of,
)
from hds.exit_codes import ExitCode
from hds.inputs import InputError
from hds.report import Failure, report

if TYPE_CHECKING:
    from lang import Diagnostic, SourceFile

COUNTED_ERRORS = 1000
_NOT_ASSEMBLED = "only the syntax of assembly text is checked: the package keystone-engine is not installed"


def configure(parser: argparse.ArgumentParser) -> None:
    """The options of `hds check`."""
    add_inputs(parser)
    parser.add_argument("--format", choices=("text", "json", "sarif"), default="text", help="default text")
    add_selection(parser)
    parser.add_argument("--warnings-as-errors", action="store_true", help="exit with 1 for warnings, too")
    add_kind(parser)
    add_compiling(parser)
    add_programs(parser)
    add_limits(parser)


class Options(msgspec.Struct, frozen=True):
    """What the command line says."""

    inputs: Inputs
    kind: TextKind
    compiling: Compiling
    selection: Selection
    format: str
    warnings_as_errors: bool

    @classmethod
    def of(cls, found: argparse.Namespace) -> Options:
        """What the parser found."""
        return options_of(
            cls,
            found,
            inputs=Inputs.of(found),
            kind=TextKind.of(found),
            compiling=Compiling.of(found),
            selection=Selection.of(found),
        )


def run(options: Options) -> ExitCode:
    """Check every input; the exit code of the worst one."""
    from lang import Severity

    findings: list[Diagnostic] = []
    failures: list[Failure] = []
    left_out: dict[str, int] = {}
    worst = ExitCode.OK
    unread = 0
    for source in options.inputs.sources():
        if isinstance(source, InputError):
            failures.append(source.failure)
            worst = max(worst, source.code)
            unread += 1
            continue
        found = sorted(
            options.selection.of_all(check(options.compiling.with_arguments(source), options)), key=_by_place
        )
        kept, dropped = at_most(found, options.compiling.limits.max_errors)
        findings += kept
        if dropped:
            left_out[source.name] = dropped
    _show(findings, failures, options.format)
    for name, count in left_out.items():
        print(f"{name}: {count} more errors are left out (limit max_errors)", file=sys.stderr)
    severities = [item.severity for item in findings]
    errors = severities.count(Severity.ERROR) + sum(left_out.values())
    warnings = severities.count(Severity.WARNING)
    inputs = len(options.inputs) - unread
    counts = (errors, warnings, severities.count(Severity.PORTABILITY), severities.count(Severity.REMARK))
    print(_summary(inputs, unread, *counts), file=sys.stderr)
    if errors or (options.warnings_as_errors and warnings):
        worst = max(worst, ExitCode.FAILED)
    return worst


def _show(findings: list[Diagnostic], failures: list[Failure], form: str) -> None:
    from lang import render

    if form == "sarif":
        import json

        from hds.report import sarif

        print(json.dumps(sarif(findings, failures), indent=2))
    for failure in failures:
        report(failure, as_json=form == "json")
    for item in findings:
        if form == "json":
            from hds.report import JsonLines

            JsonLines().report(item)
        elif form == "text":
            print(render(item))


def check(source: SourceFile, options: Options) -> list[Diagnostic]:
    """All findings of one input; the scripts of a command file share their globals, in order."""
    from hds.session import check_text

    # The parser is not to give up before all errors are counted.
    limits = options.compiling.limits
    compiler = options.compiling.compiler(replace(limits, max_errors=max(limits.max_errors, COUNTED_ERRORS)))
    compiler.portability = True
    checked = check_text(source, compiler, script=options.kind.is_script(source))
    if checked.unchecked_blocks:
        print(f"{source.name}: note: {_NOT_ASSEMBLED}", file=sys.stderr)
    return list(checked.diagnostics)


def at_most(findings: list[Diagnostic], most: int) -> tuple[list[Diagnostic], int]:
    """The findings with the first `most` errors, and how many errors are left out."""
    from lang import Severity

    kept: list[Diagnostic] = []
    errors = 0
    for item in findings:
        errors += item.severity is Severity.ERROR
        if errors <= most or item.severity is not Severity.ERROR:
            kept.append(item)
    return kept, max(0, errors - most)


def _by_place(item: Diagnostic) -> tuple[str, int, str]:
    from lang import sort_key

    return sort_key(item)


def _summary(files: int, unread: int, errors: int, warnings: int, portability: int, remarks: int) -> str:
    def counted(count: int, word: str) -> str:
        return f"{count} {word}{'' if count == 1 else 's'}"

    found = [counted(errors, "error"), counted(warnings, "warning"), counted(portability, "portability remark")]
    if remarks:
        found.append(counted(remarks, "other remark"))
    could_not = f"could not be checked: {unread}" if unread else ""
    if not files:
        return could_not
    return f"checked {counted(files, 'file')}: {', '.join(found)}" + (f"; {could_not}" if unread else "")
