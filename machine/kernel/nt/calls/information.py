"""Calls that tell a program about its process and the system."""

from __future__ import annotations

import struct
from random import Random

from machine.kernel.nt.abi import (
    CURRENT_PROCESS,
    CURRENT_THREAD,
    OBJ_INHERIT,
    Address,
    Handle,
    NtThread,
    UInt,
    answer_with,
    call,
)
from machine.kernel.nt.blocks import TICKS_PER_UNIT
from machine.kernel.nt.calls.sections import image_information
from machine.kernel.nt.calls.time import system_time_of
from machine.kernel.nt.files import DriveFile
from machine.kernel.nt.objects import Other
from machine.kernel.nt.rights import PROCESS_DUP_HANDLE, PROCESS_QUERY_LIMITED
from machine.kernel.nt.space import GRANULARITY, PAGE_READWRITE
from machine.kernel.nt.status import (
    STATUS_ACCESS_DENIED,
    STATUS_BUFFER_TOO_SMALL,
    STATUS_INFO_LENGTH_MISMATCH,
    STATUS_INVALID_CID,
    STATUS_INVALID_INFO_CLASS,
    STATUS_INVALID_PARAMETER,
    STATUS_SUCCESS,
    NotCarriedOut,
)
from machine.memory import PAGE

_STILL_ACTIVE = 0x103
_BASE_PRIORITY = 8
_PRIORITY_CLASS = 18  # ProcessPriorityClass
_STACK_ALLOCATION = 41  # ProcessThreadStackAllocation
_STACK_ROWS = {0x18: 0, 0x28: 0x10}  # where size, zero bits and base stand in the structure of this length
_PAGES = 0xF_FF00  # of memory, whose bytes have 32 bits: Wine multiplies so
_FREE_PAGES_AT = 0x2C  # in SYSTEM_PERFORMANCE_INFORMATION
_PROCESS_ROW, _WORKING_SET = 0x100, 0x100_0000
_SINCE_1582 = 0x146BF33E42C000  # what UUIDs count from, before 1601, in units of 100 ns
_UUIDS = 1000  # of one call
_POWER_CAPABILITIES, _MEGAHERTZ = 76, 3000
_NO_DEBUG_OBJECT = 0xC000_0353  # STATUS_PORT_NOT_SET


@call("NtQueryInformationProcess")
def process_information(
    thread: NtThread, process: Handle, kind: UInt, buffer: Address, length: UInt, returned: Address
) -> int:
    """Of the process itself."""
    if thread.state.plan is not None:
        thread.check_process(process, PROCESS_QUERY_LIMITED)
    own, plan = thread.process, thread.state.plan
    name = "" if plan is None else plan.program.path
    match kind:
        case 0:
            priority = (
                thread.state.priority_class if thread.state.unix_functions else _BASE_PRIORITY
            )  # Wine takes the class
            data = struct.pack("<6Q", _STILL_ACTIVE, own.peb, 1, priority, own.pid, 0)
        case _ if plan is None:
            return STATUS_INVALID_INFO_CLASS
        case 3:
            size = 0x100_0000
            data = struct.pack("<QQI4x8Q", size, size, 0, size, size, 0, 0, 0, 0, size, size)
        case 4:
            used = thread.services.clock.elapsed() // TICKS_PER_UNIT
            data = struct.pack("<4Q", system_time_of(thread) - used, 0, 0, used)
        case 7 | 26:
            data = bytes(8)
        case 12:
            data = struct.pack("<I", 1)
        case 18:
            data = struct.pack("<BB", 0, thread.state.priority_class)
        case 20:
            data = struct.pack("<I", len(thread.state.handles))
        case 21:
            data = struct.pack("<Q", 1)
        case 27 | 43:
            path = name.replace("C:", "\\Device\\HarddiskVolume1", 1) if kind == 27 else name
            text = path.encode("utf-16-le", "surrogatepass")
            data = struct.pack("<HHIQ", len(text), len(text) + 2, 0, buffer + 16) + text + b"\0\0"
        case 29:
            data = struct.pack("<I", 0)
        case 30:
            return _NO_DEBUG_OBJECT
        case 31 | 34 | 36:
            data = struct.pack("<I", 1 if kind == 31 else 0 if kind == 34 else 0x1234_5678)
        case 38:
            data = struct.pack("<QQ", thread.services.clock.elapsed(), 0)
        case 37:
            data = image_information(plan.program)
        case _:
            return STATUS_INVALID_INFO_CLASS
    return answer_with(thread, data, buffer, length, returned)


@call("NtSetInformationProcess")
def set_information(thread: NtThread, process: Handle, kind: UInt, buffer: Address, length: UInt) -> int:
    """The stack of a fiber is reserved, the class of priorities kept; other classes are accepted, without effect."""
    if kind == _PRIORITY_CLASS:
        if length != 2:
            return STATUS_INFO_LENGTH_MISMATCH
        thread.state.priority_class = thread.data(buffer, 2)[1]
        return STATUS_SUCCESS
    if kind != _STACK_ALLOCATION:
        return STATUS_SUCCESS
    thread.check_process(process)
    if length not in _STACK_ROWS:
        return STATUS_INFO_LENGTH_MISMATCH
    place = buffer + _STACK_ROWS[length]
    size, _, _ = struct.unpack("<3Q", thread.data(place, 24))
    thread.put(place, thread.data(place, 24))  # so that nothing is reserved which nobody is told of
    thread.put_word(place + 16, thread.state.space.reserve(0, size, PAGE_READWRITE, "stack").base)
    return STATUS_SUCCESS


@call("NtSetInformationJobObject", "NtAssignProcessToJobObject", "NtSetInformationVirtualMemory")
def accepted(thread: NtThread) -> int:
    """Accepted, without effect."""
    return STATUS_SUCCESS


@call("NtSetInformationToken", "NtAdjustPrivilegesToken", "NtSetDebugFilterState")
def accepted_too(thread: NtThread) -> int:
    """Accepted, without effect."""
    return STATUS_SUCCESS


@call("NtQuerySystemInformation")
def system_information(thread: NtThread, kind: UInt, buffer: Address, length: UInt, returned: Address) -> int:
    """Of a computer with one processor."""
    clock = thread.services.clock
    match kind:
        case 0 | 114:
            data = struct.pack("<6I", 0, 156_250, PAGE, _PAGES, 1, _PAGES)
            data += struct.pack("<QQQQB7x", GRANULARITY, 0x1_0000, 0x7FFF_FFFE_FFFF, 1, 1)
        case _ if thread.state.plan is None:
            return STATUS_INVALID_INFO_CLASS
        case 1 | 63:
            data = struct.pack("<HHHHI", 9, 6, 0x2A07, 1, 0)
        case 2:
            free = struct.pack("<3I", _PAGES // 2, _PAGES // 2, _PAGES * 2)  # available, committed, limit of that
            data = (bytes(_FREE_PAGES_AT) + free).ljust(0x158, b"\0")
        case 3:
            now = system_time_of(thread)
            boot = now - clock.elapsed() // TICKS_PER_UNIT
            data = struct.pack("<QQQIIQQ", boot, now, 0, 0, 0, 0, 0)[:length]
        case 5:
            data = _processes(thread, buffer)
        case 8 | 141:
            data = struct.pack("<QQQQQI4x", 0, 0, clock.elapsed() // TICKS_PER_UNIT, 0, 0, 0)
        case 23:
            data = thread.state.generator.randbytes(24)  # counters, which Wine makes random numbers of
        case 35:
            data = struct.pack("<BB", 0, 1)
        case 102:
            data = bytes(432)[:length] if length >= 172 else bytes(4)
        case 103:
            data = struct.pack("<II", 8, 1)
        case _:
            return STATUS_INVALID_INFO_CLASS
    return answer_with(thread, data, buffer, length, returned)


def _processes(thread: NtThread, buffer: int) -> bytes:
    """SYSTEM_PROCESS_INFORMATION of the one process, which is to stand at `buffer`, with its threads and its name."""
    own, plan, used = thread.process, thread.state.plan, thread.services.clock.elapsed() // TICKS_PER_UNIT
    threads = [(each, found) for each, found in thread.state.threads.items() if not each.ended]
    name = ("" if plan is None else plan.program.path.rpartition("\\")[2]).encode("utf-16-le", "surrogatepass")
    rows, began = b"", system_time_of(thread) - used
    for each, found in threads:
        state = 5 if each.waiting is not None else 2  # waiting, running
        rows += struct.pack("<3QI4x3QiiIII4x", 0, 0, began, 0, found.start, own.pid, each.tid, 8, 8, 0, state, 0)
    data = bytearray(_PROCESS_ROW)
    struct.pack_into("<II", data, 0, 0, len(threads))
    struct.pack_into("<3Q", data, 0x20, began, used, 0)
    struct.pack_into("<HHIQ", data, 0x38, len(name), len(name) + 2, 0, buffer + _PROCESS_ROW + len(rows))
    struct.pack_into("<I4xQQII", data, 0x48, 8, own.pid, 0, len(thread.state.handles), 1)
    struct.pack_into("<4Q", data, 0x70, _WORKING_SET, _WORKING_SET, 0, _WORKING_SET)
    struct.pack_into("<Q", data, 0x90, _WORKING_SET)
    return bytes(data) + rows + name + b"\0\0"


@call("NtQuerySystemInformationEx")
def system_information_ex(
    thread: NtThread, kind: UInt, query: Address, size: UInt, buffer: Address, length: UInt, returned: Address
) -> int:
    """Processors as groups, cores, packages: one of each."""
    if kind != 107:
        return STATUS_INVALID_INFO_CLASS
    wanted = int.from_bytes(thread.data(query, 4), "little") if query else 0xFFFF
    data = b""
    if wanted in (0, 0xFFFF):
        data += struct.pack("<IIBB20xH", 0, 48, 0, 0, 1) + struct.pack("<QH6x", 1, 0)
    if wanted in (3, 0xFFFF):
        data += struct.pack("<IIBB20xH", 3, 48, 0, 0, 1) + struct.pack("<QH6x", 1, 0)
    if wanted in (4, 0xFFFF):
        data += struct.pack("<IIHH20x", 4, 80, 1, 1) + struct.pack("<BB38xQ", 1, 1, 1)
    if not data:
        return STATUS_INVALID_INFO_CLASS
    return answer_with(thread, data, buffer, length, returned)


@call("NtQueryInformationJobObject")
def job_information(thread: NtThread, job: Handle, kind: UInt, buffer: Address, length: UInt, returned: Address) -> int:
    """The process is in no job."""
    return STATUS_ACCESS_DENIED


@call("NtIsProcessInJob")
def is_in_job(thread: NtThread, process: Handle, job: Handle) -> int:
    """STATUS_PROCESS_NOT_IN_JOB."""
    return 0x123


@call("NtCreateJobObject")
def create_job(thread: NtThread, handle: Address) -> int:
    """An object that does nothing."""
    thread.open(handle, Other())
    return STATUS_SUCCESS


@call("NtOpenProcess")
def open_process(thread: NtThread, handle: Address, access: UInt, attributes: Address, client: Address) -> int:
    """The process itself."""
    if thread.state.plan is not None and thread.word(client) != thread.process.pid:
        return STATUS_INVALID_CID
    thread.open(handle, thread.state.process, access, attributes)
    return STATUS_SUCCESS


@call("NtOpenThread")
def open_thread(thread: NtThread, handle: Address, access: UInt, attributes: Address, client: Address) -> int:
    """One of the process's threads."""
    wanted = thread.word(client + 8)
    for each in thread.state.threads.values():
        if each.thread.tid == wanted and not each.thread.ended:
            thread.open(handle, each, access, attributes)
            return STATUS_SUCCESS
    return STATUS_INVALID_CID


@call("NtCreateUserProcess", "NtCreateProcessEx", "NtCreateProcess")
def create_process(thread: NtThread) -> int:
    """There are no children."""
    raise NotCarriedOut(STATUS_ACCESS_DENIED)


# --- objects


@call("NtQueryObject")
def query_object(thread: NtThread, handle: Handle, kind: UInt, buffer: Address, length: UInt, returned: Address) -> int:
    """Counts, name, type, flags."""
    found = thread.object(handle)
    match kind:
        case 0:
            is_real = handle not in (CURRENT_PROCESS, CURRENT_THREAD)
            mask = thread.state.handles.rights_of(handle) if is_real else found.rights.every
            inherits, protects = thread.state.handles.flags.get(handle & ~3, (False, False))
            data = struct.pack("<4I40x", protects | inherits << 1, mask, found.handles, found.handles + 1)
        case 1:
            name = found.name
            if isinstance(found, DriveFile):  # Wine's DLLs expect a drive's letter
                name = ("\\??\\C:" if thread.state.unix_functions else "\\Device\\HarddiskVolume1") + found.spot.path
            text = name.encode("utf-16-le", "surrogatepass")
            data = struct.pack("<HHIQ", len(text), len(text) + 2 if text else 0, 0, buffer + 16 if text else 0) + text
            data += b"\0\0" if text else b""
        case 2:
            text = found.kind.encode("utf-16-le")
            data = struct.pack("<HHIQ", len(text), len(text) + 2, 0, buffer + 0x68).ljust(0x68, b"\0") + text + b"\0\0"
        case 4:
            data = bytes(thread.state.handles.flags.get(handle & ~3, (False, False)))
        case _:
            return STATUS_INVALID_INFO_CLASS
    return answer_with(thread, data, buffer, length, returned)


@call("NtSetInformationObject")
def set_object(thread: NtThread, handle: Handle, kind: UInt, buffer: Address, length: UInt) -> int:
    """ObjectHandleFlagInformation: whether it is inherited, and protected from being closed."""
    thread.object(handle)
    if kind != 4:
        return STATUS_INVALID_INFO_CLASS
    if length != 2:
        return STATUS_INFO_LENGTH_MISMATCH
    inherits, protects = thread.data(buffer, 2)
    if handle not in (CURRENT_PROCESS, CURRENT_THREAD):
        thread.state.handles.flags[handle & ~3] = (bool(inherits), bool(protects))
    return STATUS_SUCCESS


_DUPLICATE_CLOSE, _SAME_ACCESS, _SAME_ATTRIBUTES = 1, 2, 4


@call("NtDuplicateObject")
def duplicate(
    thread: NtThread, source: Handle, handle: Handle, target: Handle, copy: Address, access: UInt, attributes: UInt,
    options: UInt,
) -> int:  # fmt: skip
    """Another handle of the same object, with the same rights or others."""
    thread.check_process(source, PROCESS_DUP_HANDLE)
    found, handles = thread.object(handle), thread.state.handles
    is_real = handle not in (CURRENT_PROCESS, CURRENT_THREAD)
    present = handles.rights_of(handle) if is_real else found.rights.every
    if copy:
        thread.check_process(target, PROCESS_DUP_HANDLE)
        wanted = present if options & _SAME_ACCESS else found.rights.granted(access)
        if wanted & ~present and not found.widens:
            return STATUS_ACCESS_DENIED
        inherits = bool(attributes & OBJ_INHERIT)
        if options & _SAME_ATTRIBUTES:
            inherits, _ = handles.flags.get(handle & ~3, (False, False))
        thread.open(copy, found, wanted)
        if inherits:
            handles.flags[thread.word(copy)] = True, False
    if options & _DUPLICATE_CLOSE and is_real:
        handles.close(handle)
    return STATUS_SUCCESS


# --- numbers, power


@call("NtAllocateLocallyUniqueId")
def unique_id(thread: NtThread, place: Address) -> int:
    """A number that no other call gives."""
    thread.put_word(place, 0x1000 + thread.state.given_ids)
    thread.state.given_ids += 1
    return STATUS_SUCCESS


@call("NtAllocateUuids")
def uuids(thread: NtThread, time_at: Address, range_at: Address, sequence_at: Address, seed_at: Address) -> int:
    """Times for UUIDs, how many follow each, the clock's sequence, and a node that is no network card's."""
    thread.put_word(time_at, _SINCE_1582 + system_time_of(thread) + thread.state.given_uuids * _UUIDS)
    thread.put_half(range_at, _UUIDS)
    node = Random(thread.state.uuid_seed)
    thread.put_half(sequence_at, node.getrandbits(14))
    if seed_at:
        thread.put(seed_at, bytes([node.getrandbits(8) | 1, *node.randbytes(5)]))
    thread.state.given_uuids += 1
    return STATUS_SUCCESS


@call("NtSetThreadExecutionState")
def set_execution_state(thread: NtThread, wanted: UInt, previous: Address) -> int:
    """What the computer is to stay awake for; it always does."""
    thread.put_half(previous, thread.state.execution_state)
    if wanted >> 31:  # ES_CONTINUOUS
        thread.state.execution_state = wanted
    return STATUS_SUCCESS


@call("NtPowerInformation")
def power(thread: NtThread, kind: UInt, given: Address, size: UInt, buffer: Address, length: UInt) -> int:
    """Of a computer without a battery, which stays awake: SystemPowerCapabilities, SystemBatteryState and others."""
    match kind:
        case 4:
            data = bytes([1, 0, 0, 1, 1, 1, 0, 1]).ljust(_POWER_CAPABILITIES, b"\0")
        case 5:
            data = b"\1".ljust(32, b"\0")
        case 11:
            data = struct.pack("<6I", 0, _MEGAHERTZ, _MEGAHERTZ, _MEGAHERTZ, 0, 0)
        case 14 | 15:  # LastWakeTime, LastSleepTime
            data = bytes(8)
        case 16:
            data = struct.pack("<I", thread.state.execution_state)
        case _:
            return STATUS_INVALID_PARAMETER
    return answer_with(thread, data, buffer, length, 0, STATUS_BUFFER_TOO_SMALL)
