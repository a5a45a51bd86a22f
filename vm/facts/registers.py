"""The one table of register names: which storage a name reads and writes, and which bits of it (language.md 10.1).

A *storage* is a full register of the machine, 64 bits wide here whatever its hardware width; a *register* is a named
view of some bits of one storage. Bytecode names registers by their index in `REGISTERS`, hosts serve storages by their
index in `STORAGES`. Writing a view changes its bits and nothing else: unlike the processor's `mov eax, 1`, `@eax = 1`
keeps the upper half of rax.
"""

from __future__ import annotations

import msgspec

# The first sixteen are in the order of GUEST_REGS (and of the x86 encoding).
GENERAL: tuple[str, ...] = (
    "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15",
)  # fmt: skip

SEGMENTS: tuple[str, ...] = ("cs", "ds", "es", "fs", "gs", "ss")

STORAGES: tuple[str, ...] = (
    *GENERAL,
    "rip", "rflags",
    *SEGMENTS,
    "cr0", "cr2", "cr3", "cr4", "cr8",
    "dr0", "dr1", "dr2", "dr3", "dr6", "dr7",
    "gdtr", "idtr", "ldtr", "tr",
)  # fmt: skip

STORAGE_INDEX: dict[str, int] = {name: index for index, name in enumerate(STORAGES)}

RIP = STORAGE_INDEX["rip"]
RFLAGS = STORAGE_INDEX["rflags"]

# Flags of RFLAGS: name and bit (Intel SDM volume 1, section 3.4.3). iopl is the only one of two bits.
FLAGS: tuple[tuple[str, int, int], ...] = (
    ("cf", 0, 1), ("pf", 2, 1), ("af", 4, 1), ("zf", 6, 1), ("sf", 7, 1), ("tf", 8, 1), ("if", 9, 1), ("df", 10, 1),
    ("of", 11, 1), ("iopl", 12, 2), ("nt", 14, 1), ("rf", 16, 1), ("vm", 17, 1), ("ac", 18, 1), ("vif", 19, 1),
    ("vip", 20, 1), ("id", 21, 1),
)  # fmt: skip


class Register(msgspec.Struct, frozen=True):
    """A view of `bits` bits of the storage with index `storage`, starting at bit `shift`."""

    name: str
    storage: int
    shift: int
    bits: int

    @property
    def mask(self) -> int:
        """The view's bits, at bit 0."""
        return (1 << self.bits) - 1

    def extract(self, whole: int) -> int:
        """The view's value, zero-extended, out of the storage's 64 bits."""
        return (whole >> self.shift) & self.mask

    def insert(self, whole: int, value: int) -> int:
        """The storage's 64 bits with the low bits of `value` put into the view."""
        return (whole & ~(self.mask << self.shift)) | ((value & self.mask) << self.shift)


def _views() -> tuple[Register, ...]:
    rows: list[tuple[str, str, int, int]] = []
    for name in ("rax", "rcx", "rdx", "rbx"):
        letter = name[1]
        rows += [(name, name, 0, 64), ("e" + name[1:], name, 0, 32), (name[1:], name, 0, 16)]
        rows += [(letter + "h", name, 8, 8), (letter + "l", name, 0, 8)]
    for name in ("rsp", "rbp", "rsi", "rdi"):
        short = name[1:]
        rows += [(name, name, 0, 64), ("e" + short, name, 0, 32), (short, name, 0, 16), (short + "l", name, 0, 8)]
    for number in range(8, 16):
        name = f"r{number}"
        rows += [(name, name, 0, 64), (name + "d", name, 0, 32), (name + "w", name, 0, 16)]
        rows += [(name + "h", name, 8, 8), (name + "l", name, 0, 8)]
    rows += [("rip", "rip", 0, 64), ("eip", "rip", 0, 32), ("ip", "rip", 0, 16)]
    rows += [("rflags", "rflags", 0, 64), ("eflags", "rflags", 0, 32), ("flags", "rflags", 0, 16)]
    rows += [(name, "rflags", bit, bits) for name, bit, bits in FLAGS]
    rows += [(name, name, 0, 16) for name in SEGMENTS]
    rows += [(name, name, 0, 64) for name in STORAGES[STORAGE_INDEX["cr0"] :]]
    return tuple(Register(name, STORAGE_INDEX[storage], shift, bits) for name, storage, shift, bits in rows)


REGISTERS: tuple[Register, ...] = _views()
REGISTER_INDEX: dict[str, int] = {register.name: index for index, register in enumerate(REGISTERS)}
