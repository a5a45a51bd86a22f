"""What people are shown of a record: the few forms that renderers for people know (`hds.report.terminal`, the log)."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Output:
    """A result: to standard output, as it is. Bytes that are no text come from surrogate escapes."""

    text: str


@dataclass(frozen=True, slots=True)
class Bytes:
    """A result that is bytes."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Control:
    """What a terminal obeys, and nobody else is shown."""

    text: str


@dataclass(frozen=True, slots=True)
class Line:
    """One line or several beside the results, without the last line feed; `logged` where `.logopen` has it, too."""

    text: str
    logged: bool = True


@dataclass(frozen=True, slots=True)
class Repeated:
    """An error that comes at every trigger: the first with a key is said in full, the others are counted.

    `owner` keeps alive what the key names by identity. `describe` gives the title of the sort, and the whole text.
    `logged` as in `Line`: a log has them all.
    """

    key: Hashable
    owner: object
    describe: Callable[[], tuple[str, str]]
    logged: bool = False


@dataclass(frozen=True, slots=True)
class Guest:
    """The guest's own output; where it goes is an option of the renderer."""

    descriptor: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Settle:
    """What was only counted up to here is said now."""


Shown = Output | Bytes | Control | Line | Repeated | Guest | Settle
