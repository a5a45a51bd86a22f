"""Reporters that stand before others, and the questions that a session asks. Records are in `hds.report.records`."""

from __future__ import annotations

from collections.abc import Callable
from typing import assert_never

import msgspec

from hds.report.records import Bytes, Control, Guest, Halt, Line, Output, Record, Repeated, Settle, shown
from machine import Reporter


class Questions(msgspec.Struct, frozen=True):
    """What a session asks whoever runs it, in the thread of `Session.run` or `execute`, with all cores standing still.

    `broke` is asked at every halt, before it is reported: whether the run goes on at once. If it does not, the session
    carries out the commands that follow, and when there are none it asks `next_commands` for more, as often as the
    guest is still held; None means that there are none, and the run ends. Time spent in them does not count.
    """

    broke: Callable[[Halt], bool] = lambda halt: False
    next_commands: Callable[[], str | None] = lambda: None


class Logged(msgspec.Struct, frozen=True):
    """Writes what is displayed into `log`, too (`.logopen`)."""

    reporter: Reporter[Record]
    log: Callable[[bytes], None]

    def report(self, record: Record, /) -> None:
        """Log it, then hand it on."""
        form = shown(record)
        match form:
            case Bytes(data):
                self.log(data)
            case Output(text) | Control(text):
                self._write(text)
            case Line(text, logged):
                if logged:
                    self._write(text + "\n")
            case Repeated(logged=True):
                self._write(form.describe()[1] + "\n")
            case Repeated() | Guest() | Settle() | None:
                pass
            case _:
                assert_never(form)
        self.reporter.report(record)

    def _write(self, text: str) -> None:
        self.log(text.encode("utf-8", "backslashreplace"))
