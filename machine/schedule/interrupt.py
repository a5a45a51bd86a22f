"""What ends a run of the guest from outside: Ctrl-C, the end of its time, and signals that are to end the process.

All end it between two blocks. SIGTERM and SIGHUP do so in a process that has asked for that (`end_by_signals`): what is
left to say is said then, in a bounded time.

A thread of its own waits for them, since the run may be in machine code for long, where Python looks after no signals.
What it calls only asks for a stop; it asks again until the run is over, because a request that comes between two turns
is forgotten. No exception is raised in the run: Python would raise it in a callback of C code, where it is printed and
lost (test_ctrl_c_stops_a_run_between_two_blocks).
"""

from __future__ import annotations

import math
import os
import select
import signal
import threading
import time
from _thread import start_new_thread
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from types import FrameType
from typing import Any

_AGAIN = 0.01  # seconds between two requests
_PATIENCE = 0.15  # seconds of processor time that a script under way has when the time of a run is over
_LONGEST = 1_000_000.0  # seconds between two looks at the time: poll takes milliseconds in 32 bits
_ENDING = (signal.SIGTERM, signal.SIGHUP)
_AS_ONE = 0.5  # seconds in which signals count once: timeout(1) and a terminal that closes send two
_LAST_WORDS = 5.0  # seconds that a process has, which is to end
_IMPORTING = "<frozen importlib._bootstrap>"  # where Python is then
_KILLED = 128  # and the number of the signal: an exit code


class Terminated(KeyboardInterrupt):
    """The process is to end by a signal: `number`."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


class _Ending:
    """What is known of the end of this process by a signal."""

    def __init__(self) -> None:
        self.signals: tuple[signal.Signals, ...] = ()  # that end it
        self._first: float | None = None  # when one was heard, by the monotonic clock

    def heard(self, number: int) -> None:
        """One has come. The second one ends the process at once, as does the first after a while."""
        now = time.monotonic()
        if self._first is None:
            self._first = now
            start_new_thread(self._end_at_last, (number,))
        elif now - self._first > _AS_ONE:
            os._exit(_KILLED + number)

    def is_repeated(self) -> bool:
        """Whether one was heard before."""
        return self._first is not None

    def _end_at_last(self, number: int) -> None:
        time.sleep(_LAST_WORDS)
        os._exit(_KILLED + number)


_ending = _Ending()


def end_by_signals() -> None:
    """From now on SIGTERM and SIGHUP raise Terminated, behind a run if one is under way; but for those ignored.

    Ctrl-C raises KeyboardInterrupt as before. None of them raises anything while a module is imported, where it could
    be printed and lost, too: it comes again a little later. For the main thread of a process that is hds and nothing
    else.
    """
    _ending.signals = tuple(number for number in _ENDING if signal.getsignal(number) is signal.SIG_DFL)
    for number in _ending.signals:
        signal.signal(number, _end)
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _interrupt)


def ending_signals() -> tuple[signal.Signals, ...]:
    """Those that end this process by Terminated."""
    return _ending.signals


def _interrupt(number: int, frame: FrameType | None) -> None:
    if _is_importing(frame):
        start_new_thread(_send_again, (number,))
    else:
        raise KeyboardInterrupt


def _end(number: int, frame: FrameType | None) -> None:
    if _is_importing(frame):
        start_new_thread(_send_again, (number,))
        return
    is_repeated = _ending.is_repeated()
    _ending.heard(number)
    if not is_repeated:
        raise Terminated(number)


def _is_importing(frame: FrameType | None) -> bool:
    while frame is not None and frame.f_code.co_filename != _IMPORTING:
        frame = frame.f_back
    return frame is not None


def _send_again(number: int) -> None:
    time.sleep(_AGAIN)
    os.kill(os.getpid(), number)


class RunGuard:
    """Calls `stop` at a signal and `expire` when the time is over, perhaps in another thread and more than once.

    `cut` is called besides: at a signal, and when the run has not ended a little after its time. It is to end scripts.

    Signals, Ctrl-C and `ending_signals`, are left alone outside the main thread, where Python delivers none.
    """

    def __init__(
        self, stop: Callable[[], None], expire: Callable[[], None], cut: Callable[[], None] = lambda: None
    ) -> None:
        self._stop = stop
        self._expire = expire
        self._cut = cut
        self._expired: float | None = None  # the processor time when the time was over
        self._active = False
        self._signal = 0  # that has come
        self._left = math.inf  # seconds, when the stretch under way began
        self._end = math.inf  # of this stretch, by the monotonic clock
        self._handlers: dict[int, Any] = {}  # of signals, outside

    @contextmanager
    def guarding(self, seconds: float | None) -> Iterator[None]:
        """A run of at most so many seconds of real time. Raises KeyboardInterrupt behind it if Ctrl-C ended it.

        Raises Terminated likewise.
        """
        self._signal, self._left = 0, math.inf if seconds is None else seconds
        self._enter()
        try:
            yield
        finally:
            self._leave()
        if self._signal:
            raise KeyboardInterrupt if self._signal == signal.SIGINT else Terminated(self._signal)

    @contextmanager
    def suspended(self) -> Iterator[None]:
        """A stretch, in a run or not, that does not count and in which Ctrl-C does what it did before: a prompt."""
        if not self._active:
            yield
            return
        self._leave()
        try:
            yield
        finally:
            self._enter()

    def request(self, now: float, signals: bytes) -> float:
        """Ask for what is due; when to look again. Called by the watcher with the signals that have come."""
        for number in signals:
            self._note(number)
        if self._signal:
            self._stop()
            self._cut()
        elif now >= self._end:
            self._expire()
            self._expired = self._expired or time.process_time()
            if time.process_time() - self._expired > _PATIENCE:
                self._cut()
        else:
            return self._end
        return now + _AGAIN

    def _enter(self) -> None:
        watcher = _watcher()
        self._expired = None
        self._end = time.monotonic() + self._left
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, *_ending.signals):
                self._handlers[number] = signal.signal(number, self._on_signal) or signal.SIG_DFL
            self._outer_pipe = signal.set_wakeup_fd(watcher.pipe, warn_on_full_buffer=False)
        watcher.add(self, self._end)
        self._active = True

    def _leave(self) -> None:
        self._active = False
        _watcher().remove(self)
        self._left = max(0.0, self._end - time.monotonic())
        if self._handlers:
            signal.set_wakeup_fd(self._outer_pipe)
            for number, handler in self._handlers.items():
                signal.signal(number, handler)
            self._handlers.clear()

    def takes(self, number: int) -> bool:
        """Whether a signal ends what is guarded."""
        return number in self._handlers

    def _note(self, number: int) -> None:
        if self.takes(number) and self._signal in (0, signal.SIGINT):
            self._signal = number

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        self._note(number)
        self._stop()
        self._cut()


class _Watcher:
    """The thread, one for the process. Python writes the numbers of signals into `pipe` when they arrive.

    It is no `threading.Thread`: making one takes as long as many a run, in a process that was forked for it.
    """

    def __init__(self) -> None:
        self._reader, self.pipe = os.pipe()
        os.set_blocking(self.pipe, False)
        self._lock = threading.Lock()
        self._guards: list[RunGuard] = []
        self._ends = False
        self._number = 0  # of the thread, once it has begun
        start_new_thread(self._work, ())

    def add(self, guard: RunGuard, end: float) -> None:
        """A run begins, which has time until `end`."""
        with self._lock:
            self._guards.append(guard)
        if end < math.inf:
            os.write(self.pipe, b"\0")  # to look at the times

    def remove(self, guard: RunGuard) -> None:
        """A run is over: nothing is asked of it any more."""
        with self._lock:
            self._guards.remove(guard)

    def end(self) -> None:
        """End the thread, and wait for that. No run is under way."""
        self._ends = True
        os.write(self.pipe, b"\0")
        while not self._number or os.path.exists(f"/proc/self/task/{self._number}"):
            time.sleep(0.00005)
        os.close(self.pipe)
        os.close(self._reader)

    def _work(self) -> None:
        self._number = threading.get_native_id()
        pipe = select.poll()
        pipe.register(self._reader, select.POLLIN)
        wait: float | None = None
        while not self._ends:
            signals = os.read(self._reader, 64) if pipe.poll(wait) else b""
            now = time.monotonic()
            with self._lock:
                for number in signals:
                    if number in _ending.signals and any(guard.takes(number) for guard in self._guards):
                        _ending.heard(number)
                looks = [guard.request(now, signals) for guard in self._guards]
            following = min(looks, default=math.inf)
            wait = None if following == math.inf else 1000 * min(max(0.0, following - now), _LONGEST)


@cache
def _watcher() -> _Watcher:
    return _Watcher()


def stop_watching() -> None:
    """End the thread that watches runs, where one was started: a process that forks is to have none but its own."""
    if _watcher.cache_info().currsize:
        _watcher().end()
        _watcher.cache_clear()


os.register_at_fork(after_in_child=_watcher.cache_clear)  # threads do not come along
