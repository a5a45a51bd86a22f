"""The renderer for people: messages and results to standard output, everything else to standard error."""

from __future__ import annotations

from collections.abc import Callable
from typing import assert_never

from hds.report.records import Bytes, Control, Guest, Line, Output, Record, Repeated, Settle, shown
from hds.report.repeats import Repeats
from hds.report.streams import error, output, say
from machine import Message
from vm.facts.limits import DEFAULT_LIMITS, Limits

GUEST_OUTPUT = ("stderr", "stdout", "none")


class Terminal:
    """Prints records; `guest_output` says where the guest's own output goes."""

    def __init__(self, guest_output: str, limits: Limits = DEFAULT_LIMITS) -> None:
        self._repeats = Repeats(say, limits.max_shown_errors)
        self._guest = guest_writer(guest_output)

    def report(self, record: Record, /) -> None:
        """Print it."""
        if type(record) is Message:  # the most frequent by far
            write(record.text)
            return
        form = shown(record)
        match form:
            case Bytes(data):
                write(data)
            case Output(text):
                write(text.encode("utf-8", "surrogateescape"))
            case Control(text):
                output().write_control(text)
            case Line(text):
                say(text)
            case Repeated(key, owner, describe, _):
                self._repeats.add(key, owner, describe)
            case Guest(descriptor, data):
                self._guest(descriptor, data)
            case Settle():
                self._repeats.settle()
            case None:
                pass
            case _:
                assert_never(form)


def write(data: bytes) -> None:
    """To standard output, at once."""
    stream = output()
    stream.write_bytes(data)
    stream.flush()


def guest_writer(where: str) -> Callable[[int, bytes], None]:
    """What takes the guest's own output: `stderr`, `stdout` (its standard error stays apart) or `none`."""

    def to_error(descriptor: int, data: bytes) -> None:
        output().flush()
        error().write_bytes(data)

    def to_output(descriptor: int, data: bytes) -> None:
        if descriptor == 1:
            write(data)
        else:
            to_error(descriptor, data)

    return {"stderr": to_error, "stdout": to_output, "none": lambda descriptor, data: None}[where]
