"""`hds bench SCRIPT [PROGRAM [ARG...]]`: what each event of a command file costs, beside the same without a script.

Without PROGRAM each event is measured on a small guest that triggers it in a loop (`hds.measuring`).
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from functools import partial

import msgspec
from msgspec.structs import replace

from hds.cli.bundles import read_commands_or_bundle
from hds.cli.guest import ScriptOptions, SessionOptions, add_script_and_program, new_session
from hds.cli.options import Input, decimal, options_of
from hds.cli.progress import StatusLine, follow, status_line
from hds.cli.word_order import refuse_wrong_order
from hds.exit_codes import ExitCode
from hds.inputs import refuse
from hds.json_text import plain
from hds.measuring import BuiltIn, Cost, Plan, guest_of, measure
from hds.report import Questions, Terminal, say
from hds.session import ScriptError, Session, kind_of
from lang import SourceFile, render
from machine import Silent
from machine.root import MissingAssemblerError

FORMATS = ("text", "json")
_WIDEST = 44  # characters of a command
_LEAST_WIDTHS = (12, 8, 10, 10, 14)  # characters of the columns of numbers


def configure(parser: argparse.ArgumentParser) -> None:
    """The options of the subcommand."""
    run = add_script_and_program(parser, "bench", "the runs")
    run.add_argument(
        "--rounds", type=partial(decimal, least=1, most=99), default=3, metavar="N", help="runs of each (default 3)"
    )
    run.add_argument("--format", choices=FORMATS, default="text", help="json: one object per event")
    run.add_argument("--json", dest="format", action="store_const", const="json", help="the same as --format json")


class Options(msgspec.Struct, frozen=True):
    """What the command line says."""

    input: Input
    session: SessionOptions
    rounds: int
    format: str

    @classmethod
    def of(cls, found: argparse.Namespace) -> Options:
        """What the parser found."""
        given = ScriptOptions.of(found)
        return options_of(cls, found, input=given.input, session=given.session)


def run(options: Options) -> ExitCode:
    """Measure one event after the other, and show what was found."""
    guest = options.session.guest
    if options.input.file is not None:
        refuse_wrong_order(options.input.file, guest.words)
    for flag, refused in (("--stdin -", guest.stdin == "-"), ("--pcap", guest.pcap is not None)):
        if refused:
            refuse(f"hds bench runs the program several times: it takes no {flag}", ExitCode.USAGE)
    source, _ = read_commands_or_bundle(options.input, options.session.compiling)
    plans, without_guest = _plans(options, source)
    events = {plan.event.command.span.start: plan.event for plan in (*plans, *without_guest)}
    costs = []
    with status_line(options.session) as line:
        if line is not None:
            line.make_ready()  # before anything is timed
        for number, plan in enumerate(plans, 1):
            what = f"event {number} of {len(plans)}, {plan.event.command.span.text.split()[0]}: "
            try:
                costs.append(measure(source, plan, events, _Starter(options, line, what).start, options.rounds))
            except ScriptError as error:
                refuse(render(error.diagnostics[0]), ExitCode.FAILED, None if guest.words else "name a PROGRAM")
    if options.format == "json":
        for cost in costs:
            print(json.dumps(msgspec.to_builtins(cost)))
    elif costs:
        print("\n".join(_table(costs)))
    for plan in without_guest:
        say(f"hds: line {plan.event.command.span.line}: no built-in guest triggers {plan.kind}: name a PROGRAM")
    for cost in costs:
        if cost.has_few_triggers:
            say(f"hds: line {cost.line}: {cost.triggers} triggers are too few to be timed")
    return ExitCode.OK if costs else ExitCode.FAILED


def _plans(options: Options, source: SourceFile) -> tuple[list[Plan], list[Plan]]:
    """The events to measure, and those for which there is no guest. Exits where the file has errors, or no events."""
    session = _start(options)
    try:
        prepared = session.prepare(source)
    finally:
        session.close()
    reporter = Terminal("none", options.session.compiling.limits)
    for item in prepared.diagnostics:
        reporter.report(item)
    if prepared.has_errors:
        refuse("nothing was run: the commands have errors", ExitCode.FAILED)
    words = options.session.guest.words
    plans: list[Plan] = []
    without_guest: list[Plan] = []
    for event in prepared.file.events.values():
        kind = kind_of(event)
        try:
            built_in = None if words else guest_of(event, kind)
        except MissingAssemblerError as error:
            refuse(str(error), ExitCode.USAGE)
        plan = Plan(event, kind.name, built_in, words[0] if words else "built-in")
        (plans if words or built_in is not None else without_guest).append(plan)
    if not plans and not without_guest:
        refuse("the commands have no event to measure", ExitCode.FAILED)
    return plans, without_guest


class _Starter(msgspec.Struct, frozen=True):
    """Makes the sessions in which an event is measured; `line` says how far each is."""

    options: Options
    line: StatusLine | None
    what: str

    def start(self, guest: BuiltIn | None, rounds: int) -> Session:
        """One with a built-in guest, or with the program."""
        session = _start(self.options, guest)
        if guest is not None:
            session.load(guest.program(rounds))
        if self.line is not None:
            follow(session, self.line, self.what)
        return session


def _start(options: Options, built_in: BuiltIn | None = None) -> Session:
    """A session; for a built-in guest with the kernel and the timer that it wants, unless the user wants others."""
    guest = options.session.guest
    if built_in is not None:
        timer = None if built_in.timer is None else min(built_in.timer, guest.reading.limits.max_timer_hz)
        guest = replace(guest, kernel=guest.kernel or built_in.kernel, timer=guest.timer or timer)
    return new_session(replace(options.session, guest=guest), Silent(), Questions(broke=lambda halt: True))


def _table(costs: list[Cost]) -> Iterator[str]:
    """Lines: a heading, and one for each event."""
    headings = ("triggers", "fuel", "ns", "empty ns", "triggers/s")
    rows = [
        (
            f"{cost.triggers:,}",
            _number(cost.fuel_per_trigger),
            _number(cost.nanoseconds_per_trigger),
            _number(cost.empty_nanoseconds_per_trigger),
            _number(cost.triggers_per_second, 0),
        )
        for cost in costs
    ]
    columns = zip(_LEAST_WIDTHS, zip(headings, *rows, strict=True), strict=True)
    widths = [max(least, *(len(text) + 2 for text in column)) for least, column in columns]
    first = max(len("event"), *(len(_command(cost)) for cost in costs))

    def line(event: str, row: tuple[str, ...], calls: str) -> str:
        return f"{event:{first}}{''.join(f'{text:>{width}}' for text, width in zip(row, widths, strict=True))}  {calls}"

    yield line("event", headings, "calls of Python")
    for cost, row in zip(costs, rows, strict=True):
        yield line(
            _command(cost), row, ", ".join(f"{count:,} {name}" for name, count in cost.callbacks.items()) or "none"
        )


def _command(cost: Cost) -> str:
    text = plain(cost.command)
    return text if len(text) <= _WIDEST else text[: _WIDEST - 3] + "..."


def _number(value: float | None, digits: int = 1) -> str:
    return "-" if value is None else f"{value:,.{digits}f}"
