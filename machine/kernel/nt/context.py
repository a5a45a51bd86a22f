"""CONTEXT of x86-64 (winnt.h), EXCEPTION_RECORD, and the frames with which dispatchers begin. Pure data."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence

import msgspec

from machine.processor import FXSAVE_BYTES
from vm.facts.registers import RFLAGS, RIP, STORAGE_INDEX

CONTEXT_BYTES = 0x4D0
CONTEXT_AMD64, CONTROL, INTEGER, SEGMENTS, FLOATING_POINT, DEBUG = 0x10_0000, 1, 2, 4, 8, 0x10
CONTEXT_FULL = CONTEXT_AMD64 | CONTROL | INTEGER | SEGMENTS | FLOATING_POINT
CONTEXT_ALL = CONTEXT_FULL | DEBUG
FLAGS_AT = 0x30
_MXCSR_AT, _SELECTORS_AT, _EFLAGS_AT, _DEBUG_AT, _GENERAL_AT, _RIP_AT, _FLOATS_AT = (
    0x34, 0x38, 0x44, 0x48, 0x78, 0xF8, 0x100,
)  # fmt: skip
_MXCSR_IN_FLOATS = 24
CODE, DATA = 0x33, 0x2B
_GENERAL = tuple(
    STORAGE_INDEX[name] for name in (
        "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15",
    )
)  # fmt: skip
RSP = STORAGE_INDEX["rsp"]
DEBUG_REGISTERS = tuple(STORAGE_INDEX[f"dr{number}"] for number in (0, 1, 2, 3, 6, 7))
DR6, _DR7 = DEBUG_REGISTERS[-2:]
STORAGES = (*_GENERAL, RIP, RFLAGS, *DEBUG_REGISTERS)
_DR7_ACTIVE = 0x55  # some breakpoint of the thread's own is enabled
_DR6_LEGAL, _DR7_LEGAL = 0xE00F, 0xFFFF_0155
_DR7_FIXED, DR6_NONE = 1 << 10, 0xFFFF_0FF0
_HIGHEST_USER_ADDRESS = 0x7FFF_FFFE_FFFF
_RESTORED_FLAGS = 0x5_0DD5  # that user mode may set: AC, RF, OF, DF, TF, SF, ZF, AF, PF, CF
_FIXED_FLAGS = 0x202

EXCEPTION_RECORD_BYTES, MOST_PARAMETERS = 0x98, 15
_RECORD = struct.Struct("<IIQQI4x15Q")
EXCEPTION_NONCONTINUABLE = 1

_RED_ZONE = 0x80
_CONTEXT_EX_AT, _RECORD_AT, _MACHINE_AT, _FRAME_BYTES = 0x4D0, 0x4F0, 0x590, 0x5C0
_APC_BYTES = CONTEXT_BYTES + 0x20


class ExceptionRecord(msgspec.Struct, frozen=True):
    """What has happened: the NTSTATUS, the address of the instruction, and parameters."""

    code: int
    address: int
    parameters: Sequence[int] = ()
    flags: int = 0
    chained: int = 0

    @property
    def data(self) -> bytes:
        """Its bytes."""
        parameters = [*self.parameters[:MOST_PARAMETERS], *(0,) * (MOST_PARAMETERS - len(self.parameters))]
        count = min(len(self.parameters), MOST_PARAMETERS)
        return _RECORD.pack(self.code, self.flags, self.chained, self.address, count, *parameters)

    @classmethod
    def of(cls, data: bytes) -> ExceptionRecord:
        """What stands in its bytes."""
        code, flags, chained, address, count, *parameters = _RECORD.unpack(data)
        return cls(code, address, parameters[: min(count, MOST_PARAMETERS)], flags, chained)


def pack(values: Mapping[int, int], floats: bytes, flags: int = CONTEXT_FULL, before: bytes = b"") -> bytes:
    """The CONTEXT of a thread with these registers, by storage, and this FXSAVE image.

    What `flags` do not ask for stays as it was `before`. Debug registers are all 0 where they enable nothing.
    """
    data = bytearray(before or bytes(CONTEXT_BYTES))
    struct.pack_into("<I", data, FLAGS_AT, flags)
    if flags & CONTROL:
        struct.pack_into("<H", data, _SELECTORS_AT, CODE)
        struct.pack_into("<HI", data, _EFLAGS_AT - 2, DATA, values[RFLAGS] & 0xFFFF_FFFF)
        struct.pack_into("<Q", data, _RIP_AT, values[RIP])
    if flags & SEGMENTS:
        struct.pack_into("<4H", data, _SELECTORS_AT + 2, DATA, DATA, 0x53, DATA)
    for index, storage in enumerate(_GENERAL):
        if flags & (CONTROL if storage == RSP else INTEGER):
            struct.pack_into("<Q", data, _GENERAL_AT + 8 * index, values[storage])
    if flags & FLOATING_POINT:
        data[_MXCSR_AT : _MXCSR_AT + 4] = floats[_MXCSR_IN_FLOATS : _MXCSR_IN_FLOATS + 4]
        data[_FLOATS_AT : _FLOATS_AT + FXSAVE_BYTES] = floats
    if flags & DEBUG:
        is_active = values[_DR7] & _DR7_ACTIVE
        shown = [values[storage] if is_active else 0 for storage in DEBUG_REGISTERS]
        struct.pack_into("<6Q", data, _DEBUG_AT, *shown[:-1], shown[-1] & _DR7_LEGAL)
    return bytes(data)


def unpack(data: bytes) -> tuple[dict[int, int], bytes | None]:
    """The registers that a CONTEXT sets, by storage, and its FXSAVE image, if it has one."""
    (flags,) = struct.unpack_from("<I", data, FLAGS_AT)
    values: dict[int, int] = {}
    for index, storage in enumerate(_GENERAL):
        if flags & (CONTROL if storage == RSP else INTEGER):
            (values[storage],) = struct.unpack_from("<Q", data, _GENERAL_AT + 8 * index)
    if flags & CONTROL:
        (values[RIP],) = struct.unpack_from("<Q", data, _RIP_AT)
        (eflags,) = struct.unpack_from("<I", data, _EFLAGS_AT)
        values[RFLAGS] = eflags & _RESTORED_FLAGS | _FIXED_FLAGS
    if flags & DEBUG:
        *addresses, status, control = struct.unpack_from("<6Q", data, _DEBUG_AT)
        given = [address if address <= _HIGHEST_USER_ADDRESS else 0 for address in addresses]
        fixed = status & _DR6_LEGAL | DR6_NONE, control & _DR7_LEGAL | _DR7_FIXED
        values.update(zip(DEBUG_REGISTERS, (*given, *fixed), strict=True))
    floats = data[_FLOATS_AT : _FLOATS_AT + FXSAVE_BYTES] if flags & FLOATING_POINT else None
    return values, floats


class Frame(msgspec.Struct, frozen=True):
    """Bytes that go onto a user stack, at what is rsp then."""

    pointer: int
    data: bytes


def exception_frame(values: Mapping[int, int], floats: bytes, record: ExceptionRecord) -> Frame:
    """What the dispatcher of exceptions finds on the stack: CONTEXT, CONTEXT_EX, the record, a machine frame."""
    pointer = (values[RSP] - _RED_ZONE - _FRAME_BYTES) & -64
    data = bytearray(_FRAME_BYTES)
    data[:CONTEXT_BYTES] = pack(values, floats, CONTEXT_ALL)
    # offsets and lengths of all, of CONTEXT, of the extended state: from CONTEXT_EX on
    struct.pack_into(
        "<iIiIiI", data, _CONTEXT_EX_AT, -CONTEXT_BYTES, CONTEXT_BYTES + 0x20, -CONTEXT_BYTES, CONTEXT_BYTES, 0x20, 0
    )
    data[_RECORD_AT : _RECORD_AT + EXCEPTION_RECORD_BYTES] = record.data
    struct.pack_into("<5Q", data, _MACHINE_AT, values[RIP], CODE, values[RFLAGS], values[RSP], DATA)
    return Frame(pointer, bytes(data))


def apc_frame(values: Mapping[int, int], floats: bytes, routine: int, arguments: Sequence[int]) -> Frame:
    """What the dispatcher of APCs finds there: a CONTEXT whose homes are the arguments and the routine."""
    pointer = (values[RSP] - _RED_ZONE - _APC_BYTES) & -16
    data = bytearray(pack(values, floats))
    struct.pack_into("<4Q", data, 0, *arguments, routine)
    return Frame(pointer, bytes(data))
