"""Pages and what may be done with them."""

from __future__ import annotations

from enum import IntFlag

from vm.facts.paging import PAGE_BITS

PAGE = 1 << PAGE_BITS  # bytes
ADDRESS_SPACE = 1 << 64
CANONICAL_HALF = (
    1 << 47
)  # canonical addresses lie below it, or as far below the end of the address space (Intel SDM 3.3.7.1)


class Protection(IntFlag):
    """What a guest may do with a page. The values are Unicorn's, and the ELF order reversed."""

    NONE = 0
    READ = 1
    WRITE = 2
    EXECUTE = 4
    ALL = 7


def with_read(rights: Protection) -> Protection:
    """The rights a page table of x86 can give: what can be written or executed can be read."""
    return rights | Protection.READ if rights else rights


def page_floor(address: int) -> int:
    """The start of the page that holds `address`."""
    return address & -PAGE


def page_ceil(address: int) -> int:
    """The first page boundary at or above `address`."""
    return (address + PAGE - 1) & -PAGE


def is_canonical(address: int) -> bool:
    """Whether a processor takes this for an address: bits 47 to 63 are equal (Intel SDM 3.3.7.1)."""
    return address < CANONICAL_HALF or address >= ADDRESS_SPACE - CANONICAL_HALF
