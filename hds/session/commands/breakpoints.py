"""Breakpoints: `bp bl be bd bc` (events-and-commands E.5)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hds.session.commands.handler import (
    Handler,
    address,
    current_process,
    incorrect_use,
    number,
    process_of,
    split,
    words,
)
from hds.session.refused import CommandFailed
from machine.debugger import BreakpointError, Breakpoints
from vm.facts.errors import ErrorNumber
from vm.facts.numbers import plain_number

if TYPE_CHECKING:
    from hds.session.scripts import Prepared
    from hds.session.session import Session
    from lang.commands import Command
    from machine.debugger import Breakpoint

LIST_HEAD = "Id   Address           Status\n--   ---------------   --------\n"
MOST_TOKENS = 8  # behind the name, less one


def set_one(session: Session, command: Command, prepared: Prepared) -> None:
    """`bp ADDR [pid P] [tid T] [core C]`: the filters decide which hits are reported."""
    arguments = split(command, ("pid", "tid", "core"))
    if not arguments.plain or len(command.tokens) >= MOST_TOKENS:
        raise incorrect_use(command)
    where = address(session, arguments.plain[0])
    process = process_of(session, arguments) if "pid" in arguments.keyed else current_process(session)
    core = arguments.keyed.get("core")
    core_index = None if core is None else number(core, 0, "core")
    if core_index is not None and core_index >= len(session.machine.cores):
        raise CommandFailed(ErrorNumber.INVALID_CORE_ID.err())
    thread = arguments.keyed.get("tid")
    try:
        session.execution.breakpoints.add(
            process,
            where,
            process_id=process.pid if "pid" in arguments.keyed else None,
            thread_id=None if thread is None else number(thread, 0, "thread id"),
            core=core_index,
        )
    except BreakpointError as error:
        raise CommandFailed(str(error)) from None


def show_list(session: Session, command: Command, prepared: Prepared) -> None:
    """`bl`: oldest first."""
    rows = [row for row in session.execution.breakpoints.rows if row.number is not None]
    session.show(LIST_HEAD + "".join(map(_line, rows)) if rows else "Breakpoints list is empty\n")


def _line(row: Breakpoint) -> str:
    line = f"{row.number:02x}   {row.address:016x}  {'enabled' if row.enabled else 'disabled'}"
    filters = (("core", row.core), ("pid", row.process_id), ("tid", row.thread_id))
    return line + "".join(f" {name} = {value:x} " for name, value in filters if value is not None) + "\n"


def change(session: Session, command: Command, prepared: Prepared) -> None:
    """`be bd bc ID`, and `bc all`."""
    breakpoints, given = session.execution.breakpoints, words(command)
    if len(given) != 1:
        raise incorrect_use(command)
    if command.canonical_name == "bc" and given[0].lower() == "all":
        breakpoints.clear_all()
        return
    which = plain_number(given[0])
    if which is None:
        raise CommandFailed(f"err, please specify a correct hex value for the breakpoint id, not '{given[0]}'")
    changes = {"be": Breakpoints.enable, "bd": Breakpoints.disable, "bc": Breakpoints.clear}
    try:
        changes[command.canonical_name](breakpoints, which)
    except BreakpointError as error:
        raise CommandFailed(str(error)) from None


HANDLERS: dict[str, Handler] = {"bp": set_one, "bl": show_list, **dict.fromkeys(("be", "bd", "bc"), change)}
