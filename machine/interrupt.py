"""Ctrl-C during a run of the guest: the run ends between two blocks, then KeyboardInterrupt is raised.

Python delivers a signal at the entry of the next Python function, which here is a callback of C code: an exception
raised there is printed and lost (test_ctrl_c_stops_a_run_between_two_blocks). So the handler only asks for a stop.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any


class InterruptGuard:
    """A context: while it is active Ctrl-C calls `stop`, and leaving it raises KeyboardInterrupt if that happened.

    Without effect outside the main thread, where Python delivers no signals.
    """

    def __init__(self, stop: Callable[[], None]) -> None:
        self._stop = stop
        self._previous: Any = None
        self._pending = False

    def __enter__(self) -> InterruptGuard:
        self._pending = False
        if threading.current_thread() is threading.main_thread():
            self._previous = signal.signal(signal.SIGINT, self._on_signal) or signal.SIG_DFL
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._previous is not None:
            signal.signal(signal.SIGINT, self._previous)
            self._previous = None
        if self._pending and error is None:
            raise KeyboardInterrupt

    @contextmanager
    def suspended(self) -> Iterator[None]:
        """A stretch in which Ctrl-C does what it did before, such as a prompt at a break."""
        if self._previous is None:
            yield
            return
        signal.signal(signal.SIGINT, self._previous)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, self._on_signal)

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self._pending = True
        self._stop()
