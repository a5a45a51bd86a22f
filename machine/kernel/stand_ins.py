"""The kernel stand-ins, a row each. Loads no emulator: the class of one is loaded when a process wants it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import TYPE_CHECKING

import msgspec

from machine.kernel.entry import BARE, LINUX, NT, EntryPoint

if TYPE_CHECKING:
    from machine.kernel.base import Kernel, Services


class StandIn(msgspec.Struct, frozen=True):
    """A kernel stand-in: its name for users, where SYSCALL enters it, and the class that answers (module, name)."""

    name: str
    entry: EntryPoint
    module: str
    kernel: str

    def load(self) -> Callable[[Services], Kernel]:
        """The class."""
        kernel: Callable[[Services], Kernel] = getattr(import_module(self.module), self.kernel)
        return kernel


STAND_INS: Mapping[str, StandIn] = {
    row.name: row
    for row in (
        StandIn("bare", BARE, "machine.kernel.bare", "BareKernel"),
        StandIn("linux", LINUX, "machine.kernel.linux", "LinuxKernel"),
        StandIn("nt", NT, "machine.kernel.nt", "NtKernel"),
    )
}
KERNEL_NAMES: tuple[str, ...] = tuple(STAND_INS)
ENTRY_POINTS: Mapping[str, EntryPoint] = {name: row.entry for name, row in STAND_INS.items()}


def create(name: str, services: Services) -> Kernel:
    """The kernel of this name. Raises KeyError."""
    return STAND_INS[name].load()(services)
