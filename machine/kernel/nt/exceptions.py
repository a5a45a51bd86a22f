"""Exceptions: what a fault of the processor is to a Windows program, and how its dispatcher is entered."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from machine.kernel.builds import TEB_STACK_LIMIT
from machine.kernel.nt.context import (
    DR6,
    DR6_NONE,
    EXCEPTION_RECORD_BYTES,
    RSP,
    STORAGES,
    ExceptionRecord,
    exception_frame,
)
from machine.kernel.nt.objects import Dispatched, ThreadObject
from machine.kernel.nt.start import grow_stack
from machine.kernel.nt.state import NtState
from machine.kernel.nt.status import (
    FAST_FAIL_CODES,
    STATUS_ACCESS_VIOLATION,
    STATUS_FAIL_FAST_EXCEPTION,
    STATUS_GUARD_PAGE_VIOLATION,
    STATUS_ILLEGAL_INSTRUCTION,
    STATUS_INTEGER_OVERFLOW,
    STATUS_INVALID_LOCK_SEQUENCE,
    STATUS_OF_VECTOR,
    STATUS_PRIVILEGED_INSTRUCTION,
)
from machine.memory import PAGE, Protection
from machine.processor import LONGEST_INSTRUCTION, Cpu, Fault, PageFault, Vector, divisor_of, has_lock, is_privileged
from machine.schedule import Thread, Unhandled
from vm.facts.registers import RFLAGS, RIP, STORAGE_INDEX

FAST_FAIL = 0x29
RCX = STORAGE_INDEX["rcx"]
_LOW = 0xFFFF_FFFF
_READ, _WRITE, _FETCH = 0, 1, 8
_TRAP_FLAG = 1 << 8
_WINE_STUB = 0x8000_0100  # EXCEPTION_WINE_STUB
_LONGEST_NAME = 128
_LARGEST_CODE = 0xFFFF  # such as stand everywhere on a stack
_RAISER = 0x100  # bytes of the functions of kernelbase that raise
_CALLERS = 0x100  # bytes of a stack in which such a function is looked for
_MOST_UNWOUND = 0x400_0000  # bytes of a stack that are looked at
_PIECE = 0x1_0000  # of them at a time
_MOST_PLACES = 0x4000  # there that may be records
_ADDRESS_AT = 0x10  # of a record
_BELOW_RECORD = 0x40  # bytes in which the address that a raiser's call returns to stands
_KNOWN_FLAGS = 0x7F  # of records: noncontinuable, unwinding and the like


def status_of(cpu: Cpu, fault: Fault) -> int:
    """The NTSTATUS of an exception."""
    code = cpu.memory.read_up_to(fault.rip, LONGEST_INSTRUCTION)
    if fault.vector == Vector.GP:
        return STATUS_PRIVILEGED_INSTRUCTION if is_privileged(code) else STATUS_ACCESS_VIOLATION
    if fault.vector == Vector.UD:
        return STATUS_INVALID_LOCK_SEQUENCE if has_lock(code) else STATUS_ILLEGAL_INSTRUCTION
    if fault.vector == Vector.DE and divisor_of(code, fault.rip, cpu.registers, cpu.memory):
        return STATUS_INTEGER_OVERFLOW
    return STATUS_OF_VECTOR.get(fault.vector, STATUS_ACCESS_VIOLATION)


def dispatch(state: NtState, thread: Thread, fault: Fault) -> bool:
    """Have the program's dispatcher begin: whether the thread goes on."""
    own = state.threads.get(thread)
    if own is None or not state.dispatchers.exceptions or fault.vector == FAST_FAIL:
        return False
    cpu = thread.process.cpu
    status, address = status_of(cpu, fault), fault.rip
    parameters: tuple[int, ...] = ()
    if fault.vector in (Vector.BP, 0x2D):
        address -= 1
        parameters = (0,)
    elif fault.vector == Vector.PF:
        place = fault.address or 0
        kind = _FETCH if fault.error & PageFault.FETCH else _WRITE if fault.error & PageFault.WRITE else _READ
        parameters = (kind, place)
        if kind == _WRITE and state.space.has_watched and state.space.see_write(place, 1):
            return True
        area = cpu.memory.area_at(place)
        if area is not None and area.guard and area.committed:
            if own.stack[0] <= place < own.stack[1]:
                grown = grow_stack(state, own, place)
                if grown is None:
                    return True
                status = grown
            else:
                status = STATUS_GUARD_PAGE_VIOLATION
                page = place & -PAGE
                state.space.protect(page, page + PAGE, _without_guard(state, page))
    elif status == STATUS_ACCESS_VIOLATION:
        address, parameters = fault.at, (_READ, (1 << 64) - 1)
    values = {storage: cpu.registers.read(storage) for storage in STORAGES}
    values[RIP] = address
    if fault.vector == Vector.DB:
        values[RFLAGS] &= ~_TRAP_FLAG
        values[DR6] = DR6_NONE ^ fault.debug
        cpu.registers.write(DR6, DR6_NONE)
    return enter(state, own, values, ExceptionRecord(status, address, parameters))


def _without_guard(state: NtState, page: int) -> int:
    return state.space.query(page).protect & ~0x100


def enter(state: NtState, own: ThreadObject, values: dict[int, int], record: ExceptionRecord) -> bool:
    """Put a frame on the stack and let the dispatcher begin; False where there is no stack for it."""
    registers = entered(state, own, values, record)
    if registers is None:
        return False
    for storage in (RSP, RIP, RFLAGS):
        own.thread.process.cpu.registers.write(storage, registers[storage])
    return True


def entered(
    state: NtState, own: ThreadObject, values: dict[int, int], record: ExceptionRecord
) -> dict[int, int] | None:
    """The registers with which the dispatcher begins; None where there is no stack for its frame."""
    cpu = own.thread.process.cpu
    frame = exception_frame(values, cpu.read_fxsave(), record)
    own.last_exception = Dispatched(record.code, record.address, frame.pointer)
    if not _has_stack(state, own, frame.pointer, len(frame.data)) or not cpu.memory.write(frame.pointer, frame.data):
        return None
    return {
        **values,
        RSP: frame.pointer,
        RIP: state.dispatchers.exceptions,
        RFLAGS: values[RFLAGS] & ~(1 << 10 | _TRAP_FLAG),
    }


def unhandled(state: NtState, own: ThreadObject, status: int) -> Unhandled | None:
    """The exception for which a thread ends its process with this status, if it is one that nobody has handled.

    It is ntdll that ends a process so, or a handler that is not done; a program may end itself with any status.
    Exceptions that ntdll dispatches without the kernel are found by their record, which the thread's stack has still:
    a handler that is not done has it above the stack pointer, in the frame of RaiseException. Where ntdll ends the
    process it has unwound the stack, so the nearest below is taken. Wine's kernelbase carries out
    RaiseFailFastException by ending the process.
    """
    cpu, tid, last = own.thread.process.cpu, own.thread.tid, own.last_exception
    pointer = cpu.registers.read(RSP)
    is_last = last is not None and last.code == status
    if last is not None and is_last and pointer <= last.frame < own.stack[1]:
        return Unhandled(status, last.address, tid)
    raised = _being_raised(state, own, status, pointer)
    if raised is not None:
        return Unhandled(status, raised, tid)
    if status == state.announced_end:
        return None
    if status == STATUS_FAIL_FAST_EXCEPTION:
        stack = cpu.memory.read_up_to(pointer, _CALLERS)
        callers = (each for (each,) in struct.iter_unpack("<Q", stack[: len(stack) & -8]))
        caller = next((each for each in callers if _is_in(state, "RaiseFailFastException", each)), None)
        return None if caller is None else Unhandled(status, caller, tid)
    if not _is_of_ntdll(state, cpu, pointer):
        return None
    if last is not None and is_last:
        return Unhandled(status, last.address, tid)
    top = min((pointer & -8) + EXCEPTION_RECORD_BYTES, own.stack[1])
    limit = cpu.memory.read(own.thread.teb + TEB_STACK_LIMIT, 8) or b""
    start = max(top - _MOST_UNWOUND, own.stack[0], int.from_bytes(limit, "little"))
    for _, record in _records(state, cpu, status, start, top):
        if status > _LARGEST_CODE or _is_in(state, "RaiseException", record.address):
            return Unhandled(status, record.address, tid, _missing_function(state, cpu, record))
    return None


def _being_raised(state: NtState, own: ThreadObject, status: int, pointer: int) -> int | None:
    """Where a function that has not come back has raised this status: the address in its record.

    Its call of ntdll returns to that address, which so stands right below the record, too.
    """
    cpu = own.thread.process.cpu
    start = pointer + 7 & -8
    for place, record in _records(state, cpu, status, start, min(own.stack[1], start + _MOST_UNWOUND)):
        below = max(place - _BELOW_RECORD, start)
        if struct.pack("<Q", record.address) in cpu.memory.read_up_to(below, place - below):
            return record.address
    return None


def _records(state: NtState, cpu: Cpu, status: int, start: int, end: int) -> Iterator[tuple[int, ExceptionRecord]]:
    """Places and records with this status between two addresses of a stack, from the upper end on.

    They are looked for by their status, or where that is one that stands everywhere by an address in RaiseException.
    """
    begin = _address_of(state, "RaiseException") >> 8
    upper = [(struct.pack("<Q", page << 8)[1:], _ADDRESS_AT + 1) for page in (begin, begin + 1) if begin]
    wanted = [(struct.pack("<I", status), 0)] if status > _LARGEST_CODE else upper
    left = _MOST_PLACES
    for top in range(end, start, -_PIECE):
        low = max(top - _PIECE, start)
        data = cpu.memory.read_up_to(low, min(top + EXCEPTION_RECORD_BYTES, end) - low)
        for key, offset in wanted:
            at = len(data)
            while left and (at := data.rfind(key, 0, at)) >= 0:
                left -= 1
                place = at - offset
                if place < 0 or (low + place) % 8 or place + EXCEPTION_RECORD_BYTES > len(data):
                    continue
                record = ExceptionRecord.of(data[place : place + EXCEPTION_RECORD_BYTES])
                is_plain = not record.flags & ~_KNOWN_FLAGS and not record.chained
                if record.code == status and is_plain and _is_code(state, record.address):
                    yield low + place, record


def _is_of_ntdll(state: NtState, cpu: Cpu, pointer: int) -> bool:
    """Whether the call that is being made returns to ntdll's own code."""
    ntdll = state.plan.ntdll if state.plan is not None else None
    back = cpu.memory.read(pointer, 8)
    return ntdll is not None and back is not None and 0 <= int.from_bytes(back, "little") - ntdll.base < ntdll.file.size


def _is_in(state: NtState, function: str, address: int) -> bool:
    """Whether an address is one of a function of kernelbase."""
    begin = _address_of(state, function)
    return begin > 0 and 0 <= address - begin < _RAISER


def _address_of(state: NtState, function: str) -> int:
    """Of a function of kernelbase; 0 for none."""
    kernelbase = None if state.plan is None else state.plan.modules.get("kernelbase.dll")
    export = None if kernelbase is None else kernelbase.exports.get(function)
    return kernelbase.base + export if kernelbase is not None and isinstance(export, int) else 0


def end_by(state: NtState, thread: Thread, fault: Fault) -> int:
    """The NTSTATUS with which an exception ends a process that cannot handle it, which is noted."""
    cpu = thread.process.cpu
    status = status_of(cpu, fault)
    if state.plan is not None:
        why = _fast_fail(cpu.registers.read(RCX) & _LOW) if fault.vector == FAST_FAIL else ""
        thread.process.unhandled = Unhandled(status, fault.at, thread.tid, why)
    return status


def _fast_fail(code: int) -> str:
    name = FAST_FAIL_CODES.get(code)
    return f"fast fail with code {code:x}" + (f" ({name})" if name else "")


def _is_code(state: NtState, address: int) -> bool:
    area = state.space.memory.area_at(address)
    return area is not None and bool(area.protection & Protection.EXECUTE)


def _missing_function(state: NtState, cpu: Cpu, record: ExceptionRecord) -> str:
    """What Wine's DLLs raise where a function is a stub, or was not found: its module and its name, or its ordinal."""
    if record.code != _WINE_STUB or len(record.parameters) != 2:
        return ""
    module, function = (_text(cpu, place) for place in record.parameters)
    if not record.parameters[1] >> 16:
        function = f"#{record.parameters[1]}"
    exporter = None if state.plan is None else state.plan.modules.get(module.lower())
    if exporter is not None and function not in exporter.exports:
        return f"the {module} of this folder has no {function}"
    return f"{module}!{function} is not implemented: a stub in Wine's DLLs, not in Windows' own"


def _text(cpu: Cpu, address: int) -> str:
    data = cpu.memory.read_up_to(address, _LONGEST_NAME).partition(b"\0")[0] if address >> 16 else b""
    return "".join(chr(byte) if 0x20 < byte < 0x7F else "?" for byte in data) or "?"


def _has_stack(state: NtState, own: ThreadObject, start: int, size: int) -> bool:
    """Whether the guest could write there; its own stack grows for it."""
    for page in range((start + size - 1) & -PAGE, (start & -PAGE) - PAGE, -PAGE):
        area = state.space.memory.area_at(page)
        if area is not None and area.guard and area.committed and own.stack[0] <= page < own.stack[1]:
            grow_stack(state, own, page)
            area = state.space.memory.area_at(page)
        if area is None or not area.committed or area.supervisor or not area.protection & 2:
            return False
    return True
