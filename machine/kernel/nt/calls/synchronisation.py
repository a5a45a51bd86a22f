"""Calls on events, mutants, semaphores, timers, completion ports and keyed events, and the waits for them."""

from __future__ import annotations

import struct
from collections.abc import Sequence

from machine.kernel.nt.abi import KERNEL_HALF, Address, Handle, Int, NtThread, UInt, Word, answer_with, call
from machine.kernel.nt.apcs import pending_apc
from machine.kernel.nt.blocks import TICKS_PER_UNIT
from machine.kernel.nt.calls.time import deadline_of, system_time_of
from machine.kernel.nt.naming import create_named, find_named
from machine.kernel.nt.objects import (
    Alarm,
    Completion,
    Event,
    KernelObject,
    KeyedEvent,
    Mutant,
    Semaphore,
    ThreadObject,
    Timer,
)
from machine.kernel.nt.operations import settle
from machine.kernel.nt.rights import (
    MODIFY_STATE,
    QUERY_STATE,
    SYNCHRONIZE,
)
from machine.kernel.nt.status import (
    STATUS_ABANDONED,
    STATUS_INVALID_INFO_CLASS,
    STATUS_INVALID_PARAMETER,
    STATUS_INVALID_PARAMETER_MIX,
    STATUS_MUTANT_NOT_OWNED,
    STATUS_NOT_SAME_OBJECT,
    STATUS_OBJECT_NAME_NOT_FOUND,
    STATUS_OBJECT_TYPE_MISMATCH,
    STATUS_SEMAPHORE_LIMIT_EXCEEDED,
    STATUS_SUCCESS,
    STATUS_TIMEOUT,
    NtError,
)
from machine.kernel.outcomes import Result, Wait
from machine.schedule import Thread

_MOST_OBJECTS = 64
_TICKS_PER_MILLISECOND = 1_000_000


# --- waits


def _wait(thread: NtThread, objects: Sequence[KernelObject], every: bool, alertable: int, timeout: int) -> Result:
    """Until one of the objects is signalled, or all are; the status says which one."""
    own, deadline = thread.own, deadline_of(thread, timeout)
    apcs, clock = alertable & 0xFF, thread.services.clock

    def ready() -> bool:
        states = (each.is_signalled(thread.thread) for each in objects)
        return all(states) if every else any(states)

    def until() -> bool:
        return ready() or bool(apcs and own.has_apcs(clock.elapsed()))

    def then(late: bool) -> Result:
        if thread.state.pending:
            settle(thread.state)
        if ready():
            return _taken(thread.thread, objects, every)
        if apcs and own.has_apcs(clock.elapsed()):
            return pending_apc(thread, own)
        if deadline is not None and clock.elapsed() >= deadline:
            return STATUS_TIMEOUT
        return wait()

    def wait() -> Wait:
        timers = [each.due for each in objects if isinstance(each, Timer) and each.due is not None]
        timers += [each.deadline for each in thread.state.pending if each.deadline is not None]
        ends = [*timers, *(own.wakes_at() if apcs else ()), *(() if deadline is None else (deadline,))]
        return Wait(until, min(ends, default=None), then)

    return wait()


def _taken(thread: Thread, objects: Sequence[KernelObject], every: bool) -> int:
    chosen = range(len(objects)) if every else [next(i for i, each in enumerate(objects) if each.is_signalled(thread))]
    abandoned = 0
    for index in chosen:
        what = objects[index]
        what.take(thread)
        if isinstance(what, Mutant) and what.is_abandoned:
            abandoned, what.is_abandoned = STATUS_ABANDONED, False
    return abandoned + (0 if every else chosen[0])


@call("NtWaitForSingleObject")
def wait_for_one(thread: NtThread, handle: Handle, alertable: UInt, timeout: Address) -> Result:
    """Until the object is signalled."""
    return _wait(thread, [thread.object(handle, SYNCHRONIZE)], False, alertable, timeout)


@call("NtWaitForMultipleObjects")
def wait_for_many(
    thread: NtThread, count: UInt, handles: Address, kind: UInt, alertable: UInt, timeout: Address
) -> Result:
    """Until all objects are signalled (kind 0), or one is."""
    if not 0 < count <= _MOST_OBJECTS:
        return STATUS_INVALID_PARAMETER
    numbers = struct.unpack(f"<{count}Q", thread.data(handles, 8 * count))
    objects = [thread.object(number, SYNCHRONIZE) for number in numbers]
    if kind == 0 and len({id(each) for each in objects}) < count:
        return STATUS_INVALID_PARAMETER_MIX
    return _wait(thread, objects, kind == 0, alertable, timeout)


@call("NtSignalAndWaitForSingleObject")
def signal_and_wait(thread: NtThread, signal: Handle, handle: Handle, alertable: UInt, timeout: Address) -> Result:
    """Set one and wait for the other."""
    what, other = thread.object(signal), thread.object(handle, SYNCHRONIZE)
    if isinstance(what, Event | Semaphore):
        thread.object(signal, MODIFY_STATE)
    if isinstance(what, Event):
        what.is_set = True
    elif isinstance(what, Mutant):
        _release(thread, what)
    elif isinstance(what, Semaphore):
        if what.count >= what.most:
            return STATUS_SEMAPHORE_LIMIT_EXCEEDED
        what.count += 1
    else:
        return STATUS_OBJECT_TYPE_MISMATCH
    return _wait(thread, [other], False, alertable, timeout)


# --- events


@call("NtCreateEvent")
def create_event(thread: NtThread, handle: Address, access: UInt, attributes: Address, kind: UInt, is_set: UInt) -> int:
    """A notification event (kind 0) or one that resets itself."""
    return create_named(thread, handle, access, attributes, Event(kind == 0, bool(is_set & 0xFF)))


@call("NtOpenEvent")
def open_event(thread: NtThread, handle: Address, access: UInt, attributes: Address) -> int:
    """By name."""
    thread.open(handle, find_named(thread, attributes, Event), access, attributes)
    return STATUS_SUCCESS


def _change(thread: NtThread, handle: int, previous: int, is_set: bool) -> int:
    event = thread.state.handles.of(handle, Event, MODIFY_STATE)
    thread.put_half(previous, event.is_set)
    event.is_set = is_set
    return STATUS_SUCCESS


@call("NtSetEvent")
def set_event(thread: NtThread, handle: Handle, previous: Address) -> int:
    """It is signalled."""
    return _change(thread, handle, previous, True)


@call("NtResetEvent")
def reset_event(thread: NtThread, handle: Handle, previous: Address) -> int:
    """It is not signalled."""
    return _change(thread, handle, previous, False)


@call("NtClearEvent")
def clear_event(thread: NtThread, handle: Handle) -> int:
    """It is not signalled."""
    return _change(thread, handle, 0, False)


@call("NtPulseEvent")
def pulse_event(thread: NtThread, handle: Handle, previous: Address) -> int:
    """Threads that wait for nothing else go on; it is not signalled then."""
    event = thread.state.handles.of(handle, Event, MODIFY_STATE)
    thread.put_half(previous, event.is_set)
    event.is_set = True
    for other in thread.process.threads:
        waiting = other.waiting
        if other is thread.thread or waiting is None or not waiting.until():
            continue
        taken: bool = event.is_set
        other.waiting = type(waiting)(lambda: True, None, waiting.go_on) if taken else waiting
        if not event.is_notification:
            break
    event.is_set = False
    return STATUS_SUCCESS


@call("NtQueryEvent")
def query_event(thread: NtThread, handle: Handle, kind: UInt, buffer: Address, length: UInt, returned: Address) -> int:
    """Its kind and state."""
    event = thread.state.handles.of(handle, Event, QUERY_STATE)
    if kind:
        return STATUS_INVALID_INFO_CLASS
    return answer_with(thread, struct.pack("<II", not event.is_notification, event.is_set), buffer, length, returned)


# --- mutants and semaphores


@call("NtCreateMutant")
def create_mutant(thread: NtThread, handle: Address, access: UInt, attributes: Address, owned: UInt) -> int:
    """Owned by the thread, or by none."""
    owner = thread.thread if owned & 0xFF else None
    return create_named(thread, handle, access, attributes, Mutant(owner, 1 if owner else 0))


@call("NtOpenMutant")
def open_mutant(thread: NtThread, handle: Address, access: UInt, attributes: Address) -> int:
    """By name."""
    thread.open(handle, find_named(thread, attributes, Mutant), access, attributes)
    return STATUS_SUCCESS


def _release(thread: NtThread, mutant: Mutant) -> None:
    if mutant.owner is not thread.thread:
        raise NtError(STATUS_MUTANT_NOT_OWNED)
    mutant.count -= 1
    if not mutant.count:
        mutant.owner = None


@call("NtReleaseMutant")
def release_mutant(thread: NtThread, handle: Handle, previous: Address) -> int:
    """Once."""
    mutant = thread.state.handles.of(handle, Mutant)
    thread.put_half(previous, 1 - mutant.count)
    _release(thread, mutant)
    return STATUS_SUCCESS


@call("NtCreateSemaphore")
def create_semaphore(
    thread: NtThread, handle: Address, access: UInt, attributes: Address, count: Int, most: Int
) -> int:
    """With a count."""
    if most <= 0 or not 0 <= count <= most:
        return STATUS_INVALID_PARAMETER
    return create_named(thread, handle, access, attributes, Semaphore(count, most))


@call("NtOpenSemaphore")
def open_semaphore(thread: NtThread, handle: Address, access: UInt, attributes: Address) -> int:
    """By name."""
    thread.open(handle, find_named(thread, attributes, Semaphore), access, attributes)
    return STATUS_SUCCESS


@call("NtReleaseSemaphore")
def release_semaphore(thread: NtThread, handle: Handle, count: Int, previous: Address) -> int:
    """So many times."""
    semaphore = thread.state.handles.of(handle, Semaphore, MODIFY_STATE)
    if count <= 0:
        return STATUS_INVALID_PARAMETER
    if semaphore.count + count > semaphore.most:
        return STATUS_SEMAPHORE_LIMIT_EXCEEDED
    thread.put_half(previous, semaphore.count)
    semaphore.count += count
    return STATUS_SUCCESS


def _query(thread: NtThread, kind: int, row: bytes, buffer: int, length: int, returned: int) -> int:
    return STATUS_INVALID_INFO_CLASS if kind else answer_with(thread, row, buffer, length, returned)


@call("NtQueryMutant")
def query_mutant(thread: NtThread, handle: Handle, kind: UInt, buffer: Address, length: UInt, returned: Address) -> int:
    """MUTANT_BASIC_INFORMATION: its count, whether it is the thread's, and whether its owner has ended."""
    mutant = thread.state.handles.of(handle, Mutant, QUERY_STATE)
    is_left = mutant.owner is not None and mutant.owner.ended
    row = struct.pack("<iBB2x", 1 - mutant.count * (not is_left), mutant.owner is thread.thread, is_left)
    return _query(thread, kind, row, buffer, length, returned)


@call("NtQuerySemaphore")
def query_semaphore(
    thread: NtThread, handle: Handle, kind: UInt, buffer: Address, length: UInt, returned: Address
) -> int:
    """SEMAPHORE_BASIC_INFORMATION: its count, and the largest."""
    semaphore = thread.state.handles.of(handle, Semaphore, QUERY_STATE)
    return _query(thread, kind, struct.pack("<ii", semaphore.count, semaphore.most), buffer, length, returned)


# --- timers


@call("NtQueryTimer")
def query_timer(thread: NtThread, handle: Handle, kind: UInt, buffer: Address, length: UInt, returned: Address) -> int:
    """TIMER_BASIC_INFORMATION: how long it still takes, in units of 100 ns, and whether it is signalled."""
    timer = thread.state.handles.of(handle, Timer, QUERY_STATE)
    left = 0 if timer.due is None else (timer.due - thread.services.clock.elapsed()) // TICKS_PER_UNIT
    row = struct.pack("<qB7x", left, timer.is_signalled(thread.thread))
    return _query(thread, kind, row, buffer, length, returned)


@call("NtCreateTimer")
def create_timer(thread: NtThread, handle: Address, access: UInt, attributes: Address, kind: UInt) -> int:
    """A notification timer (kind 0) or one that resets itself."""
    return create_named(thread, handle, access, attributes, Timer(kind == 0, thread.services.clock.elapsed))


@call("NtCreateTimer2")
def create_timer_so(
    thread: NtThread, handle: Address, first: Address, second: Address, kind: UInt, access: UInt
) -> int:
    """The same, without a name."""
    return create_named(thread, handle, access, 0, Timer(kind == 0, thread.services.clock.elapsed))


@call("NtSetTimer")
def set_timer(
    thread: NtThread, handle: Handle, due_at: Address, routine: Address, context: Word, resume: UInt, period: Int,
    previous: Address,
) -> int:  # fmt: skip
    """From when on it is signalled, and how often, in milliseconds; then this thread gets an APC, if there is one."""
    timer = thread.state.handles.of(handle, Timer, MODIFY_STATE)
    was = timer.is_signalled(thread.thread)
    due = _due(thread, thread.word(due_at))
    _disarm(thread, timer)
    timer.due, timer.period = due, max(period, 0) * _TICKS_PER_MILLISECOND
    if routine:
        zero = system_time_of(thread) - thread.services.clock.elapsed() // TICKS_PER_UNIT
        thread.own.alarms.append(Alarm(timer, routine, context, due, zero))
    if previous:
        thread.put(previous, bytes([was]))
    return STATUS_SUCCESS


def _disarm(thread: NtThread, timer: Timer) -> None:
    timer.due = None
    for each in thread.state.threads.values():
        each.forget(timer)


def _due(thread: NtThread, value: int) -> int:
    clock = thread.services.clock
    if value >= KERNEL_HALF:
        return clock.elapsed() + ((1 << 64) - value) * TICKS_PER_UNIT
    return clock.elapsed() + max(0, value - system_time_of(thread)) * TICKS_PER_UNIT


@call("NtCancelTimer")
def cancel_timer(thread: NtThread, handle: Handle, current: Address) -> int:
    """It is never signalled."""
    timer = thread.state.handles.of(handle, Timer, MODIFY_STATE)
    if current:
        thread.put(current, bytes([timer.is_signalled(thread.thread)]))
    _disarm(thread, timer)
    return STATUS_SUCCESS


# --- alerts, keyed events, completion ports


def _target(thread: NtThread, tid: int) -> ThreadObject | None:
    return next((each for each in thread.state.threads.values() if each.thread.tid == tid), None)


@call("NtAlertThreadByThreadId")
def alert_thread(thread: NtThread, tid: Word) -> int:
    """The thread's wait for alerts ends, now or when it begins."""
    target = _target(thread, tid)
    if target is None:
        return 0xC000_000B  # STATUS_INVALID_CID
    target.is_alerted = True
    return STATUS_SUCCESS


@call("NtWaitForAlertByThreadId")
def wait_for_alert(thread: NtThread, address: Address, timeout: Address) -> Result:
    """Until the thread is alerted."""
    own = thread.own

    def then(late: bool) -> Result:
        alerted, own.is_alerted = own.is_alerted, False
        return 0x101 if alerted else STATUS_TIMEOUT

    return Wait(lambda: own.is_alerted, deadline_of(thread, timeout), then)


@call("NtCreateKeyedEvent")
def create_keyed_event(thread: NtThread, handle: Address, access: UInt, attributes: Address) -> int:
    """A place where threads meet."""
    return create_named(thread, handle, access, attributes, KeyedEvent())


def _keyed(thread: NtThread, handle: int, access: int) -> KeyedEvent:
    if handle:
        return thread.state.handles.of(handle, KeyedEvent, access)
    return thread.state.common_keys


def _meet(thread: NtThread, handle: int, key: int, timeout: int, own: int, other: int) -> Result:
    """Meet a thread of the other kind at a key: 0 waits (KEYEDEVENT_WAIT), 1 releases (KEYEDEVENT_WAKE)."""
    if key & 1:
        return STATUS_INVALID_PARAMETER
    event, me = _keyed(thread, handle, own + 1), thread.thread
    others = event.waiters.setdefault(key * 2 + other, [])
    while others:
        partner = others.pop(0)
        if not partner.ended:
            event.released.add(partner)
            return STATUS_SUCCESS
    mine = event.waiters.setdefault(key * 2 + own, [])
    mine.append(me)

    def then(late: bool) -> Result:
        if me in event.released:
            event.released.discard(me)
            return STATUS_SUCCESS
        mine.remove(me)
        return STATUS_TIMEOUT

    return Wait(lambda: me in event.released, deadline_of(thread, timeout), then)


@call("NtWaitForKeyedEvent")
def wait_for_keyed(thread: NtThread, handle: Handle, key: Word, alertable: UInt, timeout: Address) -> Result:
    """Until a thread releases this key."""
    return _meet(thread, handle, key, timeout, 0, 1)


@call("NtReleaseKeyedEvent")
def release_keyed(thread: NtThread, handle: Handle, key: Word, alertable: UInt, timeout: Address) -> Result:
    """Until a thread waits for this key."""
    return _meet(thread, handle, key, timeout, 1, 0)


@call("NtCreateIoCompletion")
def create_completion(thread: NtThread, handle: Address, access: UInt, attributes: Address) -> int:
    """A completion port."""
    return create_named(thread, handle, access, attributes, Completion())


@call("NtSetIoCompletion")
def set_completion(thread: NtThread, handle: Handle, key: Word, value: Word, status: UInt, information: Word) -> int:
    """A packet for a port."""
    thread.state.handles.of(handle, Completion, MODIFY_STATE).post((key, value, status, information))
    return STATUS_SUCCESS


@call("NtRemoveIoCompletion")
def remove_completion(
    thread: NtThread, handle: Handle, key: Address, value: Address, block: Address, timeout: Address
) -> Result:
    """The first packet of a port."""
    port = thread.state.handles.of(handle, Completion, MODIFY_STATE)

    def then(late: bool) -> Result:
        if not port.packets:
            return STATUS_TIMEOUT
        row = port.packets.popleft()
        thread.put_word(key, row[0])
        thread.put_word(value, row[1])
        thread.set_io_status(block, row[2], row[3])
        return STATUS_SUCCESS

    return Wait(lambda: bool(port.packets), deadline_of(thread, timeout), then)


@call("NtQueryIoCompletion")
def query_completion(
    thread: NtThread, handle: Handle, kind: UInt, buffer: Address, length: UInt, returned: Address
) -> int:
    """How many packets wait."""
    port = thread.state.handles.of(handle, Completion, QUERY_STATE)
    return _query(thread, kind, struct.pack("<I", len(port.packets)), buffer, length, returned)


@call("NtRemoveIoCompletionEx")
def remove_completions(
    thread: NtThread, handle: Handle, rows: Address, most: UInt, count: Address, timeout: Address, alertable: UInt
) -> Result:
    """Up to `most` packets of a port."""
    port, own = thread.state.handles.of(handle, Completion, MODIFY_STATE), thread.own
    deadline, elapsed = deadline_of(thread, timeout), thread.services.clock.elapsed

    def then(late: bool) -> Result:
        if not port.packets and alertable & 0xFF and own.has_apcs(elapsed()):
            return pending_apc(thread, own)
        if not port.packets:
            return STATUS_TIMEOUT if deadline is not None and elapsed() >= deadline else wait()
        taken = [port.packets.popleft() for _ in range(min(most, len(port.packets)))]
        thread.put(rows, b"".join(struct.pack("<QQQQ", *row) for row in taken))
        thread.put_half(count, len(taken))
        return STATUS_SUCCESS

    def until() -> bool:
        return bool(port.packets) or bool(alertable & 0xFF and own.has_apcs(elapsed()))

    def wait() -> Wait:
        ends = [*(own.wakes_at() if alertable & 0xFF else ()), *(() if deadline is None else (deadline,))]
        return Wait(until, min(ends, default=None), then)

    return wait()


@call("NtCompareObjects")
def compare_objects(thread: NtThread, first: Handle, second: Handle) -> int:
    """Whether two handles stand for one object."""
    return STATUS_SUCCESS if thread.object(first) is thread.object(second) else STATUS_NOT_SAME_OBJECT


@call("NtOpenJobObject", "NtOpenTimer", "NtOpenKeyedEvent", "NtOpenIoCompletion")
def open_nothing(thread: NtThread) -> int:
    """There is none of that name."""
    return STATUS_OBJECT_NAME_NOT_FOUND
