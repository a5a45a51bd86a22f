"""The user debugger: `.attach`, `.detach`, `.switch` (events-and-commands E.7).

Processes of the emulated machine stand still together, and commands see all of them; being attached to one says which
process an event is about that names none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hds.session.commands.handler import Handler, incorrect_use, number
from hds.session.commands.processes import switch_to
from hds.session.refused import CommandFailed
from vm.facts.errors import ErrorNumber

if TYPE_CHECKING:
    from hds.session.scripts import Prepared
    from hds.session.session import Session
    from lang.commands import Command
    from machine.schedule import Process


def _attached(session: Session) -> list[Process]:
    """The living processes that are debugged, the current one last."""
    return [process for process in session.debugged if process.alive]


def attach(session: Session, command: Command, prepared: Prepared) -> None:
    """`.attach pid P`: the process is debugged from now on, as one that `.start` has loaded, and the current one."""
    match command.tokens:
        case [word, value] if word.lower == "pid":
            wanted = number(value, 0, "process id")
        case _:
            raise incorrect_use(command)
    target = next((process for process in session.machine.processes if process.pid == wanted), None)
    if target is None:
        raise CommandFailed(ErrorNumber.PROCESS_ID_INVALID.err())
    if not target.alive:
        raise CommandFailed(ErrorNumber.USER_CANNOT_ATTACH.err())
    if target in session.debugged:
        raise CommandFailed(ErrorNumber.USER_ALREADY_ATTACHED.err())
    session.show(f"Attaching to process 0x{wanted:x}({wanted})...\n")
    session.debugged.append(target)
    switch_to(session, target)


def detach(session: Session, command: Command, prepared: Prepared) -> None:
    """`.detach`: the process that is debugged is not any more; it goes on at the next `g`."""
    if command.tokens:
        raise incorrect_use(command)
    attached = _attached(session)
    if not attached:
        raise CommandFailed(ErrorNumber.USER_NOT_ATTACHED.err())
    session.debugged.remove(attached[-1])
    session.show(f"detached from process 0x{attached[-1].pid:x}\n")


def switch(session: Session, command: Command, prepared: Prepared) -> None:
    """`.switch [list]`, `.switch pid P`, `.switch tid T`: among the processes that are debugged."""
    attached = _attached(session)
    match [token.lower for token in command.tokens]:
        case [] | ["list"]:
            rows = (_row(process, process is attached[-1]) for process in attached)
            session.show("".join(rows) or "no process is attached\n")
        case ["pid", _]:
            wanted = number(command.tokens[1], 0, "process id")
            process = next((each for each in attached if each.pid == wanted), None)
            if process is None:
                raise CommandFailed(ErrorNumber.USER_SWITCH_ID_INVALID.err())
            switch_to(session, process)
            session.show(f"switched to process id: {wanted:x}\n")
        case ["tid", _]:
            wanted = number(command.tokens[1], 0, "thread id")
            threads = (each for process in attached for each in process.threads if not each.ended)
            thread = next((each for each in threads if each.tid == wanted), None)
            if thread is None:
                raise CommandFailed(ErrorNumber.USER_SWITCH_ID_INVALID.err())
            switch_to(session, thread.process, thread)
            session.show(f"switched to thread id: {wanted:x}\n")
        case _:
            raise incorrect_use(command)


def _row(process: Process, is_current: bool) -> str:
    threads = (each for each in process.threads if not each.ended)
    rows = (f"\t-> {each.tid:04x} (thread) | # blkd exec attempts: 0\n" for each in threads)  # all stand still
    return f"{'*' if is_current else ''}{process.pid:04x} (process)\n{''.join(rows)}"


HANDLERS: dict[str, Handler] = {".attach": attach, ".detach": detach, ".switch": switch}
