"""The emulated CPU: registers, memory, hooks and run; only this room and root/ know Unicorn. What other rooms use."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vm.face import lazy

if TYPE_CHECKING:
    from machine.processor import (
        block_hook as block_hook,
        branches as branches,
        coverage as coverage,
        descriptors as descriptors,
        memory_operands as memory_operands,
        msr as msr,
    )
    from machine.processor.binding import (
        BLOCK_HOOK as BLOCK_HOOK,
        CODE_HOOK as CODE_HOOK,
        INTERRUPT_HOOK as INTERRUPT_HOOK,
        INVALID_INSTRUCTION_HOOK as INVALID_INSTRUCTION_HOOK,
        MSR_CELLS as MSR_CELLS,
        SYSCALL_HOOK as SYSCALL_HOOK,
        TIME_STAMP_HOOK as TIME_STAMP_HOOK,
        TLB_FILL_HOOK as TLB_FILL_HOOK,
        WORD_MASK as WORD_MASK,
        Batch as Batch,
        Engine as Engine,
        Hook as Hook,
        address_of as address_of,
        function_address as function_address,
    )
    from machine.processor.block_counter import (
        CEILING as CEILING,
        EXECUTED as EXECUTED,
        OWN as OWN,
        OWN_SLOT as OWN_SLOT,
        SLOTS_AT as SLOTS_AT,
        UNDER_WAY as UNDER_WAY,
        BlockCounter as BlockCounter,
    )
    from machine.processor.bmi import BmiInstruction as BmiInstruction, bmi_instructions as bmi_instructions
    from machine.processor.branches import Branch as Branch, Select as Select
    from machine.processor.coverage import CodeModule as CodeModule, Coverage as Coverage
    from machine.processor.cpu import (
        EXCEPTION_STATUS as EXCEPTION_STATUS,
        INITIAL_STATE as INITIAL_STATE,
        SYSCALL_LENGTH as SYSCALL_LENGTH,
        Cpu as Cpu,
    )
    from machine.processor.cpu_model import (
        FEATURES_1_ECX as FEATURES_1_ECX,
        FEATURES_1_EDX as FEATURES_1_EDX,
        FEATURES_7_EBX as FEATURES_7_EBX,
        has_random_numbers as has_random_numbers,
        new_engine as new_engine,
    )
    from machine.processor.decoders import decoder as decoder
    from machine.processor.descriptors import KERNEL_LEVEL as KERNEL_LEVEL, USER_LEVEL as USER_LEVEL
    from machine.processor.division import divisor_of as divisor_of
    from machine.processor.fault import (
        EXCEPTION_VECTORS as EXCEPTION_VECTORS,
        IN_TABLE as IN_TABLE,
        DebugStatus as DebugStatus,
        Fault as Fault,
        PageFault as PageFault,
        Vector as Vector,
        name_of as name_of,
    )
    from machine.processor.fxsave import FXSAVE_BYTES as FXSAVE_BYTES, INITIAL_FXSAVE as INITIAL_FXSAVE
    from machine.processor.hidden_state import LEVEL_MASK as LEVEL_MASK
    from machine.processor.instruction_finder import (
        LONGEST_INSTRUCTION as LONGEST_INSTRUCTION,
        InstructionPattern as InstructionPattern,
        OperandKind as OperandKind,
        Removable as Removable,
        Serve as Serve,
        Served as Served,
        Site as Site,
        SiteHook as SiteHook,
        has_lock as has_lock,
        is_privileged as is_privileged,
    )
    from machine.processor.one_instruction import run_one as run_one
    from machine.processor.random_numbers import (
        LEAF_1 as LEAF_1,
        OSXSAVE as OSXSAVE,
        OSXSAVE_IN_CR4 as OSXSAVE_IN_CR4,
        Cpuid as Cpuid,
        Generator as Generator,
    )
    from machine.processor.register_file import RegisterFile as RegisterFile
    from machine.processor.registers import (
        BATCH_IDS as BATCH_IDS,
        BATCH_STORAGES as BATCH_STORAGES,
        CS_ID as CS_ID,
        GENERAL_IDS as GENERAL_IDS,
        GS_BASE_ID as GS_BASE_ID,
        MSR_ID as MSR_ID,
        PLAIN_IDS as PLAIN_IDS,
        RFLAGS_ID as RFLAGS_ID,
        RIP_ID as RIP_ID,
        SS_ID as SS_ID,
        VECTOR_IDS as VECTOR_IDS,
    )
    from machine.processor.run_state import StopKind as StopKind, StopReason as StopReason
    from machine.processor.thread_registers import ThreadRegisters as ThreadRegisters
    from machine.processor.translation import (
        FLUSH_TLB as FLUSH_TLB,
        RIGHTS as RIGHTS,
        SET_EXITS as SET_EXITS,
        WATCHED_RIGHT as WATCHED_RIGHT,
        WATCHING as WATCHING,
    )
    from machine.processor.watched import (
        TRAP_FLAG as TRAP_FLAG,
        Due as Due,
        WatchedInstruction as WatchedInstruction,
        has_plain_flags as has_plain_flags,
    )
    from machine.processor.window import UNREAD_FLAGS as UNREAD_FLAGS, window_of as window_of
else:
    __getattr__, __dir__ = lazy(
        __name__,
        {
            "descriptors": "KERNEL_LEVEL USER_LEVEL",
            "binding": "BLOCK_HOOK Batch CODE_HOOK Engine Hook INTERRUPT_HOOK INVALID_INSTRUCTION_HOOK MSR_CELLS "
            "SYSCALL_HOOK TIME_STAMP_HOOK TLB_FILL_HOOK WORD_MASK address_of function_address",
            "block_counter": "BlockCounter CEILING EXECUTED OWN OWN_SLOT SLOTS_AT UNDER_WAY",
            "bmi": "BmiInstruction bmi_instructions",
            "branches": "Branch Select",
            "coverage": "CodeModule Coverage",
            "cpu": "Cpu EXCEPTION_STATUS INITIAL_STATE SYSCALL_LENGTH",
            "cpu_model": "FEATURES_1_ECX FEATURES_1_EDX FEATURES_7_EBX has_random_numbers new_engine",
            "decoders": "decoder",
            "division": "divisor_of",
            "fault": "DebugStatus EXCEPTION_VECTORS Fault IN_TABLE PageFault Vector name_of",
            "fxsave": "FXSAVE_BYTES INITIAL_FXSAVE",
            "hidden_state": "LEVEL_MASK",
            "instruction_finder": "InstructionPattern LONGEST_INSTRUCTION OperandKind Removable Serve Served "
            "Site SiteHook has_lock is_privileged",
            "one_instruction": "run_one",
            "random_numbers": "Cpuid Generator LEAF_1 OSXSAVE OSXSAVE_IN_CR4",
            "register_file": "RegisterFile",
            "registers": "BATCH_IDS BATCH_STORAGES CS_ID GENERAL_IDS GS_BASE_ID MSR_ID PLAIN_IDS RFLAGS_ID "
            "RIP_ID SS_ID VECTOR_IDS",
            "run_state": "StopKind StopReason",
            "thread_registers": "ThreadRegisters",
            "translation": "FLUSH_TLB RIGHTS SET_EXITS WATCHED_RIGHT WATCHING",
            "watched": "Due TRAP_FLAG WatchedInstruction has_plain_flags",
            "window": "UNREAD_FLAGS window_of",
        },
        late="branch_ring branches coverage memory_operands x87_instructions",
    )
