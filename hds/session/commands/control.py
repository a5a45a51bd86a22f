"""Running and ending: `g`, `continue`, `sleep`, `flush`, `exit`, `unload`, and what is accepted without effect."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hds.session.commands.handler import Handler, incorrect_use, words
from vm.facts.commands import COMMANDS, Support
from vm.facts.numbers import number_32

if TYPE_CHECKING:
    from hds.session.scripts import Prepared
    from hds.session.session import Session
    from lang.commands import Command

INSTRUCTIONS_PER_MILLISECOND = 1_000_000  # of the virtual clock, at which `sleep` lets the guest run


def go(session: Session, command: Command, prepared: Prepared) -> None:
    """Let the guest run until it ends or something stops it."""
    if session.guest_alive:
        session.execution.go()
    else:
        session.notice("there is no program to run")


def sleep(session: Session, command: Command, prepared: Prepared) -> None:
    """`sleep MS`: the guest runs for that much virtual time."""
    given = words(command)
    milliseconds = number_32(given[0]) if len(given) == 1 else None
    if milliseconds is None:
        raise incorrect_use(command, "sleep MILLISECONDS (hexadecimal)")
    budget = milliseconds * INSTRUCTIONS_PER_MILLISECOND
    if session.execution.held is not None:
        session.execution.release(goes_on=False, then=lambda: session.execution.run(budget))
    elif session.guest_alive:
        session.run(budget)


def flush(session: Session, command: Command, prepared: Prepared) -> None:
    """Drop messages that were not delivered."""
    count = session.machine.messages.drop()
    session.show(f"buffers are flushed successfully, {count} messages were removed\n")


def end(session: Session, command: Command, prepared: Prepared) -> None:
    """`exit`, `unload`: the end of the session; all events are cleared."""
    for event in session.machine.registry.oldest_first():
        session.machine.registry.clear(event.definition.id)
    session.ended = True


def no_effect(session: Session, command: Command, prepared: Prepared) -> None:
    """Part of files for the real product."""
    session.notice(f"'{command.name.text}' has no effect offline")


HANDLERS: dict[str, Handler] = {
    **{row.name: no_effect for row in COMMANDS if row.support is Support.NO_EFFECT},
    "g": go,
    "continue": go,
    "sleep": sleep,
    "pause": no_effect,
    "flush": flush,
    "exit": end,
    "unload": end,
}
