"""What a handler of a command is, and what handlers share: reading parameters and finding processes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import msgspec

from hds.session.refused import INCORRECT_USE, CommandFailed, unresolved
from lang import Unresolved
from vm.facts.errors import ErrorNumber
from vm.facts.numbers import number_32

if TYPE_CHECKING:
    from hds.session.scripts import Prepared
    from hds.session.session import Session
    from lang import Span
    from lang.commands import Command, Token
    from machine.schedule import Process

Handler = Callable[["Session", "Command", "Prepared"], None]


def incorrect_use(command: Command, hint: str = "") -> CommandFailed:
    """HyperDbg's answer to parameters that a command does not take; `hint` is by default how it is written."""
    hint = hint or ", or ".join(command.row.forms)
    return CommandFailed(f"{INCORRECT_USE} '{command.canonical_name}': {hint}")


def words(command: Command) -> list[str]:
    """The parameters as written."""
    return [token.text for token in command.tokens]


class Arguments(msgspec.Struct):
    """Parameters in order, and those that follow a keyword (`l 40`, `pid 4`)."""

    plain: list[Token] = msgspec.field(default_factory=list)
    keyed: dict[str, Token] = msgspec.field(default_factory=dict)


def split(command: Command, keywords: Iterable[str]) -> Arguments:
    """The parameters of a command, with those behind these keywords apart. Raises CommandFailed."""
    known = frozenset(keywords)
    arguments = Arguments()
    tokens = iter(command.tokens)
    for token in tokens:
        if token.lower not in known:
            arguments.plain.append(token)
            continue
        value = next(tokens, None)
        if value is None:
            raise CommandFailed(f"err, please specify a value for '{token.text}'")
        arguments.keyed[token.lower] = value
    return arguments


def address(session: Session, token: Token) -> int:
    """The value of a number, symbol or expression, on the current state. Raises CommandFailed."""
    return resolve(session, token.value, token.text, token.span)


def resolve(session: Session, value: int | None, text: str, span: Span) -> int:
    """The value of a parameter that is no plain number: a symbol or an expression. Raises CommandFailed."""
    if value is not None:
        return value
    found = session.symbols.locate(text, session.process)
    if isinstance(found, Unresolved):
        raise unresolved(text, found.message, found.hint)
    return session.value_of(span) if found is None else found.address


def number(token: Token | None, default: int, what: str) -> int:
    """A plain number of at most 32 bits. Raises CommandFailed."""
    value = default if token is None else number_32(token.text)
    if value is None:
        assert token is not None
        raise CommandFailed(f"err, please specify a correct hex value for the {what}, not '{token.text}'")
    return value


def current_process(session: Session) -> Process:
    """The process that commands see. Raises CommandFailed when no program was loaded."""
    process = session.process
    if process is None:
        raise CommandFailed("err, there is no program: load one with .start path FILE")
    return process


def process_of(session: Session, arguments: Arguments) -> Process:
    """The process that `pid` names, else the current one. Raises CommandFailed."""
    token = arguments.keyed.get("pid")
    if token is None:
        return current_process(session)
    process_id = number(token, 0, "process id")
    for process in session.machine.processes:
        if process.pid == process_id:
            return process
    raise CommandFailed(ErrorNumber.PROCESS_ID_INVALID.err())
