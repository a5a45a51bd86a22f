"""`output`: lists, creates, opens and closes what events forward their messages to (events-and-commands B.11)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hds.outputs import OutputFailed
from hds.session.commands.handler import Handler, incorrect_use, words
from hds.session.refused import CommandFailed
from vm.facts.outputs import OUTPUT_KINDS

if TYPE_CHECKING:
    from hds.session.scripts import Prepared
    from hds.session.session import Session
    from lang.commands import Command

USAGE = f"output, output create NAME {'|'.join(OUTPUT_KINDS)} ADDRESS, output open NAME, output close NAME"


def output(session: Session, command: Command, prepared: Prepared) -> None:
    """The list without parameters, else one step in the life of a source."""
    outputs = session.outputs
    try:
        match words(command):
            case []:
                session.show(outputs.listing())
            case [word, name, kind, address] if word.lower() == "create":
                outputs.create(name, kind, address)
            case [word, name] if word.lower() == "open":
                outputs.open(name)
            case [word, name] if word.lower() == "close":
                outputs.close(name)
            case _:
                raise incorrect_use(command, USAGE)
    except OutputFailed as error:
        raise CommandFailed(f"err, {error}") from None


HANDLERS: dict[str, Handler] = {"output": output}
