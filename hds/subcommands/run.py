"""`hds run SCRIPT [PROGRAM [ARG...]]`: execute a command file, then let the guest run to its end.

What scripts print goes to standard output, and what commands show; everything else goes to standard error, with a line
at the end that sums the run up.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from hds.engines import add_engine, load_engine
from hds.exit_codes import ExitCode
from hds.inputs import (
    add_compiling,
    add_limits,
    chosen_limits,
    new_compiler,
    parse_number,
    refuse,
    require_source,
    with_arguments,
)

if TYPE_CHECKING:
    from hds.session import Outlets, Session
    from lang.diagnostics import Diagnostic
    from machine.events.dispatch import Trigger
    from vm.engine import Fault, Loaded

ON_BREAK = ("stop", "continue", "fail")
STANDARD_ERROR_NAMES = ("stderr", "stdout", "none")


def configure(parser: argparse.ArgumentParser) -> None:
    """The options of the subcommand."""
    parser.usage = "hds run [OPTION...] (SCRIPT | -e COMMAND) [PROGRAM [ARG...]]"
    parser.add_argument("-e", "--execute", metavar="COMMAND", help="commands as an argument, in place of SCRIPT")
    parser.add_argument("words", nargs=argparse.REMAINDER, metavar="SCRIPT [PROGRAM [ARG...]]", help="- for stdin")
    guest = parser.add_argument_group("guest program")
    guest.add_argument("--kind", choices=("elf", "raw", "asm"), help="what PROGRAM is (default: by name and content)")
    guest.add_argument("--base", type=_number, metavar="ADDRESS", help="where raw code or a listing is loaded (hex)")
    guest.add_argument("--entry", type=_number, metavar="ADDRESS", help="where it starts (hex; default: its start)")
    guest.add_argument("--kernel", choices=("linux", "bare"), help="what answers system calls (default: by PROGRAM)")
    guest.add_argument("--env", action="append", default=[], metavar="NAME=VALUE", help="an environment variable")
    guest.add_argument("--guest-output", choices=STANDARD_ERROR_NAMES, default="stderr", help="where it writes")
    guest.add_argument("--cores", type=_count, default=1, metavar="N", help="emulated cores (default 1)")
    run = parser.add_argument_group("the run")
    run.add_argument("--timeout", type=float, metavar="SECONDS", help="stop after this much real time")
    run.add_argument("--on-break", choices=ON_BREAK, default="stop", help="what a break action does (default stop)")
    run.add_argument("--fail-on-script-errors", action="store_true", help="exit with 4 when a script stopped early")
    run.add_argument("--quiet", action="store_true", help="no summary line")
    add_engine(parser)
    add_compiling(parser)
    add_limits(parser)


def _number(text: str) -> int:
    value = parse_number(text)
    if value is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no number (hexadecimal, or 0n and decimal digits)")
    return value


def _count(text: str) -> int:
    if not text.isdigit() or not 1 <= int(text) <= 64:
        raise argparse.ArgumentTypeError("1 to 64")
    return int(text)


def run(arguments: argparse.Namespace) -> ExitCode:
    """Carry the subcommand out."""
    words: list[str] = list(arguments.words)
    arguments.file = words.pop(0) if arguments.execute is None and words else None
    limits = chosen_limits(arguments)
    source = with_arguments(require_source(arguments, limits), arguments)

    from hds.session import Session
    from machine.loaders import LoadError

    outlets = console_outlets(arguments)
    try:
        session = Session(
            Path(words[0]) if words else None,
            arguments=words[1:],
            environment=arguments.env,
            kind=arguments.kind,
            base=arguments.base,
            entry=arguments.entry,
            kernel=arguments.kernel,
            cores=arguments.cores,
            limits=limits,
            engine=load_engine(arguments.engine, limits),
            compiler=new_compiler(arguments, limits),
            outlets=outlets,
        )
    except LoadError as error:
        refuse(f"{words[0]}: {error}" + (f"\n  hint: {error.hint}" if error.hint else ""), ExitCode.GUEST)
    session.timeout = arguments.timeout
    prepared = session.prepare(source)
    for item in prepared.diagnostics:
        outlets.finding(item)
    if prepared.has_errors:
        return ExitCode.FAILED
    interrupted = False
    try:
        session.perform(prepared)
        if session.guest_alive and not session.ended and not _stopped(session):
            session.run()
    except KeyboardInterrupt:
        interrupted = True
    sys.stdout.flush()
    if not arguments.quiet:
        print(summary(session, interrupted), file=sys.stderr)
    return ExitCode.INTERRUPTED if interrupted else exit_code(session, arguments)


def _stopped(session: Session) -> bool:
    """Whether an earlier `g` of the file ended at a limit or a break: the guest is not run on then."""
    from machine.machine import StopCause

    last = session.totals.last
    return last is not None and last.cause in (StopCause.BREAK, StopCause.TIMEOUT, StopCause.STOPPED)


def console_outlets(arguments: argparse.Namespace) -> Outlets:
    """Messages and results to standard output, the rest to standard error."""
    from hds.faults import render_fault
    from hds.session import Outlets
    from lang.diagnostics import render

    out = sys.stdout.buffer if hasattr(sys.stdout, "buffer") else None

    def write(data: bytes) -> None:
        if out is not None:
            sys.stdout.flush()
            out.write(data)
        else:
            sys.stdout.write(data.decode("utf-8", "replace"))

    def say(text: str) -> None:
        if out is not None:
            out.flush()
        print(text, file=sys.stderr)

    def finding(item: Diagnostic) -> None:
        say(render(item))

    def script_fault(event: int | None, program: Loaded, fault: Fault) -> None:
        where = "" if event is None else f"event {event:x}: "
        say(where + render_fault(program.program, fault))

    def broke(trigger: Trigger) -> bool:
        from machine.events.definition import Stage

        stage = "pre" if trigger.stage is Stage.PRE else "post"
        say(f"event 0x{trigger.event.definition.id:x} triggered ({stage})")
        return bool(arguments.on_break == "continue")

    return Outlets(
        message=lambda message: write(message.text),
        result=lambda text: write(text.encode()),
        notice=say,
        finding=finding,
        script_fault=script_fault,
        broke=broke,
        guest_output=_guest_output(arguments.guest_output, write),
    )


def _guest_output(where: str, write: Callable[[bytes], None]) -> Callable[[int, bytes], None]:
    def to_error(descriptor: int, data: bytes) -> None:
        sys.stdout.flush()
        buffer = getattr(sys.stderr, "buffer", None)
        if buffer is None:
            sys.stderr.write(data.decode("utf-8", "replace"))
            return
        sys.stderr.flush()
        buffer.write(data)
        buffer.flush()

    def to_output(descriptor: int, data: bytes) -> None:
        if descriptor == 1:
            write(data)
        else:
            to_error(descriptor, data)

    return {"stderr": to_error, "stdout": to_output, "none": lambda descriptor, data: None}[where]


def summary(session: Session, interrupted: bool) -> str:
    """The last line of a run."""
    totals = session.totals
    parts = [
        _plural(totals.triggers, "trigger"),
        _plural(totals.messages, "message"),
        f"{session.machine.messages.dropped} lost",
        _plural(totals.instructions, "guest instruction"),
    ]
    if totals.script_faults:
        parts.append(_plural(totals.script_faults, "script error"))
    if totals.failed_commands:
        parts.append(_plural(totals.failed_commands, "refused command"))
    if totals.unknown_system_calls:
        calls = ", ".join(f"{number:x} x {count}" for number, count in sorted(totals.unknown_system_calls.items()))
        parts.append(f"unknown system calls: {calls}")
    return "hds: " + ", ".join(parts) + "; " + ("interrupted" if interrupted else why_stopped(session))


def why_stopped(session: Session) -> str:
    """Why the last run came back."""
    last = session.totals.last
    if last is None:
        return "no program was run"
    if last.ends and not session.guest_alive:
        return "; ".join(end.describe() for end in last.ends)
    return f"stopped: {last.cause.value}"


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}" + ("" if count == 1 else "s")


def exit_code(session: Session, arguments: argparse.Namespace) -> ExitCode:
    """What the run says to the shell: the first row that applies."""
    from machine.machine import StopCause

    totals = session.totals
    cause = totals.last.cause if totals.last is not None else StopCause.NOTHING_LOADED
    if totals.failed_commands:
        return ExitCode.FAILED
    if cause in (StopCause.FAULT, StopCause.INVALID, StopCause.UNMAPPED):
        return ExitCode.GUEST
    if cause in (StopCause.BUDGET, StopCause.TIMEOUT):
        return ExitCode.LIMIT
    if cause is StopCause.BREAK and arguments.on_break == "fail":
        return ExitCode.BREAK
    if totals.script_faults and arguments.fail_on_script_errors:
        return ExitCode.RUNTIME
    return ExitCode.OK
