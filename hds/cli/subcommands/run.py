"""`hds run SCRIPT [PROGRAM [ARG...]]`: execute a command file, then let the guest run to its end.

What scripts print goes to standard output, and what commands show; everything else goes to standard error, with a line
at the end that sums the run up. At a halt on a terminal the console asks what to do (`hds.cli.console`).
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from hds.cli.bundles import read_commands_or_bundle
from hds.cli.guest import ScriptOptions, SessionOptions, add_script_and_program, new_session
from hds.cli.options import Input, options_of
from hds.cli.progress import shown_progress
from hds.cli.word_order import begins_with_program, refuse_script_as_program, refuse_wrong_order
from hds.exit_codes import ExitCode
from hds.inputs import refuse
from hds.report import FailureKind, on_terminal, say
from vm import VerificationError

if TYPE_CHECKING:
    from hds.aggregation import Aggregation
    from hds.cli.console import Console
    from hds.gdb import Server
    from hds.report.records import Record
    from hds.session import Session
    from lang import SourceFile
    from machine import Reporter
    from vm import Program

ON_BREAK = ("stop", "continue", "fail")
FORMATS = ("text", "json")
RECORDABLE = ("triggers", "registers", "arguments", "blocks", "lines", "times")


def configure(parser: argparse.ArgumentParser) -> None:
    """The options of the subcommand."""
    run = add_script_and_program(parser, "run", "the run")
    run.add_argument("--on-break", choices=ON_BREAK, default="stop", help="what a break does without a terminal")
    run.add_argument("--keep-going", action="store_true", help="go on behind a refused command, as HyperDbg does")
    run.add_argument("--fail-on-script-errors", action="store_true", help="exit with 4 when a script stopped early")
    run.add_argument("--format", choices=FORMATS, default="text", help="json: one object per line, all on stdout")
    run.add_argument(
        "--record",
        action="append",
        choices=RECORDABLE,
        default=[],
        help="a record of every trigger; with general registers; with the arguments of a call; the code that was "
        "executed; how often lines of scripts were; how long events took (repeatable)",
    )
    run.add_argument(
        "--aggregate",
        action="append",
        default=[],
        metavar="EXPR",
        help="at the end, a table of triggers or of fields of messages: 'count by context', 'hist(size) by pid', "
        "'top 5 sum(size) by name' (repeatable)",
    )
    run.add_argument("--fields", action="store_true", help="with --format json: name=value pairs of messages as values")
    run.add_argument("--stats", action="store_true", help="time and triggers of every event, on stderr")
    run.add_argument(
        "--guest-exit-code",
        action="store_true",
        help="exit with the guest's own code; that of a crash, as its system gives it",
    )
    run.add_argument("--gdb", metavar="[HOST:]PORT", help="wait for gdb's `target remote` there (host: 127.0.0.1)")
    run.add_argument("--gdb-trusted", action="store_true", help="let gdb's `monitor` name files of the host")
    run.add_argument("--quiet", action="store_true", help="no summary line")


class Options(msgspec.Struct, frozen=True):
    """What the command line says."""

    input: Input
    session: SessionOptions
    on_break: str
    keep_going: bool
    fail_on_script_errors: bool
    format: str
    record: list[str]
    aggregate: list[str]
    fields: bool
    stats: bool
    guest_exit_code: bool
    gdb: str | None
    gdb_trusted: bool
    quiet: bool

    @classmethod
    def of(cls, found: argparse.Namespace) -> Options:
        """What the parser found; gdb needs no script."""
        if found.execute is None and found.gdb is not None and begins_with_program(found.words):
            found.execute = ""
        given = ScriptOptions.of(found)
        return options_of(cls, found, input=given.input, session=given.session)


def run(options: Options) -> ExitCode | int:
    """Carry the subcommand out."""
    file, words = options.input.file, options.session.guest.words
    if file is not None:
        refuse_wrong_order(file, words)
    elif words and options.session.guest.kind is None:
        import shlex

        refuse_script_as_program(words[0], shlex.join(["hds", "run", *words]), "-e stands in place of SCRIPT")
    source, compiled = read_commands_or_bundle(options.input, options.session.compiling)

    console = None
    if on_terminal() and file != "-" and options.format == "text":
        from hds.cli.console import Console

        console = Console()
    return carry_out(options, source, compiled, _reporter(options), console)


def carry_out(
    options: Options,
    source: SourceFile,
    compiled: Mapping[int, Program] | None,
    reporter: Reporter[Record],
    console: Console | None = None,
    ended: Callable[[Session], None] = lambda session: None,
) -> ExitCode | int:
    """Carry the commands of a text out; `ended` is called with the session that they came to, before it is closed."""
    from hds.report import Questions
    from hds.session import stopped_early, summarize

    aggregation = _aggregation(options)
    questions = Questions(broke=lambda halt: options.on_break == "continue")
    if console is not None and options.on_break == "stop":
        questions = replace(questions, next_commands=console.next_commands)
    debugger = _debugger(options)
    if debugger is not None:
        reporter, questions = debugger.stand_before(reporter)
    session = new_session(options.session, reporter, questions, options.record)
    if console is not None:
        console.session = session
    session.names_places = options.format == "json"
    if aggregation is not None:
        session.aggregate(aggregation)
    try:
        prepared = session.prepare(source, compiled)
    except VerificationError as error:
        refuse(f"{source.name}: {error}", ExitCode.FAILED)
    for item in prepared.diagnostics:
        reporter.report(item)
    if prepared.has_errors:
        if options.format == "json":
            reporter.report(summarize(session))
        elif not options.quiet:
            say("hds: nothing was run: the commands have errors")
        return ExitCode.FAILED
    if options.guest_exit_code and options.on_break == "stop" and console is None:
        session.execution.halts_at_int3 = False  # it is what ends the program natively, and there is nobody to ask
    interrupted, began = None, time.perf_counter()
    try:
        with shown_progress(session, options.session) as progress:
            if console is not None:
                console.progress = progress
            session.perform(prepared, keeps_going=options.keep_going)
            if session.guest_alive and not session.ended and not stopped_early(session):
                if debugger is None:
                    session.run()
                else:
                    debugger.interact(session)
            if console is not None and options.on_break == "stop" and stopped_early(session) and not console.left:
                console.interact(session)
            if console is not None:
                console.check()
            ended(session)
    except KeyboardInterrupt as error:
        interrupted = FailureKind.of_interruption(error)
    finally:
        session.close()
    options.session.guest.write_capture(session)
    ending = Ending(
        as_json=options.format == "json",
        quiet=options.quiet,
        fail_on_break=options.on_break == "fail",
        fail_on_script_errors=options.fail_on_script_errors,
        stats=options.stats,
        guest_exit_code=options.guest_exit_code,
    )
    return conclude(ending, session, reporter, interrupted=interrupted, seconds=time.perf_counter() - began)


class Ending(msgspec.Struct, frozen=True, kw_only=True):
    """How the end of a run is told: what is said, what counts as a failure, which exit code it has.

    `quiet_success` leaves the summary line out where nothing has failed.
    """

    as_json: bool
    quiet: bool = False
    quiet_success: bool = False
    fail_on_break: bool = False
    fail_on_script_errors: bool = False
    stats: bool = False
    guest_exit_code: bool = False


def conclude(
    ending: Ending, session: Session, reporter: Reporter[Record], *, interrupted: FailureKind | None, seconds: float
) -> ExitCode | int:
    """Say what the run came to, and make its exit code."""
    from hds.session import coverage_of, failure_of, line_hits_of, statistics, summarize

    summary = summarize(session, interrupted=interrupted)
    failure = failure_of(
        session,
        summary,
        interrupted=interrupted,
        fail_on_break=ending.fail_on_break,
        fail_on_script_errors=ending.fail_on_script_errors,
    )
    if ending.stats:
        for line in statistics(session, seconds):
            say(line)
    for aggregated in session.aggregated():
        reporter.report(aggregated)
    if failure is not None and failure.kind is not FailureKind.COMMAND:  # findings have told of that
        reporter.report(failure)
    for coverage in coverage_of(session):
        reporter.report(coverage)
    for hits in line_hits_of(session):
        reporter.report(hits)
    if ending.as_json or not (ending.quiet or (ending.quiet_success and failure is None)):
        reporter.report(summary)
    if failure is not None:
        if failure.kind not in (FailureKind.CRASH, FailureKind.LOAD) or not ending.guest_exit_code:
            return failure.kind.exit_code
        code = summary.exit_code if summary.crash is None else summary.crash.exit_code
        return failure.kind.exit_code if code is None else code
    return ExitCode.OK if summary.exit_code is None or not ending.guest_exit_code else summary.exit_code


def _debugger(options: Options) -> Server | None:
    """What waits for gdb. Exits where nobody can listen."""
    if options.gdb is None:
        return None
    if not options.session.guest.words:
        refuse("--gdb waits for a program: none is named", ExitCode.USAGE)
    from hds.gdb import Server

    server = Server(options.gdb, trusted=options.gdb_trusted)
    say(f"hds: waiting for a debugger: (gdb) target remote {server.address}")
    return server


def _aggregation(options: Options) -> Aggregation | None:
    """What --aggregate asks for."""
    if not options.aggregate:
        return None
    from hds.aggregation import AggregateError, Aggregation, parse

    limits = options.session.compiling.limits
    try:
        return Aggregation([parse(text, limits) for text in options.aggregate], limits)
    except AggregateError as error:
        refuse(f"--aggregate: {error}", ExitCode.USAGE, error.hint)


def _reporter(options: Options) -> Reporter[Record]:
    guest_output = options.session.guest.guest_output
    if options.format == "json":
        from hds.report import JsonLines

        return JsonLines(guest_output != "none", options.fields)
    if options.fields:
        refuse("--fields is for --format json", ExitCode.USAGE, "--aggregate reads fields without it")
    from hds.report import Terminal

    return Terminal(guest_output, options.session.compiling.limits)
