"""What a handler of a command is, and what handlers share."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from hds.session import CommandFailed

if TYPE_CHECKING:
    from hds.scripts import Prepared
    from hds.session import Session
    from lang.commands import Command

Handler = Callable[["Session", "Command", "Prepared"], None]


def incorrect_use(command: Command, hint: str) -> CommandFailed:
    """HyperDbg's answer to parameters that a command does not take."""
    return CommandFailed(f"incorrect use of the '{command.canonical_name}': {hint}")


def words(command: Command) -> list[str]:
    """The parameters as written."""
    return [token.text for token in command.tokens]
