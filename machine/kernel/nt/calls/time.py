"""Calls on time: all of it is the virtual clock's."""

from __future__ import annotations

from datetime import datetime, timedelta

from machine.kernel.nt.abi import KERNEL_HALF, Address, NtThread, UInt, call
from machine.kernel.nt.apcs import pending_apc
from machine.kernel.nt.blocks import COUNTER_FREQUENCY, TICKS_PER_UNIT
from machine.kernel.nt.status import STATUS_NO_YIELD_PERFORMED, STATUS_SUCCESS
from machine.kernel.outcomes import Result, Wait, always

_EPOCH = datetime(1601, 1, 1)


@call("NtQueryPerformanceCounter")
def performance_counter(thread: NtThread, counter: Address, frequency: Address) -> int:
    """Counts of 100 ns since the machine began."""
    thread.put_word(counter, thread.services.clock.elapsed() // TICKS_PER_UNIT)
    if frequency:
        thread.put_word(frequency, COUNTER_FREQUENCY)
    return STATUS_SUCCESS


@call("NtQuerySystemTime")
def system_time(thread: NtThread, now: Address) -> int:
    """Units of 100 ns since 1601."""
    thread.put_word(now, system_time_of(thread))
    return STATUS_SUCCESS


def system_time_of(thread: NtThread) -> int:
    """The same as a number."""
    clock = thread.services.clock
    return (clock.start - _EPOCH) // timedelta(microseconds=1) * 10 + clock.elapsed() // TICKS_PER_UNIT


def deadline_of(thread: NtThread, place: int) -> int | None:
    """When a time-out at an address ends, in ticks; None for never. Raises NtError."""
    if not place:
        return None
    value, clock = thread.word(place), thread.services.clock
    if value >= KERNEL_HALF:  # negative: relative
        left = (1 << 64) - value
        return None if left == KERNEL_HALF else clock.elapsed() + left * TICKS_PER_UNIT
    return clock.elapsed() + max(0, value - system_time_of(thread)) * TICKS_PER_UNIT


@call("NtDelayExecution")
def delay(thread: NtThread, alertable: UInt, interval_at: Address) -> Result:
    """A wait for nothing but its end, or an APC."""
    deadline, own = deadline_of(thread, interval_at), thread.own
    apcs, elapsed = alertable & 0xFF, thread.services.clock.elapsed

    def until() -> bool:
        return bool(apcs and own.has_apcs(elapsed()))

    def then(late: bool) -> Result:
        if until():
            return pending_apc(thread, own)
        return STATUS_SUCCESS if deadline is not None and elapsed() >= deadline else wait()

    def wait() -> Wait:
        ends = [*(own.wakes_at() if apcs else ()), *(() if deadline is None else (deadline,))]
        return Wait(until, deadline=min(ends, default=None), then=then)

    return wait()


@call("NtYieldExecution")
def yield_execution(thread: NtThread) -> Result:
    """The other threads come first, if there are any."""
    if thread.thread.is_alone:
        return STATUS_NO_YIELD_PERFORMED
    return Wait(always, then=lambda late: STATUS_SUCCESS)


@call("NtQueryTimerResolution")
def timer_resolution(thread: NtThread, least: Address, most: Address, current: Address) -> int:
    """In units of 100 ns."""
    for place, value in ((least, 156_250), (most, 5000), (current, 156_250)):
        thread.put_half(place, value)
    return STATUS_SUCCESS


@call("NtSetTimerResolution")
def set_timer_resolution(thread: NtThread, wanted: UInt, sets: UInt, current: Address) -> int:
    """The virtual clock has all resolutions."""
    thread.put_half(current, 5000 if sets & 0xFF else 156_250)
    return STATUS_SUCCESS
