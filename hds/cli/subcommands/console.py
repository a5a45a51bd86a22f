"""`hds console [PROGRAM [ARG...]]`: the `HyperDbg> ` prompt. The program waits at its entry point until `g`.

Without a terminal the commands are read from standard input, so that a session can be piped in.
"""

from __future__ import annotations

import argparse
import shlex

import msgspec

from hds.cli.console import Console
from hds.cli.guest import SessionOptions, add_guest, add_session, new_session
from hds.cli.options import add_compiling, add_engine, add_limits
from hds.cli.progress import shown_progress
from hds.cli.word_order import refuse_script_as_program
from hds.exit_codes import ExitCode
from hds.inputs import refuse

_NO_PARALLEL = "leave --parallel out: the cores take turns then"
_NO_WRITING = "give a folder with --root: the guest can write to /tmp, which is in memory"


def configure(parser: argparse.ArgumentParser) -> None:
    """The options of the subcommand."""
    parser.usage = "hds console [OPTION...] [PROGRAM [ARG...]]"
    parser.add_argument("words", nargs=argparse.REMAINDER, metavar="PROGRAM [ARG...]", help="the guest program")
    add_guest(parser)
    add_session(parser)
    parser.add_argument(
        "--record", action="store_true", help="keep snapshots, so that t- p- g- and `watch back` can go back"
    )
    parser.add_argument("--context", action="store_true", help="show registers, code, stack and calls at every stop")
    add_engine(parser, default=None)
    add_compiling(parser)
    add_limits(parser)


class Options(msgspec.Struct, frozen=True):
    """What the command line says."""

    session: SessionOptions
    record: bool
    context: bool

    @classmethod
    def of(cls, found: argparse.Namespace) -> Options:
        """What the parser found."""
        return cls(SessionOptions.of(found, tuple(found.words)), found.record, found.context)


def run(options: Options) -> ExitCode | int:
    """Carry the subcommand out."""
    if not options.record:
        return converse(options)
    guest = options.session.guest
    refused = {"--parallel": (guest.parallel, _NO_PARALLEL), "--root-rw": (guest.root_rw is not None, _NO_WRITING)}
    for flag, hint in ((flag, hint) for flag, (given, hint) in refused.items() if given):
        refuse(f"--record and {flag} exclude each other: what it does cannot be done again", ExitCode.USAGE, hint)
    from hds.session import launch

    return launch(lambda: converse(options))


def converse(options: Options) -> ExitCode:
    """The session, from its first prompt to its end."""
    from hds.report import Questions, Terminal
    from hds.report.records import lost_bytes, lost_messages
    from hds.session import summarize

    console = Console()
    guest = options.session.guest
    if guest.words and guest.kind is None:
        name = shlex.quote(guest.words[0])
        refuse_script_as_program(guest.words[0], f"hds run {name}, or: hds console < {name}")
    reporter = Terminal(guest.guest_output, options.session.compiling.limits)
    questions = Questions(next_commands=console.next_commands)
    session = new_session(options.session, reporter, questions)
    console.session = session
    session.settings.context = options.context
    if options.record:
        console.record(session)
    try:
        with shown_progress(session, options.session) as console.progress:
            session.reach_entry()
            process = session.process
            if process is not None:
                session.notice(session.execution.instruction_line(process))
            console.interact(session)
    finally:
        session.close()
        losses = session.machine.messages.losses
        if guest.emulate_message_loss and losses.messages:
            session.notice(f"messages: {lost_messages(losses)}")
    guest.write_capture(session)
    for line in lost_bytes(summarize(session).outputs):
        session.notice(line)
    return ExitCode.OUTPUT if session.outputs.losses else ExitCode.OK
