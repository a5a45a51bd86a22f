"""Calls that end the process."""

from __future__ import annotations

from machine.kernel.nt.abi import CURRENT_PROCESS, Handle, NtThread, UInt, call
from machine.kernel.nt.status import STATUS_SUCCESS


@call("NtTerminateProcess")
def terminate_process(thread: NtThread, process: Handle, status: UInt) -> int:
    """Of the process itself; handle 0 ends the other threads, of which there are none."""
    if process == CURRENT_PROCESS:
        thread.process.exit(status)
    return STATUS_SUCCESS


@call("NtTerminateThread")
def terminate_thread(thread: NtThread, handle: Handle, status: UInt) -> int:
    """The only thread's end is the process's."""
    thread.process.exit(status)
    return STATUS_SUCCESS
