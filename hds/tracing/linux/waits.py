"""What is waited for: poll, select, epoll, and the end of children."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from hds.tracing.linux.memory import numbers, signal_set_at, structure
from hds.tracing.linux.structures import signal_name
from hds.tracing.linux.words import LOW, TYPES, descriptor, length, plain, typed
from hds.tracing.views import (
    MOST_ITEMS,
    View,
    address,
    flags,
    listed,
    members,
    signed,
)
from machine.kernel.linux import constants


def _poll_rows(view: View) -> Iterator[tuple[int, int, int]]:
    count = min(view.words[1] & LOW, MOST_ITEMS)
    data = view.exactly(view.words[0], 8 * count)
    return struct.iter_unpack("<iHH", data or b"")


@typed("pollfds")
def _pollfds(view: View, word: int, place: str) -> str:
    count = length(view, place) & LOW
    if not word:
        return "NULL"
    if count and view.exactly(word, 8 * min(count, MOST_ITEMS)) is None:
        return address(word)
    rows = (
        members((("fd", descriptor(view, fd & LOW)), ("events", flags(constants("poll"), events))))
        for fd, events, _ in _poll_rows(view)
    )
    return listed(rows, more=count > MOST_ITEMS)


@plain("ready_polls")
def _ready_polls(view: View, word: int) -> str:
    if word == 0:
        return "0 (Timeout)"
    ready = (
        members((("fd", str(fd)), ("revents", flags(constants("poll"), found))))
        for fd, _, found in _poll_rows(view)
        if found
    )
    return f"{word} ({listed(ready)})"


def _set_of(view: View, word: int) -> list[int] | None:
    count = min(max(signed(view.words[0], 32), 0), 1024)
    data = view.exactly(word, (count + 63) // 64 * 8)
    bits = None if data is None else int.from_bytes(data, "little")
    return None if bits is None else [number for number in range(count) if bits >> number & 1]


@plain("fdset")
def _fdset(view: View, word: int) -> str:
    found = _set_of(view, word) if word else None
    return address(word) if found is None else "[" + " ".join(descriptor(view, each) for each in found) + "]"


@plain("pselect_mask")
def _pselect_mask(view: View, word: int) -> str:
    found = numbers(view, word, 2, "Q")
    if found is None:
        return address(word)
    return members((("sigmask", signal_set_at(view, found[0]) or ""), ("sigsetsize", str(found[1]))))


@plain("ready_selects")
def _ready_selects(view: View, word: int) -> str:
    if word == 0:
        return "0 (Timeout)"
    parts = []
    for name, place in zip(("in", "out", "except"), view.words[1:4], strict=True):
        found = _set_of(view, place) if place else None
        if found:
            parts.append(f"{name} [{' '.join(map(str, found))}]")
    if view.words[4]:
        kind = {"select": "timeval", "pselect6": "timespec"}.get(view.name)
        left = TYPES["timeval32"](view, view.words[4], "") if kind is None else structure(view, view.words[4], kind)
        parts.append(f"left {left}")
    return f"{word} ({', '.join(parts)})"


def _epoll_row(events: int, low: int, value: int) -> str:
    data = members((("u32", str(low)), ("u64", str(value))))
    return members((("events", flags(constants("epoll"), events)), ("data", data)))


@plain("epoll_of_ctl")
def _epoll_of_ctl(view: View, word: int) -> str:
    data = view.exactly(word, 12) if view.words[1] & LOW != 2 else None
    if data is None:
        return address(word)
    events, value = struct.unpack("<IQ", data)
    return _epoll_row(events, value & LOW, value)


@typed("epoll_events")
def _epoll_events(view: View, word: int, place: str) -> str:
    count = length(view, place)
    data = view.exactly(word, 12 * min(count, MOST_ITEMS)) if count else b""
    if data is None:
        return address(word)
    rows = (_epoll_row(events, value & LOW, value) for events, value in struct.iter_unpack("<IQ", data))
    return listed(rows, more=count > MOST_ITEMS)


@plain("wait_status")
def _wait_status(view: View, word: int) -> str:
    found = numbers(view, word, 1, "I")
    if found is None or not view.result:
        return address(word)
    return f"[{wait_status(found[0])}]"


def wait_status(status: int) -> str:
    """As <sys/wait.h> takes it apart."""
    low = status & 0x7F
    if low == 0:
        return f"{{WIFEXITED(s) && WEXITSTATUS(s) == {status >> 8 & 0xFF}}}"
    if status & 0xFF == 0x7F:
        return f"{{WIFSTOPPED(s) && WSTOPSIG(s) == {signal_name(status >> 8 & 0xFF)}}}"
    if status == 0xFFFF:
        return "{WIFCONTINUED(s)}"
    dumped = " && WCOREDUMP(s)" if status & 0x80 else ""
    return f"{{WIFSIGNALED(s) && WTERMSIG(s) == {signal_name(low)}{dumped}}}"
