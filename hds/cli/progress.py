"""How far a run is: one line at the foot of a terminal, from its second second on, which goes when anything is written.

It is brought up to date between turns of the guest, so machine code and scripts pay nothing for it; turns become
shorter where they last longer than people wait.
"""

from __future__ import annotations

import io
import os
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from hds.report import error

if TYPE_CHECKING:
    from hds.session import Session

_SILENT = 1.0  # seconds of a run without a line
_AGAIN = 0.2  # seconds between two lines
_UNITS = ((1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, ""))


def follow(session: Session, clock: Callable[[], float] = time.monotonic) -> Progress | None:
    """Show how far the runs of a session are, where standard error is a terminal that can take a line back."""
    if not error().isatty() or os.environ.get("TERM", "dumb") == "dumb":
        return None
    progress = Progress(session, clock)
    session.machine.run_loop.watch_turns(progress.turned)
    return progress


class Progress:
    """The line of one session; `turned` is called between turns, `end` when no line is wanted any more."""

    def __init__(self, session: Session, clock: Callable[[], float]) -> None:
        self._session = session
        self._clock = clock
        self._began = self._turned = self._shown = clock()
        self._instructions = 0  # when the last line was made

    def turned(self) -> None:
        """A turn has ended."""
        now = self._clock()
        took, self._turned = now - self._turned, now
        loop = self._session.machine.run_loop
        if took > _AGAIN:
            loop.longest_turn = loop.longest_turn // 2
        elif took < _AGAIN / 8:
            loop.longest_turn = loop.longest_turn * 2
        if now - self._began > _SILENT and now - self._shown >= _AGAIN:
            error().show_status(self._line(now))
            self._shown = now

    def end(self) -> None:
        """Take the line away."""
        error().show_status("")

    def _line(self, now: float) -> str:
        session = self._session
        instructions = session.instructions
        rate = (instructions - self._instructions) / max(now - self._shown, 1e-9)
        self._instructions = instructions
        return fitting(
            f"{now - self._began:.0f} s: {short(instructions)} instructions ({short(rate)}/s), "
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
