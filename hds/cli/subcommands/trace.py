"""`hds trace PROGRAM [ARG...]`: the system calls of a program, decoded, in the form of strace.

It is a run with the events `!syscall` and `!sysret` (`--show-script`), whose triggers `hds.tracing` decodes. The trace
goes to standard output, or to the file of -o; what the guest writes to standard error.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from hds.cli.guest import SessionOptions, add_guest, add_session, new_session
from hds.cli.options import add_drives, add_engine, add_limits, options_of
from hds.cli.progress import shown_progress
from hds.cli.subcommands.run import FORMATS, Ending, conclude
from hds.exit_codes import ExitCode
from hds.inputs import refuse
from hds.outputs import FileCarrier, OutputFailed
from hds.report import FailureKind, JsonLines, Questions, Terminal, output

if TYPE_CHECKING:
    from hds.report.records import Record
    from hds.session import Session
    from hds.tracing import Selection
    from machine import Reporter

SCRIPT = """\
// What `hds trace` is made of: each call at its beginning and at its end. hds decodes the words that these print.
!syscall script {
    printf("[%llx] %llx(%llx, %llx, %llx, %llx, %llx, %llx)\\n", $tid, $context, @rdi, @rsi, @rdx, @r10, @r8, @r9);
}
!sysret script {
    printf("[%llx] = %llx\\n", $tid, @rax);
}
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """The options of the subcommand."""
    parser.usage = "hds trace [OPTION...] PROGRAM [ARG...]"
    parser.add_argument("words", nargs=argparse.REMAINDER, metavar="PROGRAM [ARG...]", help="the guest program")
    trace = parser.add_argument_group("the trace")
    trace.add_argument(
        "-e",
        dest="expressions",
        action="append",
        default=[],
        metavar="EXPR",
        help="what to trace: trace=openat,read, trace=%%file (also %%process, %%network, %%memory, %%signal, ...), "
        "trace=/REGEX, with ! for all others; signal=SIGNALS; status=failed (repeatable)",
    )
    trace.add_argument("-o", dest="file", metavar="FILE", help="write the trace there, in place of standard output")
    trace.add_argument("-s", dest="longest", type=_size, default=32, metavar="N", help="bytes of a text (default 32)")
    trace.add_argument("-c", dest="counts", action="store_true", help="only a table of calls, errors and time")
    trace.add_argument("-C", dest="counts_too", action="store_true", help="the table behind the trace")
    trace.add_argument("-f", dest="follows", action="store_true", help="follow children, which hds always does")
    trace.add_argument(
        "-t", dest="times", action="count", default=0, help="the guest's time (-tt, -ttt: with more digits)"
    )
    trace.add_argument("-r", dest="relative", action="store_true", help="the time since the last line")
    trace.add_argument("-T", dest="durations", action="store_true", help="the time that each call took")
    trace.add_argument("-y", dest="paths", action="store_true", help="where descriptors lead")
    trace.add_argument("-z", dest="successful", action="store_true", help="only calls that succeed")
    trace.add_argument("-Z", dest="failed", action="store_true", help="only calls that fail")
    trace.add_argument("--show-script", action="store_true", help="show the events that a trace is made of, and exit")
    add_guest(parser)
    run = parser.add_argument_group("the run")
    add_session(run)
    run.add_argument("--format", choices=FORMATS, default="text", help="json: one object per line, all on stdout")
    run.add_argument("--json", dest="format", action="store_const", const="json", help="the same as --format json")
    run.add_argument(
        "--guest-exit-code",
        action="store_true",
        help="exit with the guest's own code; that of a crash, as its system gives it",
    )
    add_engine(parser, default=None)
    add_drives(parser)
    add_limits(parser)
    parser.set_defaults(arg=[], include=[], symbol=[])


def _size(text: str) -> int:
    if not text.isdecimal() or int(text) > 1 << 20:
        raise argparse.ArgumentTypeError(f"{text!r} is no decimal number up to 1048576")
    return int(text)


class Options(msgspec.Struct, frozen=True):
    """What the command line says."""

    session: SessionOptions
    expressions: tuple[str, ...]
    file: str | None
    longest: int
    counts: bool
    counts_too: bool
    times: int
    relative: bool
    durations: bool
    paths: bool
    successful: bool
    failed: bool
    show_script: bool
    format: str
    guest_exit_code: bool

    @classmethod
    def of(cls, found: argparse.Namespace) -> Options:
        """What the parser found."""
        return options_of(cls, found, session=SessionOptions.of(found, tuple(found.words)))


def run(options: Options) -> ExitCode | int:
    """Carry the subcommand out."""
    if options.show_script:
        output().write(SCRIPT)
        return ExitCode.OK
    guest = options.session.guest
    if not guest.words:
        refuse("give the program to trace", ExitCode.USAGE, "as in `hds trace ./hello first second`")
    if options.format == "json" and (options.file is not None or options.counts or options.counts_too):
        refuse("-o, -c and -C are for the text", ExitCode.USAGE, "redirect the records: `> FILE`")
    selection = _selection(options)
    as_json = options.format == "json"
    reporter: Reporter[Record] = (
        JsonLines(guest.guest_output != "none")
        if as_json
        else Terminal(guest.guest_output, options.session.compiling.limits)
    )
    session = new_session(options.session, reporter, Questions())
    with _writer(options, session) as write:
        return _trace(options, session, reporter, selection, write)


def _trace(
    options: Options,
    session: Session,
    reporter: Reporter[Record],
    selection: Selection,
    write: Callable[[str], None],
) -> ExitCode | int:
    from hds.tracing import Calls, Counts, Lines, Records, Sink, Style

    style = Style(
        options.times, options.relative, options.durations, always_ids=options.file is not None,
        only_failed=options.failed or selection.status == "failed",
        only_successful=options.successful or selection.status == "successful",
    )  # fmt: skip
    counts = Counts()
    sinks: list[Sink] = [counts] if options.counts or options.counts_too else []
    if options.format == "json":
        sinks = [Records(session.report, style, selection.wants_signal)]
    elif not options.counts:
        sinks = [Lines(write, style, session.machine.clock.start, selection.wants_signal), *sinks]
    session.execution.halts_at_int3 = False
    calls = Calls(session, sinks, selection.wants, longest=options.longest, shows_files=options.paths)
    interrupted, began = None, time.perf_counter()
    try:
        with shown_progress(session, options.session):
            session.reach_entry()
            calls.follow()
            session.run()
    except KeyboardInterrupt as error:
        interrupted = FailureKind.of_interruption(error)
    finally:
        session.close()
    calls.finish()
    if options.counts or options.counts_too:
        write(counts.table())
    options.session.guest.write_capture(session)
    ending = Ending(as_json=options.format == "json", quiet_success=True, guest_exit_code=options.guest_exit_code)
    return conclude(ending, session, reporter, interrupted=interrupted, seconds=time.perf_counter() - began)


def _selection(options: Options) -> Selection:
    from hds.tracing import Linux, Nt, Selection, SelectionError
    from machine.kernel.linux import constants

    linux, nt = Linux(), Nt()
    names = linux.names | nt.names
    none: frozenset[str] = frozenset()
    classes = {
        name: linux.classes.get(name, none) | nt.classes.get(name, none) for name in (*linux.classes, *nt.classes)
    }
    try:
        return Selection(options.expressions, names, classes, constants("signal").values())
    except SelectionError as error:
        refuse(str(error), ExitCode.USAGE, error.hint)


@contextmanager
def _writer(options: Options, session: Session) -> Iterator[Callable[[str], None]]:
    """Where the lines go."""
    if options.file is None:
        yield lambda text: _to_output(text)
        return
    path = Path(options.session.compiling.reading.locate(options.file))
    try:
        file = FileCarrier(path, guarded=session.guest_folder)
    except OutputFailed as error:
        refuse(f"-o {options.file}: {error}", ExitCode.NO_INPUT)
    try:
        yield lambda text: file.send(text.encode())
    except OutputFailed as error:
        refuse(f"-o {options.file}: {error}", ExitCode.OUTPUT)
    finally:
        file.close()


def _to_output(text: str) -> None:
    stream = output()
    stream.write(text)
    stream.flush()
