"""`hds diff A B`: two runs, record by record. 0: they are the same, 1: they differ, 2: they cannot be compared."""

from __future__ import annotations

import argparse
import os
import shlex
from collections import Counter
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, NoReturn, Protocol, TypeVar

import msgspec
from msgspec.structs import replace

from hds.cli.colours import Colour, show
from hds.cli.options import Reading, add_limits, options_of
from hds.cli.parsing import WrongWords, parsed, silenced
from hds.exit_codes import ExitCode
from hds.inputs import InputError, read_bytes
from hds.recorded_runs import BadRun
from hds.report import Failure, FailureKind, Refusal, interruption_named, say
from hds.version import install_command

if TYPE_CHECKING:
    from hds.comparing import Kind, Run
    from hds.report.records import Record
    from hds.session import Session

_MOST_NAMES = 100_000  # addresses in texts that are looked up


def configure(parser: argparse.ArgumentParser) -> None:
    """The options of `hds diff`."""
    what = "a file of JSON lines (hds run --format json), -, or a quoted command line `hds run ...` that is run now; "
    what += "or a folder of `hds corpus`"
    parser.add_argument("a", metavar="A", help=what)
    parser.add_argument("b", metavar="B", help="the other one")
    parser.add_argument(
        "--ignore",
        action="append",
        default=[],
        metavar="FIELD",
        help="a field that does not count: tick, registers.rax, events.fuel, ... (repeatable)",
    )
    parser.add_argument(
        "--symbols", action="store_true", help="compare module!symbol+offset in place of addresses, where it is known"
    )
    parser.add_argument("--all", action="store_true", help="show the records that are the same, too")
    parser.add_argument("--format", choices=("text", "json"), default="text", help="json: one object a line")
    add_limits(parser)


class Options(msgspec.Struct, frozen=True):
    """What the command line says."""

    a: str
    b: str
    reading: Reading
    ignore: tuple[str, ...]
    symbols: bool
    all: bool
    format: str

    @classmethod
    def of(cls, found: argparse.Namespace) -> Options:
        """What the parser found."""
        return options_of(cls, found, reading=Reading.of(found))


def run(options: Options) -> ExitCode:
    """Read or make both runs, compare them."""
    from hds.comparing import Kind, Rules, change_object, compare, lines_of

    names = (options.a, options.b)
    if any(map(os.path.isdir, names)) and not any(map(os.path.isfile, names)):
        return _campaigns(options)
    if options.a == options.b == "-":
        _refuse("only one of the two can be standard input")
    rules = Rules(options.ignore, options.symbols)
    try:
        a, b = _run(options.a, options), _run(options.b, options)
        for each in (a, b):
            if each.program is None:
                say(f"hds: {each.name[:60]} has no summary: the run did not end, or its end is not in the file")
        for field in rules.unknown((a, b)):
            say(f"hds: no record has the field {field}; `hds run --format json` shows which there are")
        changes = compare(a, b, rules)
        counts = _show(
            changes,
            options,
            lambda change: change_object(change, a, b),
            lambda change: lines_of(change, a, b),
        )
    except BadRun as error:
        _refuse(str(error), error.hint)
    except Refusal as refusal:
        _refuse(refusal.failure.message, refusal.failure.hint)
    return ExitCode.OK if counts.keys() <= {Kind.SAME} else ExitCode.FAILED


def _campaigns(options: Options) -> ExitCode:
    """Compare what `hds corpus` made."""
    try:
        from hds.corpus import BadResults, Reading, compare_campaigns, lines_of_change, object_of_change
    except ImportError as error:
        _refuse(f"{error.name} is not installed: {install_command('corpus')}")
    from hds.comparing import Kind

    try:
        changes = compare_campaigns(Reading(options.a), Reading(options.b), options.ignore)
        counts = _show(changes, options, object_of_change, lines_of_change)
    except BadResults as error:
        _refuse(str(error), error.hint)
    return ExitCode.OK if counts.keys() <= {Kind.SAME} else ExitCode.FAILED


def _refuse(message: str, hint: str | None = None) -> NoReturn:
    raise Refusal(Failure(FailureKind.NOT_COMPARED, message, hint))


# --- runs


def _run(text: str, options: Options) -> Run:
    """A run, from a file or made now. Raises BadRun and Refusal."""
    from hds.comparing import Run

    words = _command(text)
    if words is not None:
        return _made(text, words, options)
    limits = options.reading.limits
    path = options.reading.locate(text)
    try:
        data = read_bytes(path, limits, "max_compared_bytes")
    except InputError as error:
        hint = None if os.path.exists(path) else "a command line to run now begins with `hds run`, in quotes"
        _refuse(error.failure.message, error.failure.hint or hint)
    return Run.of_lines("standard input" if path == "-" else text, data, limits)


def _command(text: str) -> list[str] | None:
    """The words behind `hds run`, if this is a command line. Raises BadRun."""
    if os.path.exists(text) or not text.startswith(("hds ", "run ")):
        return None
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise BadRun(f"{text[:60]}: this is no command line: {str(error).lower()}") from None
    words = words[words[0] == "hds" :]
    if not words or words[0] != "run":
        raise BadRun(f"{text[:60]}: only `hds run` makes a run")
    return words[1:]


def _made(name: str, words: list[str], options: Options) -> Run:
    """Run it now. Raises BadRun and Refusal."""
    from hds.cli.bundles import read_commands_or_bundle
    from hds.cli.subcommands import run as subcommand
    from hds.comparing import Run

    try:
        found = parsed("run", subcommand.configure, words)
    except WrongWords as error:
        raise BadRun(f"{name[:60]}: {error}") from None
    if found.stdin == "-" or (found.words[:1] == ["-"] and found.execute is None):
        raise BadRun(f"{name[:60]}: a run that is made now has no standard input")
    given = replace(subcommand.Options.of(found), format="json", quiet=False, stats=False)
    made = Run(name, options.reading.limits)
    reporter = _Recorded(made, shows_guest_output=given.session.guest.guest_output != "none")

    def ended(session: Session) -> None:
        if options.symbols:
            _add_places(made, session)

    with silenced():
        source, compiled = read_commands_or_bundle(given.input, given.session.compiling)
        subcommand.carry_out(given, source, compiled, reporter, ended=ended)
    if reporter.interruption is not None:
        raise reporter.interruption
    if reporter.error is not None:
        raise BadRun(f"{name[:60]}: nothing was run: {reporter.error}", "`hds check` shows all that is wrong")
    return made


class _Recorded(msgspec.Struct):
    """The reporter of a run that is made now."""

    run: Run
    shows_guest_output: bool
    error: str | None = None  # of what does not compile
    interruption: KeyboardInterrupt | None = None

    def report(self, record: Record, /) -> None:
        """Keep what programs are told of it."""
        from hds.report.records import json_object

        made = json_object(record)
        if made is not None and made.get("kind") == FailureKind.COMPILE.value and self.error is None:
            self.error = f"{made['file']}:{made['line']}:{made['column']}: {made['code']}: {made['message']}"
        if made is not None and made["type"] == "summary":
            self.interruption = interruption_named(str(made["cause"]))
        if made is not None and (self.shows_guest_output or made["type"] != "guest_output"):
            self.run.add(made, len(self.run.lines) + 1)


def _add_places(made: Run, session: Session) -> None:
    """Names of the addresses that stand in texts, as far as the session knows them."""
    from hds.comparing import hexadecimal_words

    seen: set[tuple[int, int]] = set()
    for number, text in enumerate(made.texts):
        record = made.record(number)
        process = record.get("pid")
        if not isinstance(process, int):
            continue
        for _, _, address in hexadecimal_words(text):
            if (process, address) not in seen and len(seen) < _MOST_NAMES:
                seen.add((process, address))
                symbol = session.symbol_of(process, address)
                if symbol is not None:
                    made.places.setdefault(address, symbol)


# --- what is shown


class _HasKind(Protocol):
    """A change of any sort."""

    @property
    def kind(self) -> Kind:
        """What became of it."""


C = TypeVar("C", bound=_HasKind)


def _show(
    changes: Iterator[C],
    options: Options,
    as_object: Callable[[C], dict[str, object]],
    lines: Callable[[C], Iterator[str]],
) -> Counter[object]:
    """Show what differs, as it is found; how many changes of each kind there were."""
    from hds.comparing import Kind
    from hds.report import write_object

    colours = {Kind.CHANGED: Colour.YELLOW, Kind.MISSING: Colour.RED, Kind.ADDED: Colour.GREEN}
    counts: Counter[object] = Counter()
    for change in changes:
        counts[change.kind] += 1
        if change.kind is Kind.SAME and not options.all:
            continue
        if options.format == "json":
            write_object(as_object(change))
        else:
            for line in lines(change):
                show(line, colours.get(change.kind, Colour.PLAIN))
    numbers = {kind.value: counts[kind] for kind in Kind}
    if options.format == "json":
        write_object({"type": "diff_summary", **numbers})
    else:
        say("hds: " + ", ".join(f"{count} {name}" for name, count in numbers.items()))
    return counts
