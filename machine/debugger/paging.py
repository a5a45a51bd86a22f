"""Page-table entries as the processor would have them (Intel SDM 4.5.4), made from the table of the address space.

Its words hold what the guest may do at this moment, and addresses of the host (vm.facts.paging); entries are made of
what the areas allow. It does not remember what was accessed or written: a page with memory counts as accessed, and as
written where it can be.
"""

from __future__ import annotations

import msgspec

from machine.memory import PAGE, AddressSpace, Protection
from vm.facts.paging import LEVELS

NAMES = ("PML4E (PXE)", "PDPTE (PPE)", "PDE", "PTE")
_PRESENT, _WRITABLE, _USER, _ACCESSED, _DIRTY, _NO_EXECUTE = 1, 2, 4, 1 << 5, 1 << 6, 1 << 63
_SELF_MAP = 0xFFFF_F680_0000_0000  # where Windows shows page tables: entry 1ed of the first one leads to itself
_SPACE = (1 << 48) - 1


class Entry(msgspec.Struct, frozen=True):
    """An entry of one level, its address in the self-map of Windows, and what it contains."""

    name: str
    address: int
    value: int


def page_table_entries(memory: AddressSpace, address: int) -> tuple[Entry, ...] | None:
    """The entries on the way to the page of an address, the first level first; None where nothing is mapped."""
    place = memory.to_physical(address)
    area = memory.area_at(address)
    if place is None or area is None:
        return None
    user = 0 if area.supervisor else _USER
    tables = memory.table.frames_to(address // PAGE)
    values = [frame * PAGE | _ACCESSED | user | _WRITABLE | _PRESENT for frame in tables]
    frame, rights = place // PAGE, area.protection
    value = frame * PAGE | _ACCESSED | user
    if rights and not area.guard:
        value |= _PRESENT
    if rights & Protection.WRITE and not (area.backing is None and memory.physical.is_shared(frame)):
        value |= _WRITABLE | _DIRTY
    if not rights & Protection.EXECUTE:
        value |= _NO_EXECUTE
    values.append(value)
    places = [address]
    for _ in range(LEVELS):
        places.insert(0, _SELF_MAP | (places[0] & _SPACE) >> 9 & -8)
    return tuple(Entry(*row) for row in zip(NAMES, places, values, strict=False))
