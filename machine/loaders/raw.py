"""Raw machine code: bytes at an address, run from an entry until RIP is behind the last byte."""

from __future__ import annotations

from machine.loaders.image import KERNEL, Image, LoadError, Placement
from machine.memory import PAGE, Area, Protection, page_ceil, page_floor

DEFAULT_BASE = 0x40_0000
_ADDRESS_SPACE = 1 << 64


def load(code: bytes, base: int = DEFAULT_BASE, entry: int | None = None, ring: int | None = None) -> Image:
    """The image of `code` at `base`, readable, writable and executable, on level 0 or 3. Raises LoadError."""
    if not code:
        raise LoadError("there is no code to load")
    if base < PAGE or base + len(code) >= _ADDRESS_SPACE:
        raise LoadError(f"{len(code):#x} bytes do not fit at {base:#x}")
    start = base if entry is None else entry
    if not base <= start < base + len(code):
        raise LoadError(f"the entry point {start:#x} lies outside the code ({base:#x}..{base + len(code) - 1:#x})")
    first, last = page_floor(base), page_ceil(base + len(code))
    area = Area(first, last, Protection.ALL, "code")
    level = KERNEL if ring is None else ring
    return Image("linux", start, base + len(code), (area,), ((base, code),), level=level)


def of_file(data: bytes, placement: Placement) -> Image:
    """As `Loader`."""
    return load(data, DEFAULT_BASE if placement.base is None else placement.base, placement.entry, placement.ring)
