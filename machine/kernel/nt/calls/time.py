"""Calls on time: all of it is the virtual clock's."""

from __future__ import annotations

from datetime import datetime, timedelta

from machine.kernel.nt.abi import KERNEL_HALF, Address, NtThread, UInt, call
from machine.kernel.nt.status import STATUS_NO_YIELD_PERFORMED, STATUS_SUCCESS
from machine.kernel.outcomes import Result, Wait, always

_COUNTER_FREQUENCY = 10_000_000  # Hz; the virtual clock counts nanoseconds
_TICKS_PER_COUNT = 1_000_000_000 // _COUNTER_FREQUENCY
_EPOCH = datetime(1601, 1, 1)


@call("NtQueryPerformanceCounter")
def performance_counter(thread: NtThread, counter: Address, frequency: Address) -> int:
    """Counts of 100 ns since the machine began."""
    thread.put_word(counter, thread.services.clock.elapsed() // _TICKS_PER_COUNT)
    if frequency:
        thread.put_word(frequency, _COUNTER_FREQUENCY)
    return STATUS_SUCCESS


@call("NtQuerySystemTime")
def system_time(thread: NtThread, now: Address) -> int:
    """Units of 100 ns since 1601."""
    thread.put_word(now, (thread.services.clock.now() - _EPOCH) // timedelta(microseconds=1) * 10)
    return STATUS_SUCCESS


@call("NtDelayExecution")
def delay(thread: NtThread, alertable: UInt, interval_at: Address) -> Result:
    """A wait for a relative interval; an absolute one has always passed."""
    interval = thread.word(interval_at)
    if interval < KERNEL_HALF:
        return STATUS_SUCCESS
    ticks = ((1 << 64) - interval) * _TICKS_PER_COUNT  # negative: relative, in units of 100 ns
    return Wait(deadline=thread.services.clock.elapsed() + ticks, then=lambda late: STATUS_SUCCESS)


@call("NtYieldExecution")
def yield_execution(thread: NtThread) -> Result:
    """The other threads come first, if there are any."""
    if thread.thread.is_alone:
        return STATUS_NO_YIELD_PERFORMED
    return Wait(always, then=lambda late: STATUS_SUCCESS)
