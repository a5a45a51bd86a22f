"""The session itself: `.script`, the log, `settings`, `.status`, `.help`, `.cls` (events-and-commands A.5, E.8)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hds.inputs import InputError, decode_text
from hds.outputs import OutputFailed
from hds.report import Logged
from hds.report.records import CLEAR_SCREEN
from hds.session.commands.handler import Handler, incorrect_use, words
from hds.session.commands.usage import help_list, help_search, help_text
from hds.session.refused import CommandFailed
from lang import SourceFile
from lang.commands import substitute_arguments
from vm import FileRefused, read_file
from vm.facts.commands import COMMAND_BY_NAME

if TYPE_CHECKING:
    from hds.session.scripts import Prepared
    from hds.session.session import Session
    from lang.commands import Command


def script(session: Session, command: Command, prepared: Prepared) -> None:
    """`.script FILE [ARGUMENTS]`: the commands of the file come next; a file with a mistake is not begun."""
    given = words(command)
    if not given:
        raise CommandFailed("err, please specify a file: .script FILE [ARGUMENTS]")
    path = str(session.locate(given[0]))
    try:
        source = SourceFile(path, decode_text(path, read_file(path, session.limits, "max_source_bytes")))
    except (FileRefused, InputError) as error:
        raise CommandFailed(f"err, invalid file specified: {error}") from None
    source = SourceFile(path, substitute_arguments(source, given).text)
    inner = session.prepare(source)
    for item in inner.diagnostics:
        session.report(item)
    if inner.has_errors:
        raise CommandFailed(f"err, {given[0]} has errors, none of its commands is executed")
    session.push(inner)


def open_log(session: Session, command: Command, prepared: Prepared) -> None:
    """`.logopen FILE`: what is displayed, and the commands, are written into the file too."""
    given = words(command)
    if len(given) != 1:
        raise incorrect_use(command)
    if session.log is not None:
        raise CommandFailed("err, log was opened previously")
    path = session.locate(given[0])
    try:
        session.log = log = session.outputs.open_log(path)
    except OutputFailed as error:
        raise CommandFailed(f"err, {error}") from None
    session.unlogged = session.reporter
    session.reporter = Logged(session.reporter, lambda data: session.outputs.send(log, data))
    session.show(f"save commands and results to the log file {given[0]} ({_now(session)})\n")


def close_log(session: Session, command: Command, prepared: Prepared) -> None:
    """`.logclose`."""
    if session.log is None:
        raise CommandFailed("err, there is no opened log")
    session.show(f"log file is closed ({_now(session)})\n")
    session.close_log()


def _now(session: Session) -> str:
    """The time of the machine's clock, so that runs do not differ."""
    return session.machine.clock.now().strftime("%Y-%m-%d %H:%M:%S")


# --- settings

_FLAGS = {
    "autounpause": "auto-unpause",
    "autoflush": "auto-flush",
    "addressconversion": "address conversion",
    "context": "context at a stop",
}
_SYNTAXES = ("intel", "att", "masm")


def settings(session: Session, command: Command, prepared: Prepared) -> None:
    """`settings OPTION [VALUE]`: they last as long as the session; nothing is stored."""
    match [word.lower() for word in words(command)]:
        case [name] if name in _FLAGS:
            state = "enabled" if getattr(session.settings, name) else "disabled"
            session.show(f"{_FLAGS[name]} is {state}\n")
        case [name, "on" | "off" as state] if name in _FLAGS:
            setattr(session.settings, name, state == "on")
            session.show(f"set {_FLAGS[name]} to {'enabled' if state == 'on' else 'disabled'}\n")
        case ["syntax"]:
            session.show(f"disassembler syntax is : {session.settings.syntax}\n")
        case ["syntax", syntax] if syntax in _SYNTAXES:
            session.settings.syntax = syntax
            session.show(f"set syntax to {syntax}\n")
        case _:
            raise incorrect_use(command)


def status(session: Session, command: Command, prepared: Prepared) -> None:
    """`.status`: one line about what the session is connected to."""
    machine = session.machine
    held = session.execution.held
    where = "halted by an event" if held is not None else "halted" if session.guest_alive else "no program is running"
    session.show(f"emulated machine: {len(machine.cores)} core(s), {len(machine.processes)} process(es), {where}\n")


def clear(session: Session, command: Command, prepared: Prepared) -> None:
    """`.cls`, for terminals."""
    session.show(CLEAR_SCREEN)


def show_help(session: Session, command: Command, prepared: Prepared) -> None:
    """`.help [COMMAND|WORD]`."""
    given = words(command)
    if len(given) > 1:
        raise incorrect_use(command)
    row = COMMAND_BY_NAME.get(given[0].lower()) if given else None
    text = help_list() if not given else help_search(given[0]) if row is None else help_text(row)
    if not text:
        raise CommandFailed(f"err, couldn't find the help of the command '{given[0]}'")
    session.show(text)


HANDLERS: dict[str, Handler] = {
    ".script": script,
    ".logopen": open_log,
    ".logclose": close_log,
    "settings": settings,
    ".status": status,
    ".cls": clear,
    ".help": show_help,
}
