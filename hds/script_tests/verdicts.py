"""What came of a test: it passed, failed, was skipped, or could not be run."""

from __future__ import annotations

from enum import Enum

import msgspec

from hds.script_tests.cases import Case
from hds.script_tests.judging import Mismatch


class Status(Enum):
    """How a test ended: its letter in the row of a file, and the word of its line in the summary."""

    letter: str
    word: str

    def __new__(cls, name: str, letter: str, word: str) -> Status:
        member = object.__new__(cls)
        member._value_ = name
        member.letter = letter
        member.word = word
        return member

    PASSED = "passed", ".", "PASSED"
    FAILED = "failed", "F", "FAILED"
    ERROR = "error", "E", "ERROR"
    SKIPPED = "skipped", "s", "SKIPPED"


class Verdict(msgspec.Struct, frozen=True):
    """`reason` says why a test was skipped or could not be run; `updated` that its file has been rewritten."""

    case: Case
    path: str
    status: Status
    mismatches: tuple[Mismatch, ...] = ()
    reason: str = ""
    seconds: float = 0.0
    updated: bool = False

    @property
    def is_bad(self) -> bool:
        """Whether something is wrong."""
        return self.status in (Status.FAILED, Status.ERROR)

    @property
    def id(self) -> str:
        """The name under which it is chosen and reported."""
        return f"{self.path}::{self.case.name}"


def failure_lines(verdict: Verdict) -> list[str]:
    """All that differs, for people."""
    lines = [f"{verdict.path}:{verdict.case.span.line}: {verdict.reason}"] if verdict.status is Status.ERROR else []
    for each in verdict.mismatches:
        line, column = each.span.file.position(each.span.start)
        lines.append(f"{verdict.path}:{line}:{column}: {each.message}")
        lines += each.details
    return lines
