"""What the hooks in machine code work on: tables that Python fills in and may change at any time.

One `HookState` for each process, one `EventTable` for each thing in it that events wait for (SYSCALL, SYSRET, a hooked
address), one `EventRow` for each event in a process, one `ActionRow` for each of its actions. Enabling, disabling and
clearing an event change data; nothing is ever compiled for one event.
"""

from __future__ import annotations

import ctypes
from typing import Annotated, Any

from machine.processor import BATCH_STORAGES, MSR_CELLS
from vm.facts.registers import GENERAL, RFLAGS, STORAGE_INDEX, STORAGES
from vm.native import U64, Address, Cells, cells

RAX, RCX, RDX, RSP, R8, R11, CS, SS = (
    STORAGE_INDEX[name] for name in ("rax", "rcx", "rdx", "rsp", "r8", "r11", "cs", "ss")
)

# Sets of registers, as masks: bit n is storage n.
GENERAL_REGISTERS = (1 << len(GENERAL)) - 1
FLAGS_AND_SELECTORS = 1 << RFLAGS | 1 << CS | 1 << SS
FETCHABLE = sum(1 << storage for storage in BATCH_STORAGES)

ASK = ctypes.CFUNCTYPE(None)  # a function that hooks call without arguments

ANSWERS = 1024  # system calls with smaller numbers may be answered by machine code


@cells
class EventTable(ctypes.Structure):
    """The events of one kind, newest first: how many, and where the addresses of their EventRows stand."""

    pre: Address
    pre_count: U64
    lone: Address  # the EventRow of the only one of `pre`, where all there is to it is a script that keeps to itself
    post: Address
    post_count: U64


@cells
class HookState(ctypes.Structure):
    """The state of one process's hooks."""

    guess_bits: U64  # of RIP: where they disagree with the instruction, Python has the trigger
    way_back: U64  # a machine.events.syscall.WayBack
    sysret: U64  # the address of the kernel's SYSRET
    someone_waits: U64  # a process gives way behind a system call
    core: U64
    syscalls: Address  # an EventTable
    answers: Address  # of AnswerRow, by number
    entry: U64  # LSTAR as the kernel set it up
    token: U64  # names the process, and the core's block behind GS, to the sandbox
    processor_block: U64
    # The trigger under way
    rip: U64
    stage: U64  # 0 pre, 1 post
    bits: U64  # of the exit; an event's mask must have one of them
    short: U64  # not 0 when an event has short-circuited the operation
    python: U64  # not 0 when Python has taken part
    over: U64  # not 0 when the run ends here, by an exception
    changes: U64  # how often code had been changed when it began; set at hooked addresses
    counter: Address  # the words of machine.processor.block_counter
    # Registers: where they lie (see machine.processor.window), or copies that calls read and write
    direct: Address  # the DirectAccess of the process's scripts
    copied: U64
    rip_at: Address
    cs_at: Address
    ss_at: Address
    eflags_at: Address  # RFLAGS is what read_flags returns for `direct.general`, with these UNREAD_FLAGS
    read_flags: Address  # 0: a call reads them
    star_at: Address
    lstar_at: Address
    fmask_at: Address
    copy_ids: Address
    copy_cells: Address
    copies: Annotated[Cells, 3]  # of rip, cs and ss
    msrs: Annotated[Cells, 3 * MSR_CELLS]  # STAR, LSTAR and FMASK: number and value
    ids: Annotated[Cells, len(STORAGES)]  # Unicorn's number of each storage in FETCHABLE
    context: U64  # what $context reads where it is a constant
    hidden_flags_at: Address  # of a word with flags that nobody sees
    scratch: U64  # a register that is not kept
    hooked: Address  # where the trigger under way was hooked at its address: a HookedAddress; 0 at a SYSCALL
    unknown: Address  # a HookedAddress of which it is not known where its block ends
    clock: Address  # the words of machine.schedule.clock
    level_at: Address  # of 32 bits whose lowest two are the privilege level of the guest's code
    home_level: U64  # that of the program
    given_up_at: Address  # of a cell that counts instructions that raised an exception
    read_clock: Address  # clock_gettime, where the time of events is measured
    moment: Annotated[Cells, 2]  # what it has said last: seconds and nanoseconds
    # Functions of Unicorn
    read_batch: Address
    write_batch: Address
    read_one: Address
    write_one: Address
    # Functions of machine.native.callbacks
    syscall_in_python: Address  # the whole trigger
    block_in_python: Address  # a block that machine code does not run
    enter: Address  # let the sandbox translate for this process
    finish: Address  # what a block left behind that did not just return
    act: Address  # an action that machine code does not carry out
    settle: Address  # what follows a script that was stopped, or that has sent messages
    answer: Address  # what the kernel's model does between SYSCALL and SYSRET
    perform: Address  # SYSCALL, after the pre stage
    complete: Address  # SYSCALL, after the post stage
    done: Address  # the system call is over
    relevel: Address  # machine code has written at `level_at`, which is no place of the emulator's
    # Quick calls (machine.kernel.quick)
    caller: Address  # the CallerCells; 0: Python has all calls
    time_base: U64  # what the clock says besides the instructions of this process and what is added to it


@cells
class EventRow(ctypes.Structure):
    """One event as the hooks of one process read it."""

    event: Address  # its EventCells
    any_core: U64
    core: U64
    any_number: U64
    number: U64
    mask: U64
    condition: Address  # a BlockRow; 0 without a condition
    short_circuit: U64  # what the flag is before the actions
    actions: Address  # of ActionRow
    action_count: U64
    id: U64
    tag: U64
    triggers: U64  # how often the actions ran
    rejections: U64  # how often the condition was false
    fuel: U64  # of its scripts
    time_ns: U64  # of its condition and actions, where it is measured


@cells
class ActionRow(ctypes.Structure):
    """One action: a script, a block, or something that Python does."""

    entry: Address  # of a script
    context: Address
    registers: U64  # that the script reads and that are fetched by calls
    marks: Address  # the Marks of a script whose messages are sent at once; 0 where they are collected
    before: Address  # of a cell that is not 0 where messages of the other sort wait, which come first
    block: Address  # a BlockRow
    buffer: U64


@cells
class Marks(ctypes.Structure):
    """Which messages of a ring a script has sent at once, for Python to deliver when somebody could notice them."""

    end: U64  # cells of the ring up to the last mark
    used: U64
    capacity: U64
    rows: Address  # of Mark
    ring: Address  # of a cell with how many cells of the ring are in use


@cells
class Mark(ctypes.Structure):
    """The messages up to `end` that stand behind the last mark, and the trigger that they are of."""

    end: U64
    event: U64
    stage: U64
    pointer: U64
    thread: U64
    ticks: U64  # the process's own, and what the clock adds
    state: Address  # the HookState


@cells
class HookedAddress(ctypes.Structure):
    """An address of one process at which something of events waits."""

    state: Address  # the HookState
    address: U64
    behind: U64  # the address behind the instruction; 0 where nothing depends on it
    events: Address  # an EventTable
    waiting: Address  # a Waiting; 0 where there is no post stage
    always_in_python: U64
    anew: Address  # of a cell that is not 0 when Python knows whether this is a new arrival
    changes: Address  # of a cell that counts how often code was changed
    operand: U64  # of the instruction
    in_python: Address  # the whole trigger
    moved: Address  # what follows a trigger in which Python took part, or that has written flags
    left: Address  # has counted what was executed of another block than `block`, and sets what follows
    block: U64  # the block that was left here last, and the other word of its slot
    shape: U64
    known_at: U64  # what `changes` counted then
    rest: U64  # instructions of that block that stand behind the one here


@cells
class AccessState(ctypes.Structure):
    """What machine code knows of the watched accesses of one process (machine.native.accesses)."""

    sites: Address  # of SiteRow
    translation: Address  # the words of machine.processor.translation
    counter: Address  # the words of machine.processor.block_counter
    rip_at: Address
    changes_at: Address  # of a cell that counts how often code was changed
    hidden_flags_at: Address
    # The instruction that is executed alone
    active: U64  # while there is one
    stepped: U64  # its address
    ceiling: U64  # of the block counter, behind it
    debug_status: U64  # DR6 before it
    flags: U64
    dr6: U64  # Unicorn's number of DR6
    # Functions of Unicorn, and the hook of exceptions in Python
    start: Address
    control: Address
    read_one: Address
    write_one: Address
    in_python: Address


@cells
class SiteRow(ctypes.Structure):
    """An instruction that accesses watched memory by one operand."""

    rip: U64
    code_at: Address  # of its bytes in the host's memory
    code: Annotated[Cells, 2]  # what stood there: 16 bytes
    changes: U64  # of code, when it was learned
    block: U64  # the two words of the block that it stands in, and how many instructions of it stand at or behind it
    shape: U64
    rest: U64
    base: Address  # of the registers of its operand
    index: Address
    scale: U64
    displacement: U64
    ranges: Address  # of RangeRow
    count: U64


@cells
class RangeRow(ctypes.Structure):
    """A range that the accesses of a site are compared with, of virtual addresses; its first and last byte."""

    first: U64
    last: U64
    event: Address  # an EventRow
    only_watched: U64  # not 0: the event is not for these accesses, or not for this process


@cells
class AnswerRow(ctypes.Structure):
    """What the kernel's model answers to a call that it does not carry out, or what carries it out."""

    known: U64  # not 0: `value` is the answer
    value: U64
    code: Address  # of a quick call (machine.native.quick_calls); 0: Python answers
    count: U64  # of answers that Python has not counted yet


def address_of(function: Any) -> int:
    """The address of a C function."""
    return ctypes.cast(function, ctypes.c_void_p).value or 0
