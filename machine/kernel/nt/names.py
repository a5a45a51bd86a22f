"""System calls of Windows 10 (builds 18362 to 19045 agree on these) by number and name, with their default results.

The default is the answer of a call that `calls/` does not carry out: it is the same at every call. Data only.
"""

from __future__ import annotations

from dataclasses import dataclass

from machine.kernel.nt.status import (
    STATUS_ACCESS_DENIED,
    STATUS_END_OF_FILE,
    STATUS_INVALID_HANDLE,
    STATUS_INVALID_INFO_CLASS,
    STATUS_NO_TOKEN,
    STATUS_NO_YIELD_PERFORMED,
    STATUS_NOT_IMPLEMENTED,
    STATUS_OBJECT_NAME_NOT_FOUND,
    STATUS_SUCCESS,
)


@dataclass(frozen=True)
class SystemCall:
    """One system call: its number in eax, its name, and the NTSTATUS of the default answer."""

    number: int
    name: str
    status: int = STATUS_SUCCESS


SYSTEM_CALLS: tuple[SystemCall, ...] = (
    SystemCall(0x04, "NtWaitForSingleObject"),
    SystemCall(0x06, "NtReadFile", STATUS_END_OF_FILE),
    SystemCall(0x07, "NtDeviceIoControlFile"),
    SystemCall(0x08, "NtWriteFile"),
    SystemCall(0x0A, "NtReleaseSemaphore"),
    SystemCall(0x0D, "NtSetInformationThread"),
    SystemCall(0x0E, "NtSetEvent"),
    SystemCall(0x0F, "NtClose"),
    SystemCall(0x10, "NtQueryObject", STATUS_NOT_IMPLEMENTED),
    SystemCall(0x11, "NtQueryInformationFile", STATUS_NOT_IMPLEMENTED),
    SystemCall(0x12, "NtOpenKey", STATUS_OBJECT_NAME_NOT_FOUND),
    SystemCall(0x13, "NtEnumerateValueKey", STATUS_INVALID_HANDLE),
    SystemCall(0x16, "NtQueryKey", STATUS_INVALID_HANDLE),
    SystemCall(0x17, "NtQueryValueKey", STATUS_OBJECT_NAME_NOT_FOUND),
    SystemCall(0x18, "NtAllocateVirtualMemory"),
    SystemCall(0x19, "NtQueryInformationProcess", STATUS_INVALID_INFO_CLASS),
    SystemCall(0x1C, "NtSetInformationProcess"),
    SystemCall(0x1D, "NtCreateKey", STATUS_ACCESS_DENIED),
    SystemCall(0x1E, "NtFreeVirtualMemory"),
    SystemCall(0x20, "NtReleaseMutant"),
    SystemCall(0x21, "NtQueryInformationToken", STATUS_INVALID_HANDLE),
    SystemCall(0x23, "NtQueryVirtualMemory", STATUS_NOT_IMPLEMENTED),
    SystemCall(0x24, "NtOpenThreadToken", STATUS_NO_TOKEN),
    SystemCall(0x25, "NtQueryInformationThread", STATUS_INVALID_INFO_CLASS),
    SystemCall(0x26, "NtOpenProcess"),
    SystemCall(0x27, "NtSetInformationFile"),
    SystemCall(0x28, "NtMapViewOfSection"),
    SystemCall(0x2A, "NtUnmapViewOfSection"),
    SystemCall(0x2C, "NtTerminateProcess"),
    SystemCall(0x2F, "NtOpenThreadTokenEx", STATUS_NO_TOKEN),
    SystemCall(0x30, "NtOpenProcessTokenEx", STATUS_ACCESS_DENIED),
    SystemCall(0x31, "NtQueryPerformanceCounter"),
    SystemCall(0x32, "NtEnumerateKey", STATUS_INVALID_HANDLE),
    SystemCall(0x33, "NtOpenFile"),
    SystemCall(0x34, "NtDelayExecution"),
    SystemCall(0x35, "NtQueryDirectoryFile", STATUS_NOT_IMPLEMENTED),
    SystemCall(0x36, "NtQuerySystemInformation", STATUS_INVALID_INFO_CLASS),
    SystemCall(0x37, "NtOpenSection", STATUS_OBJECT_NAME_NOT_FOUND),
    SystemCall(0x3C, "NtDuplicateObject"),
    SystemCall(0x3D, "NtQueryAttributesFile", STATUS_OBJECT_NAME_NOT_FOUND),
    SystemCall(0x3E, "NtClearEvent"),
    SystemCall(0x40, "NtOpenEvent", STATUS_OBJECT_NAME_NOT_FOUND),
    SystemCall(0x46, "NtYieldExecution", STATUS_NO_YIELD_PERFORMED),
    SystemCall(0x48, "NtCreateEvent"),
    SystemCall(0x49, "NtQueryVolumeInformationFile", STATUS_NOT_IMPLEMENTED),
    SystemCall(0x4A, "NtCreateSection"),
    SystemCall(0x4B, "NtFlushBuffersFile"),
    SystemCall(0x50, "NtProtectVirtualMemory"),
    SystemCall(0x53, "NtTerminateThread"),
    SystemCall(0x55, "NtCreateFile"),
    SystemCall(0x5A, "NtQuerySystemTime"),
    SystemCall(0x5B, "NtWaitForMultipleObjects"),
    SystemCall(0x60, "NtSetValueKey", STATUS_INVALID_HANDLE),
)
CALL_BY_NUMBER: dict[int, SystemCall] = {row.number: row for row in SYSTEM_CALLS}
CALL_BY_NAME: dict[str, SystemCall] = {row.name: row for row in SYSTEM_CALLS}
