"""The command line: `hds SUBCOMMAND ...`. Every subcommand is a module of `hds.cli.subcommands`, imported when needed.

Exit codes are the table in `hds.exit_codes`; a traceback shown to a user is a bug.
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import importlib
import itertools
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

import msgspec

from hds.exit_codes import ExitCode
from hds.report import (
    Failure,
    FailureKind,
    Refusal,
    StreamFailed,
    occupy_standard_descriptors,
    refuse,
    report,
    say,
    standard_streams,
)
from hds.version import VERSION


class Subcommand(msgspec.Struct, frozen=True):
    """A subcommand: its module has `configure(parser)`, a frozen class `Options` and `run(options)`.

    `examples` are whole command lines.
    """

    name: str
    doc: str
    examples: tuple[str, ...]
    runs_guests: bool = False  # or scripts: a signal that ends it is to leave nothing unsaid

    @property
    def module(self) -> str:
        """The module that carries it out."""
        return f"hds.cli.subcommands.{self.name}"

    @property
    def sentence(self) -> str:
        """What it does, as a sentence."""
        return f"{self.doc[0].upper()}{self.doc[1:]}."


SUBCOMMANDS: tuple[Subcommand, ...] = (
    Subcommand(
        "run",
        "run a command file, with a guest program or without",
        (
            "hds run trace.hds ./hello first second",
            "hds run -e '!syscall 1 script { printf(\"%d bytes\\n\", @rdx); }' ./hello",
        ),
        runs_guests=True,
    ),
    Subcommand(
        "trace",
        "the system calls of a guest program, decoded, as strace shows them",
        (
            "hds trace --root / /bin/ls /etc",
            "hds trace -e trace=%file -y ./hello",
            "hds trace --root c/ -c c/prog/tool.exe",
        ),
        runs_guests=True,
    ),
    Subcommand(
        "console",
        "type commands at the HyperDbg> prompt, with a guest program or without",
        ("hds console ./hello", "hds console < commands.hds"),
        runs_guests=True,
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
        runs_guests=True,
    ),
    Subcommand("compile", "compile a command file to a .hdc file", ("hds compile trace.hds -o trace.hdc",)),
    Subcommand(
        "disasm",
        "show the bytecode of a command file or a .hdc file",
        ("hds disasm trace.hdc", "hds disasm -e 'print(@rax + 1);'"),
    ),
    Subcommand("fmt", "lay scripts out in the one canonical way", ("hds fmt -w trace.hds", "hds fmt --check *.hds")),
    Subcommand(
        "lsp",
        "the language server, which an editor starts",
        ("hds lsp --program ./hello", "hds lsp --target hds -I scripts"),
    ),
    Subcommand(
        "test",
        "run the tests that stand in comments of scripts",
        ("hds test", "hds test scripts -k 'calls and not slow'", "hds test --junit results.xml trace.hds"),
        runs_guests=True,
    ),
    Subcommand(
        "diff",
        "compare two runs: what is missing, added and changed",
        (
            "hds diff before.jsonl after.jsonl --ignore tick",
            "hds diff --symbols 'hds run trace.hds ./old' 'hds run trace.hds ./new'",
        ),
        runs_guests=True,
    ),
    Subcommand(
        "corpus",
        "run a command file on many programs, on this machine or a cluster",
        (
            "hds corpus trace.hds -o results samples/",
            "hds corpus trace.hds -o results @list.txt --scheduler tcp://host:8786",
            "hds corpus status results",
        ),
        runs_guests=True,
    ),
    Subcommand(
        "report",
        "show recorded runs as a page, or in a format of other tools",
        (
            "hds run --format json --record triggers trace.hds ./hello > run.jsonl && hds report run.jsonl",
            "hds report --format perfetto run.jsonl -o trace.json",
        ),
    ),
    Subcommand(
        "examples",
        "list the examples that come with hds, or copy them",
        ("hds examples", "hds examples my-examples"),
    ),
    Subcommand(
        "completion",
        "what a shell evaluates to complete command lines of hds",
        ("hds completion bash", "hds completion zsh", "hds completion fish"),
    ),
    Subcommand(
        "bench",
        "what the events of a command file cost: time, fuel and calls of Python",
        (
            "hds bench trace.hds",
            "hds bench --json trace.hds ./hello",
            "hds bench -e '!syscall script { .n = .n + 1; }'",
        ),
        runs_guests=True,
    ),
    Subcommand("conform", "run conformance vectors", ("hds conform tests/conformance/language.jsonl",)),
    Subcommand(
        "fuzz",
        "try what must hold for every script on generated ones",
        ("hds fuzz --seconds 60", "hds fuzz --cases 1000 --law engines"),
    ),
    Subcommand(
        "doctor",
        "what a folder for Windows programs lacks, and which system calls of its ntdll are carried out",
        ("hds doctor --root c/ c/prog/tool.exe",),
    ),
    Subcommand("explain", "explain a diagnostic code", ("hds explain E031 P060",)),
    Subcommand(
        "list",
        "list events, commands, built-in functions, registers, limits, system calls, ...",
        ("hds list commands", "hds list limits --format json"),
    ),
)
ALIASES = {"help": "--help", "version": "--version"}
OPTIONS = ("-h", "--help", "--version")


def build_parser() -> argparse.ArgumentParser:
    """The parser of the command line, without the options of the subcommands."""
    parser = Parser(prog="hds", description="HyperDbg's scripting, offline: check, run and measure .hds scripts.")
    parser.add_argument("--version", action="version", version=f"hds {VERSION}")
    commands = parser.add_subparsers(dest="subcommand", metavar="SUBCOMMAND", required=True)
    for row in SUBCOMMANDS:
        commands.add_parser(row.name, help=row.doc, description=row.sentence, add_help=False)
    return parser


def whole_parser() -> argparse.ArgumentParser:
    """The same with the options of all subcommands, for what is derived from them: completion, manual pages."""
    parser = build_parser()
    subparsers = next(action for action in parser._actions if isinstance(action, argparse._SubParsersAction))
    for row in SUBCOMMANDS:
        configure(subparsers.choices[row.name], row)
    return parser


class _OfNoWidth(argparse.HelpFormatter):
    """What every option is tried on when it is added: it need not know how wide the terminal is."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=80)


def configure(parser: argparse.ArgumentParser, row: Subcommand) -> None:
    """Give a parser the options of a subcommand, and its examples behind the help."""
    importlib.import_module(row.module).configure(parser)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = "\n  ".join(("examples:", *row.examples))


def parse(parser: argparse.ArgumentParser, row: Subcommand, words: Sequence[str]) -> argparse.Namespace:
    """What a configured parser finds in the words of a subcommand; of some, options may stand between the words."""
    mixes = getattr(importlib.import_module(row.module), "MIXES_OPTIONS", False)
    return parser.parse_intermixed_args(words) if mixes else parser.parse_args(words)


def row_of(words: Sequence[str]) -> Subcommand | None:
    """The subcommand that a command line names."""
    return next((row for row in SUBCOMMANDS if words and row.name == words[0]), None)


def usual_words(words: Sequence[str]) -> list[str]:
    """The command line without what is only friendly: no words, `help [SUBCOMMAND]` and `version`."""
    if not words:
        return ["--help"]
    if words[0] == "help" and len(words) > 1 and words[1] not in ALIASES and not words[1].startswith("-"):
        return [words[1], "--help", *words[2:]]
    return [ALIASES.get(words[0], words[0]), *words[1:]]


def refuse_unknown(word: str) -> None:
    """Exit for a word that is no subcommand."""
    from lang import nearest_name

    if word.startswith("-"):
        if not any(option.startswith(word) and word != "--" for option in OPTIONS):
            near = nearest_name(word, OPTIONS) if word.startswith("--") else None
            hint = f"did you mean `hds {near}`?" if near else "options stand behind the subcommand; see `hds help`"
            refuse(f"there is no option {word} in front of the subcommand", ExitCode.USAGE, hint)
        return
    near = nearest_name(word, [*(row.name for row in SUBCOMMANDS), *ALIASES])
    if near is not None:
        hint = f"did you mean `hds {near}`?"
    elif os.path.exists(word):
        hint = f"to run it: `hds run {word}`"
    else:
        hint = "`hds help` shows them"
    refuse(f"there is no subcommand {word}", ExitCode.USAGE, hint)


class Parser(argparse.ArgumentParser):
    """A parser whose errors `main` says, as it does those of the subcommands."""

    def error(self, message: str) -> NoReturn:
        """The command line is wrong."""
        from lang import nearest_name

        unknown = message.partition("unrecognized arguments: ")[2].partition(" ")[0].partition("=")[0]
        near = nearest_name(unknown, self._option_string_actions) if unknown.startswith("--") else None
        hint = f"did you mean {near}? " if near else ""
        hint += f"`{self.prog} --help` shows the options"
        raise Refusal(Failure(FailureKind.USAGE, message, hint), lead=f"{self.format_usage()}{self.prog}: error: ")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run hds with these arguments (default: those of the process); the exit code."""
    words = usual_words(sys.argv[1:] if arguments is None else arguments)
    with standard_streams() as (output, error):
        try:
            code = _carry_out(words)
            output.finish()
            error.finish()
        except StreamFailed as failure:
            code = failure.code
            if code is not ExitCode.BROKEN_PIPE:
                with contextlib.suppress(StreamFailed):
                    say(f"hds: {failure}")
        return code or (ExitCode.STREAM if error.lost else ExitCode.OK)


def _carry_out(words: Sequence[str]) -> int:
    """Parse the command line and run its subcommand. Raises StreamFailed."""
    row = row_of(words)
    as_json = _asks_for_json(words)
    lead = "hds: "
    try:
        if row is None:
            refuse_unknown(words[0])
            build_parser().parse_args(words)
            return ExitCode.OK
        module = importlib.import_module(row.module)
        parser = Parser(prog=f"hds {row.name}", description=row.sentence, formatter_class=_OfNoWidth)
        configure(parser, row)
        parsed = parse(parser, row, words[1:])
        as_json = getattr(parsed, "format", None) == "json" or getattr(parsed, "json", False)
        code: int = module.run(module.Options.of(parsed))
        return code
    except StreamFailed:
        raise
    except SystemExit as stop:  # of argparse: --help, --version
        return stop.code if isinstance(stop.code, int) else ExitCode.USAGE
    except Refusal as refusal:
        failure, lead = refusal.failure, refusal.lead
    except KeyboardInterrupt as error:
        kind = FailureKind.of_interruption(error)
        failure = Failure(kind, "interrupted" if kind is FailureKind.INTERRUPTED else f"ended by {kind.doc}")
        if not as_json:
            return kind.exit_code
    except Exception as error:
        if os.environ.get("HDS_TRACEBACK"):
            raise
        failure = _unexpected(error)
    report(failure, as_json=as_json, lead=lead)
    return failure.kind.exit_code


def _asks_for_json(words: Sequence[str]) -> bool:
    """Whether a command line that cannot be parsed asks for JSON."""
    return "--json" in words or "--format=json" in words or ("--format", "json") in itertools.pairwise(words)


def _unexpected(error: Exception) -> Failure:
    """What is said of an exception that nobody has answered for."""
    if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno == errno.ENOMEM):
        said = isinstance(error, MemoryError) and str(error)
        return Failure(FailureKind.MEMORY, said or "the host gives no more memory")
    hint = "this is a bug in hds; HDS_TRACEBACK=1 shows where, for a report"
    return Failure(FailureKind.INTERNAL, f"internal error: {type(error).__name__}: {error}", hint)


def _as_a_shell_sees(code: int) -> int:
    """The lowest eight bits of an exit code; 1 where these would make a success of a failure (an NTSTATUS has more)."""
    return code & 0xFF or bool(code)


def lead() -> int:
    """`main` where the process is nobody else's: its signals end the run in order. The exit code that a shell sees."""
    occupy_standard_descriptors()
    row = row_of(usual_words(sys.argv[1:]))
    if row is not None and row.runs_guests:
        from machine.schedule import end_by_signals

        end_by_signals()
    return _as_a_shell_sees(main())
