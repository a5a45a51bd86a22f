"""Guest memory, without an emulator: frames of the host's memory, and address spaces. What other rooms use of it."""

from __future__ import annotations

from machine.memory.address_space import AddressSpace
from machine.memory.areas import Area
from machine.memory.errors import MapError
from machine.memory.pages import (
    ADDRESS_SPACE,
    CANONICAL_HALF,
    PAGE,
    Protection,
    is_canonical,
    page_ceil,
    page_floor,
    with_read,
)
from machine.memory.physical import Frames, PhysicalMemory
from machine.memory.shared import SharedMemory, SizedMemory
from machine.memory.work import PER_CALL, PER_ITEM, PER_MAPPING, PIECE, KernelWork

__all__ = [
    "ADDRESS_SPACE",
    "CANONICAL_HALF",
    "PAGE",
    "PER_CALL",
    "PER_ITEM",
    "PER_MAPPING",
    "PIECE",
    "AddressSpace",
    "Area",
    "Frames",
    "KernelWork",
    "MapError",
    "PhysicalMemory",
    "Protection",
    "SharedMemory",
    "SizedMemory",
    "is_canonical",
    "page_ceil",
    "page_floor",
    "with_read",
]
