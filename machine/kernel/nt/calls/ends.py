"""Calls that end threads and the process."""

from __future__ import annotations

from machine.kernel.nt.abi import CURRENT_PROCESS, CURRENT_THREAD, Handle, NtThread, UInt, call
from machine.kernel.nt.exceptions import unhandled
from machine.kernel.nt.objects import ThreadObject
from machine.kernel.nt.rights import PROCESS_TERMINATE, THREAD_TERMINATE
from machine.kernel.nt.sections import flush_all
from machine.kernel.nt.status import STATUS_SUCCESS
from machine.kernel.outcomes import Exit, ExitThread, Result


@call("NtTerminateProcess")
def terminate_process(thread: NtThread, process: Handle, status: UInt) -> Result:
    """Of the process itself; handle 0 ends its other threads."""
    if process == 0:
        thread.state.announced_end = status
        for other in [each for each in thread.process.threads if each is not thread.thread]:
            _end(thread.state.threads[other], status)
        return STATUS_SUCCESS
    if process != CURRENT_PROCESS:
        thread.check_process(process, PROCESS_TERMINATE)
    thread.process.unhandled = unhandled(thread.state, thread.own, status)
    flush_all(thread.state.space)
    thread.state.handles.close_all()
    return Exit(status)


@call("NtTerminateThread")
def terminate_thread(thread: NtThread, handle: Handle, status: UInt) -> Result:
    """Of a thread of the process, 0 for itself. The last thread's end is the process's."""
    target = thread.own if handle in (0, CURRENT_THREAD) else thread.thread_of(handle, THREAD_TERMINATE)
    if target is thread.own:
        target.exit_code = status
        return ExitThread(status)
    _end(target, status)
    return STATUS_SUCCESS


def _end(target: ThreadObject, status: int) -> None:
    if not target.thread.ended:
        target.exit_code = status
        target.thread.end(status)
