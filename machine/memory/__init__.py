"""Guest memory as host buffers, without an emulator. What other rooms use of it."""

from __future__ import annotations

from machine.memory.guest_memory import (
    ADDRESS_SPACE,
    PAGE,
    GuestMemory,
    MapError,
    Protection,
    Quota,
    Region,
    page_ceil,
    page_floor,
    with_read,
)

__all__ = [
    "ADDRESS_SPACE",
    "PAGE",
    "GuestMemory",
    "MapError",
    "Protection",
    "Quota",
    "Region",
    "page_ceil",
    "page_floor",
    "with_read",
]
