"""What the SYSCALL hook in machine code works on: tables that Python fills in and may change at any time.

One `HookState` for each process, one `EventRow` for each event in it (newest first), one `AnswerRow` for each number
of a system call. Enabling, disabling and clearing an event change data; nothing is ever compiled for one event.
"""

from __future__ import annotations

import ctypes
from typing import Annotated

from machine.binding import MSR_CELLS
from machine.registers import BATCH_STORAGES
from vm.native.layout import U64, Address, Cells, cells
from vm.registers import GENERAL, RFLAGS, RIP, STORAGE_INDEX, STORAGES

RAX, RCX, R11, CS, SS = (STORAGE_INDEX[name] for name in ("rax", "rcx", "r11", "cs", "ss"))

# Sets of registers, as masks: bit n is storage n.
RESULT = 1 << RAX | 1 << RCX | 1 << R11  # written by every system call that is answered here
FLAGS_AND_SELECTORS = 1 << RFLAGS | 1 << CS | 1 << SS
ENTRY = 1 << RAX | 1 << RIP | FLAGS_AND_SELECTORS  # read at every trigger
GENERAL_REGISTERS = (1 << len(GENERAL)) - 1
FETCHABLE = sum(1 << storage for storage in BATCH_STORAGES)

ANSWERS = 1024  # system calls with smaller numbers may be answered here


@cells
class HookState(ctypes.Structure):
    """The state of one process's hook."""

    armed: U64  # 0: every trigger goes to `in_python`
    quiet: U64  # 1: nobody looks on between SYSCALL and the return to user mode, so that it may be answered here
    patience: U64  # signed: what may be done before Python looks after signals and deadlines
    core: U64
    rows: Address  # of the addresses of EventRows, newest first
    row_count: U64
    direct: Address  # the DirectAccess of the process's scripts
    answers: Address  # of AnswerRow, by number
    entry: U64  # LSTAR as the kernel set it up
    # The trigger under way
    rip: U64
    short: U64  # not 0 when an event has short-circuited the operation
    # Lists of registers for Unicorn: ids, and where their values go
    entry_ids: Address  # rax, rip, rflags, cs, ss, STAR, LSTAR
    entry_cells: Address
    result_ids: Address  # rax, rcx, r11
    result_cells: Address
    star: Annotated[Cells, MSR_CELLS]
    lstar: Annotated[Cells, MSR_CELLS]
    ids: Annotated[Cells, len(STORAGES)]  # of each storage that one of the masks may name
    # Functions of Unicorn
    read_batch: Address
    write_batch: Address
    read_one: Address
    write_one: Address
    # Functions of machine.native.carrier
    in_python: Address  # the whole trigger
    settle: Address  # what follows a script that was stopped, or that has sent messages
    answer: Address  # the operation, after the pre stage
    breathe: Address  # signals and deadlines


@cells
class EventRow(ctypes.Structure):
    """One event as the hook of one process reads it."""

    event: Address  # its EventCells
    any_core: U64
    core: U64
    any_number: U64
    number: U64
    short_circuit: U64  # what the flag is before the actions
    short: U64  # the flag of the trigger under way
    entry: Address  # of the script; 0 without one
    context: Address
    registers: U64  # that the script reads, without those of ENTRY
    register_count: U64
    register_ids: Address
    register_cells: Address
    waiting: Address  # of a cell that is not 0 when messages must be delivered before the guest goes on
    id: U64
    tag: U64
    buffer: U64


@cells
class AnswerRow(ctypes.Structure):
    """What the kernel's model answers to a call that it does not carry out."""

    known: U64  # 0: Python answers
    value: U64
    count: U64  # of answers that Python has not counted yet
