"""The one table of register names: which storage a name reads and writes, and which bits of it (language.md 10.1).

A *storage* is a full register of the machine, 64 bits wide here whatever its hardware width; a *register* is a named
view of some bits of one storage. Bytecode names registers by their index in `REGISTERS`, hosts serve storages by their
index in `STORAGES`. Writing a view changes its bits and nothing else: unlike the processor's `mov eax, 1`, `@eax = 1`
keeps the upper half of rax.
"""

from __future__ import annotations

from dataclasses import dataclass

# The first sixteen are in the order of GUEST_REGS (and of the x86 encoding).
GENERAL: tuple[str, ...] = (
    "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15",
)  # fmt: skip

STORAGES: tuple[str, ...] = (
    *GENERAL,
    "rip", "rflags",
    "cs", "ds", "es", "fs", "gs", "ss",
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


@dataclass(frozen=True)
class Register:
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
    rows += [(name, name, 0, 16) for name in ("cs", "ds", "es", "fs", "gs", "ss")]
    rows += [(name, name, 0, 64) for name in STORAGES[STORAGE_INDEX["cr0"] :]]
    return tuple(Register(name, STORAGE_INDEX[storage], shift, bits) for name, storage, shift, bits in rows)


REGISTERS: tuple[Register, ...] = _views()
REGISTER_INDEX: dict[str, int] = {register.name: index for index, register in enumerate(REGISTERS)}


@dataclass(frozen=True)
class PseudoRegister:
    """A read-only value that the host supplies (language.md 10.2)."""

    name: str
    doc: str


PSEUDO_REGISTERS: tuple[PseudoRegister, ...] = (
    PseudoRegister("pid", "process id of the process that runs on the core"),
    PseudoRegister("tid", "thread id of the thread that runs on the core"),
    PseudoRegister("core", "index of the current core"),
    PseudoRegister("proc", "address of the process object"),
    PseudoRegister("thread", "address of the thread object"),
    PseudoRegister("pname", "address of the process name: zero-terminated narrow text, up to 15 characters (nt: 14)"),
    PseudoRegister("peb", "address of the process environment block"),
    PseudoRegister("teb", "address of the thread environment block"),
    PseudoRegister("ip", "instruction pointer of the trigger"),
    PseudoRegister("buffer", "address of the buffer of the event's action, or 0"),
    PseudoRegister("context", "the value that the event kind defines"),
    PseudoRegister("event_id", "id of the event, 0 outside events"),
    PseudoRegister("event_tag", "tag of the event: 0x1000000 + id, 0 outside events"),
    PseudoRegister("event_stage", "0 before, 1 after the emulated operation"),
    PseudoRegister("date", "address of the text YYYY-MM-DD, refreshed at each use"),
    PseudoRegister(
        "time",
        "address of the text HH:MM:SS.mmm, refreshed at each use; TIME_FIELDS lie 10 before it",
    ),
)
PSEUDO_INDEX: dict[str, int] = {row.name: index for index, row in enumerate(PSEUDO_REGISTERS)}
