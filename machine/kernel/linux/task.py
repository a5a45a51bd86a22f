"""What one Linux process has besides its memory and registers, and what all calls are given."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from machine.kernel.linux.memory_files import Store
from machine.kernel.linux.open_files import DescriptorTable
from machine.kernel.linux.paths import Place
from machine.kernel.linux.space import AddressSpace
from machine.schedule import Process, VirtualClock
from vm.facts.limits import Limits

PARENT_ID = 1
NANOSECONDS = 1_000_000_000


@dataclass(frozen=True)
class SignalAction:
    """A struct kernel_sigaction."""

    handler: int = 0
    flags: int = 0
    restorer: int = 0
    mask: int = 0


@dataclass(frozen=True)
class PendingSignal:
    """A blocked signal that was raised, for the thread or for the whole process."""

    number: int
    for_thread: bool


@dataclass(eq=False)
class Task:
    """One process with one thread."""

    process: Process
    space: AddressSpace
    files: DescriptorTable
    root: Place
    directory: Place
    store: Store
    clock: VirtualClock
    generator: random.Random
    limits: Limits
    name: bytes
    user: int
    group: int
    umask: int = 0o022
    actions: dict[int, SignalAction] = field(default_factory=dict)
    blocked: int = 0
    pending: set[PendingSignal] = field(default_factory=set)
    timers: dict[int, tuple[int, int]] = field(default_factory=dict)  # by ITIMER_*: end (0: none) and interval, in ns
    nice: int = 0
    alternate_stack: tuple[int, int, int] = (0, 2, 0)  # ss_sp, ss_flags (SS_DISABLE), ss_size
    robust_list: tuple[int, int] = (0, 0)

    @property
    def now(self) -> int:
        """Nanoseconds since 1970."""
        return self.store.now()

    def sleep(self, nanoseconds: int) -> None:
        """Let virtual time pass."""
        self.clock.sleep(-(-nanoseconds // 1000))
