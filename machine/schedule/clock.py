"""The virtual clock of a machine: it counts executed guest instructions, so that every run tells the same time.

One instruction is one tick of the time-stamp counter and one nanosecond of the calendar; `microsleep` adds ticks.
"""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Callable
from datetime import datetime, timedelta

from machine.schedule.alarms import Alarms

TICKS_PER_MICROSECOND = 1000
_WORD_MASK = (1 << 64) - 1
DEFAULT_START = datetime(2024, 1, 1)


TEXT_BYTES = 16  # of a date or a time with its zero


def text_of(name: str, now: datetime) -> bytes:
    """What `$date` or `$time` point to: YYYY-MM-DD or HH:MM:SS.mmm, with zeros up to 16 bytes."""
    text = f"{now:%Y-%m-%d}" if name == "date" else f"{now:%H:%M:%S}.{now.microsecond // 1000:03}"
    return text.encode().ljust(TEXT_BYTES, b"\0")


def fields_of(now: datetime) -> bytes:
    """Windows' TIME_FIELDS: year, month, day, hour, minute, second, milliseconds, day of the week (0 is Sunday)."""
    day_of_week = now.isoweekday() % 7
    date = (now.year, now.month, now.day)
    return struct.pack("<8H", *date, now.hour, now.minute, now.second, now.microsecond // 1000, day_of_week)


class VirtualClock:
    """Ticks since the machine started, and the calendar time they stand for."""

    def __init__(self, executed: Callable[[], int], start: datetime = DEFAULT_START) -> None:
        self._executed = executed
        self.start = start
        self.alarms = Alarms()
        self._slept = 0
        self._cells = (ctypes.c_uint64 * 3)()  # readings so far, `_slept` and the last time stamp modulo 2^64

    @property
    def cells_address(self) -> int:
        """Of three words, for machine code that does what `time_stamp` does: its additions, and the last one."""
        return ctypes.addressof(self._cells)

    @property
    def added(self) -> int:
        """Ticks besides those of instructions; modulo 2^64, the sum of the first two words at `cells_address`."""
        return self._slept + self._cells[0]

    def elapsed(self) -> int:
        """Ticks since the start; reading it takes no time."""
        return self._executed() + self.added

    def now(self) -> datetime:
        """The calendar time; it stands still at the end of the calendar."""
        left = (datetime.max - self.start) // timedelta(microseconds=1)
        return self.start + timedelta(microseconds=min(self.elapsed() // TICKS_PER_MICROSECOND, left))

    def time_stamp(self) -> int:
        """The time-stamp counter, 64 bits; every reading takes one tick, so that no two are equal."""
        cells = self._cells
        cells[0] += 1
        ahead = (cells[2] + 1 - self.elapsed()) & _WORD_MASK
        cells[0] += ahead if ahead <= _WORD_MASK >> 1 else 0  # the last one was read at an instruction given up
        cells[2] = self.elapsed() & _WORD_MASK
        return cells[2]

    def sleep(self, microseconds: int) -> None:
        """Let time pass."""
        self._pass(microseconds * TICKS_PER_MICROSECOND)

    def advance_to(self, ticks: int) -> None:
        """Let time pass until so many ticks have elapsed; none where they have."""
        self._pass(max(0, ticks - self.elapsed()))

    def _pass(self, ticks: int) -> None:
        self._slept += ticks
        self._cells[1] = self._slept & _WORD_MASK
