"""Whether hds carries a command out: what `list commands` shows, and what `hds check` and `hds compile` warn of.

An event command runs when the catalogue of event kinds says that its kind is emulated; for all others the table of
commands decides.
"""

from __future__ import annotations

from collections.abc import Iterator

from hds.session.command_scripts import CommandFile
from lang.commands import Code, CommandRow, EventCommand, Support
from lang.diagnostics import Diagnostic
from machine.events.catalog import KINDS_BY_COMMAND, EventKind

NOT_EMULATED = "not emulated yet"


def support_of(row: CommandRow) -> str:
    """What becomes of a command, as `list commands` shows it."""
    kinds = KINDS_BY_COMMAND.get(row.name, ())
    return NOT_EMULATED if kinds and not any(kind.implemented for kind in kinds) else row.support.value


def kind_of(event: EventCommand) -> EventKind:
    """The kind of the event that a command creates."""
    kinds = KINDS_BY_COMMAND[event.command.canonical_name]
    access = event.parameters.get("access")
    return next((kind for kind in kinds if access is not None and kind.name.endswith(f" {access.value}")), kinds[0])


def refused_commands(file: CommandFile) -> Iterator[Diagnostic]:
    """A warning for every command of a file that hds is going to refuse, whatever its parameters are."""
    for command in file.commands:
        event = file.events.get(command.span.start)
        if event is not None and not kind_of(event).implemented:
            message = f"hds cannot run this: events of the kind {kind_of(event).name} are {NOT_EMULATED}"
            yield Diagnostic(Code.NOT_AVAILABLE, message, command.name.span, "`hds list events` shows which ones are")
        elif command.row.support is Support.UNAVAILABLE:
            message = f"hds cannot run this: {command.canonical_name} is {Support.UNAVAILABLE.value}"
            yield Diagnostic(Code.NOT_AVAILABLE, message, command.name.span, "`hds list commands` shows which ones are")
