"""What happens to programs beside their calls, for those who watch them: signals, ends, calls without events."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import msgspec

from machine.schedule import Process, Thread


class Signalled(msgspec.Struct, frozen=True):
    """A signal comes to a thread, which has a handler, ignores it, or ends; `info` is its struct siginfo.

    `result` is that of the call behind which a handler begins, as its rax has it; `restarts` says that the call is made
    again behind that.
    """

    thread: Thread
    info: bytes
    result: int | None = None
    restarts: bool = False


class Ended(msgspec.Struct, frozen=True):
    """A process has ended: with the exit code `code`, or by the signal `killed_by` (0: by none)."""

    process: Process
    code: int
    killed_by: int


class Requested(msgspec.Struct, frozen=True):
    """A thread makes a call for which there is no event, with these words: INT 0x80."""

    thread: Thread
    number: int
    name: str
    words: tuple[int, ...]


class Answered(msgspec.Struct, frozen=True):
    """Such a call is over; `result` is what rax has."""

    thread: Thread
    result: int


Happening: TypeAlias = Signalled | Ended | Requested | Answered
Watcher: TypeAlias = Callable[[Happening], None]


def unwatched(happening: Happening) -> None:
    """Nobody watches."""
