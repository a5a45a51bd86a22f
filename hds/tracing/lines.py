"""A trace as text, in the form of strace: a line for each call, signal and end."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import msgspec

from hds.tracing.calls import Call

_COLUMN = 40  # of the result
_SECOND = 1_000_000_000


class Style(msgspec.Struct, frozen=True):
    """What stands in a line beside the call: the kind of time (0 to 3, as -t, -tt and -ttt), the time of calls (-T)."""

    times: int = 0
    relative: bool = False
    durations: bool = False
    always_ids: bool = False  # not only where there are several threads
    only_failed: bool = False
    only_successful: bool = False

    @property
    def selects(self) -> bool:
        """Whether the result decides which calls are told of."""
        return self.only_failed or self.only_successful

    def leaves_out(self, call: Call) -> bool:
        """Whether nothing is told of a call that is over; one that has never returned is neither of both."""
        return self.selects and (call.view.result is None or (call.error is None) == self.only_failed)


class Lines:
    """Writes lines as soon as it is clear what stands in them; a call within which others tell something has two."""

    def __init__(
        self, write: Callable[[str], None], style: Style, start: datetime, signals: Callable[[str], bool]
    ) -> None:
        self._write, self._style, self._start, self._signals = write, style, start, signals
        self._open: Call | None = None  # begun, and not written yet
        self._begun: set[int] = set()  # threads whose call has a first line
        self._living: set[int] = set()
        self._last = 0
        self._is_short = False  # the last call was of INT 0x80

    def entered(self, call: Call) -> None:
        """As `Sink`."""
        if not self._style.selects:
            self._interrupt()
            self._tell_mode(call)
            self._open = call

    def left(self, call: Call) -> None:
        """As `Sink`."""
        if self._style.leaves_out(call):
            return
        if call.tid in self._begun:
            self._interrupt()
            self._begun.discard(call.tid)
            text = f"<... {call.name} resumed>{_rest(call)})"
            began = call.ended or call.began
        else:
            if self._open is not call:
                self._interrupt()
            self._open = None
            text, began = f"{call.name}({_listed(call.shown)})", call.began
        if self._style.durations and call.ended is not None and call.view.result is not None:
            self._line(call.tid, text, began, f" = {call.result} <{(call.ended - call.began) / _SECOND:.6f}>")
        else:
            self._line(call.tid, text, began, f" = {call.result}")

    def _tell_mode(self, call: Call) -> None:
        """In the words of strace, which says it beside a trace that goes to a file."""
        if call.is_short != self._is_short and not self._style.always_ids:
            self._is_short = call.is_short
            self._write(f"[ Process PID={call.tid} runs in {32 if call.is_short else 64} bit mode. ]\n")

    def signal(self, pid: int, tid: int, name: str, info: str, now: int) -> None:
        """As `Sink`."""
        if self._signals(name):
            self._interrupt()
            self._line(tid, f"--- {name} {info} ---", now)

    def joined(self, tid: int) -> None:
        """As `Sink`."""
        self._living.add(tid)

    def ended(self, pid: int, tid: int, code: int, killed_by: str | None, how: str, now: int) -> None:
        """As `Sink`."""
        self._interrupt()
        if killed_by is None or self._signals(killed_by):
            self._line(tid, how, now)
        self._living.discard(tid)

    def finish(self) -> None:
        """Nothing more comes."""
        self._interrupt()

    def _interrupt(self) -> None:
        """Something else has to be said: the call that is under way has no result yet."""
        call, self._open = self._open, None
        if call is not None:
            self._begun.add(call.tid)
            known = _listed(call.shown)
            comma = ", " if known and call.at_entry < len(call.prototype.parameters) else ""
            self._line(call.tid, f"{call.name}({known}{comma} <unfinished ...>", call.began)

    def _line(self, tid: int, text: str, now: int, result: str = "") -> None:
        head = ""
        if self._style.always_ids:
            head = f"{tid:<5} "
        elif len(self._living) > 1:
            head = f"[pid {tid:5}] "
        head += self._time(now)
        self._write(f"{head + text:<{_COLUMN - 1}}{result}\n" if result else f"{head}{text}\n")

    def _time(self, now: int) -> str:
        before, self._last = self._last, now
        if self._style.relative:
            return f"{(now - before) / _SECOND:>13.6f} "
        if not self._style.times:
            return ""
        at = self._start + timedelta(microseconds=now // 1000)
        if self._style.times > 2:
            return f"{(at - datetime(1970, 1, 1)).total_seconds():.6f} "
        return f"{at:%H:%M:%S.%f} " if self._style.times > 1 else f"{at:%H:%M:%S} "


def _listed(shown: list[str | None]) -> str:
    return ", ".join([part for part in shown if part is not None])


def _rest(call: Call) -> str:
    return _listed(call.shown[call.at_entry :])
