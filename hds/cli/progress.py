"""How far a long command is: one line at the foot of a terminal, from its second second on, which goes when it ends.

That of a run of a guest is brought up to date between turns, so machine code and scripts pay nothing for it; turns
become shorter where they last longer than people wait: for this line, or for messages on a terminal.
"""

from __future__ import annotations

import io
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from hds.report import status_stream

if TYPE_CHECKING:
    from hds.cli.guest import SessionOptions
    from hds.report import Stream
    from hds.session import Session

_SILENT = 1.0  # seconds without a line
_AGAIN = 0.2  # seconds between two lines
_PROMPT = 0.02  # seconds until a message is seen on a terminal
_UNITS = ((1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, ""))


@contextmanager
def status_line(options: SessionOptions, clock: Callable[[], float] = time.monotonic) -> Iterator[StatusLine | None]:
    """A line, where standard error is a terminal that can take one back; it is gone at the end."""
    stream = status_stream()
    if options.no_progress or not stream.isatty() or os.environ.get("TERM", "dumb") == "dumb":
        yield None
        return
    line = StatusLine(stream, clock)
    try:
        yield line
    finally:
        line.end()


@contextmanager
def shown_progress(session: Session, options: SessionOptions) -> Iterator[Progress | None]:
    """Show how far the runs of a session are."""
    with status_line(options) as line:
        if line is None and sys.stdout.isatty():
            session.machine.run_loop.watch_turns(Pace(session, time.monotonic).turned)
        yield None if line is None else follow(session, line)


def follow(session: Session, line: StatusLine, what: str = "") -> Progress:
    """Say on a line how far the runs of a session are, and in front of that `what` is run."""
    progress = Progress(session, line, what)
    session.machine.run_loop.watch_turns(progress.turned)
    return progress


class StatusLine:
    """The line: `show` replaces it, not too often, and `end` takes it away."""

    def __init__(self, stream: Stream, clock: Callable[[], float]) -> None:
        self._stream = stream
        self.clock = clock
        self.began = self.shown = clock()

    def make_ready(self) -> None:
        """Import what a line is made with."""
        fitting("")

    def begin(self) -> None:
        """What is to be seen begins now."""
        self.began = self.shown = self.clock()

    def is_due(self, now: float) -> bool:
        """Whether the line is to be made anew."""
        return now - self.began > _SILENT and now - self.shown >= _AGAIN

    def show(self, text: str) -> None:
        """Make it anew. The first time takes long, and nothing goes on meanwhile: that counts for no rate."""
        self._stream.show_status(fitting(text))
        self.shown = self.clock()

    def end(self) -> None:
        """Take it away."""
        self._stream.show_status("")


class Pace:
    """Turns of one session's runs that last about as long as somebody waits; `turned` is called between them."""

    def __init__(self, session: Session, clock: Callable[[], float]) -> None:
        self._session = session
        self._clock = clock
        self._wait = _PROMPT if sys.stdout.isatty() else _AGAIN
        self.began = clock()  # the turn under way

    def turned(self) -> None:
        """A turn has ended."""
        now = self._clock()
        took, self.began = now - self.began, now
        loop = self._session.machine.run_loop
        if took > self._wait:
            loop.longest_turn = loop.longest_turn // 2
        elif took < self._wait / 8:
            loop.longest_turn = loop.longest_turn * 2


class Progress:
    """The line of one session's runs; `turned` is called between turns."""

    def __init__(self, session: Session, line: StatusLine, what: str = "") -> None:
        self._session = session
        self._what = what
        self._status = line
        self._pace = Pace(session, line.clock)
        self._instructions = 0  # when the last line was made

    def turned(self) -> None:
        """A turn has ended."""
        self._pace.turned()
        now = self._pace.began
        if self._status.is_due(now):
            self._status.show(self._text(now))
            self._pace.began = self._status.shown

    def pause(self) -> None:
        """Somebody is asked what to do next."""
        self._status.end()

    def resume(self) -> None:
        """They have answered."""
        self._status.begin()
        self._pace.began = self._status.began
        self._instructions = self._session.instructions

    def _text(self, now: float) -> str:
        session, status = self._session, self._status
        instructions = session.instructions
        rate = (instructions - self._instructions) / max(now - status.shown, 1e-9)
        self._instructions = instructions
        return (
            f"{self._what}{now - status.began:.0f} s: {short(instructions)} instructions ({short(rate)}/s), "
            f"{short(session.triggers)} triggers, {short(session.totals.messages)} messages, "
            f"virtual time {session.machine.clock.elapsed() / 1e9:.3f} s"
        )


def short(number: float) -> str:
    """A number in three digits or so: 1.25M."""
    size, unit = next(((size, unit) for size, unit in _UNITS if number >= size), _UNITS[-1])
    return f"{number:.0f}" if not unit else f"{number / size:.3g}{unit}"


def fitting(text: str) -> str:
    """As much of the text as fits into a line, dimmed."""
    from rich.console import Console

    made = io.StringIO()
    console = Console(file=made, force_terminal=True, width=max(Console(stderr=True).width - 1, 1), highlight=False)
    console.print(text, style="dim", end="", no_wrap=True, overflow="ellipsis", markup=False)
    return made.getvalue()
