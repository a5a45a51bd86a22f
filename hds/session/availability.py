"""Commands that hds is going to refuse: what `hds check` and `hds compile` warn of."""

from __future__ import annotations

from collections.abc import Iterator

from hds.session.command_scripts import CommandFile
from lang import Code, Diagnostic
from lang.commands import EventCommand
from vm.facts.commands import Support
from vm.facts.events import EventKind


def kind_of(event: EventCommand) -> EventKind:
    """The kind of the event that a command creates."""
    access = event.parameters.get("access")
    return event.event.kind_with(access.value if access else None)


def refused_commands(file: CommandFile) -> Iterator[Diagnostic]:
    """A warning for every command of a file that hds is going to refuse, whatever its parameters are."""
    for command in file.commands:
        event = file.events.get(command.span.start)
        if event is not None and not kind_of(event).emulated:
            message = f"hds cannot run this: events of the kind {kind_of(event).name} are {Support.NOT_EMULATED.value}"
            yield Diagnostic(Code.NOT_AVAILABLE, message, command.name.span, "`hds list events` shows which ones are")
        elif command.row.support is Support.UNAVAILABLE:
            message = f"hds cannot run this: {command.canonical_name} is {Support.UNAVAILABLE.value}"
            yield Diagnostic(Code.NOT_AVAILABLE, message, command.name.span, command.row.plain_notes)
