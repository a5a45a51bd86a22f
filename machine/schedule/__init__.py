"""Processes, the cores that they take turns on, the clock, and what ends a run from outside. What other rooms use."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vm.face import lazy

if TYPE_CHECKING:
    from machine.schedule import gate as gate, parallel as parallel
    from machine.schedule.alarms import Alarm as Alarm, Alarms as Alarms
    from machine.schedule.branches import BranchRecording as BranchRecording, branch_lines as branch_lines
    from machine.schedule.clock import (
        DEFAULT_START as DEFAULT_START,
        TEXT_BYTES as TEXT_BYTES,
        TICKS_PER_MICROSECOND as TICKS_PER_MICROSECOND,
        VirtualClock as VirtualClock,
        fields_of as fields_of,
        text_of as text_of,
    )
    from machine.schedule.gate import Gate as Gate
    from machine.schedule.interrupt import (
        RunGuard as RunGuard,
        Terminated as Terminated,
        end_by_signals as end_by_signals,
        ending_signals as ending_signals,
        stop_watching as stop_watching,
    )
    from machine.schedule.process import (
        Core as Core,
        Injection as Injection,
        Maker as Maker,
        Next as Next,
        Process as Process,
        Suspension as Suspension,
        Thread as Thread,
        TooManyProcesses as TooManyProcesses,
        TooManyThreads as TooManyThreads,
        Unhandled as Unhandled,
    )
    from machine.schedule.scheduler import Scheduler as Scheduler
    from machine.schedule.timer import CLOCK_VECTOR as CLOCK_VECTOR, Timer as Timer
else:
    __getattr__, __dir__ = lazy(
        __name__,
        {
            "alarms": "Alarm Alarms",
            "branches": "BranchRecording branch_lines",
            "clock": "DEFAULT_START TEXT_BYTES TICKS_PER_MICROSECOND VirtualClock fields_of text_of",
            "gate": "Gate",
            "interrupt": "RunGuard Terminated end_by_signals ending_signals stop_watching",
            "process": "Core Injection Maker Next Process Suspension Thread TooManyProcesses TooManyThreads Unhandled",
            "scheduler": "Scheduler",
            "timer": "CLOCK_VECTOR Timer",
        },
        late="gate parallel",
    )
