"""Processor time, which a busy machine does not lengthen as it does real time."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable

import psutil

PATIENCE = 120.0


def used(process: int) -> float:
    """Seconds that a process, its children, and the others of a session that it leads have used up to now."""
    seconds = 0.0
    for each in psutil.process_iter():
        with contextlib.suppress(psutil.NoSuchProcess, ProcessLookupError):
            if process in (each.pid, each.ppid(), os.getsid(each.pid)):
                times = each.cpu_times()
                seconds += times.user + times.system
    return seconds


def wait_until_used(process: int, seconds: float) -> None:
    """Wait until a process has used so many seconds in all, or has ended; it has PATIENCE seconds of real time."""
    end = time.monotonic() + PATIENCE
    with contextlib.suppress(psutil.NoSuchProcess):
        while used(process) < seconds and psutil.Process(process).status() != psutil.STATUS_ZOMBIE:
            assert time.monotonic() < end, f"it is at {used(process):.2f} s of processor time, and not busy any more"
            time.sleep(0.02)


def wait_until_busy(process: int, seconds: float = 0.3) -> None:
    """Wait until a process has used so many seconds more: what it was told to do is under way."""
    wait_until_used(process, used(process) + seconds)


def least(measured: Callable[[], float], enough: float) -> float:
    """The least of a few measurements, the first of them that is below `enough`: something else may lengthen one."""
    found = measured()
    for _ in range(4):
        if found < enough:
            break
        found = min(found, measured())
    return found
