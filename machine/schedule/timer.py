"""The timer of a machine: a clock interrupt at fixed distances of virtual time, for whoever runs then."""

from __future__ import annotations

from machine.schedule.clock import TICKS_PER_MICROSECOND, VirtualClock

CLOCK_VECTOR = 0xD1  # that of Windows (events-and-commands G.2)
_TICKS_PER_SECOND = 1_000_000 * TICKS_PER_MICROSECOND


class Timer:
    """`hz` interrupts in a virtual second. Those that come while one waits to be taken are one."""

    def __init__(self, clock: VirtualClock, hz: int) -> None:
        self._clock = clock
        self._period = max(1, _TICKS_PER_SECOND // hz)
        self.deadline = self._period  # of the next interrupt, in ticks

    @property
    def left(self) -> int:
        """Ticks until the next interrupt; 0 or less when one waits."""
        return self.deadline - self._clock.elapsed()

    def take(self) -> None:
        """The interrupt that waits is taken."""
        self.deadline += self._period * (max(0, -self.left) // self._period + 1)
