"""NativeHost: what a Host may offer so that compiled code reaches registers and guest memory without calling Python.

A host that has a `direct` attribute fills in what it can: everything that its masks and regions do not cover goes
through the methods of `vm.host.Host`, so that an empty `DirectAccess` is always right. The host owns the structure and
may change it at any time outside compiled code; the methods of the host must see and change the same cells.
"""

from __future__ import annotations

import ctypes
import itertools
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Protocol, runtime_checkable

from vm.facts.pseudo_registers import PSEUDO_REGISTERS
from vm.facts.registers import STORAGES
from vm.host import Host
from vm.native.layout import U64, Address, Cells, cells

READABLE, WRITABLE = 1, 2


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
    region_count: U64
    regions: Address  # the first of `region_count` rows of RegionRow, by ascending address

    def __init__(self, **fields: int) -> None:
        super().__init__(**fields)
        if not self.general:
            self.general = ctypes.addressof(self.registers)


@cells
class RegionRow(ctypes.Structure):
    """Guest addresses first..last (inclusive), the host address of the first, and what scripts may do there."""

    first: U64
    last: U64
    host: Address
    permissions: U64  # READABLE | WRITABLE


@dataclass(frozen=True)
class Region:
    """`size` bytes of guest memory at `start`, whose bytes lie at host address `host` for as long as it is listed."""

    start: int
    size: int
    host: int
    permissions: int = READABLE | WRITABLE


@runtime_checkable
class NativeHost(Host, Protocol):
    """A Host with direct access. Memory that is not listed (or lacks the permission) goes through its methods."""

    direct: DirectAccess


NO_ACCESS = DirectAccess()


def direct_access(host: Host) -> DirectAccess:
    """The direct access of a host, or an empty one."""
    direct = getattr(host, "direct", None)
    return direct if isinstance(direct, DirectAccess) else NO_ACCESS


def region_rows(regions: Iterable[Region]) -> ctypes.Array[RegionRow]:
    """The rows of these regions, sorted; the caller keeps them alive. Raises ValueError when regions overlap."""
    rows = sorted(regions, key=lambda region: region.start)
    for before, after in itertools.pairwise(rows):
        if before.start + before.size > after.start:
            raise ValueError(f"the regions at {before.start:#x} and {after.start:#x} overlap")
    array = (RegionRow * len(rows))()
    for row, region in zip(array, rows, strict=True):
        row.first, row.last = region.start, region.start + region.size - 1
        row.host, row.permissions = region.host, region.permissions
    return array
