"""The command line: `hds SUBCOMMAND ...`. Every subcommand is a module of `hds.subcommands`, imported when needed.

Exit codes are the table in `hds.exit_codes`; a traceback shown to a user is a bug.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NoReturn

from hds.exit_codes import ExitCode
from hds.version import VERSION


@dataclass(frozen=True)
class Subcommand:
    """A subcommand: its module has `configure(parser)` and `run(arguments) -> ExitCode`."""

    name: str
    doc: str

    @property
    def module(self) -> str:
        """The module that carries it out."""
        return f"hds.subcommands.{self.name}"


SUBCOMMANDS: tuple[Subcommand, ...] = (
    Subcommand("run", "run a command file, with a guest program or without"),
    Subcommand("console", "type commands at the HyperDbg> prompt, with a guest program or without"),
    Subcommand("check", "compile only: errors, warnings and portability remarks"),
    Subcommand("eval", "run one script on an in-memory host"),
    Subcommand("compile", "compile a command file to a .hdc file"),
    Subcommand("disasm", "show the bytecode of a command file or a .hdc file"),
    Subcommand("fmt", "lay scripts out in the one canonical way"),
    Subcommand("conform", "run conformance vectors"),
    Subcommand("fuzz", "try what must hold for every script on generated ones"),
    Subcommand("explain", "explain a diagnostic code"),
    Subcommand("list", "list events, commands, built-in functions, registers, limits, ..."),
)


def build_parser() -> argparse.ArgumentParser:
    """The parser of the command line, without the options of the subcommands."""
    parser = argparse.ArgumentParser(
        prog="hds", description="HyperDbg's scripting, offline: check, run and measure .hds scripts."
    )
    parser.add_argument("--version", action="version", version=f"hds {VERSION}")
    commands = parser.add_subparsers(dest="subcommand", metavar="SUBCOMMAND", required=True)
    for row in SUBCOMMANDS:
        commands.add_parser(row.name, help=row.doc, description=row.doc.capitalize() + ".", add_help=False)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run hds with these arguments (default: those of the process); the exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    row = next((row for row in SUBCOMMANDS if words and row.name == words[0]), None)
    try:
        if row is None:
            build_parser().parse_args(words)
            return ExitCode.OK
        module = importlib.import_module(row.module)
        parser = argparse.ArgumentParser(prog=f"hds {row.name}", description=row.doc.capitalize() + ".")
        module.configure(parser)
        code: int = module.run(parser.parse_args(words[1:]))
        sys.stdout.flush()
        return code
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else ExitCode.USAGE
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    except Exception as error:
        if isinstance(error, BrokenPipeError):
            # The reader of the output went away: nothing more can be said.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return ExitCode.BROKEN_PIPE
        if os.environ.get("HDS_TRACEBACK"):
            raise
        if isinstance(error, MemoryError):
            print(f"hds: {str(error) or 'the host gives no more memory'}", file=sys.stderr)
            return ExitCode.LIMIT
        print(f"hds: internal error: {type(error).__name__}: {error}", file=sys.stderr)
        print("  hint: this is a bug in hds; HDS_TRACEBACK=1 shows where, for a report", file=sys.stderr)
        return ExitCode.INTERNAL


def entry() -> NoReturn:
    """`main` as a process of its own, which leaves at once: the interpreter's tidying takes 0.2 s behind a run."""
    code = main()
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:
        code = code or ExitCode.BROKEN_PIPE
    os._exit(code)


if __name__ == "__main__":
    entry()
