"""What machine code that runs blocks (machine.native.protocol) reads and writes of the sandbox."""

from __future__ import annotations

import ctypes

from vm.native import U64, Address, cells


@cells
class BlockRow(ctypes.Structure):
    """A condition or a code block."""

    number: U64  # names it to the sandbox; 0: Python runs it
    root: Address  # the RootState of its processor


@cells
class RootState(ctypes.Structure):
    """A processor of the sandbox as machine code calls it (machine.root.processor)."""

    engine: Address
    token: U64  # of the process it translates for, see HookState
    block: U64  # the number of the block it runs
    restore: U64  # not 0 when more than general registers and flags may differ from those of a fresh engine
    attention: U64  # Python must look at what the last run did
    clean: Address  # a uc_context
    general: Address  # sixteen words, see machine.processor.window; 0: Python runs the block
    rip: Address
    counter: Address  # the words of machine.processor.block_counter
    budget: U64  # instructions of a run
    clear_at: Address  # the part of the stack that may have been written
    clear_bytes: U64
    guest_regs_at: Address
    stack_pointer: U64
    stack_top: Address
    begin: U64  # where blocks begin
    leave: U64  # where they return to
    left: U64  # RIP when they have
    flags: U64  # RFLAGS on entry
    # Functions of Unicorn
    start: Address
    restore_context: Address
    write_one: Address
