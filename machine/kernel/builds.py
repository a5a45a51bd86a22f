"""Offsets of Windows' structures, one row per build (events-and-commands G.1). Data only.

The default is the build on which HyperDbg's documented condition, which compares the name at EPROCESS+450, runs. Fields
that all rows share are constants.
"""

from __future__ import annotations

import msgspec


class Build(msgspec.Struct, frozen=True):
    """Offsets in EPROCESS and ETHREAD that differ between builds."""

    number: int
    name: str
    process_size: int
    process_id: int
    process_links: int
    process_peb: int
    process_image_name: int
    process_audit: int
    process_threads: int
    thread_client_id: int
    thread_links: int


BUILDS: tuple[Build, ...] = (
    Build(
        18362, "Windows 10 1903", process_size=0x880,
        process_id=0x2E8, process_links=0x2F0, process_peb=0x3F8, process_image_name=0x450,
        process_audit=0x468, process_threads=0x488, thread_client_id=0x648, thread_links=0x6B8,
    ),
    Build(
        19041, "Windows 10 2004", process_size=0xA40,
        process_id=0x440, process_links=0x448, process_peb=0x550, process_image_name=0x5A8,
        process_audit=0x5C0, process_threads=0x5E0, thread_client_id=0x478, thread_links=0x4E8,
    ),
)  # fmt: skip
DEFAULT_BUILD = BUILDS[0]

# Where the stand-ins keep what all processes share.
PROCESSOR_BASE = 0xFFFF_F803_0000_0000
PROCESS_LIST = PROCESSOR_BASE + 0xFF0  # PsActiveProcessHead, at the end of the first processor's page

# KPCR, reached by GS in kernel mode.
KPCR_SELF = 0x18
KPCR_CURRENT_PRCB = 0x20
KPCR_PRCB = 0x180
PRCB_CURRENT_THREAD = 0x8
PRCB_NUMBER = 0x24
PRCB_RSP_BASE = 0x28

# KTHREAD.
THREAD_STACK_LIMIT = 0x30
THREAD_STACK_BASE = 0x38
THREAD_PROCESS = 0xB8
THREAD_TEB = 0xF0

# TEB, reached by GS in user mode.
TEB_STACK_BASE = 0x8
TEB_STACK_LIMIT = 0x10
TEB_SELF = 0x30
TEB_CLIENT_ID = 0x40
TEB_PEB = 0x60
TEB_GUARANTEED_STACK = 0x1748

# PEB and the process parameters.
PEB_IMAGE_BASE = 0x10
PEB_PARAMETERS = 0x20
PEB_PROCESSORS = 0xB8
PEB_OS_MAJOR = 0x118
PEB_OS_BUILD = 0x120
PARAMETERS_STANDARD_INPUT = 0x20
PARAMETERS_STANDARD_OUTPUT = 0x28
PARAMETERS_STANDARD_ERROR = 0x30
PARAMETERS_IMAGE_PATH = 0x60
PARAMETERS_COMMAND_LINE = 0x70

UNICODE_STRING_BUFFER = 0x8
OBJECT_ATTRIBUTES_NAME = 0x10
OBJECT_ATTRIBUTES_FLAGS = 0x18
