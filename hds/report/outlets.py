"""Outlets: where a session sends what people read, and how it asks them what to do at a halt.

The command line and the console fill them in; a Python program may leave them alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from lang.diagnostics import Diagnostic, render
from machine.messages import Message
from vm.engine import Fault, Loaded

CLEAR_SCREEN = "\x1b[H\x1b[2J"  # the result of `.cls`, which a terminal obeys


@dataclass(frozen=True)
class Halt:
    """Where the guest was halted, in the two lines that HyperDbg prints, and as values.

    `event_id` and `stage` (0 before, 1 after the operation) are those of an event, `breakpoint_id` is that of a
    breakpoint; all are None for an INT3 of the guest's own.
    """

    headline: str
    instruction: str
    process_id: int
    thread_id: int
    core: int
    instruction_pointer: int
    time: int
    event_id: int | None = None
    stage: int | None = None
    breakpoint_id: int | None = None


@dataclass
class Outlets:
    """Where a session sends what people read. All default to nothing; `Session.messages` collects in any case.

    `settle` is called when the guest has come to a stop, or commands are done: what was only counted is said then.
    `broke` answers whether the run goes on at once; otherwise the session carries out the commands that follow, and
    when there are none `next_commands` is asked for more (None: there are none, the run ends).
    """

    message: Callable[[Message], None] = lambda message: None
    forwarded: Callable[[Message], None] = lambda message: None  # to output sources, so not shown
    result: Callable[[str], None] = lambda text: None  # what a command shows
    notice: Callable[[str], None] = lambda text: None  # what HyperDbg would say beside it
    finding: Callable[[Diagnostic], None] = lambda item: None
    script_fault: Callable[[int | None, Loaded, Fault], None] = lambda event, program, fault: None
    code_fault: Callable[[int, str], None] = lambda event, text: None  # of a condition or code block
    settle: Callable[[], None] = lambda: None
    broke: Callable[[Halt], bool] = lambda halt: False
    next_commands: Callable[[], str | None] = lambda: None
    guest_output: Callable[[int, bytes], None] = lambda descriptor, data: None


def with_log(outlets: Outlets, log: Callable[[bytes], None]) -> Outlets:
    """The same outlets, which also write what is displayed into `log` (`.logopen`)."""

    def write(text: str) -> None:
        log(text.encode("utf-8", "backslashreplace"))

    def message(item: Message) -> None:
        log(item.text)
        outlets.message(item)

    def result(text: str) -> None:
        write(text)
        outlets.result(text)

    def notice(text: str) -> None:
        write(text + "\n")
        outlets.notice(text)

    def finding(item: Diagnostic) -> None:
        write(render(item) + "\n")
        outlets.finding(item)

    def broke(halt: Halt) -> bool:
        write(f"{halt.headline}\n{halt.instruction}\n")
        return outlets.broke(halt)

    return replace(outlets, message=message, result=result, notice=notice, finding=finding, broke=broke)
