"""Memory of the host: a stretch of it, and whether there is enough for what a native library will allocate.

Those that we use end the process where there is none.
"""

from __future__ import annotations

from mmap import MAP_ANONYMOUS, MAP_PRIVATE, mmap


class HostMemoryError(MemoryError):
    """The host does not give the memory that something needs; the text says what, and how much."""


def private_memory(size: int) -> mmap:
    """So many bytes of zeros, which a copy of this process (fork) has for itself. Raises OSError.

    What Python maps without being told is shared with copies. Only what is touched takes memory.
    """
    return mmap(-1, size, flags=MAP_PRIVATE | MAP_ANONYMOUS)


def memory_of_all_copies(size: int) -> mmap:
    """So many bytes of zeros, which this process and its copies (fork) have together. Raises OSError."""
    return mmap(-1, size)


def require_memory(size: int, purpose: str) -> None:
    """Raise HostMemoryError unless `size` more bytes of address space can be had, by trying it.

    It is a probe, not a reservation: another thread may take the memory in between.
    """
    try:
        private_memory(size).close()
    except OSError:
        needed = f"{purpose} needs {size >> 20} MiB of memory, which the host does not give"
        raise HostMemoryError(f"{needed} (is there a limit, as by ulimit -v?)") from None
