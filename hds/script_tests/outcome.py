"""What the run of a test came to: values, of which expectations are judged. `hds.cli.case_runs` makes them."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from lang import Diagnostic


class FaultSeen(msgspec.Struct, frozen=True):
    """A sort of run-time errors, and where in the source it happened, where that is known."""

    kind: str
    file: str | None
    line: int | None
    column: int | None

    def __str__(self) -> str:
        place = "" if self.line is None else f" at {self.file}:{self.line}:{self.column}"
        return f"{self.kind}{place}"


class Outcome(msgspec.Struct):
    """All that is known of a run. What does not apply stays empty."""

    exit_code: int = 0
    failure: str | None = None  # why the exit code is what it is
    output: bytes = b""
    guest: bytes = b""
    said: list[str] = msgspec.field(default_factory=list)  # lines beside the output
    findings: list[Diagnostic] = msgspec.field(default_factory=list)
    faults: list[FaultSeen] = msgspec.field(default_factory=list)  # each sort once
    totals: Mapping[str, int] = msgspec.field(default_factory=dict)
    events: Mapping[int, Mapping[str, int]] = msgspec.field(default_factory=dict)  # counters by id
    guest_exit_code: int | None = None
    registers: dict[str, int | None] = msgspec.field(default_factory=dict)
    memory: dict[tuple[int, int], bytes | None] = msgspec.field(default_factory=dict)  # by address and length
    values: dict[str, int | str] = msgspec.field(default_factory=dict)  # a text says why there is none


class CannotRun(Exception):  # noqa: N818 - it says what happened
    """A test could not be carried out as it was meant; the text says why."""
