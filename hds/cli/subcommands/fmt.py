"""`hds fmt`: lay command files and bare scripts out in the one canonical way."""

from __future__ import annotations

import argparse
import difflib
import sys
from typing import TYPE_CHECKING

import msgspec

from hds.cli.options import Inputs, TextKind, add_drives, add_inputs, add_kind, add_limits, options_of
from hds.exit_codes import ExitCode
from hds.inputs import InputError, refuse
from hds.report import output, report
from vm import FileRefused, write_file

if TYPE_CHECKING:
    from lang import SourceFile


def configure(parser: argparse.ArgumentParser) -> None:
    """The options of `hds fmt`."""
    add_inputs(parser)
    group = parser.add_mutually_exclusive_group()
    group.add_argument("--check", action="store_true", help="write nothing; show what would change and exit with 1")
    group.add_argument("-w", "--write", action="store_true", help="write the files in place")
    add_kind(parser)
    add_drives(parser)
    add_limits(parser)


class Options(msgspec.Struct, frozen=True):
    """What the command line says."""

    inputs: Inputs
    kind: TextKind
    check: bool
    write: bool

    @classmethod
    def of(cls, found: argparse.Namespace) -> Options:
        """What the parser found."""
        return options_of(cls, found, inputs=Inputs.of(found), kind=TextKind.of(found))


def run(options: Options) -> ExitCode:
    """Lay out every input; the exit code of the worst one."""
    worst = ExitCode.OK
    for source in options.inputs.sources():
        if isinstance(source, InputError):
            report(source.failure, as_json=False)
            worst = max(worst, source.code)
        else:
            worst = max(worst, _lay_out(source, options))
    return worst


def _lay_out(source: SourceFile, options: Options) -> ExitCode:
    from hds.layout import CannotLayOut, lay_out_commands, lay_out_script
    from lang import render

    lay_out = lay_out_script if options.kind.is_script(source) else lay_out_commands
    try:
        text = lay_out(source, options.inputs.reading.limits)
    except CannotLayOut as error:
        for item in error.diagnostics:
            print(render(item), file=sys.stderr)
        return ExitCode.FAILED
    if options.check:
        return _compare(source, text)
    if options.write and not source.name.startswith("<"):
        if text != source.text:
            try:
                write_file(source.name, text.encode())
            except FileRefused as error:
                refuse(str(error), ExitCode.NO_INPUT)
            print(f"{source.name}: written", file=sys.stderr)
        return ExitCode.OK
    output().write_bytes(text.encode("utf-8", "surrogateescape"))
    return ExitCode.OK


def _compare(source: SourceFile, text: str) -> ExitCode:
    """`--check`: the difference, if there is one."""
    if text == source.text:
        return ExitCode.OK
    before, after = source.text.splitlines(keepends=True), text.splitlines(keepends=True)
    for line in difflib.unified_diff(before, after, source.name, f"{source.name} (laid out)"):
        text = line if line.endswith("\n") else f"{line}\n\\ no line end at the end of the file\n"
        output().write_bytes(text.encode("utf-8", "surrogateescape"))
    return ExitCode.FAILED
