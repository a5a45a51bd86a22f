"""What a test of a script is: values, as its directives say them (`hds.script_tests.reading`)."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from enum import Enum

import msgspec

from lang import Diagnostic, SourceFile, Span

DEFAULT_TIMEOUT = 10.0  # seconds of real time for the run of a test
OPERATORS: Mapping[str, Callable[[int, int], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


class Subcommand(Enum):
    """What carries a test out."""

    RUN = "run"
    EVAL = "eval"
    CHECK = "check"


class Item(msgspec.Struct, frozen=True):
    """One expected line: its text, or a regular expression that is the whole line; `gap`: any lines."""

    text: str
    span: Span  # of the value in the file
    pattern: re.Pattern[str] | None = None
    gap: bool = False

    def matches(self, line: str) -> bool:
        """Whether it is this line."""
        return line == self.text if self.pattern is None else self.pattern.fullmatch(line) is not None


class Sequence(msgspec.Struct, frozen=True):
    """All that a stream is to have, in order; `file` has its exact bytes in place of items.

    `lines` are the lines of the script file that say it; none where the marks `//>` beside the statements do.
    """

    items: tuple[Item, ...]
    lines: tuple[Span, ...]
    span: Span  # where it begins
    file: str | None = None


class Claim(msgspec.Struct, frozen=True):
    """How many lines of a stream have a text or a match of a regular expression in them; `most` None: or more."""

    stream: str
    text: str
    pattern: re.Pattern[str] | None
    least: int
    most: int | None
    span: Span

    def is_in(self, line: str) -> bool:
        """Whether this line is counted."""
        return self.text in line if self.pattern is None else self.pattern.search(line) is not None


class Bound(msgspec.Struct, frozen=True):
    """A counter, and what it is compared with; of an event, or of the whole run (None)."""

    event: int | None
    name: str
    comparison: str  # a key of OPERATORS
    value: int
    span: Span


class Place(msgspec.Struct, frozen=True):
    """A diagnostic or a run-time error that is to be found: its code or kind, and where, as far as that is said."""

    code: str
    line: int | None
    column: int | None
    span: Span
    file: str | None = None  # of another file: an include


class RegisterValue(msgspec.Struct, frozen=True):
    """A register after the run; the name as in scripts, without `@`."""

    name: str
    value: int
    span: Span


class Bytes(msgspec.Struct, frozen=True):
    """Memory after the run."""

    address: int
    data: bytes
    span: Span


class ValueOf(msgspec.Struct, frozen=True):
    """What an expression of the script language comes to after the run, with the script's globals."""

    expression: str
    comparison: str
    value: int
    span: Span


class Case(msgspec.Struct, frozen=True):
    """One test. None of an expectation means that nothing is said of it."""

    name: str
    source: SourceFile
    span: Span  # of the line that begins it
    subcommand: Subcommand
    words: tuple[str, ...]  # of the command line behind the subcommand, without the script
    words_span: Span
    timeout: float | None  # seconds; None for that of `hds test --timeout`
    needs: tuple[str, ...]  # files without which it is left out
    output: Sequence | None
    guest: Sequence | None
    claims: tuple[Claim, ...]
    registers: tuple[RegisterValue, ...]
    memory: tuple[Bytes, ...]
    values: tuple[ValueOf, ...]
    bounds: tuple[Bound, ...]
    findings: tuple[Place, ...] | None
    faults: tuple[Place, ...]
    exit_code: int | None  # of hds; None for `check`, where the findings say it
    guest_exit_code: int | None

    @property
    def sequences(self) -> tuple[Sequence, ...]:
        """What is said of whole streams."""
        return tuple(each for each in (self.output, self.guest) if each is not None)


class TestFile(msgspec.Struct, frozen=True):
    """A script file: its tests, or what is wrong with their directives."""

    __test__ = False  # for pytest, which collects by name

    path: str
    source: SourceFile
    cases: tuple[Case, ...]
    errors: tuple[Diagnostic, ...]
