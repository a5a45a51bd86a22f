"""What is raised where a command is refused, or a text of commands does not compile."""

from __future__ import annotations

from collections.abc import Sequence

from lang import Code, Diagnostic

INCORRECT_USE = "incorrect use of the"  # how HyperDbg's answer to parameters that a command does not take begins


class CommandFailed(Exception):  # noqa: N818 - it reads as what happened
    """A command was refused when it was executed; the text is HyperDbg's `err, ...` line, `hint` may help."""

    def __init__(self, message: str, hint: str | None = None, code: Code = Code.REFUSED) -> None:
        super().__init__(message)
        self.hint = hint
        self.code = code


def unresolved(text: str, message: str = "", hint: str | None = None) -> CommandFailed:
    """A parameter has no value; why, and what could be meant."""
    return CommandFailed(f"err, couldn't resolve error at '{text}'", "; ".join(filter(None, (message, hint))) or None)


class ScriptError(Exception):
    """A text does not compile, or a command of it was refused; `diagnostics` say where and why."""

    def __init__(self, diagnostics: Sequence[Diagnostic]) -> None:
        from lang import render

        super().__init__("\n".join(render(item) for item in diagnostics))
        self.diagnostics = tuple(diagnostics)
