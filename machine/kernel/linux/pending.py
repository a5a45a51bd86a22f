"""Signals that have been raised and have not come yet."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from machine.kernel.linux.signal_frame import SignalInfo

_FIRST_REAL_TIME = 32
_MOST_QUEUED = 1024  # of one real-time signal (a share of RLIMIT_SIGPENDING)


class Pending:
    """Those of one thread or one process: of each number one, of real-time signals as many as were raised."""

    def __init__(self) -> None:
        self._rows: dict[int, list[SignalInfo]] = {}

    def __iter__(self) -> Iterator[int]:
        return iter(tuple(self._rows))

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self._rows)

    def __contains__(self, signal: int) -> bool:
        return signal in self._rows

    def add(self, info: SignalInfo) -> bool:
        """One more; False where there is no room for it."""
        row = self._rows.setdefault(info.number, [])
        if not row or info.number >= _FIRST_REAL_TIME:
            if len(row) >= _MOST_QUEUED:
                return False
            row.append(info)
        return True

    def holds(self, info: SignalInfo) -> bool:
        """Whether this very one is pending."""
        return any(each is info for each in self._rows.get(info.number, ()))

    def replace(self, old: SignalInfo, new: SignalInfo) -> bool:
        """Put another of the same number in its place; False where this very one is pending no more."""
        row = self._rows.get(old.number, [])
        place = next((index for index, each in enumerate(row) if each is old), None)
        if place is not None:
            row[place] = new
        return place is not None

    def remove(self, info: SignalInfo) -> None:
        """This very one is pending no more."""
        row = [each for each in self._rows.get(info.number, ()) if each is not info]
        if row:
            self._rows[info.number] = row
        else:
            self._rows.pop(info.number, None)

    def take(self, signal: int) -> SignalInfo:
        """The oldest of a number, which is pending no more."""
        row = self._rows[signal]
        info = row.pop(0)
        if not row:
            del self._rows[signal]
        return info

    def forget(self, signals: Iterable[int]) -> None:
        """These are pending no more."""
        for signal in signals:
            self._rows.pop(signal, None)
