"""A trace as records (`--json`)."""

from __future__ import annotations

from collections.abc import Callable

from hds.report.records import DecodedCall, Incident, Record
from hds.tracing.calls import Call
from hds.tracing.lines import Style


class Records:
    """Reports each call when it is over, each signal and each end."""

    def __init__(self, report: Callable[[Record], None], style: Style, signals: Callable[[str], bool]) -> None:
        self._report, self._style, self._signals = report, style, signals

    def entered(self, call: Call) -> None:
        """As `Sink`."""

    def left(self, call: Call) -> None:
        """As `Sink`."""
        if self._style.leaves_out(call):
            return
        result = None if call.prototype.result == "none" else call.view.result
        duration = None if call.ended is None or result is None else call.ended - call.began
        self._report(
            DecodedCall(
                call.pid, call.tid, call.began, duration, call.number, call.name,
                call.view.words[: len(call.prototype.parameters)],
                tuple(part for part in call.shown if part is not None), result, call.error, call.result,
            )
        )  # fmt: skip

    def signal(self, pid: int, tid: int, name: str, info: str, now: int) -> None:
        """As `Sink`."""
        if self._signals(name):
            self._report(Incident("signal", pid, tid, now, name, None, f"--- {name} {info} ---"))

    def joined(self, tid: int) -> None:
        """As `Sink`."""

    def ended(self, pid: int, tid: int, code: int, killed_by: str | None, how: str, now: int) -> None:
        """As `Sink`."""
        if killed_by is None:
            self._report(Incident("exit", pid, tid, now, None, code, how))
        else:
            self._report(Incident("kill", pid, tid, now, killed_by, None, how))

    def finish(self) -> None:
        """Nothing more comes."""
