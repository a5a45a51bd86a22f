"""Which Unicorn register serves each storage of `vm.facts.registers.STORAGES`. Data only.

The twenty storages of a trigger (general registers, rip, rflags, cs, ss) come first and travel in one batch; the others
are read one at a time. A storage without a row reads as 0 and ignores writes. Unicorn also ignores writes of the fs and
gs selectors that no descriptor table backs.
"""

from __future__ import annotations

from unicorn import x86_const as x86

from vm.facts.registers import GENERAL, STORAGE_INDEX, STORAGES

# The batch of a trigger: position in the batch is the position in this table.
_BATCH_NAMES: tuple[str, ...] = (*GENERAL, "rip", "rflags", "cs", "ss")
BATCH_STORAGES: tuple[int, ...] = tuple(STORAGE_INDEX[name] for name in _BATCH_NAMES)
BATCH_IDS: tuple[int, ...] = tuple(getattr(x86, f"UC_X86_REG_{name.upper()}") for name in _BATCH_NAMES)
GENERAL_IDS: tuple[int, ...] = BATCH_IDS[: len(GENERAL)]
BATCH_POSITION: dict[int, int] = {storage: position for position, storage in enumerate(BATCH_STORAGES)}

# Storages of up to 64 bits outside the batch.
_PLAIN_NAMES: tuple[str, ...] = (
    "ds", "es", "fs", "gs",
    "cr0", "cr2", "cr3", "cr4", "cr8",
    "dr0", "dr1", "dr2", "dr3", "dr6", "dr7",
)  # fmt: skip
PLAIN_IDS: dict[int, int] = {STORAGE_INDEX[name]: getattr(x86, f"UC_X86_REG_{name.upper()}") for name in _PLAIN_NAMES}

# Descriptor-table registers: the storage is the base of gdtr and idtr, the selector of ldtr and tr (language.md 10.1).
TABLE_BASES: dict[int, int] = {
    STORAGE_INDEX["gdtr"]: x86.UC_X86_REG_GDTR,
    STORAGE_INDEX["idtr"]: x86.UC_X86_REG_IDTR,
}
TABLE_SELECTORS: dict[int, int] = {
    STORAGE_INDEX["ldtr"]: x86.UC_X86_REG_LDTR,
    STORAGE_INDEX["tr"]: x86.UC_X86_REG_TR,
}

VECTOR_IDS: tuple[int, ...] = tuple(getattr(x86, f"UC_X86_REG_XMM{number}") for number in range(16))

# What memory operands are made of besides storages: 64 bits each, and 128 of the XMM registers.
FS_BASE = len(STORAGES)
GS_BASE = FS_BASE + 1
FIRST_MM = GS_BASE + 1
FIRST_XMM = FIRST_MM + 8

# Unicorn's names of MMX registers do nothing: they are read as the x87 registers which they are the significands of.
OPERAND_IDS: dict[int, int] = {
    FS_BASE: x86.UC_X86_REG_FS_BASE,
    GS_BASE: x86.UC_X86_REG_GS_BASE,
    **{FIRST_MM + number: getattr(x86, f"UC_X86_REG_FP{number}") for number in range(8)},
    **{FIRST_XMM + number: vector for number, vector in enumerate(VECTOR_IDS)},
}

# Single ones, for machine code that reads or writes them.
RIP_ID, CS_ID, SS_ID = (BATCH_IDS[BATCH_POSITION[STORAGE_INDEX[name]]] for name in ("rip", "cs", "ss"))
RFLAGS_ID: int = x86.UC_X86_REG_EFLAGS
GS_BASE_ID: int = x86.UC_X86_REG_GS_BASE
FS_BASE_ID: int = x86.UC_X86_REG_FS_BASE
MSR_ID: int = x86.UC_X86_REG_MSR  # with a number beside the value

DEBUG_IDS: tuple[int, ...] = tuple(
    PLAIN_IDS[STORAGE_INDEX[name]] for name in ("dr0", "dr1", "dr2", "dr3", "dr6", "dr7")
)

# What each thread has besides the batch (machine.processor.thread_registers). Bases follow selectors, which set them.
THREAD_IDS: tuple[int, ...] = (
    *(PLAIN_IDS[STORAGE_INDEX[name]] for name in ("ds", "es", "fs", "gs")), FS_BASE_ID, GS_BASE_ID,
    *DEBUG_IDS, x86.UC_X86_REG_MXCSR,
    x86.UC_X86_REG_FPCW, x86.UC_X86_REG_FPSW, x86.UC_X86_REG_FPTAG,
    *(getattr(x86, f"UC_X86_REG_FP{number}") for number in range(8)),
    *VECTOR_IDS,
)  # fmt: skip
