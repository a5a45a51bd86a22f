"""What a machine says while it runs: values of a closed union, and who takes them.

A `Reporter` is called in the thread of `Machine.run`; with cores in parallel in that of the core that speaks, by one
core at a time. It may end the run (`Machine.stop`) and cannot begin one.
"""

from __future__ import annotations

from typing import Protocol, TypeGuard, TypeVar

import msgspec

from machine.messages import Kept, Message
from vm import Fault, Loaded


class Notice(msgspec.Struct, frozen=True):
    """What HyperDbg would say beside the results: one line, without its end; `event_id` where a trigger makes it."""

    text: str
    event_id: int | None = None


class ScriptFault(msgspec.Struct, frozen=True):
    """A script that stopped early; `event_id` is None outside events."""

    event_id: int | None
    program: Loaded
    fault: Fault


class CodeFault(msgspec.Struct, frozen=True):
    """A condition or a code block that stopped early, and why, in one line."""

    event_id: int
    text: str


class GuestOutput(msgspec.Struct, frozen=True):
    """What the guest program wrote to its descriptor 1 or 2."""

    descriptor: int
    data: bytes


MachineRecord = Message | Notice | ScriptFault | CodeFault | GuestOutput

RecordT = TypeVar("RecordT", contravariant=True)


class Reporter(Protocol[RecordT]):
    """Takes records in the order in which things happened. What it raises ends the run."""

    def report(self, record: RecordT, /) -> None:
        """Take one."""
        ...


class BulkReporter(Protocol):
    """A reporter that can do with many messages at a time (`MachineOptions.prompt_messages`)."""

    def report_messages(self, messages: Kept, /) -> None:
        """Take them; what it leaves comes again."""
        ...


def takes_many(reporter: object) -> TypeGuard[BulkReporter]:
    """Whether it is a BulkReporter; asked at every message, for which `isinstance` with a protocol takes too long."""
    return hasattr(reporter, "report_messages")


class Silent:
    """The reporter where nobody listens."""

    def report(self, record: object, /) -> None:
        """Nothing is said."""
