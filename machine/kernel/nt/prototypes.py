"""The arguments of Windows' system calls, in the notation of `machine.kernel.linux.prototypes`.

A call without a row has the types of its function, and six words where that looks at none.
The types are functions of `hds.tracing.nt_types`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import get_args

from machine.kernel.abi import Argument, Call
from machine.kernel.nt.abi import Address, Int, UInt, Word
from machine.kernel.nt.calls import CALLS

_ROWS = """
NtClose                     handle
NtCreateFile                >handle_at flags=file attributes >io_status large flags=attribute flags=share
                            enum=disposition flags=create ptr uint
NtOpenFile                  >handle_at flags=file attributes >io_status flags=share flags=create
NtDeleteFile                attributes
NtReadFile                  handle handle ptr hex >io_status >data@i4 uint large ptr
NtWriteFile                 handle handle ptr hex >io_status data@6 uint large ptr
NtFlushBuffersFile          handle >io_status
NtDeviceIoControlFile       handle handle ptr hex >io_status ulong ptr uint ptr uint
NtFsControlFile             handle handle ptr hex >io_status ulong ptr uint ptr uint
NtLockFile                  handle handle ptr hex >io_status large large ulong boolean boolean
NtUnlockFile                handle >io_status large large ulong
NtQueryInformationFile      handle >io_status ptr uint enum=file_class
NtSetInformationFile        handle >io_status ptr uint enum=file_class
NtQueryAttributesFile       attributes ptr
NtQueryFullAttributesFile   attributes ptr
NtQueryVolumeInformationFile handle >io_status ptr uint enum=volume_class
NtQueryDirectoryFile        handle handle ptr hex >io_status ptr uint enum=file_class boolean unicode boolean
NtOpenKey                   >handle_at flags=key attributes
NtOpenKeyEx                 >handle_at flags=key attributes flags=key_option
NtCreateKey                 >handle_at flags=key attributes uint unicode flags=key_option ptr
NtDeleteKey                 handle
NtFlushKey                  handle
NtQueryValueKey             handle unicode enum=value_class >key_value uint >uint_at
NtSetValueKey               handle unicode uint enum=reg value@5 uint
NtDeleteValueKey            handle unicode
NtEnumerateKey              handle uint enum=key_class ptr uint >uint_at
NtEnumerateValueKey         handle uint enum=value_class ptr uint >uint_at
NtQueryKey                  handle enum=key_class ptr uint >uint_at
NtCreateSection             >handle_at flags=section attributes large flags=page flags=sec handle
NtOpenSection               >handle_at flags=section attributes
NtQuerySection              handle enum=section_class ptr uint >uint_at
NtMapViewOfSection          handle handle >word_at hex hex large >word_at enum=inherit flags=mem flags=page
NtUnmapViewOfSection        handle ptr
NtUnmapViewOfSectionEx      handle ptr ulong
NtCreateEvent               >handle_at flags=event attributes enum=event_type boolean
NtOpenEvent                 >handle_at flags=event attributes
NtSetEvent                  handle ptr
NtResetEvent                handle ptr
NtClearEvent                handle
NtPulseEvent                handle ptr
NtQueryEvent                handle enum=event_class ptr uint >uint_at
NtCreateMutant              >handle_at flags=mutant attributes boolean
NtOpenMutant                >handle_at flags=mutant attributes
NtReleaseMutant             handle >int_at
NtCreateSemaphore           >handle_at flags=semaphore attributes int int
NtOpenSemaphore             >handle_at flags=semaphore attributes
NtReleaseSemaphore          handle int >int_at
NtCreateTimer               >handle_at flags=timer attributes enum=timer_type
NtSetTimer                  handle large ptr hex boolean int ptr
NtCancelTimer               handle ptr
NtCreateThreadEx            >handle_at flags=thread attributes handle ptr hex flags=thread_flags hex hex hex ptr
NtSuspendThread             handle >uint_at
NtResumeThread              handle >uint_at
NtAlertResumeThread         handle >uint_at
NtQueueApcThread            handle ptr hex hex hex
NtGetContextThread          handle ptr
NtSetContextThread          handle ptr
NtQueryInformationThread    handle enum=thread_class ptr uint >uint_at
NtSetInformationThread      handle enum=thread_class ptr uint
NtOpenThread                >handle_at flags=thread attributes ptr
NtOpenProcess               >handle_at flags=process attributes ptr
NtQueryInformationProcess   handle enum=process_class ptr uint >uint_at
NtSetInformationProcess     handle enum=process_class ptr uint
NtQuerySystemInformation    enum=system_class ptr uint >uint_at
NtQuerySystemInformationEx  enum=system_class ptr uint ptr uint >uint_at
NtQueryObject               handle enum=object_class ptr uint >uint_at
NtDuplicateObject           handle handle handle >handle_at flags=access flags=object flags=duplicate
NtOpenProcessToken          handle flags=token >handle_at
NtOpenProcessTokenEx        handle flags=token flags=object >handle_at
NtQueryInformationToken     handle enum=token_class ptr uint >uint_at
NtAllocateVirtualMemory     handle >word_at hex >word_at flags=mem flags=page
NtFreeVirtualMemory         handle >word_at >word_at flags=mem
NtProtectVirtualMemory      handle >word_at >word_at flags=page >flags_at=page
NtQueryVirtualMemory        handle ptr enum=memory_class ptr hex >word_at
NtReadVirtualMemory         handle ptr >data@3 size >word_at
NtWriteVirtualMemory        handle ptr data@3 size >word_at
NtTerminateProcess          handle status
NtTerminateThread           handle status
NtDelayExecution            boolean large
NtWaitForSingleObject       handle boolean large
NtWaitForMultipleObjects    uint handles@0 enum=wait_type boolean large
NtSignalAndWaitForSingleObject handle handle boolean large
NtWaitForAlertByThreadId    ptr large
NtCreateIoCompletion        >handle_at flags=access attributes uint
NtOpenDirectoryObject       >handle_at flags=directory attributes
NtCreateDirectoryObject     >handle_at flags=directory attributes
NtRaiseException            ptr ptr boolean
NtContinue                  ptr boolean
NtQueryPerformanceCounter   >large >large
NtQuerySystemTime           >large
NtFlushVirtualMemory        handle >word_at >word_at >io_status
NtTestAlert
NtYieldExecution
NtGetCurrentProcessorNumber
NtFlushProcessWriteBuffers
"""
_TYPES: Mapping[Argument, str] = {
    get_args(kind)[1]: name for kind, name in ((Int, "int"), (UInt, "ulong"), (Word, "hex"), (Address, "ptr"))
}


def _of_function(call: Call) -> str:
    return " ".join(_TYPES[argument] for argument in call.arguments)


PROTOTYPES: Mapping[str, str] = {
    **{call.name: _of_function(call) for call in CALLS.values() if call.arguments},
    **{row.split()[0]: row.partition(" ")[2].strip() for row in _ROWS.strip().replace("\n ", " ").splitlines()},
}

# What `-e trace=%CLASS` means.
_CLASSES = {
    "file": """NtCreateFile NtOpenFile NtDeleteFile NtQueryAttributesFile NtQueryFullAttributesFile
        NtQueryDirectoryFile NtQueryInformationFile NtSetInformationFile NtQueryVolumeInformationFile""",
    "desc": """NtClose NtReadFile NtWriteFile NtFlushBuffersFile NtDeviceIoControlFile NtFsControlFile NtLockFile
        NtUnlockFile NtQueryInformationFile NtSetInformationFile NtQueryDirectoryFile NtQueryObject
        NtDuplicateObject""",
    "registry": """NtOpenKey NtOpenKeyEx NtCreateKey NtDeleteKey NtFlushKey NtQueryKey NtEnumerateKey NtQueryValueKey
        NtSetValueKey NtDeleteValueKey NtEnumerateValueKey NtNotifyChangeKey NtNotifyChangeMultipleKeys""",
    "process": """NtCreateUserProcess NtCreateProcess NtCreateProcessEx NtOpenProcess NtTerminateProcess
        NtCreateThreadEx NtOpenThread NtTerminateThread NtSuspendThread NtResumeThread NtQueueApcThread
        NtQueryInformationProcess NtSetInformationProcess NtGetContextThread NtSetContextThread""",
    "memory": """NtAllocateVirtualMemory NtAllocateVirtualMemoryEx NtFreeVirtualMemory NtProtectVirtualMemory
        NtQueryVirtualMemory NtReadVirtualMemory NtWriteVirtualMemory NtCreateSection NtOpenSection
        NtMapViewOfSection NtMapViewOfSectionEx NtUnmapViewOfSection NtUnmapViewOfSectionEx NtFlushVirtualMemory""",
    "synchronisation": """NtCreateEvent NtOpenEvent NtSetEvent NtResetEvent NtClearEvent NtPulseEvent NtQueryEvent
        NtCreateMutant
        NtOpenMutant NtReleaseMutant NtCreateSemaphore NtOpenSemaphore NtReleaseSemaphore NtCreateTimer NtSetTimer
        NtCancelTimer NtDelayExecution NtWaitForSingleObject NtWaitForMultipleObjects
        NtSignalAndWaitForSingleObject NtAlertThreadByThreadId NtWaitForAlertByThreadId""",
    "clock": "NtQuerySystemTime NtQueryPerformanceCounter NtQueryTimerResolution NtSetTimerResolution",
}
CLASSES: Mapping[str, frozenset[str]] = {name: frozenset(words.split()) for name, words in _CLASSES.items()}
