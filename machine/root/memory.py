"""Memory of the debugger itself: event buffers and texts that scripts read and the guest never sees.

It lies in a part of the kernel half that no guest uses. What is allocated stays until the machine is gone.
"""

from __future__ import annotations

from machine.memory import PAGE, AddressSpace, Area, Frames, Protection, page_ceil, page_floor

ROOT_BASE = 0xFFFF_B000_0000_0000
_CHUNK = 0x1_0000
_ALIGNMENT = 16


class RootMemory(AddressSpace):
    """A bump allocator over pages of its own."""

    def __init__(self, source: Frames) -> None:
        super().__init__(source)
        self._next = ROOT_BASE
        self._end = ROOT_BASE
        self._owners: dict[int, int] = {}

    def allocate(self, size: int, alignment: int = _ALIGNMENT) -> int:
        """The address of `size` zeroed bytes. Raises machine.memory.MapError."""
        address = (self._next + alignment - 1) & -alignment
        if address + size > self._end:
            grow = max(_CHUNK, page_ceil(address + size - self._end))
            self.map(Area(self._end, self._end + grow, Protection.READ | Protection.WRITE, "debugger memory"))
            self.supply(self._end, self._end + grow)
            self._end += grow
        self._next = address + size
        return address

    def allocate_pages(self, size: int) -> int:
        """The same in pages that nothing else lies in: what blocks may be shown. Raises machine.memory.MapError."""
        address = self.allocate(page_ceil(size), PAGE)
        self._owners.update(dict.fromkeys(range(address, self._next, PAGE), address))
        return address

    def owner(self, address: int) -> int | None:
        """The address that `allocate_pages` returned for the page in which this one lies; None for other memory."""
        return self._owners.get(page_floor(address))
