"""What Linux puts on the stack for a signal handler, and takes back: struct rt_sigframe of x86-64. Pure data.

A frame has the return address (the restorer), ucontext and siginfo; above it stands the FXSAVE image. Without XSAVE,
which the processor does not have, there is nothing behind that (arch/x86/include/uapi/asm/sigcontext.h).
"""

from __future__ import annotations

import struct
from collections.abc import Mapping

import msgspec

from machine.processor import FXSAVE_BYTES
from vm.facts.registers import RFLAGS, RIP, STORAGE_INDEX

SIGINFO_BYTES = 128
_RED_ZONE = 128
_CONTEXT = struct.Struct("<QQQIxxxxQ18QHHHHQQQQQ64xQ")  # struct ucontext, with a mask of 64 bits
_CONTEXT_AT = 8
_INFO_AT = _CONTEXT_AT + _CONTEXT.size
FRAME_BYTES = _INFO_AT + SIGINFO_BYTES
# What a frame takes at most, wherever the stack ends (AT_MINSIGSTKSZ; arch/x86/kernel/signal.c).
MOST_BYTES = (FRAME_BYTES + 23 + FXSAVE_BYTES + 63 + 15) & -16
_FLAGS = 6  # UC_SIGCONTEXT_SS and UC_STRICT_RESTORE_SS
_CODE, _DATA = 0x33, 0x2B
_STORAGES = (
    *(STORAGE_INDEX[name] for name in (
        "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "rdi", "rsi", "rbp", "rbx", "rdx", "rax", "rcx", "rsp",
    )), RIP, RFLAGS,
)  # fmt: skip
_RDI, _RSI, _RDX, _RAX, _RSP = (STORAGE_INDEX[name] for name in ("rdi", "rsi", "rdx", "rax", "rsp"))
_CLEARED = 1 << 8 | 1 << 10 | 1 << 16  # of the flags in a handler: TF, DF, RF
RESTORED_FLAGS = 0x5_0DD5  # that a frame brings back: AC, RF, OF, DF, TF, SF, ZF, AF, PF, CF

AlternateStack = tuple[int, int, int]  # ss_sp, ss_flags, ss_size
Registers = Mapping[int, int]  # by storage: general ones, RIP and RFLAGS


class SignalInfo(msgspec.Struct, frozen=True):
    """A struct siginfo: of a fault with its `address`, else with the `sender`, process and user, and what follows."""

    number: int
    code: int
    address: int | None = None
    sender: tuple[int, int] = (0, 0)
    more: bytes = b""
    raw: bytes = b""  # the whole of it, where a program has made it

    @property
    def data(self) -> bytes:
        """Its bytes."""
        if self.raw:
            return self.raw
        tail = struct.pack("<II", *self.sender) + self.more if self.address is None else struct.pack("<Q", self.address)
        return (struct.pack("<iiixxxx", self.number, 0, self.code) + tail).ljust(SIGINFO_BYTES, b"\0")


class Trap(msgspec.Struct, frozen=True):
    """The last exception of a thread: its vector, its error code, and the address of its last page fault."""

    vector: int = 0
    error: int = 0
    address: int = 0


NO_TRAP = Trap()


class Place(msgspec.Struct, frozen=True):
    """Where a frame and its FXSAVE image go."""

    frame: int
    image: int


def place_below(top: int) -> Place:
    """Where they go below an address."""
    image = (top - FXSAVE_BYTES) & -64
    return Place((image - FRAME_BYTES & -16) - 8, image)


def stack_for(pointer: int, alternate: AlternateStack | None) -> int:
    """Below which address a frame goes: the red zone, or the end of the alternate stack where that is to be used."""
    return pointer - _RED_ZONE if alternate is None else alternate[0] + alternate[2]


class Context(msgspec.Struct, frozen=True):
    """What a handler may look at and change, and what rt_sigreturn restores: registers, mask, alternate stack."""

    registers: Registers
    mask: int
    alternate: AlternateStack
    image: int  # the address of the FXSAVE image; 0: none

    def frame(self, info: SignalInfo, trap: Trap, restorer: int) -> bytes:
        """The bytes of the frame."""
        words = [self.registers[storage] for storage in _STORAGES]
        context = _CONTEXT.pack(
            _FLAGS, 0, *self.alternate, *words, _CODE, 0, 0, _DATA,
            trap.error, trap.vector, self.mask, trap.address, self.image, self.mask,
        )  # fmt: skip
        return struct.pack("<Q", restorer) + context + info.data

    @classmethod
    def of(cls, frame: bytes) -> Context:
        """What stands in a frame."""
        row = _CONTEXT.unpack_from(frame, _CONTEXT_AT)
        registers = dict(zip(_STORAGES, row[5:], strict=False))
        return cls(registers, row[-1], (row[2], row[3], row[4]), row[-2])


def in_handler(frame: int, handler: int, number: int, flags: int) -> dict[int, int]:
    """The registers with which a handler begins that differ from those before."""
    return {
        _RDI: number, _RSI: frame + _INFO_AT, _RDX: frame + _CONTEXT_AT, _RAX: 0, RIP: handler, _RSP: frame,
        RFLAGS: flags & ~_CLEARED,
    }  # fmt: skip
