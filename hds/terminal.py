"""Outlets for people: messages and results to standard output, everything else to standard error."""

from __future__ import annotations

import sys
from collections.abc import Callable

from hds.faults import render_fault
from hds.outlets import Halt, Outlets
from lang.diagnostics import Diagnostic, render
from vm.engine import Fault, Loaded

GUEST_OUTPUT = ("stderr", "stdout", "none")


def write(data: bytes) -> None:
    """To standard output, in order with what is printed there."""
    buffer = getattr(sys.stdout, "buffer", None)
    if buffer is None:
        sys.stdout.write(data.decode("utf-8", "replace"))
        return
    sys.stdout.flush()
    buffer.write(data)


def say(text: str) -> None:
    """A line to standard error, behind what standard output already has."""
    sys.stdout.flush()
    print(text, file=sys.stderr)


def terminal_outlets(guest_output: str, goes_on: Callable[[Halt], bool]) -> Outlets:
    """Outlets that print; `goes_on` answers at a halt, after its two lines."""

    def finding(item: Diagnostic) -> None:
        say(render(item))

    def script_fault(event: int | None, program: Loaded, fault: Fault) -> None:
        where = "" if event is None else f"event {event:x}: "
        say(where + render_fault(program.program, fault))

    def broke(halt: Halt) -> bool:
        say(halt.headline)
        say(halt.instruction)
        return goes_on(halt)

    return Outlets(
        message=lambda message: write(message.text),
        result=lambda text: write(text.encode("utf-8", "surrogateescape")),
        notice=say,
        finding=finding,
        script_fault=script_fault,
        code_fault=lambda event, text: say(f"event {event:x}: {text}"),
        broke=broke,
        guest_output=guest_writer(guest_output),
    )


def guest_writer(where: str) -> Callable[[int, bytes], None]:
    """What takes the guest's own output: `stderr`, `stdout` (its standard error stays apart) or `none`."""

    def to_error(descriptor: int, data: bytes) -> None:
        sys.stdout.flush()
        buffer = getattr(sys.stderr, "buffer", None)
        if buffer is None:
            sys.stderr.write(data.decode("utf-8", "replace"))
            return
        sys.stderr.flush()
        buffer.write(data)
        buffer.flush()

    def to_output(descriptor: int, data: bytes) -> None:
        if descriptor == 1:
            write(data)
        else:
            to_error(descriptor, data)

    return {"stderr": to_error, "stdout": to_output, "none": lambda descriptor, data: None}[where]
