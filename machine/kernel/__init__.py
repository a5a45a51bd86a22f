"""What stands in for the operating system. `create` makes a kernel by name.

Importing this package loads no emulator.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from machine.kernel.entry import ENTRY_POINTS

if TYPE_CHECKING:
    from machine.kernel.bare import BareKernel
    from machine.kernel.base import Kernel, Services
    from machine.kernel.linux import LinuxKernel
    from machine.kernel.nt.kernel import NtKernel

KERNEL_NAMES: tuple[str, ...] = tuple(ENTRY_POINTS)

__all__ = ["ENTRY_POINTS", "KERNEL_NAMES", "BareKernel", "Kernel", "LinuxKernel", "NtKernel", "Services", "create"]

_HOMES = {
    "BareKernel": "machine.kernel.bare",
    "Kernel": "machine.kernel.base",
    "LinuxKernel": "machine.kernel.linux",
    "NtKernel": "machine.kernel.nt.kernel",
    "Services": "machine.kernel.base",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'machine.kernel' has no attribute {name!r}")
    from importlib import import_module

    value: object = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def create(name: str, services: Services) -> Kernel:
    """The kernel of this name. Raises KeyError."""
    from machine.kernel.bare import BareKernel
    from machine.kernel.linux import LinuxKernel
    from machine.kernel.nt.kernel import NtKernel

    if name == "linux":
        return LinuxKernel(services.write, services.clock, services.limits, services.world, services.ending)
    if name == "nt":
        return NtKernel(services)
    if name == "bare":
        return BareKernel()
    raise KeyError(name)
