"""What stands in for the operating system. `create` makes a kernel by name."""

from __future__ import annotations

from collections.abc import Callable

from machine.kernel.bare import BareKernel
from machine.kernel.base import Kernel, Services
from machine.kernel.linux import LinuxKernel
from machine.kernel.nt import NtKernel

_MAKERS: dict[str, Callable[[Services], Kernel]] = {
    "bare": lambda services: BareKernel(),
    "linux": lambda services: LinuxKernel(
        services.write, services.clock, services.limits, services.world, services.ending
    ),
    "nt": NtKernel,
}
KERNEL_NAMES: tuple[str, ...] = tuple(_MAKERS)

__all__ = ["KERNEL_NAMES", "BareKernel", "Kernel", "LinuxKernel", "NtKernel", "Services", "create"]


def create(name: str, services: Services) -> Kernel:
    """The kernel of this name. Raises KeyError."""
    return _MAKERS[name](services)
