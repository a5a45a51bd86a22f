"""The emulated CPU: registers, memory, hooks and run; only this room and root/ know Unicorn. What other rooms use."""

from __future__ import annotations

from machine.processor import block_hook, descriptors, msr
from machine.processor.binding import (
    BLOCK_HOOK,
    CODE_HOOK,
    INTERRUPT_HOOK,
    INVALID_INSTRUCTION_HOOK,
    MSR_CELLS,
    SYSCALL_HOOK,
    TIME_STAMP_HOOK,
    TLB_FILL_HOOK,
    WORD_MASK,
    Batch,
    Engine,
    Hook,
    address_of,
    function_address,
)
from machine.processor.block_counter import CEILING, EXECUTED, OWN, OWN_SLOT, SLOTS_AT, UNDER_WAY, BlockCounter
from machine.processor.bmi import BmiInstruction, bmi_instructions
from machine.processor.branches import Branch, Select
from machine.processor.coverage import CodeModule, Coverage
from machine.processor.cpu import EXCEPTION_STATUS, INITIAL_STATE, SYSCALL_LENGTH, Cpu
from machine.processor.cpu_model import (
    FEATURES_1_ECX,
    FEATURES_1_EDX,
    FEATURES_7_EBX,
    has_random_numbers,
    new_engine,
)
from machine.processor.decoders import decoder
from machine.processor.descriptors import KERNEL as KERNEL_LEVEL, USER as USER_LEVEL
from machine.processor.division import divisor_of
from machine.processor.fault import EXCEPTION_VECTORS, IN_TABLE, DebugStatus, Fault, PageFault, Vector, name_of
from machine.processor.fxsave import FXSAVE_BYTES, INITIAL as INITIAL_FXSAVE
from machine.processor.hidden_state import LEVEL_MASK
from machine.processor.instruction_finder import (
    LONGEST_INSTRUCTION,
    InstructionPattern,
    OperandKind,
    Removable,
    Serve,
    Served,
    Site,
    SiteHook,
    has_lock,
    is_privileged,
)
from machine.processor.memory_operands import PlainOperand, plain_operand
from machine.processor.one_instruction import run_one
from machine.processor.random_numbers import LEAF_1, OSXSAVE, OSXSAVE_IN_CR4, Cpuid, Generator
from machine.processor.register_file import RegisterFile
from machine.processor.registers import (
    BATCH_IDS,
    BATCH_STORAGES,
    CS_ID,
    GENERAL_IDS,
    GS_BASE_ID,
    MSR_ID,
    PLAIN_IDS,
    RFLAGS_ID,
    RIP_ID,
    SS_ID,
    VECTOR_IDS,
)
from machine.processor.run_state import StopKind, StopReason
from machine.processor.thread_registers import ThreadRegisters
from machine.processor.translation import FLUSH_TLB, RIGHTS, SET_EXITS, WATCHED_RIGHT, WATCHING
from machine.processor.watched import TRAP_FLAG, Due, WatchedInstruction, has_plain_flags
from machine.processor.window import UNREAD_FLAGS, window_of

__all__ = [
    "BATCH_IDS",
    "BATCH_STORAGES",
    "BLOCK_HOOK",
    "CEILING",
    "CODE_HOOK",
    "CS_ID",
    "EXCEPTION_STATUS",
    "EXCEPTION_VECTORS",
    "EXECUTED",
    "FEATURES_1_ECX",
    "FEATURES_1_EDX",
    "FEATURES_7_EBX",
    "FLUSH_TLB",
    "FXSAVE_BYTES",
    "GENERAL_IDS",
    "GS_BASE_ID",
    "INITIAL_FXSAVE",
    "INITIAL_STATE",
    "INTERRUPT_HOOK",
    "INVALID_INSTRUCTION_HOOK",
    "IN_TABLE",
    "KERNEL_LEVEL",
    "LEAF_1",
    "LEVEL_MASK",
    "LONGEST_INSTRUCTION",
    "MSR_CELLS",
    "MSR_ID",
    "OSXSAVE",
    "OSXSAVE_IN_CR4",
    "OWN",
    "OWN_SLOT",
    "PLAIN_IDS",
    "RFLAGS_ID",
    "RIGHTS",
    "RIP_ID",
    "SET_EXITS",
    "SLOTS_AT",
    "SS_ID",
    "SYSCALL_HOOK",
    "SYSCALL_LENGTH",
    "TIME_STAMP_HOOK",
    "TLB_FILL_HOOK",
    "TRAP_FLAG",
    "UNDER_WAY",
    "UNREAD_FLAGS",
    "USER_LEVEL",
    "VECTOR_IDS",
    "WATCHED_RIGHT",
    "WATCHING",
    "WORD_MASK",
    "Batch",
    "BlockCounter",
    "BmiInstruction",
    "Branch",
    "CodeModule",
    "Coverage",
    "Cpu",
    "Cpuid",
    "DebugStatus",
    "Due",
    "Engine",
    "Fault",
    "Generator",
    "Hook",
    "InstructionPattern",
    "OperandKind",
    "PageFault",
    "PlainOperand",
    "RegisterFile",
    "Removable",
    "Select",
    "Serve",
    "Served",
    "Site",
    "SiteHook",
    "StopKind",
    "StopReason",
    "ThreadRegisters",
    "Vector",
    "WatchedInstruction",
    "address_of",
    "block_hook",
    "bmi_instructions",
    "decoder",
    "descriptors",
    "divisor_of",
    "function_address",
    "has_lock",
    "has_plain_flags",
    "has_random_numbers",
    "is_privileged",
    "msr",
    "name_of",
    "new_engine",
    "plain_operand",
    "run_one",
    "window_of",
]
