"""What is to be done at points of the virtual clock, whoever runs or waits then: timers."""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count

import msgspec


class Alarm(msgspec.Struct, eq=False):
    """One of them, until it has gone off or is cancelled."""

    ticks: int
    act: Callable[[], None]
    is_pending: bool = True

    def cancel(self) -> None:
        """It does not go off any more."""
        self.is_pending = False


class Alarms:
    """Those of one machine. They go off between turns, in order of time, equal ones in that of their making."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, Alarm]] = []
        self._numbers = count()

    def at(self, ticks: int, act: Callable[[], None] = lambda: None) -> Alarm:
        """Have `act` called when so many ticks have elapsed."""
        alarm = Alarm(ticks, act)
        heappush(self._heap, (ticks, next(self._numbers), alarm))
        return alarm

    @property
    def earliest(self) -> int | None:
        """When the next one goes off, in ticks."""
        while self._heap and not self._heap[0][2].is_pending:
            heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def go_off(self, now: int) -> None:
        """Let those go off whose time has come; what they add comes next time."""
        due: list[Alarm] = []
        while (earliest := self.earliest) is not None and earliest <= now:
            due.append(heappop(self._heap)[2])
        for alarm in due:
            if alarm.is_pending:
                alarm.is_pending = False
                alarm.act()
