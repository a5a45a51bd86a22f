"""The types of arguments of INT 0x80 that have 32 bits where those of SYSCALL have 64."""

from __future__ import annotations

import struct

from hds.tracing.linux.memory import environment, strings, vectors
from hds.tracing.linux.structures import STRUCTURES, file_mode, signal_set
from hds.tracing.linux.times import moment
from hds.tracing.linux.words import TYPES
from hds.tracing.views import MOST_ITEMS, Decoder, View, address, listed, members, signed
from machine.kernel.linux import constants

_LOW = 0xFFFF_FFFF


def _pair(first: str, second: str) -> Decoder:
    def show(view: View, word: int, _: str) -> str:
        data = view.exactly(word, 8)
        if data is None:
            return address(word)
        return members(zip((first, second), map(str, struct.unpack("<ii", data)), strict=True))

    return show


_timespec, _timeval = _pair("tv_sec", "tv_nsec"), _pair("tv_sec", "tv_usec")


# Structures of longs by their names: the layout that they have in 32 bits, and that of SYSCALL's.
_LAYOUTS = {
    "timespec": ("2i", "2q"), "utimbuf": ("2i", "2q"), "itimerval": ("4i", "4q"), "itimerspec": ("4i", "4q"),
    "rlimit": ("2I", "2Q"), "rusage": ("18i", "18q"), "stack": ("IiI", "Qi4xQ"), "statfs": ("12I16x", "7Q2I3Q32x"),
    "sysinfo": ("i9I2H3I8x", "q9Q2H4x2QI4x"),
}  # fmt: skip
_NO_LIMIT = (1 << 64) - 1


def _wide(view: View, word: int, name: str) -> str:
    """As the structure of SYSCALL with the same values."""
    short, long = _LAYOUTS[name]
    data = view.exactly(word, struct.calcsize("<" + short))
    if data is None:
        return address(word)
    values = struct.unpack("<" + short, data)
    if name == "rlimit":
        values = tuple(_NO_LIMIT if value == _LOW else value for value in values)
    return STRUCTURES[name][1](view, struct.pack("<" + long, *values))


def _left_timespec(view: View, word: int, _: str) -> str | None:
    return _timespec(view, word, "") if view.failed and view.result == -4 else address(word)


def _seconds_at(view: View, word: int, _: str) -> str:
    found = view.integer(word, 4)
    return address(word) if found is None else f"[{found} /* {moment(found)} */]"


def _stat(view: View, word: int, _: str) -> str:
    """A struct stat64 of i386."""
    data = view.exactly(word, 96)
    if data is None:
        return address(word)
    mode, special, size = (struct.unpack_from(form, data, at)[0] for form, at in (("<I", 16), ("<Q", 32), ("<q", 44)))
    if mode & 0o170000 in (0o20000, 0o60000):
        what = "st_rdev", f"makedev(0x{special >> 8 & 0xFFF:x}, 0x{special & 0xFF:x})"
    else:
        what = "st_size", str(size)
    return members((("st_mode", file_mode(mode)), what), more=True)


def _tms(view: View, word: int, _: str) -> str:
    data = view.exactly(word, 16)
    if data is None:
        return address(word)
    names = ("tms_utime", "tms_stime", "tms_cutime", "tms_cstime")
    return members(zip(names, map(str, struct.unpack("<4i", data)), strict=True))


def _vectors(view: View, word: int, place: str) -> str:
    return vectors(view, word, view.words[int(place)] & _LOW, "I")


def _futex_timeout(view: View, word: int, _: str) -> str | None:
    shown = TYPES["futex_timeout"](view, word, "")
    is_time = shown is not None and not shown.isdecimal()
    return _timespec(view, word, "") if is_time else shown


def _offset(view: View, word: int, place: str) -> str:
    """Of 64 bits in two words, the lower one first; with `-` behind the place the higher one."""
    at = int(place.rstrip("-"))
    low, high = (view.words[at + 1], word) if place.endswith("-") else (word, view.words[at + 1])
    return str(signed((high & _LOW) << 32 | low & _LOW))


def _nothing(view: View, word: int, _: str) -> None:
    return None


def _offset_at(view: View, word: int, _: str) -> str:
    found = view.integer(word, 8, signed=True)
    return address(word) if found is None else f"[{found}]"


def _signal_set(view: View, word: int, _: str) -> str:
    found = view.integer(word, 4)
    return address(word) if found is None else signal_set(found)


def _sigaction(view: View, word: int, _: str) -> str:
    data = view.exactly(word, 20)
    if data is None:
        return address(word)
    handler, state, restorer, mask = struct.unpack("<IIIQ", data)
    return STRUCTURES["sigaction"][1](view, struct.pack("<QQQQ", handler, state, restorer, mask))


def _strings(view: View, word: int, _: str) -> str:
    return strings(view, word, 4)


def _environment(view: View, word: int, _: str) -> str:
    return environment(view, word, 4)


def _fcntl_argument(view: View, word: int, _: str) -> str | None:
    is_lock = "LK" in constants("fcntl").get(view.words[1] & _LOW, "")
    return address(word) if is_lock else TYPES["fcntl_argument"](view, word, "")


def _groups(view: View, word: int, _: str) -> str:
    count = max(view.result or 0, 0)
    data = view.exactly(word, 2 * min(count, MOST_ITEMS)) if count else b""
    rows = (str(group) for (group,) in struct.iter_unpack("<H", data or b""))
    return address(word) if data is None else listed(rows, more=count > MOST_ITEMS)


TYPES |= {
    "timespec32": _timespec, "timeval32": _timeval, "left_timespec32": _left_timespec, "seconds_at32": _seconds_at,
    "stat64": _stat, "tms32": _tms, "iovec32": _vectors, "futex_timeout32": _futex_timeout, "offset64": _offset,
    "nothing": _nothing, "offset_at": _offset_at, "sigset32": _signal_set, "sigaction32": _sigaction,
    "strings32": _strings, "environment32": _environment, "fcntl_argument32": _fcntl_argument, "groups16": _groups,
    "wide": _wide,
}  # fmt: skip
