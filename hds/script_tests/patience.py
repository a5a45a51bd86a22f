"""An end to what may take for ever: regular expressions of test files, which Python's engine tries in every way.

The engine looks for signals while it works; so an alarm ends it, in the main thread, where Python delivers them.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SECONDS_TO_JUDGE = 10.0


class TooSlow(Exception):  # noqa: N818 - it says what happened
    """The time was over."""


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """Raise TooSlow when the block takes longer; in other threads than the main one it may."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def over(number: int, frame: FrameType | None) -> None:
        raise TooSlow

    handler = signal.signal(signal.SIGALRM, over)
    left, interval = signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, left, interval)
        signal.signal(signal.SIGALRM, handler)
