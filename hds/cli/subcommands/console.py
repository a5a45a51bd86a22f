"""`hds console [PROGRAM [ARG...]]`: the `HyperDbg> ` prompt. The program waits at its entry point until `g`.

Without a terminal the commands are read from standard input, so that a session can be piped in.
"""

from __future__ import annotations

import argparse
import shlex

from hds.cli.console import Console
from hds.cli.subcommands.run import add_guest, add_session, new_session
from hds.cli.word_order import refuse_script_as_program
from hds.exit_codes import ExitCode
from hds.inputs import add_compiling, add_limits, chosen_limits
from hds.session import add_engine


def configure(parser: argparse.ArgumentParser) -> None:
    """The options of the subcommand."""
    parser.usage = "hds console [OPTION...] [PROGRAM [ARG...]]"
    parser.add_argument("words", nargs=argparse.REMAINDER, metavar="PROGRAM [ARG...]", help="the guest program")
    add_guest(parser)
    add_session(parser)
    add_engine(parser, default=None)
    add_compiling(parser)
    add_limits(parser)
    parser.set_defaults(flags=frozenset(parser._option_string_actions))


def run(arguments: argparse.Namespace) -> ExitCode:
    """Carry the subcommand out."""
    from hds.report import Questions, Terminal
    from hds.report.records import lost_bytes, lost_messages
    from hds.session import summarize

    console = Console()
    limits = chosen_limits(arguments)
    if arguments.words and arguments.kind is None:
        name = shlex.quote(arguments.words[0])
        refuse_script_as_program(arguments.words[0], f"hds run {name}, or: hds console < {name}")
    reporter = Terminal(arguments.guest_output, limits)
    questions = Questions(next_commands=console.next_commands)
    session = new_session(arguments, list(arguments.words), limits, reporter, questions)
    process = session.process
    if process is not None:
        session.notice(session.execution.instruction_line(process))
    try:
        console.interact(session)
    finally:
        session.close()
        losses = session.machine.messages.losses
        if arguments.emulate_message_loss and losses.messages:
            session.notice(f"messages: {lost_messages(losses)}")
    for line in lost_bytes(summarize(session).outputs):
        session.notice(line)
    return ExitCode.OUTPUT if session.outputs.losses else ExitCode.OK
