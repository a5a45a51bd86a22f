"""The calls of Linux that machine code answers, a row each; `kernel.py` says when it may (LinuxKernel.caller)."""

from __future__ import annotations

from collections.abc import Mapping

from machine.kernel.linux.names import NUMBERS
from machine.kernel.quick import Gives, QuickCall, ReadsFile, SeeksFile, TellsTime, Wakes, WritesFile

REALTIME_CLOCKS: tuple[int, ...] = (0, 5, 8, 11)  # REALTIME, REALTIME_COARSE, REALTIME_ALARM, TAI
ELAPSED_CLOCKS: tuple[int, ...] = (1, 4, 6, 7, 9)  # MONOTONIC, the raw, coarse and boot-time ones

_ROWS: Mapping[str, QuickCall] = {
    "getpid": Gives("process"),
    "gettid": Gives("thread"),
    "getuid": Gives("user"),
    "geteuid": Gives("user"),
    "getgid": Gives("group"),
    "getegid": Gives("group"),
    "read": ReadsFile(),
    "pread64": ReadsFile(at_offset=True),
    "write": WritesFile(),
    "pwrite64": WritesFile(at_offset=True),
    "lseek": SeeksFile(),
    "clock_gettime": TellsTime(1, 1, REALTIME_CLOCKS, ELAPSED_CLOCKS),
    "gettimeofday": TellsTime(0, 1000),
    "futex": Wakes(0x81),  # FUTEX_WAKE of a word that is private
}
QUICK_CALLS: Mapping[int, QuickCall] = {NUMBERS[name]: call for name, call in _ROWS.items()}
