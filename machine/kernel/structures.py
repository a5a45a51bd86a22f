"""Windows' structures as far as the stand-ins fill them, and some that programs pass (events-and-commands G.1).

Members are declarations of the script language. Offsets are those of `machine.kernel.builds`. Structures are known in
part: what lies between the members is not.
"""

from __future__ import annotations

from collections.abc import Mapping

from machine.kernel import builds
from machine.kernel.builds import Build

TYPEDEFS = """
typedef unsigned char BYTE, UCHAR, BOOLEAN;
typedef char CHAR;
typedef unsigned short WORD, USHORT, WCHAR;
typedef short SHORT;
typedef unsigned int DWORD, UINT, ULONG;
typedef int INT, LONG, BOOL, NTSTATUS;
typedef unsigned long ULONGLONG, ULONG64, ULONG_PTR, SIZE_T, DWORD64, QWORD, DWORD_PTR, UINT_PTR;
typedef long LONGLONG, LONG64, LONG_PTR, INT_PTR;
typedef void *PVOID, *HANDLE;
typedef char *PCHAR, *PSTR;
typedef unsigned char *PUCHAR;
typedef unsigned short *PWSTR, *PWCHAR;
"""

_Members = Mapping[int, str]  # by offset
_LINKS = "struct _LIST_ENTRY"
_TEXT = "struct _UNICODE_STRING"
_IMAGE_NAME = "unsigned char ImageFileName[0xf]"


def windows_types(build: Build) -> Mapping[str, tuple[_Members, int | None]]:
    """By tag: the members with their offsets, and the size in bytes where it is not where the last one ends."""
    return {
        "_LIST_ENTRY": ({0: f"{_LINKS} *Flink", 8: f"{_LINKS} *Blink"}, None),
        "_UNICODE_STRING": (
            {0: "USHORT Length", 2: "USHORT MaximumLength", builds.UNICODE_STRING_BUFFER: "PWSTR Buffer"}, None,
        ),
        "_OBJECT_ATTRIBUTES": (
            {
                0: "ULONG Length", 8: "HANDLE RootDirectory",
                builds.OBJECT_ATTRIBUTES_NAME: f"{_TEXT} *ObjectName", 0x18: "ULONG Attributes",
                0x20: "PVOID SecurityDescriptor", 0x28: "PVOID SecurityQualityOfService",
            },
            None,
        ),
        "_CLIENT_ID": ({0: "HANDLE UniqueProcess", 8: "HANDLE UniqueThread"}, None),
        "_KPROCESS": ({0: "PVOID Header"}, build.process_id - 8),
        "_KTHREAD": (
            {
                builds.THREAD_STACK_LIMIT: "PVOID StackLimit", builds.THREAD_STACK_BASE: "PVOID StackBase",
                builds.THREAD_PROCESS: "struct _KPROCESS *Process", builds.THREAD_TEB: "struct _TEB *Teb",
            },
            None,
        ),
        "_ETHREAD": (
            {
                0: "struct _KTHREAD Tcb", build.thread_client_id: "struct _CLIENT_ID Cid",
                build.thread_links: f"{_LINKS} ThreadListEntry",
            },
            None,
        ),
        "_EPROCESS": (
            {
                0: "struct _KPROCESS Pcb", build.process_id - 8: "ULONG_PTR ProcessLock",
                build.process_id: "HANDLE UniqueProcessId", build.process_links: f"{_LINKS} ActiveProcessLinks",
                build.process_peb: "struct _PEB *Peb", build.process_image_name: _IMAGE_NAME,
                build.process_audit: "PVOID SeAuditProcessCreationInfo",
                build.process_threads: f"{_LINKS} ThreadListHead",
            },
            build.process_size,
        ),
        "_KPRCB": (
            {
                builds.PRCB_CURRENT_THREAD: "struct _KTHREAD *CurrentThread", builds.PRCB_NUMBER: "ULONG Number",
                builds.PRCB_RSP_BASE: "ULONG_PTR RspBase",
            },
            None,
        ),
        "_KPCR": (
            {
                builds.KPCR_SELF: "struct _KPCR *Self", builds.KPCR_CURRENT_PRCB: "struct _KPRCB *CurrentPrcb",
                builds.KPCR_PRCB: "struct _KPRCB Prcb",
            },
            None,
        ),
        "_RTL_USER_PROCESS_PARAMETERS": (
            {
                builds.PARAMETERS_STANDARD_INPUT: "HANDLE StandardInput",
                builds.PARAMETERS_STANDARD_OUTPUT: "HANDLE StandardOutput",
                builds.PARAMETERS_STANDARD_ERROR: "HANDLE StandardError",
                builds.PARAMETERS_IMAGE_PATH: f"{_TEXT} ImagePathName",
                builds.PARAMETERS_COMMAND_LINE: f"{_TEXT} CommandLine",
            },
            None,
        ),
        "_PEB": (
            {
                builds.PEB_IMAGE_BASE: "PVOID ImageBaseAddress",
                builds.PEB_PARAMETERS: "struct _RTL_USER_PROCESS_PARAMETERS *ProcessParameters",
                builds.PEB_PROCESSORS: "ULONG NumberOfProcessors", builds.PEB_OS_MAJOR: "ULONG OSMajorVersion",
                builds.PEB_OS_BUILD: "USHORT OSBuildNumber",
            },
            None,
        ),
        "_TEB": (
            {
                builds.TEB_STACK_BASE: "PVOID StackBase", builds.TEB_STACK_LIMIT: "PVOID StackLimit",
                builds.TEB_SELF: "struct _TEB *Self", builds.TEB_CLIENT_ID: "struct _CLIENT_ID ClientId",
                builds.TEB_PEB: "struct _PEB *ProcessEnvironmentBlock",
            },
            None,
        ),
    }  # fmt: skip
