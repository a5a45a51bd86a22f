"""Calls that end the process."""

from __future__ import annotations

from machine.kernel.nt.abi import CURRENT_PROCESS, Handle, NtThread, UInt, call
from machine.kernel.nt.status import STATUS_SUCCESS
from machine.kernel.outcomes import Exit, ExitThread, Result


@call("NtTerminateProcess")
def terminate_process(thread: NtThread, process: Handle, status: UInt) -> Result:
    """Of the process itself; handle 0 ends the other threads, of which there are none."""
    return Exit(status) if process == CURRENT_PROCESS else STATUS_SUCCESS


@call("NtTerminateThread")
def terminate_thread(thread: NtThread, handle: Handle, status: UInt) -> Result:
    """Of the thread itself, whatever the handle. The last thread's end is the process's."""
    return ExitThread(status)
