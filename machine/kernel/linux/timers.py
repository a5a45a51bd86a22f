"""Timers of Linux processes, on the virtual clock or on the time that a process has executed: 1 tick is 1 ns."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import msgspec

from machine.kernel.linux import signals
from machine.kernel.linux.errors import Errno, LinuxError
from machine.kernel.linux.nodes import Status
from machine.kernel.linux.open_files import O_RDONLY, OpenFile
from machine.kernel.linux.pending import Pending
from machine.kernel.linux.signal_frame import SignalInfo
from machine.kernel.linux.task import Task, ThreadGroup
from machine.memory import PER_CALL, KernelWork
from machine.schedule import Alarm, VirtualClock

ITIMER_REAL, ITIMER_VIRTUAL, ITIMER_PROF = range(3)
_SIGNALS = (signals.SIGALRM, signals.SIGVTALRM, signals.SIGPROF)
_SI_KERNEL, _SI_TIMER = 0x80, -2


class ClockTimer(msgspec.Struct, eq=False):
    """A timer on the virtual clock: `end` and `interval` in ticks, 0 for none. `expired` is told how often it has."""

    clock: VirtualClock
    work: KernelWork
    expired: Callable[[int], None]
    end: int = 0
    interval: int = 0
    _alarm: Alarm | None = None

    def set(self, end: int, interval: int) -> None:
        """Let it expire at a point of time, and then again and again; 0: never."""
        self.cancel()
        self.end, self.interval = end, interval
        if end:
            self._alarm = self.clock.alarms.at(end, self._go_off)

    def cancel(self) -> None:
        """It does not expire any more."""
        self.end = 0
        if self._alarm is not None:
            self._alarm.cancel()

    @property
    def left(self) -> int:
        """Ticks until it expires; 0 where it does not."""
        return max(1, self.end - self.clock.elapsed()) if self.end else 0

    def _go_off(self) -> None:
        self.work.charge(PER_CALL)
        end, interval = self.end, self.interval
        times = 1 + (self.clock.elapsed() - end) // interval if interval else 1
        self.set(end + interval * times if interval else 0, interval)
        self.expired(times)


class TimerFile(OpenFile):
    """A timerfd."""

    label: ClassVar[str] = "[timerfd]"

    def __init__(self, flags: int, clock: VirtualClock, work: KernelWork, *, is_realtime: bool) -> None:
        super().__init__(flags | O_RDONLY)
        self.is_realtime = is_realtime
        self.timer = ClockTimer(clock, work, self._count)
        self._times = 0

    def _count(self, times: int) -> None:
        self._times += times

    def set(self, end: int, interval: int) -> None:
        """Begin to count anew."""
        self._times = 0
        self.timer.set(end, interval)

    def status(self) -> Status:
        """As `OpenFile`."""
        return Status(mode=0o600, inode=1)

    def read(self, size: int) -> bytes:
        """As `OpenFile`: how often it has expired."""
        if size < 8:
            raise LinuxError(Errno.EINVAL)
        if not self._times:
            raise self.would_wait(lambda: self._times > 0)
        times, self._times = self._times, 0
        return times.to_bytes(8, "little")

    def ready(self) -> tuple[bool, bool, bool]:
        """As `OpenFile`."""
        return self._times > 0, False, False

    @property
    def news(self) -> int:
        """As `OpenFile`."""
        return self._times

    def closed(self) -> None:
        """As `OpenFile`."""
        self.timer.cancel()


# --- setitimer


def interval_timer(task: Task, which: int) -> tuple[int, int]:
    """The nanoseconds that are left of a timer, and its interval."""
    if which == ITIMER_REAL:
        timer = task.threads.real_timer
        return (0, 0) if timer is None else (timer.left, timer.interval)
    end, interval = task.threads.timers.get(which, (0, 0))
    return (max(1, end - task.process.cpu_time) if end else 0), interval


def set_interval_timer(task: Task, which: int, value: int, interval: int) -> None:
    """Nanoseconds until it expires, and from then on; a `value` of 0 ends it."""
    group = task.threads
    if which != ITIMER_REAL:
        group.timers[which] = (task.process.cpu_time + value if value else 0, interval)
        arm_cpu_alarm(group)
        return
    if group.real_timer is None:

        def expired(times: int) -> None:
            signals.send_to_group(group, SignalInfo(signals.SIGALRM, _SI_KERNEL, 0))

        group.real_timer = ClockTimer(task.clock, task.store.work, expired)
    group.real_timer.set(task.clock.elapsed() + value if value else 0, interval)


def arm_cpu_alarm(group: ThreadGroup) -> None:
    """Have the process's own time looked at when the next of its timers expires."""
    group.process.on_cpu_alarm = lambda: _look_at_cpu_time(group)
    group.process.cpu_alarm = min((end for end, _ in group.timers.values() if end), default=None)


def _look_at_cpu_time(group: ThreadGroup) -> None:
    now = group.process.cpu_time
    for which, (end, interval) in group.timers.items():
        if end and end <= now:
            group.timers[which] = (end + interval * (1 + (now - end) // interval) if interval else 0, interval)
            signals.send_to_group(group, SignalInfo(_SIGNALS[which], _SI_KERNEL, 0))
    arm_cpu_alarm(group)


# --- timer_create

_MOST_OVERRUN = (1 << 31) - 1  # DELAYTIMER_MAX


class PosixTimer(msgspec.Struct, eq=False):
    """A timer of timer_create: the signal that it raises (0: none), for one thread or for whichever.

    `overrun` is of the signal that was raised last, `delivered` of the one that has come last.
    """

    number: int
    group: ThreadGroup
    is_absolute_realtime: bool
    signal: int
    value: bytes
    thread: Task | None
    timer: ClockTimer
    overrun: int = 0
    delivered: int = 0
    raised: SignalInfo | None = None  # the last one

    @property
    def _pending(self) -> Pending:
        return self.group.pending if self.thread is None else self.thread.pending

    def look(self) -> int:
        """The expirations that the last signal stood for besides its own, when it came (timer_getoverrun)."""
        if self.raised is not None and not self._pending.holds(self.raised):
            self.delivered, self.raised = self.overrun, None
        return self.delivered

    def begin(self) -> None:
        """It is set anew: its signal comes no more."""
        if self.raised is not None:
            self._pending.remove(self.raised)
        self.overrun, self.delivered, self.raised = 0, 0, None

    def expired(self, times: int) -> None:
        """Raise the signal, unless it is still pending: that is counted."""
        if not self.signal or self.group.has_ended:
            return
        self.look()
        pending = self._pending
        is_pending = self.signal in pending
        self.overrun = min((self.overrun + times) if is_pending else times - 1, _MOST_OVERRUN)
        info = SignalInfo(self.signal, _SI_TIMER, sender=(self.number, self.overrun), more=self.value)
        if is_pending:
            if self.raised is not None and pending.replace(self.raised, info):
                self.raised = info
            return
        self.raised = info
        if self.thread is None:
            signals.send_to_group(self.group, info)
        elif self.thread in self.group.tasks.values():
            signals.send_to(self.thread, info, self.thread)
