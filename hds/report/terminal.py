"""The renderer for people: messages and results to standard output, everything else to standard error."""

from __future__ import annotations

from collections.abc import Callable
from typing import assert_never

from hds.report.records import Bytes, Control, Guest, Line, Output, Record, Repeated, Settle, shown
from hds.report.repeats import Repeats
from hds.report.streams import error, output, say
from machine import Kept, Message
from vm.facts.limits import DEFAULT_LIMITS, Limits

_MOST_HELD = 0x1_0000
GUEST_OUTPUT = ("stderr", "stdout", "none")


class Terminal:
    """Prints records; `guest_output` says where the guest's own output goes."""

    def __init__(self, guest_output: str, limits: Limits = DEFAULT_LIMITS) -> None:
        self._repeats = Repeats(say, limits.max_shown_errors)
        self._guest = guest_writer(guest_output)
        self._lines = Lines() if guest_output == "stdout" else None

    def report(self, record: Record, /) -> None:
        """Print it."""
        if type(record) is Message:  # the most frequent by far
            self._write(record.text)
            return
        form = shown(record)
        match form:
            case Bytes(data):
                self._write(data)
            case Output(text):
                self._write(text.encode("utf-8", "surrogateescape"))
            case Control(text):
                self._release()
                output().write_control(text)
            case Line(text):
                self._release()
                say(text)
            case Repeated(key, owner, describe, _):
                self._repeats.add(key, owner, describe)
            case Guest(1, data) if self._lines is not None:
                self._lines.guest(data)
            case Guest(descriptor, data):
                self._guest(descriptor, data)
            case Settle():
                self._release()
                self._repeats.settle()
            case None:
                pass
            case _:
                assert_never(form)

    def report_messages(self, messages: Kept, /) -> None:
        """Print many."""
        self._write(b"".join(messages.texts()))

    def _write(self, data: bytes) -> None:
        if self._lines is None:
            write(data)
        else:
            self._lines.script(data)

    def _release(self) -> None:
        if self._lines is not None:
            self._lines.release()


class Lines:
    """Scripts and a guest that write to standard output together, each on lines of its own.

    What the guest writes while a script's line has no end yet waits for that, up to `_MOST_HELD` bytes. A line that the
    guest has not ended is ended before a script's begins.
    """

    def __init__(self) -> None:
        self._held = bytearray()
        self._script_is_within = self._guest_is_within = False  # a line

    def script(self, data: bytes) -> None:
        """What a script writes, in pieces of any size: what is held comes behind the first line that ends."""
        if self._held and b"\n" in data[:-1]:
            end = data.index(b"\n") + 1
            self.script(data[:end])
            data = data[end:]
        if not data:
            return
        if self._guest_is_within:
            data = b"\n" + data
            self._guest_is_within = False
        write(data)
        self._script_is_within = not data.endswith(b"\n")
        if self._held and not self._script_is_within:
            self.release()

    def guest(self, data: bytes) -> None:
        """What the guest writes."""
        if not data:
            return
        self._held += data
        if not self._script_is_within or len(self._held) > _MOST_HELD:
            self.release()

    def release(self) -> None:
        """Nothing waits any more."""
        if not self._held:
            return
        data, self._held = bytes(self._held), bytearray()
        write(b"\n" + data if self._script_is_within else data)
        self._script_is_within, self._guest_is_within = False, not data.endswith(b"\n")


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
