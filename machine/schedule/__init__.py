"""Processes, the cores that they take turns on, the clock, and what ends a run from outside. What other rooms use."""

from __future__ import annotations

from machine.schedule.alarms import Alarm, Alarms
from machine.schedule.branches import BranchRecording, branch_lines
from machine.schedule.clock import DEFAULT_START, TEXT_BYTES, TICKS_PER_MICROSECOND, VirtualClock, fields_of, text_of
from machine.schedule.gate import Gate
from machine.schedule.interrupt import RunGuard
from machine.schedule.parallel import LOCK_TRIES, ParallelRun, Surroundings
from machine.schedule.process import (
    Core,
    Injection,
    Maker,
    Next,
    Process,
    Suspension,
    Thread,
    TooManyProcesses,
    TooManyThreads,
    Unhandled,
)
from machine.schedule.scheduler import Scheduler
from machine.schedule.timer import CLOCK_VECTOR, Timer

__all__ = [
    "CLOCK_VECTOR",
    "DEFAULT_START",
    "LOCK_TRIES",
    "TEXT_BYTES",
    "TICKS_PER_MICROSECOND",
    "Alarm",
    "Alarms",
    "BranchRecording",
    "Core",
    "Gate",
    "Injection",
    "Maker",
    "Next",
    "ParallelRun",
    "Process",
    "RunGuard",
    "Scheduler",
    "Surroundings",
    "Suspension",
    "Thread",
    "Timer",
    "TooManyProcesses",
    "TooManyThreads",
    "Unhandled",
    "VirtualClock",
    "branch_lines",
    "fields_of",
    "text_of",
]
