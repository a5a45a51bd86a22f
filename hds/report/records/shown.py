"""What people are shown of a record: the few forms that renderers for people know (`hds.report.terminal`, the log)."""

from __future__ import annotations

from collections.abc import Callable, Hashable

import msgspec


class Output(msgspec.Struct, frozen=True):
    """A result: to standard output, as it is. Bytes that are no text come from surrogate escapes."""

    text: str


class Bytes(msgspec.Struct, frozen=True):
    """A result that is bytes."""

    data: bytes


class Control(msgspec.Struct, frozen=True):
    """What a terminal obeys, and nobody else is shown."""

    text: str


class Line(msgspec.Struct, frozen=True):
    """One line or several beside the results, without the last line feed; `logged` where `.logopen` has it, too."""

    text: str
    logged: bool = True


class Repeated(msgspec.Struct, frozen=True):
    """An error that comes at every trigger: the first with a key is said in full, the others are counted.

    `owner` keeps alive what the key names by identity. `describe` gives the title of the sort, and the whole text.
    `logged` as in `Line`: a log has them all.
    """

    key: Hashable
    owner: object
    describe: Callable[[], tuple[str, str]]
    logged: bool = False


class Guest(msgspec.Struct, frozen=True):
    """The guest's own output; where it goes is an option of the renderer."""

    descriptor: int
    data: bytes


class Settle(msgspec.Struct, frozen=True):
    """What was only counted up to here is said now."""


Shown = Output | Bytes | Control | Line | Repeated | Guest | Settle
