"""Calls on time: all of it is the virtual clock's."""

from __future__ import annotations

from datetime import datetime, timedelta

from machine.kernel.nt.abi import KERNEL_HALF, Address, NtThread, UInt, call
from machine.kernel.nt.status import STATUS_SUCCESS

_COUNTER_FREQUENCY = 10_000_000  # Hz; the virtual clock counts nanoseconds
_EPOCH = datetime(1601, 1, 1)


@call("NtQueryPerformanceCounter")
def performance_counter(thread: NtThread, counter: Address, frequency: Address) -> int:
    """Counts of 100 ns since the machine began."""
    ticks_per_count = 1_000_000_000 // _COUNTER_FREQUENCY
    thread.put_word(counter, thread.services.clock.elapsed() // ticks_per_count)
    if frequency:
        thread.put_word(frequency, _COUNTER_FREQUENCY)
    return STATUS_SUCCESS


@call("NtQuerySystemTime")
def system_time(thread: NtThread, now: Address) -> int:
    """Units of 100 ns since 1601."""
    thread.put_word(now, (thread.services.clock.now() - _EPOCH) // timedelta(microseconds=1) * 10)
    return STATUS_SUCCESS


@call("NtDelayExecution")
def delay(thread: NtThread, alertable: UInt, interval_at: Address) -> int:
    """Lets virtual time pass for a relative interval; an absolute one has always passed."""
    interval = thread.word(interval_at)
    if interval >= KERNEL_HALF:  # negative: relative, in units of 100 ns
        thread.services.clock.sleep(((1 << 64) - interval) // 10)
    return STATUS_SUCCESS
