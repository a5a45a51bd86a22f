"""Kernels by name."""

from __future__ import annotations

from machine.kernel.base import Kernel, Services


def create(name: str, services: Services) -> Kernel:
    """The kernel of this name. Raises KeyError."""
    from machine.kernel.bare import BareKernel
    from machine.kernel.linux import LinuxKernel
    from machine.kernel.nt import NtKernel

    if name == "linux":
        return LinuxKernel(services.write, services.clock, services.limits, services.world, services.ending)
    if name == "nt":
        return NtKernel(services)
    if name == "bare":
        return BareKernel()
    raise KeyError(name)
