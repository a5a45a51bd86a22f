"""Operations on files that may take a while: who is told of the end, and what becomes of those that are under way.

The thread waits for those on a file that was opened for synchronous use. Of the others it hears STATUS_PENDING;
they are over as soon as they can be, behind any call of the process (`settle`), or cancelled.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from machine.kernel.nt.abi import NtThread
from machine.kernel.nt.files import File
from machine.kernel.nt.objects import Event, Operation
from machine.kernel.nt.state import NtState
from machine.kernel.nt.status import (
    STATUS_CANCELLED,
    STATUS_INSUFFICIENT_RESOURCES,
    STATUS_PENDING,
    STATUS_SUCCESS,
    NtError,
)
from machine.kernel.outcomes import Result, Wait

_MOST_PENDING = 1024  # of a process


class Told(NamedTuple):
    """Who is told that an operation is over: an event, an APC with its routine, or the file's port by a value."""

    block: int
    event: int = 0
    routine: int = 0
    context: int = 0


def give(
    thread: NtThread, handle: int, block: int, opened: File, access: int, attributes: int, information: int
) -> int:
    """Write a handle of a file that was opened, and how (FILE_OPENED, FILE_CREATED, ...). Raises NtError."""
    try:
        thread.open(handle, opened, access, attributes)
    except NtError:
        opened.closed()
        raise
    thread.set_io_status(block, STATUS_SUCCESS, information)
    return STATUS_SUCCESS


def completed(thread: NtThread, file: File, told: Told, status: int, information: int) -> int:
    """An operation is over: its status block, and whoever is told."""
    if told.block:
        thread.set_io_status(told.block, status, information)
    if told.event:
        thread.state.handles.of(told.event, Event).is_set = True
    if told.routine:
        thread.own.queue_apc((told.routine, told.context, told.block, 0))
    elif told.context and file.port is not None:
        port, key = file.port
        port.post((key, told.context, status, information))
    return status


def begin(
    thread: NtThread, file: File, told: Told, ready: Callable[[], bool], finish: Callable[[], tuple[int, int]],
    *, is_asynchronous: bool = False, deadline: int | None = None,
) -> Result:  # fmt: skip
    """Begin what `finish` does once it is `ready`; it says the status and the information. Raises NtError.

    The thread waits, unless the file or the operation `is_asynchronous`. At the `deadline` it is ready for sure.
    """

    def end() -> int:
        try:
            status, information = finish()
        except NtError as error:
            status, information = error.status, 0
        return completed(thread, file, told, status, information)

    own = thread.own

    def until() -> bool:
        return own.is_cancelled or ready()

    def then(late: bool) -> Result:
        if not until():
            return Wait(until, deadline, then)  # another thread was faster
        is_cancelled, own.in_operation, own.is_cancelled = own.is_cancelled, False, False
        return completed(thread, file, told, STATUS_CANCELLED, 0) if is_cancelled else end()

    if ready():
        status, information = finish()
        return completed(thread, file, told, status, information)
    if not (is_asynchronous or file.is_asynchronous):
        own.in_operation = True
        return Wait(until, deadline, then)
    pending = thread.state.pending
    if len(pending) >= _MOST_PENDING:
        raise NtError(STATUS_INSUFFICIENT_RESOURCES)
    if told.event:
        thread.state.handles.of(told.event, Event).is_set = False
    cancel = lambda: completed(thread, file, told, STATUS_CANCELLED, 0)  # noqa: E731 - as `end`
    pending.append(Operation(file, thread.thread, told.block, ready, end, cancel, deadline))
    file.pending += 1
    return STATUS_PENDING


def settle(state: NtState) -> None:
    """End the operations that can end by now, in the order in which they began; those on closed files are cancelled."""
    goes_on = True
    while goes_on:
        goes_on = False
        for each in list(state.pending):
            if not each.file.handles or each.ready():
                goes_on = True
                _end(state, each, each.end if each.file.handles else each.cancel)


def cancel(state: NtState, chosen: Callable[[Operation], bool]) -> bool:
    """Cancel those that are chosen; whether there were any."""
    found = [each for each in state.pending if chosen(each)]
    for each in found:
        _end(state, each, each.cancel)
    return bool(found)


def _end(state: NtState, operation: Operation, how: Callable[[], object]) -> None:
    state.pending.remove(operation)
    operation.file.pending -= 1
    try:
        how()
    except NtError:  # nobody is there who could be told: the memory or the event is gone
        return
