"""`hds run SCRIPT [PROGRAM [ARG...]]`: execute a command file, then let the guest run to its end.

What scripts print goes to standard output, and what commands show; everything else goes to standard error, with a line
at the end that sums the run up. At a halt on a terminal the console asks what to do (`hds.cli.console`).
"""

from __future__ import annotations

import argparse
import shlex
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from hds.cli.word_order import note_known_flags, refuse_script_as_program, refuse_wrong_order
from hds.exit_codes import ExitCode
from hds.inputs import (
    add_compiling,
    add_execute,
    add_limits,
    chosen_limits,
    located,
    located_folder,
    new_compiler,
    number_of_seconds,
    parse_number,
    read_bytes,
    refuse,
)
from hds.report import FailureKind, say, wait_at_most
from hds.session import add_engine, load_engine, read_commands_or_bundle
from machine.loaders import KINDS
from vm import VerificationError
from vm.facts.numbers import DECIMAL, number_in

if TYPE_CHECKING:
    from hds.report import Questions
    from hds.report.records import Record
    from hds.session import Session
    from machine import MachineOptions, Program, Reporter
    from machine.kernel.linux import World
    from vm.facts.limits import Limits

ON_BREAK = ("stop", "continue", "fail")
FORMATS = ("text", "json")
GUEST_OUTPUT = ("stderr", "stdout", "none")


def configure(parser: argparse.ArgumentParser) -> None:
    """The options of the subcommand."""
    parser.usage = "hds run [OPTION...] (SCRIPT | -e COMMAND) [PROGRAM [ARG...]]"
    add_execute(parser, "COMMAND", "commands as an argument, in place of SCRIPT")
    parser.add_argument("words", nargs=argparse.REMAINDER, metavar="SCRIPT [PROGRAM [ARG...]]", help="- for stdin")
    add_guest(parser)
    run = parser.add_argument_group("the run")
    add_session(run)
    run.add_argument("--on-break", choices=ON_BREAK, default="stop", help="what a break does without a terminal")
    run.add_argument("--keep-going", action="store_true", help="go on behind a refused command, as HyperDbg does")
    run.add_argument("--fail-on-script-errors", action="store_true", help="exit with 4 when a script stopped early")
    run.add_argument("--format", choices=FORMATS, default="text", help="json: one object per line, all on stdout")
    run.add_argument("--stats", action="store_true", help="time and triggers of every event, on stderr")
    run.add_argument("--guest-exit-code", action="store_true", help="exit with the guest's own code, if all went well")
    run.add_argument("--quiet", action="store_true", help="no summary line")
    add_engine(parser, default=None)
    add_compiling(parser)
    add_limits(parser)
    parser.set_defaults(flags=frozenset(parser._option_string_actions))


def _kind_help() -> str:
    by_content = " and ".join(kind.name for kind in KINDS.values() if not kind.suffixes)
    by_name = (f"{kind.name} by {', '.join(kind.suffixes)}" for kind in KINDS.values() if kind.suffixes)
    return f"what PROGRAM is (default: {by_content} by content, {' and '.join(by_name)} by name)"


def add_guest(parser: argparse.ArgumentParser) -> None:
    """The options about the guest program and its machine."""
    guest = parser.add_argument_group("guest program")
    guest.add_argument("--kind", choices=tuple(KINDS), help=_kind_help())
    guest.add_argument("--base", type=_number, metavar="ADDRESS", help="where raw code or a listing is loaded (hex)")
    guest.add_argument("--entry", type=_number, metavar="ADDRESS", help="where it starts (hex; default: its start)")
    guest.add_argument("--pid", type=_process_id, metavar="PID", help="its process id (hex; default 1000)")
    guest.add_argument("--kernel", choices=("linux", "nt", "bare"), help="what answers system calls")
    guest.add_argument("--env", action="append", default=[], metavar="NAME=VALUE", help="an environment variable")
    guest.add_argument("--guest-output", choices=GUEST_OUTPUT, default="stderr", help="where it writes")
    shown = guest.add_mutually_exclusive_group()
    shown.add_argument("--root", metavar="DIR", help="a folder that a Linux guest sees as /, read-only")
    shown.add_argument("--root-rw", metavar="DIR", help="the same, and it may write there")
    guest.add_argument("--stdin", default="none", metavar="FILE", help="what it reads: a file, -, none (default)")
    guest.add_argument("--cores", type=_count, default=1, metavar="N", help="emulated cores (default 1)")
    guest.add_argument(
        "--parallel", action="store_true", help="run the cores at the same time; no two runs are the same then"
    )


def add_session(group: argparse._ActionsContainer) -> None:
    """The options about the session that `run` and `console` share."""
    group.add_argument(
        "--timeout",
        type=number_of_seconds,
        metavar="SECONDS",
        help="end every run after this much real time, behind the script under way; time at a prompt does not count",
    )
    group.add_argument("--allow-modules", action="store_true", help="let `output create ... module` load code")
    group.add_argument(
        "--emulate-message-loss", action="store_true", help="lose collected messages (imm no) as HyperDbg does"
    )


def _number(text: str) -> int:
    value = parse_number(text)
    if value is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no number (hexadecimal, or 0n and decimal digits)")
    return value


def _process_id(text: str) -> int:
    value = _number(text)
    if not 0 < value < 0xFFFF_FFFF:
        raise argparse.ArgumentTypeError("1 to fffffffe")
    return value


def _count(text: str) -> int:
    value = number_in(text, DECIMAL, 64)
    if not value:
        raise argparse.ArgumentTypeError("1 to 64")
    return value


def run(arguments: argparse.Namespace) -> ExitCode | int:
    """Carry the subcommand out."""
    words: list[str] = list(arguments.words)
    arguments.file = words.pop(0) if arguments.execute is None and words else None
    limits = chosen_limits(arguments)
    if arguments.file is not None:
        refuse_wrong_order(arguments.file, words)
    elif words and arguments.kind is None:
        refuse_script_as_program(words[0], shlex.join(["hds", "run", *words]), "-e stands in place of SCRIPT")
    source, compiled = read_commands_or_bundle(arguments, limits)

    from hds.cli.console import Console, on_terminal
    from hds.report import Questions
    from hds.session import failure_of, guest_exit_code, statistics, summarize

    console = Console() if on_terminal() and arguments.file != "-" and arguments.format == "text" else None
    as_json = arguments.format == "json"
    reporter = _reporter(arguments, limits)
    questions = Questions(broke=lambda halt: bool(arguments.on_break == "continue"))
    if console is not None and arguments.on_break == "stop":
        questions = replace(questions, next_commands=console.next_commands)
    session = new_session(arguments, words, limits, reporter, questions)
    try:
        prepared = session.prepare(source, compiled)
    except VerificationError as error:
        refuse(f"{arguments.file}: {error}", ExitCode.FAILED)
    for item in prepared.diagnostics:
        reporter.report(item)
    if prepared.has_errors:
        if as_json:
            reporter.report(summarize(session))
        elif not arguments.quiet:
            say("hds: nothing was run: the commands have errors")
        return ExitCode.FAILED
    interrupted, began = False, time.perf_counter()
    try:
        session.perform(prepared, keeps_going=arguments.keep_going)
        if session.guest_alive and not session.ended and not _stopped(session):
            session.run()
        if console is not None and arguments.on_break == "stop" and _stopped(session) and not console.left:
            console.interact(session)
    except KeyboardInterrupt:
        interrupted = True
    finally:
        session.close()
    summary = summarize(session, interrupted=interrupted)
    failure = failure_of(
        session,
        summary,
        interrupted=interrupted,
        fail_on_break=arguments.on_break == "fail",
        fail_on_script_errors=arguments.fail_on_script_errors,
    )
    if arguments.stats:
        for line in statistics(session, time.perf_counter() - began):
            say(line)
    if failure is not None and failure.kind is not FailureKind.COMMAND:  # findings have told of that
        reporter.report(failure)
    if as_json or not arguments.quiet:
        reporter.report(summary)
    if failure is not None:
        return failure.kind.exit_code
    code = guest_exit_code(session)
    if arguments.guest_exit_code and code is not None:
        return code
    return ExitCode.OK


def new_session(
    arguments: argparse.Namespace,
    words: list[str],
    limits: Limits,
    reporter: Reporter[Record],
    questions: Questions,
) -> Session:
    """The session with its guest: `words` are the program and its arguments. Exits when it cannot be loaded."""
    from hds.session import Session
    from machine import Notice
    from machine.loaders import LoadError, UnreadableFile

    note_known_flags(words, arguments.flags, lambda text: reporter.report(Notice(text)))
    try:
        session = Session(
            _program(arguments, words),
            _machine_options(arguments, limits),
            engine=load_engine(arguments.engine, limits),
            compiler=new_compiler(arguments, limits),
            reporter=reporter,
            questions=questions,
            allow_modules=arguments.allow_modules,
        )
    except LoadError as error:
        code = ExitCode.NO_INPUT if isinstance(error, UnreadableFile) else ExitCode.GUEST
        refuse(str(error), code, error.hint or None)
    session.timeout = arguments.timeout
    if arguments.timeout is not None:
        wait_at_most(arguments.timeout)
    return session


def _program(arguments: argparse.Namespace, words: list[str]) -> Program | None:
    from machine import Program

    if not words:
        return None
    return Program(
        words[0],
        arguments.kind,
        arguments=words[1:],
        environment=arguments.env,
        base=arguments.base,
        entry=arguments.entry,
        process_id=arguments.pid,
    )


def _machine_options(arguments: argparse.Namespace, limits: Limits) -> MachineOptions:
    from machine import MachineOptions

    return MachineOptions(
        limits=replace(limits, max_kept_messages=0),
        kernel=arguments.kernel,
        cores=arguments.cores,
        parallel=arguments.parallel,
        world=_world(arguments, limits),
        emulate_message_loss=arguments.emulate_message_loss,
    )


def _world(arguments: argparse.Namespace, limits: Limits) -> World:
    """What a Linux guest is shown of the host. Exits when its standard input cannot be read, or its folder is none."""
    from machine.kernel.linux import World

    source: bytes | int | None = None
    if arguments.stdin == "-":
        source = 0
    elif arguments.stdin != "none":
        source = read_bytes(located(arguments.stdin, arguments), limits, "max_file_bytes")
    shown = arguments.root_rw or arguments.root
    folder = None if shown is None else located_folder(shown, arguments)
    return World(folder, arguments.root_rw is not None, source)


def _stopped(session: Session) -> bool:
    """Whether an earlier `g` of the file ended at a limit or a break: the guest is not run on then."""
    from machine import StopCause

    last = session.totals.last
    return last is not None and last.cause in (StopCause.BREAK, StopCause.BUDGET, StopCause.TIMEOUT, StopCause.STOPPED)


def _reporter(arguments: argparse.Namespace, limits: Limits) -> Reporter[Record]:
    if arguments.format == "json":
        from hds.report import JsonLines

        return JsonLines(arguments.guest_output != "none")
    from hds.report import Terminal

    return Terminal(arguments.guest_output, limits)
