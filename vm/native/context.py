"""The run context: everything that compiled code needs besides the program, as data in one structure.

Compiled code holds no addresses, so that one compilation serves every session, engine and host. The fields above
`handle` belong to the run, those from `handle` on to Python (`vm.native.activation` fills them in).
"""

from __future__ import annotations

import ctypes
from typing import Annotated

from vm.native.layout import U64, Address, Cells, cells


@cells
class Context(ctypes.Structure):
    """The context of one activation."""

    # The state and the outcome of a run; the compiled `run` function resets what its program uses.
    steps: U64  # fuel charged, set at the end
    top: U64  # where the next frame starts, in bytes from the start of the stack
    bulk_left: U64  # what is left of max_bulk_bytes
    call_site: U64  # the CALL under way, as a site without reason; a function that cannot be entered stops there
    site: U64  # where and why a run stopped, see vm.native.faults; valid when `run` returned 1
    fault_values: Annotated[Cells, 2]
    # Limits
    max_steps: U64
    max_call_depth: U64
    max_stack_bytes: U64
    max_bulk_bytes: U64
    lock_tries: U64  # how often a lock that is held is tried before Python is asked (see vm.sharing); 0 means 1
    # Script memory
    slots: Address  # of the program's globals: offsets in the globals' memory
    globals: Address
    globals_used: Address  # of a cell: bytes of the globals' memory that are in use
    literals: Address
    literals_size: U64
    stack: Address
    entries: Address  # of vm.engine.Loaded; 0 where they are not counted
    # The host
    direct: Address  # a DirectAccess
    ring: Address  # a RingHeader
    format_base: U64  # number of the program's first format in vm.native.records
    brake: Address  # of a word that is not 0 when the run is to end (vm.sharing.Brake)
    handle: U64  # names the activation to the functions of vm.native.callbacks
    # Functions of vm.native.callbacks
    read_register: Address
    write_register: Address
    pseudo_register: Address
    read_memory: Address
    write_memory: Address
    copy: Address
    zero: Address
    builtin: Address
    printf: Address
    drain: Address
    wait: Address


@cells
class RingHeader(ctypes.Structure):
    """The message ring's control cells; the records follow in cells of their own."""

    used: U64  # cells in use
    capacity: U64  # cells in all
    records: Address
