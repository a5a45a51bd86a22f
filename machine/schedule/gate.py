"""The gate to Python where cores run in threads of their own: one core at a time is inside.

A core in machine code - its guest, and scripts in machine code - is outside. Everything that Python does for it, and
for the whole machine, is done inside: events, the kernel's model, messages, commands. The guest's registers and memory
are the process's own, so what only reads and writes these needs no gate.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import get_ident
from types import TracebackType

_AGAIN = 0.005  # seconds between two requests to a core, since one that comes between two turns is forgotten


class Gate:
    """A context manager; entries may be nested. `call_in(core)` asks a core in machine code to come in soon."""

    def __init__(self, call_in: Callable[[int], None]) -> None:
        self.outside: set[int] = set()  # cores in machine code
        self._call_in = call_in
        self._entry = threading.Condition()
        self._cores: dict[int, int] = {}  # by thread
        self._depth = 0  # of the thread that is inside
        self._alone: int | None = None  # the thread that all others wait for

    def __enter__(self) -> None:
        self._entry.acquire()
        self._depth += 1
        if self._depth == 1:
            self._come_in()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._depth == 1 and (core := self.core) is not None:
            self.outside.add(core)
        self._depth -= 1
        self._entry.release()

    def _come_in(self) -> None:
        core = self.core
        if core is not None:
            self.outside.discard(core)
            if self._alone is not None:
                self._entry.notify_all()
                self.wait(0)

    @contextmanager
    def serving(self, core: int) -> Iterator[None]:
        """This thread is a core from now on, which is inside except in `left`."""
        with self._entry:
            self._cores[get_ident()] = core
        try:
            with self:
                yield
        finally:
            with self._entry:
                del self._cores[get_ident()]
                self.outside.discard(core)
                self._entry.notify_all()

    @contextmanager
    def left(self) -> Iterator[None]:
        """A stretch of a core's thread in machine code; it is inside once only."""
        self.__exit__(None, None, None)
        try:
            yield
        finally:
            self.__enter__()

    def wait(self, seconds: float | None = None) -> None:
        """Let others in until there is news, or for so long; longer while another core is alone."""
        depth, self._depth = self._depth, 0
        try:
            if seconds != 0:
                self._entry.wait(seconds)
            while self._alone not in (None, get_ident()) and self.core is not None:
                self._entry.wait()
        finally:
            self._depth = depth

    def tell(self) -> None:
        """There is news."""
        self._entry.notify_all()

    @property
    def core(self) -> int | None:
        """The core that this thread is."""
        return self._cores.get(get_ident())

    @property
    def is_alone(self) -> bool:
        """Whether nobody else does anything; asked inside."""
        return self._alone is not None

    @contextmanager
    def alone(self) -> Iterator[None]:
        """A stretch in which no core is in machine code, and no other one does anything. May be nested."""
        with self:
            if self._alone is not None:
                yield
                return
            self._alone = get_ident()
            try:
                while self.outside:
                    for core in self.outside:
                        self._call_in(core)
                    self.wait(_AGAIN)
                yield
            finally:
                self._alone = None
                self._entry.notify_all()
