"""Translation of addresses: `!va2pa`, `!pa2va`, `!pte` (events-and-commands E.6)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hds.session.commands.handler import Handler, address, incorrect_use, process_of, split
from hds.session.refused import CommandFailed
from machine.debugger import page_table_entries
from vm.facts.errors import ErrorNumber

if TYPE_CHECKING:
    from hds.session.scripts import Prepared
    from hds.session.session import Session
    from lang.commands import Command
    from machine.memory import AddressSpace


def _what(session: Session, command: Command) -> tuple[AddressSpace, int]:
    """The address of a command, and the address space in which it is meant. Raises CommandFailed."""
    arguments = split(command, ("pid",))
    if len(arguments.plain) != 1:
        raise incorrect_use(command)
    where = address(session, arguments.plain[0])
    return process_of(session, arguments).cpu.memory, where


def translate(session: Session, command: Command, prepared: Prepared) -> None:
    """`!va2pa` and `!pa2va`: by the page table of a process; of several addresses of a page, the lowest is shown."""
    memory, where = _what(session, command)
    back = command.canonical_name == "!pa2va"
    found = memory.from_physical(where) if back else memory.to_physical(where)
    if found is None:
        raise CommandFailed(ErrorNumber.INVALID_ADDRESS.err())
    session.show(f"{found:x}\n")


def page_table(session: Session, command: Command, prepared: Prepared) -> None:
    """`!pte VA`: the entry of each level on the way to its page."""
    memory, where = _what(session, command)
    entries = page_table_entries(memory, where)
    if entries is None:
        raise CommandFailed(ErrorNumber.INVALID_ADDRESS.err())
    rows = (f"{entry.name} at {entry.address:016x}\tcontains {entry.value:016x}\n" for entry in entries)
    session.show(f"VA {where:x}\n{''.join(rows)}")


HANDLERS: dict[str, Handler] = {"!va2pa": translate, "!pa2va": translate, "!pte": page_table}
