"""What a command raises that is refused when it is executed."""

from __future__ import annotations

from lang.commands import Code


class CommandFailed(Exception):  # noqa: N818 - it reads as what happened
    """A command was refused when it was executed; the text is HyperDbg's `err, ...` line, `hint` may help."""

    def __init__(self, message: str, hint: str | None = None, code: Code = Code.REFUSED) -> None:
        super().__init__(message)
        self.hint = hint
        self.code = code


def unresolved(text: str, message: str = "", hint: str | None = None) -> CommandFailed:
    """A parameter has no value; why, and what could be meant."""
    return CommandFailed(f"err, couldn't resolve error at '{text}'", "; ".join(filter(None, (message, hint))) or None)
