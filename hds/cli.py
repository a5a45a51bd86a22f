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
    """A subcommand: its module has `configure(parser)` and `run(arguments) -> ExitCode`.

    `examples` are whole command lines.
    """

    name: str
    doc: str
    examples: tuple[str, ...]

    @property
    def module(self) -> str:
        """The module that carries it out."""
        return f"hds.subcommands.{self.name}"


SUBCOMMANDS: tuple[Subcommand, ...] = (
    Subcommand(
        "run",
        "run a command file, with a guest program or without",
        (
            "hds run trace.hds ./hello first second",
            "hds run -e '!syscall 1 script { printf(\"%d bytes\\n\", @rdx); }' ./hello",
        ),
    ),
    Subcommand(
        "console",
        "type commands at the HyperDbg> prompt, with a guest program or without",
        ("hds console ./hello", "hds console < commands.hds"),
    ),
    Subcommand(
        "check",
        "compile only: errors, warnings and portability remarks",
        ("hds check scripts/*.hds", "hds check -e '? print(@rax + 1);' --target hds"),
    ),
    Subcommand(
        "eval",
        "run one script on an in-memory host",
        ("hds eval script.ds", "hds eval -e 'print(@rax * 2);' --reg rax=0n21"),
    ),
    Subcommand("compile", "compile a command file to a .hdc file", ("hds compile trace.hds -o trace.hdc",)),
    Subcommand(
        "disasm",
        "show the bytecode of a command file or a .hdc file",
        ("hds disasm trace.hdc", "hds disasm -e 'print(@rax + 1);'"),
    ),
    Subcommand("fmt", "lay scripts out in the one canonical way", ("hds fmt -w trace.hds", "hds fmt --check *.hds")),
    Subcommand("conform", "run conformance vectors", ("hds conform tests/conformance/language.jsonl",)),
    Subcommand(
        "fuzz",
        "try what must hold for every script on generated ones",
        ("hds fuzz --seconds 60", "hds fuzz --cases 1000 --law engines"),
    ),
    Subcommand("explain", "explain a diagnostic code", ("hds explain E031 P060",)),
    Subcommand(
        "list",
        "list events, commands, built-in functions, registers, limits, ...",
        ("hds list commands", "hds list limits --format json"),
    ),
)
ALIASES = {"help": "--help", "version": "--version"}


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


def configure(parser: argparse.ArgumentParser, row: Subcommand) -> None:
    """Give a parser the options of a subcommand, and its examples behind the help."""
    importlib.import_module(row.module).configure(parser)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = "\n  ".join(("examples:", *row.examples))


def usual_words(words: Sequence[str]) -> list[str]:
    """The command line without what is only friendly: no words, `help [SUBCOMMAND]` and `version`."""
    if not words:
        return ["--help"]
    if words[0] == "help" and len(words) > 1:
        return [*words[1:], "--help"]
    return [ALIASES.get(words[0], words[0]), *words[1:]]


def refuse_unknown(word: str) -> None:
    """Exit for a word that is no subcommand."""
    if word.startswith("-") or any(row.name == word for row in SUBCOMMANDS):
        return
    from hds.inputs import refuse
    from lang.nearest import nearest

    near = nearest(word, [*(row.name for row in SUBCOMMANDS), *ALIASES])
    if near is not None:
        hint = f"did you mean `hds {near}`?"
    elif os.path.exists(word):
        hint = f"to run it: `hds run {word}`"
    else:
        hint = "`hds help` shows them"
    refuse(f"there is no subcommand {word}\n  hint: {hint}", ExitCode.USAGE)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run hds with these arguments (default: those of the process); the exit code."""
    words = usual_words(sys.argv[1:] if arguments is None else arguments)
    row = next((row for row in SUBCOMMANDS if words and row.name == words[0]), None)
    try:
        if row is None:
            refuse_unknown(words[0])
            build_parser().parse_args(words)
            return ExitCode.OK
        module = importlib.import_module(row.module)
        parser = argparse.ArgumentParser(prog=f"hds {row.name}", description=row.doc.capitalize() + ".")
        configure(parser, row)
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
