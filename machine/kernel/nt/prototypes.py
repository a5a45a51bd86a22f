"""The arguments of Windows' system calls, in the notation of `machine.kernel.linux.prototypes`.

A call without a row has the types of its function. The types are functions of `hds.tracing.nt_types`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import get_args

from machine.kernel.abi import Argument, Call
from machine.kernel.nt.abi import Address, Int, UInt, Word
from machine.kernel.nt.calls import CALLS

_ROWS = """
NtClose                     handle
NtCreateFile                >handle_at access attributes >io_status ptr hex hex hex hex ptr uint
NtOpenFile                  >handle_at access attributes >io_status hex hex
NtDeleteFile                attributes
NtReadFile                  handle handle ptr hex >io_status >data@6 uint ptr ptr
NtWriteFile                 handle handle ptr hex >io_status data@6 uint ptr ptr
NtQueryAttributesFile       attributes ptr
NtQueryFullAttributesFile   attributes ptr
NtOpenKey                   >handle_at access attributes
NtOpenKeyEx                 >handle_at access attributes hex
NtCreateKey                 >handle_at access attributes uint unicode hex ptr
NtQueryValueKey             handle unicode uint ptr uint ptr
NtSetValueKey               handle unicode uint uint ptr uint
NtDeleteValueKey            handle unicode
NtCreateSection             >handle_at access attributes ptr hex hex handle
NtOpenSection               >handle_at access attributes
NtCreateEvent               >handle_at access attributes uint uint
NtOpenEvent                 >handle_at access attributes
NtCreateMutant              >handle_at access attributes uint
NtOpenMutant                >handle_at access attributes
NtCreateSemaphore           >handle_at access attributes int int
NtOpenSemaphore             >handle_at access attributes
NtCreateThreadEx            >handle_at access attributes handle ptr hex hex hex hex hex ptr
NtAllocateVirtualMemory     handle >word_at hex >word_at hex hex
NtFreeVirtualMemory         handle >word_at >word_at hex
NtProtectVirtualMemory      handle >word_at >word_at hex ptr
NtQueryVirtualMemory        handle ptr uint ptr hex ptr
NtTerminateProcess          handle status
NtTerminateThread           handle status
NtWaitForSingleObject       handle uint ptr
"""
_TYPES: Mapping[Argument, str] = {
    get_args(kind)[1]: name for kind, name in ((Int, "int"), (UInt, "hex"), (Word, "hex"), (Address, "ptr"))
}


def _of_function(call: Call) -> str:
    return " ".join(_TYPES[argument] for argument in call.arguments)


PROTOTYPES: Mapping[str, str] = {
    **{call.name: _of_function(call) for call in CALLS.values()},
    **{row.split()[0]: row.partition(" ")[2].strip() for row in _ROWS.strip().splitlines()},
}
