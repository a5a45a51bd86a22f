"""The system calls of Linux, and what becomes of each."""

from __future__ import annotations

from collections.abc import Iterator

from machine.kernel.linux.calls import CALLS
from machine.kernel.linux.errors import Errno
from machine.kernel.linux.names import NAMES
from machine.kernel.linux.refused import REFUSED
from machine.kernel.listed import ListedCall


def linux_calls() -> Iterator[ListedCall]:
    """In the order of their numbers."""
    for number, name in sorted(NAMES.items()):
        error = None if number in CALLS else REFUSED.get(number, Errno.ENOSYS).name
        yield ListedCall("linux", f"{number:x}", name, error)
