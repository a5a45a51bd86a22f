"""`.sym`: files of symbols and types (events-and-commands E.7). What programs bring is known without it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hds.session.commands.handler import Handler, address, incorrect_use
from hds.session.refused import CommandFailed
from hds.session.symbols import is_addition
from hds.symbols import symbol_file
from machine.debugger import a88

if TYPE_CHECKING:
    from pathlib import Path

    from hds.session.scripts import Prepared
    from hds.session.session import Session
    from lang.commands import Command


def symbols(session: Session, command: Command, prepared: Prepared) -> None:
    """`.sym add base ADDRESS path FILE`, and what is done with the files that were added."""
    match [token.lower for token in command.tokens]:
        case words if is_addition(words):
            _add(session, session.locate(command.tokens[4].text), address(session, command.tokens[2]))
        case ["table"]:
            rows = (
                f"{a88(added.base)}  {added.file.module:<16}  {len(added.file.symbols):x} symbols, "
                f"{len(added.file.types):x} types  {added.file.name}\n"
                for added in session.symbols.files
            )
            session.show("".join(rows) or "no file of symbols was added\n")
        case ["load"] | ["reload"] | ["reload", "pid", _]:
            added = session.symbols.files
            session.symbols.forget_files(session.machine.processes)
            for each in added:
                _add(session, session.locate(each.file.name), each.base)
            if not added:
                session.notice("programs bring their symbols; `.sym add` adds files")
        case ["unload"]:
            session.symbols.forget_files(session.machine.processes)
        case ["download"]:
            session.notice("nothing is downloaded: `.sym add` adds files of symbols and types in JSON")
        case _:
            raise incorrect_use(command)


def _add(session: Session, path: Path, base: int) -> None:
    session.show(f"loading module symbol at '{path}'\n")
    try:
        file = symbol_file.read_symbol_file(path, session.limits)
    except symbol_file.SymbolFileError as error:
        raise CommandFailed(f"err, {error}") from None
    errors = session.symbols.add_file(file, base)
    if errors:
        span = errors[0].span
        raise CommandFailed(f"err, the types of {path} cannot be read: {errors[0].message}, near '{span.text[:64]}'")


HANDLERS: dict[str, Handler] = {".sym": symbols}
