"""Objects of the kernel that programs have handles of, and what a wait for one takes (Windows Internals, chapter 8)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, ClassVar, TypeVar

import msgspec

from machine.kernel.nt import rights as masks
from machine.kernel.nt.blocks import TICKS_PER_UNIT
from machine.kernel.nt.status import (
    STATUS_ACCESS_DENIED,
    STATUS_HANDLE_NOT_CLOSABLE,
    STATUS_INSUFFICIENT_RESOURCES,
    STATUS_INVALID_HANDLE,
    STATUS_OBJECT_TYPE_MISMATCH,
    NtError,
)

if TYPE_CHECKING:
    from machine.kernel.nt.files import File
    from machine.schedule import Process, Suspension, Thread

FIRST_HANDLE, _HANDLE_STEP = 0x5C, 4
_MOST_WAITING = 65_536  # APCs of a thread, packets of a port


class KernelObject(msgspec.Struct, eq=False, kw_only=True):
    """An object; `kind` is its type's name as NtQueryObject tells it, `name` its path among objects, if any.

    `rights` are those of its type; a handle of one that `widens` may be duplicated with more than it has.
    """

    kind: ClassVar[str] = "Object"
    rights: ClassVar[masks.Rights] = masks.OTHER
    widens: ClassVar[bool] = True
    name: str = ""
    handles: int = 0

    @property
    def is_referenced(self) -> bool:
        """Whether its name leads to it: somebody has it open."""
        return bool(self.handles)

    def is_signalled(self, thread: Thread) -> bool:
        """Whether a wait of the thread for it would be over."""
        return True

    def take(self, thread: Thread) -> None:
        """A wait of the thread for it is over."""

    def closed(self) -> None:
        """Its last handle was closed."""


Wanted = TypeVar("Wanted", bound=KernelObject)


class Event(KernelObject, eq=False):
    """Set, or not; one that is no notification event is reset by the thread that has waited for it."""

    kind = "Event"
    rights = masks.EVENT
    is_notification: bool
    is_set: bool

    def is_signalled(self, thread: Thread) -> bool:
        """As `KernelObject`."""
        return self.is_set

    def take(self, thread: Thread) -> None:
        """As `KernelObject`."""
        self.is_set = self.is_set and self.is_notification


class Mutant(KernelObject, eq=False):
    """Owned by a thread, that many times."""

    kind = "Mutant"
    rights = masks.MUTANT
    owner: Thread | None
    count: int
    is_abandoned: bool = False

    def is_signalled(self, thread: Thread) -> bool:
        """As `KernelObject`."""
        return self.owner is None or self.owner is thread or self.owner.ended

    def take(self, thread: Thread) -> None:
        """As `KernelObject`."""
        self.is_abandoned = self.owner is not None and self.owner is not thread
        self.count = 1 if self.owner is not thread else self.count + 1
        self.owner = thread


class Semaphore(KernelObject, eq=False):
    """A count that waits take one of."""

    kind = "Semaphore"
    rights = masks.SEMAPHORE
    count: int
    most: int

    def is_signalled(self, thread: Thread) -> bool:
        """As `KernelObject`."""
        return self.count > 0

    def take(self, thread: Thread) -> None:
        """As `KernelObject`."""
        self.count -= 1


class Timer(KernelObject, eq=False):
    """Signalled from `due` on, in ticks of the virtual clock; with a period it comes again."""

    kind = "Timer"
    rights = masks.TIMER
    is_notification: bool
    now: object
    due: int | None = None
    period: int = 0  # ticks

    def deadline(self) -> int | None:
        """When it is signalled."""
        return self.due

    def is_signalled(self, thread: Thread) -> bool:
        """As `KernelObject`."""
        return self.due is not None and self.due <= self.now()  # type: ignore[operator]

    def take(self, thread: Thread) -> None:
        """As `KernelObject`."""
        if self.due is not None and self.period:
            self.due += self.period
        elif not self.is_notification:
            self.due = None


class Alarm(msgspec.Struct, eq=False):
    """The APC of a timer: `due` is when it comes, `zero` the system time (100 ns) at which the clock began."""

    timer: Timer
    routine: int
    context: int
    due: int
    zero: int

    def row(self) -> tuple[int, int, int, int]:
        """What it puts into the queue: routine, context, and the time in two halves."""
        time = self.zero + self.due // TICKS_PER_UNIT
        return self.routine, self.context, time & 0xFFFF_FFFF, time >> 32


class Dispatched(msgspec.Struct, frozen=True):
    """An exception that was sent to the dispatcher: NTSTATUS, address, and where its frame begins on the stack."""

    code: int
    address: int
    frame: int


class ThreadObject(KernelObject, eq=False):
    """A thread; signalled when it has ended. `suspended` is how often it was, `queue` the APCs that wait for it."""

    kind = "Thread"
    rights = masks.THREAD
    thread: Thread
    start: int = 0
    exit_code: int | None = None
    suspended: int = 0
    waits_for: Suspension | None = None  # besides, while it is suspended
    priority: int = 0  # the increment that SetThreadPriority sets
    description: bytes = b""  # of SetThreadDescription, in UTF-16
    given: dict[int, int] = msgspec.field(default_factory=dict)  # registers by storage, for the end of its call
    queue: deque[tuple[int, int, int, int]] = msgspec.field(default_factory=deque)
    alarms: list[Alarm] = msgspec.field(default_factory=list)  # of timers that it has set
    is_alerted: bool = False  # NtAlertThreadByThreadId
    in_operation: bool = False  # on a file, for the end of which it waits
    is_cancelled: bool = False  # that operation, by NtCancelSynchronousIoFile
    last_exception: Dispatched | None = None
    stack: tuple[int, int] = (0, 0)  # the allocation: its ends

    def is_signalled(self, thread: Thread) -> bool:
        """As `KernelObject`."""
        return self.thread.ended

    def queue_apc(self, row: tuple[int, int, int, int]) -> None:
        """Let it wait for the thread. Raises NtError where too many do."""
        if len(self.queue) >= _MOST_WAITING:
            raise NtError(STATUS_INSUFFICIENT_RESOURCES)
        self.queue.append(row)

    def has_apcs(self, now: int) -> bool:
        """Whether an APC waits, those of timers that are due at `now` included. One that waits does not wait twice."""
        self.alarms = [each for each in self.alarms if each.timer.handles]
        for alarm in sorted((each for each in self.alarms if each.due <= now), key=lambda each: each.due):
            if not any(row[:2] == (alarm.routine, alarm.context) for row in self.queue):
                self.queue.append(alarm.row())
            if alarm.timer.period:
                alarm.due += ((now - alarm.due) // alarm.timer.period + 1) * alarm.timer.period
            else:
                self.alarms.remove(alarm)
        return bool(self.queue)

    def wakes_at(self) -> list[int]:
        """When APCs of timers are due."""
        return [alarm.due for alarm in self.alarms]

    def forget(self, timer: Timer) -> None:
        """No APC comes of a timer any more."""
        self.alarms = [each for each in self.alarms if each.timer is not timer]


class ProcessObject(KernelObject, eq=False):
    """The process."""

    kind = "Process"
    rights = masks.PROCESS
    process: Process

    def is_signalled(self, thread: Thread) -> bool:
        """As `KernelObject`."""
        return not self.process.alive


class Token(KernelObject, eq=False):
    """The process's token: primary (1), or for impersonation (2)."""

    kind = "Token"
    rights = masks.TOKEN
    kind_of: int = 1


class Completion(KernelObject, eq=False):
    """An I/O completion port: packets (key, value, status, information)."""

    kind = "IoCompletion"
    rights = masks.COMPLETION
    packets: deque[tuple[int, int, int, int]] = msgspec.field(default_factory=deque)

    def is_signalled(self, thread: Thread) -> bool:
        """As `KernelObject`."""
        return bool(self.packets)

    def post(self, packet: tuple[int, int, int, int]) -> None:
        """Let it wait for a thread. Raises NtError where too many do."""
        if len(self.packets) >= _MOST_WAITING:
            raise NtError(STATUS_INSUFFICIENT_RESOURCES)
        self.packets.append(packet)


class KeyedEvent(KernelObject, eq=False):
    """Threads meet at keys: how many wait, and how many release, by key."""

    kind = "KeyedEvent"
    rights = masks.KEYED_EVENT
    waiters: dict[int, list[Thread]] = msgspec.field(default_factory=dict)
    released: set[Thread] = msgspec.field(default_factory=set)


class Operation(msgspec.Struct, eq=False):
    """What is under way on a file whose user does not wait for it (`machine.kernel.nt.operations`).

    At the `deadline`, in ticks, it is ready for sure.
    """

    file: File
    thread: Thread
    block: int
    ready: Callable[[], bool]
    end: Callable[[], object]
    cancel: Callable[[], object]
    deadline: int | None = None


class ObjectDirectory(KernelObject, eq=False):
    """A directory of named objects; where a listing goes on is the caller's to keep."""

    kind = "Directory"
    rights = masks.DIRECTORY


class SymbolicLink(KernelObject, eq=False):
    """A name that stands for another."""

    kind = "SymbolicLink"
    rights = masks.LINK
    target: str


class Other(KernelObject, eq=False):
    """An object that is only opened and closed: a job, a debug object."""

    kind = "Job"


class HandleTable:
    """The handles of a process, at most `most`. Raises NtError for what is none."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._objects: dict[int, KernelObject] = {}
        self._rights: dict[int, int] = {}  # of handles that have fewer than there are
        self._next = FIRST_HANDLE
        self.flags: dict[int, tuple[bool, bool]] = {}  # of handles: inherited, protected from being closed

    def __len__(self) -> int:
        return len(self._objects)

    def items(self) -> Iterator[tuple[int, KernelObject]]:
        """Handles and what they stand for."""
        yield from self._objects.items()

    def put(self, handle: int, what: KernelObject) -> None:
        """A handle of a given number, with all rights."""
        self._objects[handle] = what
        what.handles += 1

    def open(self, what: KernelObject, access: int | None = None, *, inherits: bool = False) -> int:
        """A new handle with the rights that an ACCESS_MASK asks for; None for all."""
        if len(self._objects) >= self._most:
            raise NtError(STATUS_INSUFFICIENT_RESOURCES)
        handle = self._next
        self._next += _HANDLE_STEP
        self.put(handle, what)
        if access is not None:
            self._rights[handle] = what.rights.granted(access)
        if inherits:
            self.flags[handle] = True, False
        return handle

    def rights_of(self, handle: int) -> int:
        """The rights that a handle has."""
        found = self.get(handle)
        return self._rights.get(handle & ~3, found.rights.every)

    def get(self, handle: int, access: int = 0) -> KernelObject:
        """What a handle stands for; it has to have these rights."""
        return self.of(handle, KernelObject, access)

    def of(self, handle: int, kind: type[Wanted], access: int = 0) -> Wanted:
        """The same, of this type."""
        found = self._objects.get(handle & ~3)
        if found is None:
            raise NtError(STATUS_INVALID_HANDLE)
        if not isinstance(found, kind):
            raise NtError(STATUS_OBJECT_TYPE_MISMATCH)
        if access & ~self._rights.get(handle & ~3, access):
            raise NtError(STATUS_ACCESS_DENIED)
        return found

    def close(self, handle: int) -> None:
        """The handle means nothing from then on."""
        found = self.get(handle)
        if self.flags.get(handle & ~3, (False, False))[1]:
            raise NtError(STATUS_HANDLE_NOT_CLOSABLE)
        self.flags.pop(handle & ~3, None)
        self._rights.pop(handle & ~3, None)
        del self._objects[handle & ~3]
        found.handles -= 1
        if not found.handles:
            found.closed()

    def close_all(self) -> None:
        """The process has ended."""
        self.flags.clear()
        for handle in list(self._objects):
            self.close(handle)
