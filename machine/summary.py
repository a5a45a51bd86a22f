"""What a run reports: why it stopped, how processes ended, and what was counted."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

import msgspec

from machine.events import Event
from machine.processor import Fault, StopKind, StopReason, name_of
from machine.schedule import Process, Unhandled


class StopCause(Enum):
    """Why `Machine.run` came back."""

    EXIT = "exit"  # the program called exit
    END = "end"  # raw code or a listing ran past its last byte
    HALT = "halt"
    FAULT = "fault"
    INVALID = "invalid instruction"
    UNMAPPED = "unmapped memory"
    PAGING = "page tables of its own"  # which are not emulated
    MEMORY = "limit max_guest_memory"
    KERNEL_WORK = "limit max_kernel_work"
    BUDGET = "instruction limit"
    TIMEOUT = "timeout"
    STOPPED = "stopped"
    BREAK = "break"
    DEADLOCK = "deadlock"  # every thread waits, and nothing would end that
    NOTHING_LOADED = "nothing loaded"


CAUSES: dict[StopKind, StopCause] = {
    StopKind.REACHED: StopCause.END,
    StopKind.HALT: StopCause.HALT,
    StopKind.FAULT: StopCause.FAULT,
    StopKind.INVALID: StopCause.INVALID,
    StopKind.UNMAPPED: StopCause.UNMAPPED,
    StopKind.PAGING: StopCause.PAGING,
    StopKind.MEMORY: StopCause.MEMORY,
}


def told_code(code: int | None, name: str) -> str:
    """An exit code, and what its system has to say of it."""
    return f"{code} ({name})" if name else f"{code}"


class ProcessEnd(msgspec.Struct, frozen=True):
    """How a process ended; `reason` is None after an exit, `exit_code` otherwise.

    `crash_code` is the exit code that a real system gives a user program that ends by such a fault. `is_child` says
    whether another process has made it; `unhandled` is the exception for which a Windows program has ended,
    `not_loaded` why its loader has ended it, `exit_name` what its system says of the exit code.
    """

    process_id: int
    name: str
    cause: StopCause
    exit_code: int | None
    reason: StopReason | None
    crash_code: int | None = None
    is_child: bool = False
    unhandled: Unhandled | None = None
    not_loaded: str = ""
    exit_name: str = ""

    @classmethod
    def of(cls, process: Process) -> ProcessEnd:
        """How this process ended."""
        cause = StopCause.EXIT if process.ended is None else CAUSES[process.ended.kind]
        is_child = process.loaded is not None
        code = process.crash_code if process.exit_code is None else process.exit_code
        return cls(
            process.pid, process.name, cause, process.exit_code, process.ended, process.crash_code, is_child,
            process.unhandled, process.not_loaded, "" if code is None else process.name_exit(code),
        )  # fmt: skip

    @property
    def fault(self) -> Fault | None:
        """The exception by which it ended, if it did."""
        return None if self.reason is None else self.reason.fault

    def describe(self, symbol: str = "") -> str:
        """One line for the user; `symbol` names the place where it ended."""
        what = self.unhandled
        if self.reason is None or what is not None:
            code = self.crash_code if self.exit_code is None else self.exit_code
            text = f"{self.name} exited with code {told_code(code, self.exit_name)}"
            if what is None:
                return f"{text}: {self.not_loaded}" if self.not_loaded else text
            place = f"{what.address:#x}" + (f" ({symbol})" if symbol else "")
            why = what.why or self._access
            return f"{text}: exception at {place} in thread {what.tid:x}{f': {why}' if why else ''}"
        place = f"{self.name} at {self.reason.rip:#x}" + (f" ({symbol})" if symbol else "")
        if self.reason.kind is StopKind.FAULT:
            assert self.reason.vector is not None
            error = f", error code {self.reason.error:x}" if self.reason.error else ""
            return f"{place}: exception {self.reason.vector:#x} ({name_of(self.reason.vector)}{error})"
        return f"{place}: {self._access or self.cause.value}"

    @property
    def _access(self) -> str:
        """Which memory it had no right to, where that has ended it."""
        if self.reason is None or self.reason.kind is not StopKind.UNMAPPED:
            return ""
        return f"{self.reason.access} of {self.reason.address:#x}, which is not mapped or not allowed"


class RunSummary(msgspec.Struct, frozen=True):
    """What one `run` did. Counts are of this run only; events that did not trigger are not in `triggers`.

    `script_faults` and `code_faults` count, by event id, the scripts and the conditions or code blocks that stopped
    early.
    """

    cause: StopCause
    instructions: int
    triggers: dict[int, int]
    script_faults: dict[int, int]
    unknown_system_calls: dict[int, int]
    ends: tuple[ProcessEnd, ...]
    code_faults: dict[int, int] = msgspec.field(default_factory=dict)

    @property
    def exit_code(self) -> int | None:
        """The exit code of the loaded process that ended last, if it exited."""
        return None if self.last is None else self.last.exit_code

    @property
    def last(self) -> ProcessEnd | None:
        """The loaded process that ended last."""
        return next((end for end in reversed(self.ends) if not end.is_child), None)

    @property
    def crash(self) -> ProcessEnd | None:
        """The end of the loaded process that ended last, if a fault ended it."""
        return self.last if self.last is not None and self.last.fault is not None else None


class Counts(msgspec.Struct, frozen=True):
    """The counters of a machine at one moment."""

    instructions: int
    triggers: dict[int, int]
    script_faults: dict[int, int]
    code_faults: dict[int, int]
    system_calls: dict[int, int]

    @classmethod
    def of(cls, instructions: int, events: Sequence[Event], system_calls: dict[int, int]) -> Counts:
        """The counters of these events, cleared ones too, and of the kernels' unknown calls."""
        return cls(
            instructions,
            {event.definition.id: event.triggers for event in events},
            {event.definition.id: event.faults for event in events},
            {event.definition.id: event.code_faults for event in events},
            system_calls,
        )

    def summary(self, now: Counts, cause: StopCause, ends: tuple[ProcessEnd, ...]) -> RunSummary:
        """What happened between this moment and `now`."""
        return RunSummary(
            cause,
            now.instructions - self.instructions,
            _increase(self.triggers, now.triggers),
            _increase(self.script_faults, now.script_faults),
            _increase(self.system_calls, now.system_calls),
            ends,
            _increase(self.code_faults, now.code_faults),
        )


def _increase(before: dict[int, int], after: dict[int, int]) -> dict[int, int]:
    return {key: count - before.get(key, 0) for key, count in after.items() if count != before.get(key, 0)}
