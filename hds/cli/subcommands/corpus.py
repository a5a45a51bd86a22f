"""`hds corpus SCRIPT -o RESULTS PROGRAM...`, one script on many programs, and `hds corpus status` (docs/corpus.md)."""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, NoReturn

import msgspec

from hds.cli.bundles import read_commands_or_bundle
from hds.cli.options import (
    Compiling,
    Input,
    add_compiling,
    add_engine,
    add_execute,
    add_limits,
    number_of_seconds,
    options_of,
)
from hds.exit_codes import ExitCode
from hds.report import FailureKind, refuse, say
from hds.version import install_command
from lang import render
from machine.loaders import KINDS
from vm import Bundle
from vm.facts.numbers import DECIMAL, number_in

if TYPE_CHECKING:
    from hds.corpus import Account

MIXES_OPTIONS = True  # options stand between SCRIPT and the programs, too
RECORDS = ("none", "triggers", "registers", "arguments")
_STATUS = "status"
_TIMEOUT = 60.0  # seconds
_MEMORY = 2 << 30  # bytes
_MOST_JOBS = 1024
_MOST_BYTES = 1 << 50
_UNITS = {"K": 10, "M": 20, "G": 30}


def configure(parser: argparse.ArgumentParser) -> None:
    """The options of `hds corpus`."""
    parser.usage = (
        "hds corpus [OPTION...] (SCRIPT | -e COMMAND) -o RESULTS (PROGRAM | DIR | @LIST | -)...\n"
        "       hds corpus status RESULTS"
    )
    add_execute(parser, "COMMAND", "commands as an argument, in place of SCRIPT")
    parser.add_argument(
        "words",
        nargs="*",
        metavar="WORD",
        help="SCRIPT; then programs, folders, @LIST (a path in each line), - (the same)",
    )
    parser.add_argument("-o", "--output", metavar="RESULTS", help="the folder of the results, new or begun")
    work = parser.add_argument_group("the campaign")
    work.add_argument("--jobs", type=_jobs, metavar="N", help="programs at a time (default: one for each processor)")
    work.add_argument("--scheduler", metavar="ADDRESS", help="a running cluster of Dask: tcp://HOST:8786, tls://...")
    work.add_argument(
        "--shared", action="store_true", help="its workers see the same files: programs go by their paths"
    )
    work.add_argument("--retry", choices=("failed",), help="run again what ended by time, memory or a signal")
    work.add_argument(
        "--select",
        type=_expression,
        metavar="EXPR",
        help="only paths with these words; and, or, not, ( )",
    )
    work.add_argument("--dry-run", action="store_true", help="say what would be run")
    work.add_argument("--quiet", action="store_true", help="no progress, and no tables at the end")
    work.add_argument("--format", choices=("text", "json"), default="text", help="json: what it comes to as an object")
    each = parser.add_argument_group("each program")
    each.add_argument(
        "--timeout", type=number_of_seconds, default=_TIMEOUT, metavar="SECONDS", help="real time (default 60)"
    )
    each.add_argument(
        "--max-memory",
        type=_bytes,
        default=_MEMORY,
        metavar="BYTES",
        help="memory of its process (default 2G; K, M, G)",
    )
    each.add_argument("--kind", choices=tuple(KINDS), help="what the programs are (default: as hds run)")
    each.add_argument("--kernel", choices=("linux", "nt", "bare"), help="what answers system calls")
    each.add_argument("--root", metavar="DIR", help="a folder that they see as / or C:, read-only, on every worker")
    each.add_argument("--name", metavar="NAME", help="what they are called (default: program, program.exe)")
    each.add_argument("--env", action="append", default=[], metavar="NAME=VALUE", help="an environment variable")
    each.add_argument(
        "--record",
        action="append",
        choices=RECORDS,
        default=[],
        help="rows of every trigger (default); with registers; with the arguments of a call (repeatable); none",
    )
    add_engine(parser, default=None)
    add_compiling(parser)
    add_limits(parser)


def _jobs(text: str) -> int:
    value = number_in(text, DECIMAL, _MOST_JOBS)
    if not value:
        raise argparse.ArgumentTypeError(f"1 to {_MOST_JOBS}")
    return value


def _expression(text: str) -> str:
    from hds.script_tests import BadExpression, Choice

    try:
        Choice(text)
    except BadExpression as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return text


def _bytes(text: str) -> int:
    """Bytes in decimal, or units of 1024, 1024^2 or 1024^3 of them."""
    shift = _UNITS.get(text[-1:].upper(), 0)
    value = number_in(text[:-1] if shift else text, DECIMAL, _MOST_BYTES >> shift)
    if not value:
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is no number of bytes, such as 500000000, 500M or 2G")
    return value << shift


class Options(msgspec.Struct, frozen=True):
    """What the command line says."""

    input: Input
    compiling: Compiling
    words: tuple[str, ...]  # the programs; or `status` and a folder
    output: str | None
    jobs: int | None
    scheduler: str | None
    shared: bool
    retry: str | None
    select: str | None
    dry_run: bool
    quiet: bool
    format: str
    timeout: float
    max_memory: int
    kind: str | None
    kernel: str | None
    root: str | None
    name: str | None
    env: tuple[str, ...]
    record: tuple[str, ...]
    engine: str | None

    @classmethod
    def of(cls, found: argparse.Namespace) -> Options:
        """What the parser found: the first word is SCRIPT, where -e does not stand in its place."""
        words = tuple(found.words)
        compiling = Compiling.of(found)
        is_status = found.execute is None and words[:1] == (_STATUS,)
        file = words[0] if found.execute is None and words and not is_status else None
        source = Input(file, found.execute, compiling.reading)
        rest = words if file is None else words[1:]
        return options_of(cls, found, input=source, compiling=compiling, words=rest)


def run(options: Options) -> ExitCode:
    """Run a campaign, or show how far one is."""
    if options.input.execute is None and options.words[:1] == (_STATUS,):
        return _status(options)
    if options.input.execute is None and options.input.file is None:
        refuse("give a script: hds corpus SCRIPT -o RESULTS PROGRAM...", ExitCode.USAGE)
    if options.output is None:
        refuse("-o RESULTS is missing: where the results go", ExitCode.USAGE)
    if not options.words:
        refuse("no program is named", ExitCode.USAGE, "programs, folders of them, @LIST or - for standard input")
    with _refusing():
        return _campaign(options, options.output)


def _campaign(options: Options, results: str) -> ExitCode:
    from hds.corpus import Budget, Settings, run as run_campaign

    source, compiled = read_commands_or_bundle(options.input, options.compiling)
    bundle = None if compiled is None else Bundle(source.name, source.text, tuple(sorted(compiled.items())))
    settings = Settings(
        kind=options.kind,
        kernel=options.kernel,
        name=options.name,
        environment=options.env,
        root=None if options.root is None else str(options.compiling.reading.folder(options.root).absolute()),
        engine=options.engine,
        record=tuple(name for name in options.record or ("triggers",) if name != "none"),
        limits=options.compiling.limits,
        folders=tuple(str(options.compiling.reading.folder(folder).absolute()) for folder in options.compiling.folders),
        symbols=dict(options.compiling.symbols),
    )
    with _watching(options) as watch:
        account = run_campaign(
            source,
            options.words,
            results,
            settings=settings,
            budget=Budget(options.timeout, options.max_memory),
            jobs=options.jobs,
            scheduler=options.scheduler,
            shared=options.shared,
            retry=options.retry is not None,
            select=options.select,
            dry_run=options.dry_run,
            watch=watch,
            compiled=bundle,
        )
    say(_told(account, dry=options.dry_run))
    return ExitCode.OK if options.dry_run else _show(options, results)


def _told(account: Account, *, dry: bool) -> str:
    """What this call did, in a line."""
    verb = "would be run" if dry else "run"
    files = "file" if account.files == 1 else "files"
    said = f"hds: {account.files:,} {files}: {account.run:,} {verb}, {account.done_before:,} done before"
    said += f", {account.duplicates:,} have the content of others" if account.duplicates else ""
    said += f", {account.unreadable:,} cannot be read" if account.unreadable else ""
    return said


def _status(options: Options) -> ExitCode:
    from hds.corpus import Reading

    if len(options.words) != 2:
        refuse("hds corpus status RESULTS", ExitCode.USAGE)
    with _refusing():
        results = Reading(options.words[1])
        progress, identity = results.progress, results.identity
        assert identity is not None
        state = "a campaign is under way" if results.is_written_to() else "no campaign is under way"
        total = "" if progress.total is None else f" of {progress.total:,}"
        say(f"hds: {identity.script}, hds {identity.version}; {state}")
        say(f"hds: {progress.seen:,}{total} files looked at, {progress.run:,} programs run by the last call")
        return _show(options, options.words[1])


def _show(options: Options, results: str) -> ExitCode:
    """The tables; 1 where programs failed for reasons of their surroundings."""
    from hds.corpus import Reading, lines_of, overview
    from hds.report import write_object

    found = overview(Reading(results))
    if options.format == "json":
        write_object({"type": "corpus", **msgspec.to_builtins(found)})
    elif not options.quiet:
        for line in lines_of(found):
            print(line)
    return ExitCode.FAILED if found.failed else ExitCode.OK


@contextlib.contextmanager
def _watching(options: Options) -> Iterator[Callable[[Account], None]]:
    """Progress on a terminal."""
    if options.quiet or options.format == "json" or not sys.stderr.isatty():
        yield lambda account: None
        return
    from hds.corpus import progress

    with progress() as watch:
        yield watch


@contextlib.contextmanager
def _refusing() -> Iterator[None]:
    """Exits for what ends a campaign."""
    try:
        from hds.corpus import (
            CampaignEnded,
            ClusterLost,
            CommandRefused,
            ScriptRefused,
            run as _,  # noqa: F401 - whether all that it needs is there
        )
    except ImportError as error:
        refuse(f"{error.name} is not installed: {install_command('corpus')}", ExitCode.USAGE)
    try:
        yield
    except ScriptRefused as error:
        for item in error.findings:
            print(render(item), file=sys.stderr)
        kind = FailureKind.COMMAND if isinstance(error, CommandRefused) else FailureKind.COMPILE
        refuse(str(error), ExitCode.FAILED, error.hint, kind)
    except CampaignEnded as error:
        kind = FailureKind.CLUSTER if isinstance(error, ClusterLost) else FailureKind.NO_INPUT
        refuse(str(error), ExitCode.NO_INPUT, error.hint, kind)
    except OSError as error:
        _refuse_writing(error)


def _refuse_writing(error: OSError) -> NoReturn:
    where = "" if error.filename is None else f" {error.filename}"
    refuse(
        f"the results cannot be written:{where} {error.strerror or error}",
        ExitCode.NO_INPUT,
        "what was written before is whole; the same command goes on",
    )
