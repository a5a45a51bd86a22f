"""Where SYSCALL enters each kernel stand-in, and the names of places in kernel memory. Loads no emulator.

The names are Windows', under every stand-in, as the kernel objects are: `KiSystemCall64` is what LSTAR holds. The
services of system calls have code of their own where the stand-in is `nt`.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from machine.kernel.builds import PROCESS_LIST
from machine.kernel.nt import LAST_COMMON, numbers_of
from machine.kernel.text import KernelText


class EntryPoint(msgspec.Struct, frozen=True):
    """What a kernel sets up for its processes: the system-call MSRs, and how they are named.

    `services` are the system calls that have code, by number. An image name has at most `name_bytes`, without its zero:
    Linux keeps 15 of a task's name, Windows 14 in EPROCESS, where the field has 15 bytes with the zero. User programs
    reach the `open_vectors` by INT; others are #GP.
    """

    star: int
    lstar: int
    fmask: int
    services: Mapping[int, str] = msgspec.field(default_factory=dict)
    name_bytes: int = 15
    open_vectors: frozenset[int] = frozenset((3, 4))

    @property
    def text(self) -> KernelText:
        """The handler at LSTAR."""
        return KernelText(self.lstar, bool(self.services))

    @property
    def symbols(self) -> dict[str, int]:
        """Addresses by name, without the module."""
        services = {name: self.text.service_of(number) for number, name in self.services.items()}
        return {"KiSystemCall64": self.lstar, "PsActiveProcessHead": PROCESS_LIST, **services}


BARE = EntryPoint(star=0x0023_0010_0000_0000, lstar=0xFFFF_F800_0000_1000, fmask=0x4700)
LINUX = EntryPoint(
    star=0x0023_0010_0000_0000, lstar=0xFFFF_FFFF_81E0_0000, fmask=0x4_7700, open_vectors=frozenset((3, 4, 0x80))
)
NT = EntryPoint(
    star=0x0023_0010_0000_0000,
    lstar=0xFFFF_F802_0000_1000,
    fmask=0x4700,
    services={number: name for name, number in numbers_of().items() if number <= LAST_COMMON},
    name_bytes=14,
    open_vectors=frozenset((3, 4, 0x29, 0x2C, 0x2D, 0x2E)),
)
