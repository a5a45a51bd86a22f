"""How runs that happen at the same time, in several threads, get along.

Machine code of such runs needs nothing but atomic instructions. What it asks Python for is done by one run at a time,
and a lock that another run holds is worth waiting for.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable


@dataclass(frozen=True)
class Sharing:
    """The defaults are those of runs that come one after the other: a lock that is held will never be released.

    `entered` is held by a run while it is in Python. A lock is tried `lock_tries` times (0 means 1); if that is more
    than once, `waits(n)` then says, in Python, whether to try as often again, n being how often it has said so before.
    `interrupted` says whether the user wants no run to go on: the reference engine, which may take seconds for a
    script, asks now and then, and raises KeyboardInterrupt.
    """

    entered: AbstractContextManager[Any] = field(default_factory=threading.RLock)
    lock_tries: int = 1
    waits: Callable[[int], bool] = lambda rounds: False
    interrupted: Callable[[], bool] = lambda: False


@runtime_checkable
class Shareable(Protocol):
    """An engine whose runs may happen at the same time."""

    sharing: Sharing
