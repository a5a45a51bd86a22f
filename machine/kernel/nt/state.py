"""What the nt kernel keeps of a process."""

from __future__ import annotations

from random import Random

import msgspec

from machine.kernel.nt.mailslots import Mailslots
from machine.kernel.nt.numbering import Numbering
from machine.kernel.nt.objects import HandleTable, KernelObject, KeyedEvent, Operation, ProcessObject, ThreadObject
from machine.kernel.nt.pipes import Pipes
from machine.kernel.nt.registry import Registry
from machine.kernel.nt.space import NtSpace
from machine.kernel.nt.volume import Volume
from machine.loaders import WindowsPlan
from machine.schedule import Thread

STANDARD_HANDLES = {0x50: 0, 0x54: 1, 0x58: 2}  # handle: descriptor of input, output, error


class Dispatchers(msgspec.Struct, frozen=True):
    """Where user mode goes on for exceptions and APCs; 0 for none."""

    exceptions: int = 0
    apcs: int = 0
    thread_start: int = 0
    loader: int = 0
    ntdll: int = 0


class Atom(msgspec.Struct):
    """A text that has a number, and how often it was added."""

    name: str
    uses: int = 1


class NtState(msgspec.Struct, eq=False):
    """Handles, threads, allocations and named objects of one process, and what the kernel shows it."""

    process: ProcessObject
    handles: HandleTable
    space: NtSpace
    numbering: Numbering
    registry: Registry
    volume: Volume | None
    writable: bool
    pipes: Pipes
    mailslots: Mailslots
    generator: Random
    plan: WindowsPlan | None = None
    dispatchers: Dispatchers = Dispatchers()
    threads: dict[Thread, ThreadObject] = msgspec.field(default_factory=dict)
    names: dict[str, KernelObject] = msgspec.field(default_factory=dict)  # `machine.kernel.nt.naming`
    names_swept_at: int = 256  # how many there are when those of objects that are gone are forgotten
    common_keys: KeyedEvent = msgspec.field(default_factory=KeyedEvent)  # of those who name no keyed event
    pending: list[Operation] = msgspec.field(default_factory=list)
    unix_functions: int = 0  # the stub behind Wine's unix calls
    announced_end: int | None = None  # the status with which the other threads were ended, before the process is
    stack_sizes: tuple[int, int] = (0x10_0000, 0x1_0000)  # reserved and committed, of threads that do not say
    guaranteed_stack: int = 0x2000  # bytes of each, for handlers of a stack that is used up
    subsystem: tuple[int, int, int] = (3, 6, 0)  # and its version
    atoms: dict[int, Atom] = msgspec.field(default_factory=dict)
    given_ids: int = 0  # by NtAllocateLocallyUniqueId
    given_uuids: int = 0  # calls of NtAllocateUuids
    uuid_seed: str = ""
    execution_state: int = 0x8000_0000  # ES_CONTINUOUS
    priority_class: int = 2  # PROCESS_PRIORITY_CLASS_NORMAL
    is_loaded: bool = False  # the loader has prepared the process

    @property
    def is_wine(self) -> bool:
        """Whether the root has Wine's DLLs, which leave to the kernel some of what those of Windows do."""
        return bool(self.numbering.changes)
