"""Is there memory for what a native library will allocate? Those that we use end the process where there is none."""

from __future__ import annotations

from mmap import mmap


class HostMemoryError(MemoryError):
    """The host does not give the memory that something needs; the text says what, and how much."""


def require_memory(size: int, purpose: str) -> None:
    """Raise HostMemoryError unless `size` more bytes of address space can be had, by trying it.

    It is a probe, not a reservation: another thread may take the memory in between.
    """
    try:
        mmap(-1, size).close()
    except OSError:
        needed = f"{purpose} needs {size >> 20} MiB of memory, which the host does not give"
        raise HostMemoryError(f"{needed} (is there a limit, as by ulimit -v?)") from None
