"""The registers of threads as programs know them: in user mode, behind the call that is under way in a thread."""

from __future__ import annotations

from machine.kernel.base import enter_user_mode, user_values
from machine.kernel.nt.context import DEBUG_REGISTERS, RSP, STORAGES
from machine.kernel.nt.objects import ThreadObject
from machine.kernel.nt.status import STATUS_UNSUCCESSFUL, NtError
from machine.schedule import Thread
from vm.facts.registers import GENERAL, RFLAGS, RIP, STORAGE_INDEX

_RAX = STORAGE_INDEX["rax"]


def call_values(thread: Thread, status: int) -> dict[int, int]:
    """The registers that a thread has behind its call, which comes to `status`."""
    registers = thread.process.cpu.registers
    values = {storage: registers.read(storage) for storage in range(len(GENERAL))}
    behind = user_values(thread)
    return {**values, **{storage: behind[storage] for storage in (RIP, RFLAGS, RSP)}, _RAX: status}


def present(own: ThreadObject) -> tuple[dict[int, int], bytes]:
    """All that a CONTEXT has of a thread: the one that asks, or another one. Raises NtError for one that has ended."""
    thread, cpu = own.thread, own.thread.process.cpu
    if thread is thread.process.thread:
        debug = {storage: cpu.registers.read(storage) for storage in DEBUG_REGISTERS}
        return {**call_values(thread, 0), **debug}, cpu.read_fxsave()
    saved = thread.saved
    if thread.ended or saved is None:
        raise NtError(STATUS_UNSUCCESSFUL)
    values = {storage: saved.read(storage) for storage in STORAGES}
    if saved.level != cpu.home_level:
        values.update((storage, value) for storage, value in user_values(thread).items() if storage in values)
    return {**values, **own.given}, saved.read_fxsave()


def give(own: ThreadObject, values: dict[int, int], floats: bytes | None) -> None:
    """Let another thread have these registers, behind its call if it is in one. Raises NtError if it has ended."""
    thread = own.thread
    if thread.ended or thread.saved is None:
        raise NtError(STATUS_UNSUCCESSFUL)
    if floats is not None:
        thread.saved = thread.saved.with_fxsave(floats)
    is_in_call = own.waits_for is not None if own.suspended else thread.waiting is not None
    at_once = {storage for storage in values if storage in DEBUG_REGISTERS}
    if not is_in_call and thread.saved.level == thread.process.cpu.home_level:
        at_once = set(values)
    thread.saved = thread.saved.with_values({storage: values[storage] for storage in at_once})
    own.given.update((storage, value) for storage, value in values.items() if storage not in at_once)


def take_given(own: ThreadObject) -> None:
    """The thread, which has the CPU, is about to go on in user mode: with what others have given it meanwhile."""
    if own.given:
        kept = {storage: value for storage, value in own.given.items() if storage != _RAX}  # which the call sets
        own.given.clear()
        enter_user_mode(own.thread, {**user_values(own.thread), **kept})
