"""What guests read from a descriptor of this process; it can be kept, so that it is there once more in a replay."""

from __future__ import annotations

import fcntl
import os
import select
import termios
from array import array
from collections.abc import Callable

from machine.kernel.linux.errors import Errno, LinuxError
from machine.memory import KernelWork

_LOOK_AROUND = 20  # milliseconds of a wait for the host

Given = bytes | int  # what was read; how many bytes were said to wait


class HostInput:
    """The bytes of a descriptor. `before_wait` is called when none are there: who gives them may wait for output.

    Kept, `given` is all that guests have got of it, or will get once more: those from `position` on. `is_replaying`:
    there is nothing beyond these, as when the run that is done again was ended while it waited.
    """

    def __init__(self, descriptor: int, before_wait: Callable[[], None] = lambda: None) -> None:
        self.descriptor = descriptor
        self._before_wait = before_wait
        self.given: list[Given] = []
        self.position = 0
        self.is_replaying = False
        self._left: int | None = None  # bytes that may be kept; None: nothing is

    def keep(self, most: int) -> None:
        """Keep what is read from now on, at most so many bytes."""
        self._left = most

    def read(self, size: int, work: KernelWork) -> bytes:
        """Up to `size` bytes, none at the end. Raises EINTR when the run is to end in a wait, and EIO."""
        if not size:
            return b""
        while self.position < len(self.given) and isinstance(self.given[self.position], int):
            del self.given[self.position]  # asked for then, and not again
        if self.position < len(self.given):
            return self._again(size)
        if self.is_replaying:
            raise LinuxError(Errno.EINTR)
        waiting = select.poll()
        waiting.register(self.descriptor, select.POLLIN)
        if not waiting.poll(0):
            work.on_wait()
            self._before_wait()
        while not waiting.poll(_LOOK_AROUND):
            if work.is_ending():
                raise LinuxError(Errno.EINTR)
        try:
            return self._kept(os.read(self.descriptor, size))
        except OSError:
            raise LinuxError(Errno.EIO) from None

    def _again(self, size: int) -> bytes:
        data = self.given[self.position]
        assert isinstance(data, bytes)
        if len(data) > size:
            self.given[self.position : self.position + 1] = [data[:size], data[size:]]
        self.position += 1
        return data[:size]

    def _kept(self, data: bytes) -> bytes:
        if self._left is not None:
            if len(data) > self._left:
                raise LinuxError(Errno.EIO)  # it cannot be given again
            self._left -= len(data)
            self.given.append(data)
            self.position += 1
        return data

    def available(self) -> int:
        """How many bytes wait. Raises ENOTTY where the descriptor does not tell."""
        if self.position < len(self.given):
            told = self.given[self.position]
            if isinstance(told, bytes):
                return sum(len(data) for data in self.given[self.position :] if isinstance(data, bytes))
            self.position += 1
            return told
        count = array("i", [0])
        try:
            fcntl.ioctl(self.descriptor, termios.FIONREAD, count)
        except OSError:
            raise LinuxError(Errno.ENOTTY) from None
        if self._left is not None:
            self.given.append(count[0])
            self.position += 1
        return count[0]
