"""What stands in for the operating system. `create` makes a kernel by name."""

from __future__ import annotations

from collections.abc import Callable

from machine.kernel.bare import BareKernel
from machine.kernel.base import Kernel
from machine.kernel.linux import LinuxKernel

KERNEL_NAMES: tuple[str, ...] = ("bare", "linux")

__all__ = ["KERNEL_NAMES", "BareKernel", "Kernel", "LinuxKernel", "create"]


def create(name: str, write: Callable[[int, bytes], None]) -> Kernel:
    """The kernel of this name; `write(descriptor, data)` receives what its processes print. Raises KeyError."""
    makers: dict[str, Callable[[], Kernel]] = {"bare": lambda: BareKernel(), "linux": lambda: LinuxKernel(write)}
    return makers[name]()
