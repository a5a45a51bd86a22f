"""Access masks: what a handle lets its holder do with the object, by the object's type (winnt.h, wdm.h, ntifs.h)."""

from __future__ import annotations

from typing import NamedTuple

DELETE, READ_CONTROL, SYNCHRONIZE = 0x1_0000, 0x2_0000, 0x10_0000
GENERIC_ALL, GENERIC_EXECUTE, GENERIC_WRITE, GENERIC_READ = 0x1000_0000, 0x2000_0000, 0x4000_0000, 0x8000_0000
MAXIMUM_ALLOWED = 0x200_0000

QUERY_STATE, MODIFY_STATE = 1, 2  # of events, semaphores, timers and completion ports; mutants have the first
SECTION_QUERY, SECTION_MAP_WRITE, SECTION_MAP_READ, SECTION_MAP_EXECUTE, SECTION_EXTEND = 1, 2, 4, 8, 0x10
DIRECTORY_QUERY, DIRECTORY_TRAVERSE, LINK_QUERY = 1, 2, 1
FILE_READ_DATA, FILE_WRITE_DATA, FILE_APPEND_DATA = 1, 2, 4
FILE_READ_ATTRIBUTES, FILE_WRITE_ATTRIBUTES = 0x80, 0x100
KEY_QUERY_VALUE, KEY_SET_VALUE, KEY_CREATE_SUB_KEY, KEY_ENUMERATE_SUB_KEYS = 1, 2, 4, 8
KEY_NOTIFY = 0x10
KEY_WRITE = 0x2_0006
THREAD_TERMINATE, THREAD_SUSPEND_RESUME, THREAD_GET_CONTEXT, THREAD_SET_CONTEXT = 1, 2, 8, 0x10
THREAD_QUERY_LIMITED, THREAD_SET_LIMITED = 0x800, 0x400
PROCESS_TERMINATE, PROCESS_CREATE_THREAD, PROCESS_VM_OPERATION, PROCESS_VM_READ, PROCESS_VM_WRITE = 1, 2, 8, 0x10, 0x20
PROCESS_DUP_HANDLE, PROCESS_SUSPEND_RESUME, PROCESS_QUERY_LIMITED = 0x40, 0x800, 0x1000
TOKEN_DUPLICATE, TOKEN_QUERY = 2, 8


class Rights(NamedTuple):
    """What GENERIC_READ, GENERIC_WRITE, GENERIC_EXECUTE and GENERIC_ALL mean for a type.

    `implied` are pairs: who has the first has the second.
    """

    read: int
    write: int
    execute: int
    every: int
    implied: tuple[tuple[int, int], ...] = ()

    def mapped(self, mask: int) -> int:
        """A mask with what its generic rights mean."""
        generic = (
            (GENERIC_READ, self.read), (GENERIC_WRITE, self.write), (GENERIC_EXECUTE, self.execute),
            (GENERIC_ALL, self.every),
        )  # fmt: skip
        for bit, meaning in generic:
            mask = mask & ~bit | meaning if mask & bit else mask
        return mask

    def granted(self, wanted: int) -> int:
        """The rights of a handle that was opened with an ACCESS_MASK: everybody may have all there are."""
        mask = self.every if wanted & MAXIMUM_ALLOWED else self.mapped(wanted)
        for bit, meaning in self.implied:
            mask |= meaning if mask & bit else 0
        return mask & self.every


_STATE = Rights(0x2_0001, 0x2_0002, 0x12_0000, 0x1F_0003)
EVENT = SEMAPHORE = TIMER = COMPLETION = _STATE
MUTANT = Rights(0x2_0001, 0x2_0000, 0x12_0000, 0x1F_0001)
KEYED_EVENT = Rights(0x2_0001, 0x2_0002, 0x2_0000, 0xF_0003)
SECTION = Rights(0x2_0005, 0x2_0002, 0x2_0008, 0xF_001F)
DIRECTORY = Rights(0x2_0003, 0x2_000C, 0x2_0003, 0xF_000F)
LINK = Rights(0x2_0001, 0x2_0000, 0x2_0001, 0xF_0001)
THREAD = Rights(0x2_0048, 0x2_0437, 0x12_0800, 0x1F_FFFF, ((0x40, THREAD_QUERY_LIMITED), (0x20, THREAD_SET_LIMITED)))
PROCESS = Rights(0x2_0410, 0x2_0BEA, 0x12_1001, 0x1F_FFFF, ((0x400, PROCESS_QUERY_LIMITED),))
TOKEN = Rights(0x2_0008, 0x2_00E0, 0x2_0004, 0xF_01FF)
KEY = Rights(0x2_0019, 0x2_0006, 0x2_0039, 0xF_003F)
FILE = Rights(0x12_0089, 0x12_0116, 0x12_00A0, 0x1F_01FF)
OTHER = Rights(0x2_0000, 0x2_0000, 0x12_0000, 0x1F_FFFF)
