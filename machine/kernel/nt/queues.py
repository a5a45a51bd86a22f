"""What is written to pipes and mailslots and waits to be read there: a limit for all of a process."""

from __future__ import annotations

from machine.kernel.nt.status import STATUS_INSUFFICIENT_RESOURCES, NtError

PER_MESSAGE = 512  # bytes that a message costs besides what it says


class Queues:
    """All pipes, or all mailslots, of a process; at most `most` bytes wait in them."""

    def __init__(self, most: int) -> None:
        self._most = most
        self.waiting = 0

    def charge(self, size: int) -> None:
        """So much more waits. Raises NtError where that is too much."""
        if self.waiting + size > self._most:
            raise NtError(STATUS_INSUFFICIENT_RESOURCES)
        self.waiting += size
