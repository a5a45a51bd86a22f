"""What carries the bytes of an output source out of hds. Each kind of source has a module of its own beside this one.

`send` either accepts all of the bytes or raises OutputFailed, after which the carrier is only closed. A peer that takes
nothing cannot stop the guest for good: what it has not taken yet waits in a bounded queue, and a message that finds no
room there within a few seconds ends the output. Nothing is lost silently: `close` says how many accepted bytes never
left. (What the peer's own system has taken and not read counts as delivered.)
"""

from __future__ import annotations

import select
import threading
from collections.abc import Callable
from typing import Protocol

import msgspec

from vm import reason

_CHUNK = 65_536
_POLL_MILLISECONDS = 100


class OutputFailed(Exception):  # noqa: N818 - it reads as what happened
    """An output cannot be created, opened, closed or written to; the text says why."""


class Rest(msgspec.Struct, frozen=True):
    """What became of the end: how many accepted bytes were not delivered, and why, if it was not for the peer."""

    count: int = 0
    reason: str = ""


class Carrier(Protocol):
    """Where the bytes of one source go."""

    def send(self, data: bytes) -> None:
        """Accept all of the bytes, in order. Raises OutputFailed."""
        ...

    def close(self) -> Rest:
        """Deliver what waits, and let go. Never raises."""
        ...


class Patience(msgspec.Struct, frozen=True):
    """How much waits for a slow peer and for how long: bytes, seconds for one message, seconds at the end."""

    queue_bytes: int = 1 << 20
    message_seconds: float = 2.0
    close_seconds: float = 5.0


class QueuedCarrier:
    """A connection that a thread writes to; `write` takes some of the bytes and says how many, as os.write does."""

    def __init__(self, descriptor: int, write: Callable[[bytes], int], release: Callable[[], None], patience: Patience):
        self._descriptor = descriptor
        self._write = write
        self._release = release
        self._patience = patience
        self._changed = threading.Condition()
        self._queue = bytearray()
        self._closing = False
        self._failure: str | None = None
        self._thread = threading.Thread(target=self._run, name="hds output", daemon=True)
        self._thread.start()

    def send(self, data: bytes) -> None:
        room = self._patience.queue_bytes
        with self._changed:
            self._changed.wait_for(
                lambda: self._failure is not None or not self._queue or len(self._queue) + len(data) <= room,
                self._patience.message_seconds,
            )
            if self._failure is None and self._queue and len(self._queue) + len(data) > room:
                self._failure = f"the other end did not take a message within {self._patience.message_seconds:g} s"
            if self._failure is not None:
                raise OutputFailed(self._failure)
            self._queue += data
            self._changed.notify_all()

    def close(self) -> Rest:
        with self._changed:
            self._closing = True
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._failure is not None or not self._queue, self._patience.close_seconds)
            if self._queue and self._failure is None:
                self._failure = "closed"
            unsent = len(self._queue)
            self._changed.notify_all()
        self._thread.join()
        self._release()
        return Rest(unsent)

    def _run(self) -> None:
        poll = select.poll()
        poll.register(self._descriptor, select.POLLOUT)
        while True:
            with self._changed:
                self._changed.wait_for(lambda: bool(self._queue) or self._closing or self._failure is not None)
                if self._failure is not None or not self._queue:
                    return
                chunk = bytes(self._queue[:_CHUNK])
            if not poll.poll(_POLL_MILLISECONDS):
                continue
            try:
                taken = self._write(chunk)
            except BlockingIOError:
                continue
            except OSError as error:
                self._fail(reason(error))
                return
            with self._changed:
                del self._queue[:taken]
                self._changed.notify_all()

    def _fail(self, reason: str) -> None:
        with self._changed:
            self._failure = self._failure or reason
            self._changed.notify_all()
