"""`hds fmt`: lay command files and bare scripts out in the one canonical way."""

from __future__ import annotations

import argparse
import difflib
import sys
from typing import TYPE_CHECKING

from hds.exit_codes import ExitCode
from hds.inputs import (
    COMMAND_LINE,
    InputError,
    add_drives,
    add_execute,
    add_kind,
    add_limits,
    chosen_limits,
    drives,
    is_script,
    read_source,
    refuse,
    source_argument,
)
from hds.report import output, report
from vm import FileRefused, write_file

if TYPE_CHECKING:
    from lang import SourceFile
    from vm.facts.limits import Limits


def configure(parser: argparse.ArgumentParser) -> None:
    """The options of `hds fmt`."""
    parser.add_argument("files", nargs="*", metavar="FILE", help="command files or bare scripts; - for standard input")
    add_execute(parser, "TEXT", "a command file or a bare script as an argument")
    group = parser.add_mutually_exclusive_group()
    group.add_argument("--check", action="store_true", help="write nothing; show what would change and exit with 1")
    group.add_argument("-w", "--write", action="store_true", help="write the files in place")
    add_kind(parser)
    add_drives(parser)
    add_limits(parser)


def run(arguments: argparse.Namespace) -> ExitCode:
    """Lay out every input; the exit code of the worst one."""
    limits = chosen_limits(arguments)
    if not arguments.files and arguments.execute is None:
        refuse("give at least one file, `-` for standard input, or -e TEXT", ExitCode.USAGE)
    worst = ExitCode.OK
    for name in [*arguments.files, *([COMMAND_LINE] if arguments.execute is not None else [])]:
        try:
            source = (
                source_argument(arguments.execute)
                if name == COMMAND_LINE
                else read_source(name, limits, drives(arguments))
            )
        except InputError as error:
            report(error.failure, as_json=False)
            worst = max(worst, error.code)
            continue
        worst = max(worst, _lay_out(source, arguments, limits))
    return worst


def _lay_out(source: SourceFile, arguments: argparse.Namespace, limits: Limits) -> ExitCode:
    from hds.layout import CannotLayOut, lay_out_commands, lay_out_script
    from lang import render

    lay_out = lay_out_script if is_script(arguments, source) else lay_out_commands
    try:
        text = lay_out(source, limits)
    except CannotLayOut as error:
        for item in error.diagnostics:
            print(render(item), file=sys.stderr)
        return ExitCode.FAILED
    if arguments.check:
        return _compare(source, text)
    if arguments.write and not source.name.startswith("<"):
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
