"""Calls that make threads, suspend them, and tell of them."""

from __future__ import annotations

import struct

from machine.kernel import builds
from machine.kernel.base import behind_call
from machine.kernel.nt import blocks
from machine.kernel.nt.abi import Address, Handle, NtThread, UInt, Word, answer_with, call
from machine.kernel.nt.blocks import TICKS_PER_UNIT
from machine.kernel.nt.calls.time import system_time_of
from machine.kernel.nt.context import CONTEXT_BYTES, DEBUG_REGISTERS, FLAGS_AT, pack, unpack
from machine.kernel.nt.objects import ThreadObject
from machine.kernel.nt.rights import (
    PROCESS_CREATE_THREAD,
    PROCESS_SUSPEND_RESUME,
    THREAD_GET_CONTEXT,
    THREAD_QUERY_LIMITED,
    THREAD_SET_CONTEXT,
    THREAD_SET_LIMITED,
    THREAD_SUSPEND_RESUME,
)
from machine.kernel.nt.start import first_registers, make_stack
from machine.kernel.nt.status import (
    STATUS_BUFFER_TOO_SMALL,
    STATUS_INSUFFICIENT_RESOURCES,
    STATUS_INVALID_INFO_CLASS,
    STATUS_INVALID_PARAMETER,
    STATUS_NOT_IMPLEMENTED,
    STATUS_SUCCESS,
    STATUS_SUSPEND_COUNT_EXCEEDED,
    STATUS_THREAD_IS_TERMINATING,
    NtError,
)
from machine.kernel.nt.thread_registers import call_values, give, present, take_given
from machine.kernel.outcomes import Enter, Result
from machine.schedule import Suspension, Thread, TooManyThreads

_SUSPENDED = 1
_AFFINITY, _PROCESSORS = 4, 1  # ThreadAffinityMask, and the mask of all
_STILL_ACTIVE = 0x103
_INCREMENTS = (0, 1, 2, 15, 16)  # of a priority, up and down: the last two are idle and time critical
_MOST_SUSPENSIONS = 127
_CLIENT_ID, _TEB_ADDRESS = 0x1_0003, 0x1_0004
_MOST_ATTRIBUTES = 16


@call("NtCreateThreadEx")
def create_thread(
    thread: NtThread, handle: Address, access: UInt, attributes: Address, process: Handle, start: Address,
    argument: Word, flags: UInt, zero_bits: Word, commit: Word, reserve: Word, list_at: Address,
) -> int:  # fmt: skip
    """A thread that begins in the loader, as the first one does."""
    thread.check_process(process, PROCESS_CREATE_THREAD)
    state = thread.state
    if not state.dispatchers.loader:
        return STATUS_NOT_IMPLEMENTED
    stack = make_stack(
        state.space, reserve or state.stack_sizes[0], max(commit, state.stack_sizes[1]), state.guaranteed_stack
    )
    try:
        values = first_registers(state, stack[0], start, argument)
        made = thread.process.new_thread(behind_call(thread.thread).with_values(values))
    except TooManyThreads:
        state.space.free(stack[2], 0, release=True)
        return STATUS_INSUFFICIENT_RESOURCES
    found = state.threads[made] = ThreadObject(made, start, stack=(stack[2], stack[0]))
    try:
        teb = blocks.make_teb(state.space, (thread.process.pid, made.tid), thread.process.peb, stack, first=False)
    except NtError:
        made.end(0)
        raise
    made.teb = teb
    assert made.saved is not None
    made.saved = made.saved.with_values({}, gs_base=teb)
    state.space.memory.write(made.objects.thread + builds.THREAD_TEB, struct.pack("<Q", teb))
    if flags & _SUSPENDED:
        found.suspended = 1
        _hold(found)
    thread.open(handle, found, access, attributes)
    if list_at:
        _fill_attributes(thread, list_at, made)
    return STATUS_SUCCESS


def _fill_attributes(thread: NtThread, place: int, made: Thread) -> None:
    """The ids and the TEB, where the caller asks for them."""
    count = max(0, thread.word(place) - 8) // 32
    for index in range(min(count, _MOST_ATTRIBUTES)):
        kind, size, value, returned = struct.unpack("<4Q", thread.data(place + 8 + 32 * index, 32))
        if kind == _CLIENT_ID:
            data = struct.pack("<QQ", thread.process.pid, made.tid)
        elif kind == _TEB_ADDRESS:
            data = struct.pack("<Q", made.teb)
        else:
            continue
        thread.put(value, data[:size])
        if returned:
            thread.put_word(returned, len(data))


def _hold(target: ThreadObject) -> None:
    """A suspended thread does not run, whatever it waits for besides."""
    thread, waiting = target.thread, target.thread.waiting
    target.waits_for = waiting

    def go_on(late: bool) -> None:
        if waiting is not None:
            thread.suspend(waiting)
        else:
            take_given(target)

    held = Suspension(lambda: not target.suspended, None, go_on)
    if thread is thread.process.thread and waiting is None:
        thread.suspend(held)
    else:
        thread.waiting = held


@call("NtSuspendThread")
def suspend_thread(thread: NtThread, handle: Handle, previous: Address) -> int:
    """Once more."""
    target = thread.thread_of(handle, THREAD_SUSPEND_RESUME)
    if target.thread.ended:
        return STATUS_THREAD_IS_TERMINATING
    if target.suspended >= _MOST_SUSPENSIONS:
        return STATUS_SUSPEND_COUNT_EXCEEDED
    thread.put_half(previous, target.suspended)
    target.suspended += 1
    if target.suspended == 1:
        _hold(target)
    return STATUS_SUCCESS


@call("NtResumeThread", "NtAlertResumeThread")
def resume_thread(thread: NtThread, handle: Handle, previous: Address) -> int:
    """Once less."""
    target = thread.thread_of(handle, THREAD_SUSPEND_RESUME)
    thread.put_half(previous, target.suspended)
    target.suspended = max(0, target.suspended - 1)
    return STATUS_SUCCESS


@call("NtSuspendProcess")
def suspend_process(thread: NtThread, process: Handle) -> int:
    """All of its threads once more, the one that asks last."""
    thread.check_process(process, PROCESS_SUSPEND_RESUME)
    for target in sorted(thread.state.threads.values(), key=lambda each: each is thread.own):
        if not target.thread.ended and target.suspended < _MOST_SUSPENSIONS:
            target.suspended += 1
            if target.suspended == 1:
                _hold(target)
    return STATUS_SUCCESS


@call("NtResumeProcess")
def resume_process(thread: NtThread, process: Handle) -> int:
    """All of its threads once less."""
    thread.check_process(process, PROCESS_SUSPEND_RESUME)
    for target in thread.state.threads.values():
        target.suspended = max(0, target.suspended - 1)
    return STATUS_SUCCESS


@call("NtQueueApcThread")
def queue_apc(thread: NtThread, handle: Handle, routine: Address, first: Word, second: Word, third: Word) -> int:
    """Something for a thread to call when it waits alertably."""
    target = thread.thread_of(handle, THREAD_SET_CONTEXT)
    if target.thread.ended:
        return STATUS_THREAD_IS_TERMINATING
    target.queue_apc((routine, first, second, third))
    return STATUS_SUCCESS


@call("NtQueryInformationThread")
def thread_information(
    thread: NtThread, handle: Handle, kind: UInt, buffer: Address, length: UInt, returned: Address
) -> int:
    """Basic information, times, start address, whether it is the last one."""
    target = thread.thread_of(handle, THREAD_QUERY_LIMITED)
    match kind:
        case 0:
            code = _STILL_ACTIVE if not target.thread.ended else target.exit_code or 0
            pid, increment = thread.process.pid, target.priority
            row = (code, target.thread.teb, pid, target.thread.tid, 1, increment, increment)  # Wine looks at the first
            data = struct.pack("<I4xQQQQii", *row)
        case 1:
            used = thread.services.clock.elapsed() // TICKS_PER_UNIT
            data = struct.pack("<4Q", system_time_of(thread) - used, 0, 0, used)
        case 9:
            data = struct.pack("<Q", target.start)
        case 12:
            others = [each for each in thread.process.threads if not each.ended and each is not target.thread]
            data = struct.pack("<I", not others)
        case 16 | 20:
            data = struct.pack("<I", 0)
        case 17:
            data = b"\0"
        case 23:
            data = struct.pack("<QQ", thread.services.clock.elapsed(), 0)
        case 30:
            data = struct.pack("<QH6x", 1, 0)
        case 38:
            size = len(target.description)
            data = struct.pack("<HHIQ", size, size, 0, buffer + 16) + target.description
            return answer_with(thread, data, buffer, length, returned, short=STATUS_BUFFER_TOO_SMALL)
        case _:
            return STATUS_INVALID_INFO_CLASS
    return answer_with(thread, data, buffer, length, returned)


@call("NtSetInformationThread")
def set_thread_information(thread: NtThread, handle: Handle, kind: UInt, buffer: Address, length: UInt) -> int:
    """The priority and the description are kept; other classes are accepted, without effect."""
    target = thread.thread_of(handle, THREAD_SET_LIMITED)
    if kind == 3:
        wanted = int.from_bytes(thread.data(buffer, 4), "little", signed=True)
        if abs(wanted) not in _INCREMENTS:
            return STATUS_INVALID_PARAMETER
        target.priority = max(-15, min(15, wanted))
    elif kind == _AFFINITY and thread.word(buffer) != _PROCESSORS:
        return STATUS_INVALID_PARAMETER
    elif kind == 38:
        target.description = thread.text(buffer).encode("utf-16-le", "surrogatepass")
    return STATUS_SUCCESS


@call("NtGetContextThread")
def get_context(thread: NtThread, handle: Handle, place: Address) -> int:
    """The registers of the thread itself, behind this call, or of another one."""
    target = thread.thread_of(handle, THREAD_GET_CONTEXT)
    before = thread.data(place, CONTEXT_BYTES)
    values, floats = present(target)
    thread.put(place, pack(values, floats, int.from_bytes(before[FLAGS_AT : FLAGS_AT + 4], "little"), before))
    return STATUS_SUCCESS


@call("NtSetContextThread")
def set_context(thread: NtThread, handle: Handle, place: Address) -> Result:
    """Those of another thread, or of the thread itself, which goes on with them behind this call."""
    target, cpu = thread.thread_of(handle, THREAD_SET_CONTEXT), thread.process.cpu
    values, floats = unpack(thread.data(place, CONTEXT_BYTES))
    if target is not thread.own:
        give(target, values, floats)
        return STATUS_SUCCESS
    if floats is not None:
        cpu.write_fxsave(floats)
    for storage in DEBUG_REGISTERS:
        if storage in values:
            cpu.registers.write(storage, values.pop(storage))
    return Enter({**call_values(thread.thread, STATUS_SUCCESS), **values}) if values else STATUS_SUCCESS


@call("NtGetCurrentProcessorNumber")
def processor_number(thread: NtThread) -> int:
    """The core."""
    return thread.process.core
