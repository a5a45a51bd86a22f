"""The syntax of the command level: frozen values, made by reader.py and events.py, free of behaviour.

A `Command` is one command of a file as it was written. An `EventCommand` is an event command whose options and own
parameters have been understood; assembling, compiling and resolving symbols are still to be done by its user.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from lang.commands.tokens import Token
from lang.source import Span
from vm.facts.commands import CommandRow
from vm.facts.events import EventRow
from vm.facts.stages import Stage

ALL = 0xFFFF_FFFF
"""The process id or core id that stands for every one."""


class Command(msgspec.Struct, frozen=True):
    """One command: its name, its row in the command table, and what follows the name.

    `tokens` are those behind the name. `raw` is the text behind the name, trimmed, with everything in it: the argument
    of raw-text commands such as `?` and `print`. `span` reaches from the name to the end of `raw`.
    """

    name: Token
    row: CommandRow
    tokens: tuple[Token, ...]
    raw: Span
    span: Span

    @property
    def canonical_name(self) -> str:
        """The name under which the command table lists the command, whatever alias was written."""
        return self.row.name

    @property
    def display_text(self) -> str:
        """The text by which the `events` command shows an event (B.3): every token, and a blank behind each."""
        return "".join(f"{token.text} " for token in (self.name, *self.tokens))


class ScriptText(msgspec.Struct, frozen=True):
    """A script written in the command. The text starts at `token.span` of the file; `token` maps positions back."""

    token: Token


class ScriptFile(msgspec.Struct, frozen=True):
    """`script {file:PATH}`: the path, trimmed and without quotes."""

    path: str
    span: Span


class HexCode(msgspec.Struct, frozen=True):
    """A code or condition block in hexadecimal, without the near return (c3) that HyperDbg appends."""

    code: bytes
    token: Token


class AssemblyText(msgspec.Struct, frozen=True):
    """A code or condition block in assembly language (`asm` before the keyword), not assembled yet."""

    token: Token


class OutputName(msgspec.Struct, frozen=True):
    """The name of an output source in an `output` block."""

    name: str
    span: Span


class Parameter(msgspec.Struct, frozen=True):
    """One of an event's own parameters.

    `value` is a number, also that of a word chosen among several; None for an expression, which `text` holds.
    """

    name: str
    text: str
    span: Span
    value: int | None


class EventCommand(msgspec.Struct, frozen=True):
    """An event command: own parameters by name, and the common options (B.2) with their defaults filled in.

    `given` holds the options that were written, by keyword, with the span from the keyword to its value or block.
    `ignored` are words that HyperDbg drops without a message (`!sysret 55`).
    """

    command: Command
    event: EventRow
    parameters: Mapping[str, Parameter]
    given: Mapping[str, Span]
    pid: int = ALL
    core: int = ALL
    immediate: bool = True
    short_circuit: bool = False
    stage: Stage = Stage.PRE
    buffer_size: int = 0
    script: ScriptText | ScriptFile | None = None
    condition: HexCode | AssemblyText | None = None
    code: HexCode | AssemblyText | None = None
    outputs: tuple[OutputName, ...] = ()
    ignored: tuple[Token, ...] = ()

    @property
    def breaks(self) -> bool:
        """Whether the event's action is to halt: it has neither a script nor code."""
        return self.script is None and self.code is None
