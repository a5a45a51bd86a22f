"""What Linux keeps of a thread and of its process, and what all calls are given: the task that asks."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from machine.kernel.linux.futexes import Futexes
from machine.kernel.linux.memory_files import Store
from machine.kernel.linux.open_files import DescriptorTable
from machine.kernel.linux.paths import Place
from machine.kernel.linux.signal_frame import NO_TRAP, AlternateStack, Trap
from machine.kernel.linux.space import UserSpace
from machine.schedule import Process, Thread, VirtualClock
from vm.facts.limits import Limits

PARENT_ID = 1
SS_DISABLE = 2
NANOSECONDS = 1_000_000_000


@dataclass(frozen=True)
class SignalAction:
    """A struct kernel_sigaction."""

    handler: int = 0
    flags: int = 0
    restorer: int = 0
    mask: int = 0


@dataclass(eq=False)
class Location:
    """Where paths start, and what new files may not have (fs_struct)."""

    root: Place
    directory: Place
    umask: int = 0o022


@dataclass(eq=False)
class ThreadGroup:
    """What all threads of a process have together (signal_struct). `leader_code` is that of the first one's end."""

    tasks: dict[int, Task] = field(default_factory=dict)  # by thread id; those that have not ended
    pending: set[int] = field(default_factory=set)  # signals that were raised for whichever thread
    timers: dict[int, tuple[int, int]] = field(default_factory=dict)  # by ITIMER_*: end (0: none) and interval, in ns
    nice: int = 0
    leader_code: int = 0


@dataclass(eq=False)
class Task:
    """One thread. What it shares with others it has by reference: `space`, `files`, `location`, `actions`, ..."""

    thread: Thread
    process: Process
    tid: int  # the process's id for its first thread
    everybody: dict[Thread, Task]  # of the machine
    threads: ThreadGroup
    space: UserSpace
    futexes: Futexes
    files: DescriptorTable
    location: Location
    store: Store
    clock: VirtualClock
    generator: random.Random
    limits: Limits
    name: bytes
    user: int
    group: int
    actions: dict[int, SignalAction] = field(default_factory=dict)
    blocked: int = 0
    pending: set[int] = field(default_factory=set)  # blocked signals that were raised for this thread
    alternate_stack: AlternateStack = (0, SS_DISABLE, 0)
    has_signal: bool = False  # one that is not blocked has come, and has a handler
    trap: Trap = NO_TRAP
    saved_mask: int | None = None  # that comes back behind the handler, where a call has set another one
    restart: int | None = None  # the number of a call that a signal has interrupted, and that may be made again
    awaken: Callable[[Task], None] = lambda task: None  # has a thread look at its signals before it goes on
    robust_list: int = 0  # the address of its head
    clear_tid: int = 0  # where its id is cleared when it ends

    @property
    def now(self) -> int:
        """Nanoseconds since 1970."""
        return self.store.now()

    def twin(self, thread: Thread) -> Task:
        """The task of a new thread of the process, which shares all that threads share."""
        twin = replace(
            self, thread=thread, tid=thread.tid, pending=set(), alternate_stack=(0, SS_DISABLE, 0), robust_list=0,
            clear_tid=0, has_signal=False, trap=NO_TRAP, saved_mask=None, restart=None,
        )  # fmt: skip
        twin.enlist()
        return twin

    def enlist(self) -> None:
        """It can be found from now on."""
        self.threads.tasks[self.tid] = self.everybody[self.thread] = self
