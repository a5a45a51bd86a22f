"""User APCs: how a thread that waits alertably begins one."""

from __future__ import annotations

import struct
from collections.abc import Mapping

from machine.kernel.nt.abi import NtThread
from machine.kernel.nt.context import RSP, apc_frame
from machine.kernel.nt.objects import ThreadObject
from machine.kernel.nt.status import STATUS_ACCESS_VIOLATION, STATUS_USER_APC
from machine.kernel.nt.thread_registers import call_values
from machine.kernel.outcomes import Enter, Exit, Result
from vm.facts.registers import RIP, STORAGE_INDEX

_ROUTINE_FOR_WINE = 0x28  # where its dispatcher finds the routine, as a fifth argument


def pending_apc(thread: NtThread, own: ThreadObject, status: int = STATUS_USER_APC) -> Result:
    """Begin the first APC that waits; its dispatcher goes on behind the call, with `status`."""
    return begun_apc(thread, own, call_values(thread.thread, status))


def begun_apc(thread: NtThread, own: ThreadObject, values: Mapping[int, int]) -> Result:
    """Begin the first APC that waits; its dispatcher goes on with these registers."""
    routine, *arguments = own.queue.popleft()
    frame = apc_frame(values, thread.process.cpu.read_fxsave(), routine, arguments)
    data = bytearray(frame.data)
    struct.pack_into("<Q", data, _ROUTINE_FOR_WINE, routine)
    if not thread.process.cpu.memory.write(frame.pointer, bytes(data)):
        return Exit(STATUS_ACCESS_VIOLATION)
    names = ("rdx", "r8", "r9")
    given = {STORAGE_INDEX[name]: value for name, value in zip(names, arguments, strict=True)}
    return Enter({
        **values, **given, STORAGE_INDEX["rcx"]: frame.pointer, RSP: frame.pointer, RIP: thread.state.dispatchers.apcs,
    })  # fmt: skip
