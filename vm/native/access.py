"""NativeHost: what a Host may offer so that compiled code reaches registers and guest memory without calling Python.

A host that has a `direct` attribute fills in what it can: everything that its masks and page tables do not cover goes
through the methods of `vm.host.Host`, so that an empty `DirectAccess` is always right. The host owns the structure and
may change it at any time outside compiled code; the methods of the host must see and change the same cells.
"""

from __future__ import annotations

import ctypes
from typing import Annotated, Protocol, runtime_checkable

from vm.facts.paging import OPEN, PRESENT
from vm.facts.pseudo_registers import PSEUDO_REGISTERS
from vm.facts.registers import STORAGES
from vm.host import Host
from vm.native.layout import U64, Address, Cells, cells

READABLE, WRITABLE = PRESENT, OPEN  # what an access may ask for: bits of a page table's words


@cells
class DirectAccess(ctypes.Structure):
    """The cells of one host. Bit n of a register mask is storage n of `vm.facts.registers.STORAGES`.

    The general registers may lie elsewhere: `general` is the address of the first of sixteen cells, at first that of
    `registers`. It must not change once a script runs.
    """

    general: Address
    readable: U64  # registers whose cell is the value that `read_register` would return
    writable: U64  # registers that a write may put into the cell without calling `write_register`
    dirty: U64  # registers that compiled code has written; the host clears it
    registers: Annotated[Cells, len(STORAGES)]
    pseudo_ready: U64  # pseudo-registers (bit n is row n of PSEUDO_REGISTERS) whose cell is the value
    pseudo: Annotated[Cells, len(PSEUDO_REGISTERS)]
    short_ready: U64  # not 0: `event_sc` may put what it says into the next cell without asking
    short: U64  # not 0: the operation is to be short-circuited
    memory: Address  # where physical memory lies: the places of pages in the tables count from here
    table: Address  # the root of the guest's page table (vm.facts.paging); 0: none
    debugger_table: Address  # that of the debugger's own memory, for what the guest has not; 0: none

    def __init__(self, **fields: int) -> None:
        super().__init__(**fields)
        if not self.general:
            self.general = ctypes.addressof(self.registers)


@runtime_checkable
class NativeHost(Host, Protocol):
    """A Host with direct access. Pages without memory (or without the bit) go through its methods."""

    direct: DirectAccess


NO_ACCESS = DirectAccess()


def direct_access(host: Host) -> DirectAccess:
    """The direct access of a host, or an empty one."""
    direct = getattr(host, "direct", None)
    return direct if isinstance(direct, DirectAccess) else NO_ACCESS
