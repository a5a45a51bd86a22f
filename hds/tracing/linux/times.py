"""Moments and times, with the date that they mean."""

from __future__ import annotations

from datetime import UTC, datetime

from hds.tracing.linux.memory import boxed, numbers, structure
from hds.tracing.linux.words import TYPES, plain
from hds.tracing.views import (
    View,
    address,
    listed,
    members,
)

_LAST_MOMENT = 1 << 37  # seconds since 1970 of which a date is shown


@plain("left_timespec")
def _left_timespec(view: View, word: int) -> str:
    """What is left of a sleep: filled where a signal has ended it."""
    return structure(view, word, "timespec") if view.failed and view.result == -4 else address(word)


def _times(view: View, word: int, unit: str) -> str:
    found = numbers(view, word, 4, "q")
    if found is None:
        return address(word)
    return listed(_time(found[at], found[at + 1], unit) for at in (0, 2))


def _time(seconds: int, parts: int, unit: str) -> str:
    if unit == "tv_nsec" and parts in (0x3FFFFFFF, 0x3FFFFFFE):
        return "UTIME_NOW" if parts == 0x3FFFFFFF else "UTIME_OMIT"
    row = members((("tv_sec", str(seconds)), (unit, str(parts))))
    try:
        at = datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError, OSError):
        return row
    fraction = f".{parts:09d}" if unit == "tv_nsec" else f".{parts:06d}"
    return f"{row} /* {at:%Y-%m-%dT%H:%M:%S}{fraction if parts else ''}+0000 */" if seconds else row


@plain("seconds")
def _seconds(view: View, word: int) -> str:
    """The result of time(2), and what it means."""
    return f"{word} ({moment(word)})" if word < _LAST_MOMENT else str(word)


@plain("seconds_at")
def _seconds_at(view: View, word: int) -> str:
    found = view.integer(word, 8)
    if found is None or found >= _LAST_MOMENT:
        return boxed(view, word, "q")
    return f"[{found} /* {moment(found)} */]"


def moment(seconds: int) -> str:
    """A date, from seconds since 1970."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}+0000"


TYPES["timespecs"] = lambda view, word, _: _times(view, word, "tv_nsec")
TYPES["timevals"] = lambda view, word, _: _times(view, word, "tv_usec")
