"""How runs that happen at the same time, in several threads, get along.

Machine code of such runs needs nothing but atomic instructions. What it asks Python for is done by one run at a time,
and a lock that another run holds is worth waiting for.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Protocol, runtime_checkable

import msgspec


class Brake:
    """Ends runs at their next loop or call, with the error INTERRUPTED, from when it is pulled until it is released.

    Any thread may pull it: compiled code looks at the cell itself.
    """

    def __init__(self) -> None:
        self._cell = ctypes.c_uint64()
        self.address = ctypes.addressof(self._cell)  # of a word that is 0 while runs may go on

    @property
    def is_pulled(self) -> bool:
        """Whether runs are to end."""
        return bool(self._cell.value)

    def pull(self) -> None:
        """Let no run go on."""
        self._cell.value = 1

    def release(self) -> None:
        """Let runs begin again."""
        self._cell.value = 0


class Sharing(msgspec.Struct, frozen=True):
    """The defaults are those of runs that come one after the other: a lock that is held will never be released.

    `entered` is held by a run while it is in Python. A lock is tried `lock_tries` times (0 means 1); if that is more
    than once, `waits(n)` then says, in Python, whether to try as often again, n being how often it has said so before.
    `brake` ends runs from outside.
    """

    entered: AbstractContextManager[Any] = msgspec.field(default_factory=threading.RLock)
    lock_tries: int = 1
    waits: Callable[[int], bool] = lambda rounds: False
    brake: Brake = msgspec.field(default_factory=Brake)


@runtime_checkable
class Shareable(Protocol):
    """An engine whose runs may happen at the same time."""

    sharing: Sharing
