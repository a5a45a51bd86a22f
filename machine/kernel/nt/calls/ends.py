"""Calls that end threads and the process."""

from __future__ import annotations

from machine.kernel.nt.abi import CURRENT_PROCESS, CURRENT_THREAD, Handle, NtThread, UInt, call
from machine.kernel.nt.exceptions import unhandled
from machine.kernel.nt.objects import ThreadObject
from machine.kernel.nt.rights import PROCESS_TERMINATE, THREAD_TERMINATE
from machine.kernel.nt.sections import flush_all
from machine.kernel.nt.state import NtState
from machine.kernel.nt.status import (
    FAILURE,
    STATUS_DLL_NOT_FOUND,
    STATUS_ENTRYPOINT_NOT_FOUND,
    STATUS_ORDINAL_NOT_FOUND,
    STATUS_SUCCESS,
)
from machine.kernel.outcomes import Exit, ExitThread, Result

_SHOWN = 3  # things that are missing


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
    if thread.process.unhandled is None:
        thread.process.not_loaded = why_not_loaded(thread.state, status)
    flush_all(thread.state.space)
    thread.state.handles.close_all()
    return Exit(status)


def why_not_loaded(state: NtState, status: int) -> str:
    """What the loader has not found when it ends its process with this status; empty where a program has begun."""
    if state.plan is None or state.is_loaded or not status & FAILURE:
        return ""
    unmet = state.plan.unmet
    if status == STATUS_DLL_NOT_FOUND:
        found = [f"{each.dll} is missing, which {each.importer} imports" for each in unmet if not each.export]
    elif status in (STATUS_ENTRYPOINT_NOT_FOUND, STATUS_ORDINAL_NOT_FOUND):
        wanted = [each for each in unmet if each.export.startswith("#") == (status == STATUS_ORDINAL_NOT_FOUND)]
        found = [f"{each.dll} has no {each.export}, which {each.importer} imports" for each in wanted if each.export]
    else:
        found = []
    more = f"; {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    return "; ".join(found[:_SHOWN]) + more or "it was not loaded"


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
