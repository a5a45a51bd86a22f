"""Memory of the debugger itself: event buffers and texts that scripts read and the guest never sees.

It lies in a part of the kernel half that no guest uses. What is allocated stays until the machine is gone.
"""

from __future__ import annotations

from machine.memory import GuestMemory, Protection, Quota, page_ceil

ROOT_BASE = 0xFFFF_B000_0000_0000
_CHUNK = 0x1_0000
_ALIGNMENT = 16


class RootMemory(GuestMemory):
    """A bump allocator over its own regions."""

    def __init__(self, quota: Quota) -> None:
        super().__init__(quota)
        self._next = ROOT_BASE
        self._end = ROOT_BASE

    def allocate(self, size: int) -> int:
        """The address of `size` zeroed bytes, aligned to 16. Raises machine.memory.MapError."""
        address = (self._next + _ALIGNMENT - 1) & -_ALIGNMENT
        if address + size > self._end:
            grow = max(_CHUNK, page_ceil(address + size - self._end))
            self.map(self._end, grow, Protection.READ | Protection.WRITE, "debugger memory")
            self._end += grow
        self._next = address + size
        return address
