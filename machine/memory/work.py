"""What the kernel stand-ins do for guests, counted in bytes: one cheap instruction may ask for very much of it.

Bytes that a call moves count as such, and so does a page that gets memory, loses it or is moved. The other amounts are
what takes about as long as moving so many bytes. Whoever does the work charges it; a call that moves much does it in
pieces, and ends between two of them where the run is to end.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable

from vm.facts.limits import LARGEST

PER_CALL = 256  # a call that is carried out
PER_ITEM = 1024  # each of the things that a call goes through: components of a path, buffers, names, descriptors
PER_MAPPING = 0x8000  # a mapping that is made, removed, cut or looked at
PIECE = 1 << 20  # bytes that are moved between two looks at `is_ending`


class KernelWork:
    """The work of a run, which ends by `on_used_up` at `max_kernel_work`. `is_ending` says whether it is to end.

    `on_wait` is called before a call waits for somebody outside the run.
    """

    def __init__(self) -> None:
        self._left = (ctypes.c_int64 * 1)(LARGEST)
        self.on_used_up: Callable[[], None] = lambda: None
        self.is_ending: Callable[[], bool] = lambda: False
        self.on_wait: Callable[[], None] = lambda: None

    @property
    def address(self) -> int:
        """Of the bytes that are left, a signed word, for machine code that charges calls."""
        return ctypes.addressof(self._left)

    def begin(self, most: int) -> None:
        """A run begins, in which so many bytes may be moved (`Limits.max_kernel_work`)."""
        self._left[0] = most

    def charge(self, size: int) -> None:
        """So many bytes are moved, or are about to be."""
        left = self._left[0] - size
        self._left[0] = max(left, -LARGEST)
        if left < 0:
            self.on_used_up()
