"""Why a subcommand did not end well: a value. `hds.report.ending` says it."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from typing import NoReturn

import msgspec

from hds.exit_codes import ExitCode
from lang import Diagnostic, Severity


class FailureKind(Enum):
    """The kinds of failures: THE table of docs/command-line.md. Each has its exit code and its meaning as `doc`."""

    exit_code: ExitCode
    doc: str

    def __new__(cls, name: str, exit_code: ExitCode, doc: str) -> FailureKind:
        member = object.__new__(cls)
        member._value_ = name
        member.exit_code = exit_code
        member.doc = doc
        return member

    REFUSED = "refused", ExitCode.FAILED, "an input is not what it should be, such as a damaged `.hdc` file"
    COMPILE = "compile_error", ExitCode.FAILED, "a script or a command file does not compile; nothing was run"
    COMMAND = "refused_command", ExitCode.FAILED, "a command was refused when it was carried out"
    USAGE = "usage", ExitCode.USAGE, "the command line is wrong"
    NOT_COMPARED = "not_compared", ExitCode.USAGE, "`hds diff` cannot read a run, or it could not be made"
    NO_INPUT = "no_input", ExitCode.NO_INPUT, "a file cannot be read or written"
    CLUSTER = "cluster", ExitCode.NO_INPUT, "the scheduler of a cluster, or its workers, cannot be reached or are gone"
    SCRIPT = "script_error", ExitCode.RUNTIME, "a script, condition or code block stopped early"
    LOAD = "load_error", ExitCode.GUEST, "the guest program cannot be loaded"
    CRASH = "guest_crash", ExitCode.GUEST, "the guest program crashed"
    PAGING = "paging", ExitCode.GUEST, "the guest asked for page tables of its own, which are not emulated"
    DEADLOCK = "deadlock", ExitCode.GUEST, "every thread of the guest waits, and nothing would end that"
    TIMEOUT = "timeout", ExitCode.LIMIT, "the time of `--timeout` was up"
    INSTRUCTIONS = "instruction_limit", ExitCode.LIMIT, "`max_instructions` was reached"
    MEMORY = "memory", ExitCode.LIMIT, "`max_guest_memory` was used up, or the host gives no more memory"
    KERNEL_WORK = "kernel_work", ExitCode.LIMIT, "`max_kernel_work` was used up: system calls moved too much"
    BREAK = "break", ExitCode.BREAK, "an event asked for a break and `--on-break` is `fail`"
    OUTPUT = "output_lost", ExitCode.OUTPUT, "an output source or the log did not take everything"
    INTERNAL = "internal_error", ExitCode.INTERNAL, "a bug in hds"
    INTERRUPTED = "interrupted", ExitCode.INTERRUPTED, "Ctrl-C"
    TERMINATED = "terminated", ExitCode.TERMINATED, "SIGTERM"
    HUNG_UP = "hung_up", ExitCode.HUNG_UP, "SIGHUP"

    @classmethod
    def of(cls, code: ExitCode) -> FailureKind:
        """The first kind with this exit code: the one to take where no other says more."""
        return next(kind for kind in cls if kind.exit_code is code)

    @classmethod
    def of_interruption(cls, error: KeyboardInterrupt) -> FailureKind:
        """What has ended a run from outside: Ctrl-C, unless the exception names a signal."""
        killed = _KILLED + error.args[0] if error.args else cls.INTERRUPTED.exit_code
        return next(kind for kind in cls if kind.exit_code == killed)


_KILLED = 128  # and the number of a signal: the exit code of what a signal ended
_INTERRUPTIONS = (FailureKind.INTERRUPTED, FailureKind.TERMINATED, FailureKind.HUNG_UP)


def interruption_named(cause: str) -> KeyboardInterrupt | None:
    """What a run was ended by from outside, by the cause in its summary; None where it was not."""
    kind = next((kind for kind in _INTERRUPTIONS if kind.value == cause), None)
    return None if kind is None else KeyboardInterrupt(kind.exit_code - _KILLED)


class Failure(msgspec.Struct, frozen=True):
    """One of them. `code` is that of the diagnostic that says more, where there is one."""

    kind: FailureKind
    message: str
    hint: str | None = None
    code: str | None = None


class Refusal(Exception):  # noqa: N818 - it reads as what happened
    """Nothing is done, or nothing more; `hds.cli` says why and exits. `lead` stands before the message for people."""

    def __init__(self, failure: Failure, lead: str = "hds: ") -> None:
        super().__init__(failure.message)
        self.failure = failure
        self.lead = lead


def refuse(message: str, code: ExitCode, hint: str | None = None, kind: FailureKind | None = None) -> NoReturn:
    """End the subcommand. `kind` is that of the exit code, unless it is given."""
    raise Refusal(Failure(kind or FailureKind.of(code), message, hint))


def compile_failure(findings: Iterable[Diagnostic]) -> Failure:
    """The first error among the findings; there is one."""
    first = next(item for item in findings if item.severity is Severity.ERROR)
    return Failure(FailureKind.COMPILE, first.message, first.hint, first.code)
