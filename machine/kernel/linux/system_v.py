"""What System V's shared memory, semaphores and message queues are: objects with a key, an id and a mode (ipc/util.c).

They belong to the machine, and live until somebody removes them. Who asks, and how arguments are checked: `calls`.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Generic, TypeVar

import msgspec

from machine.kernel.linux.errors import Errno, LinuxError
from machine.memory import SharedMemory

if TYPE_CHECKING:
    from machine.kernel.linux.memory_files import Store
    from machine.kernel.linux.space import UserSpace
    from machine.kernel.linux.task import Task, ThreadGroup

IPC_PRIVATE = 0
IPC_CREAT, IPC_EXCL, IPC_NOWAIT = 0o1000, 0o2000, 0o4000
IPC_RMID, IPC_SET, IPC_STAT, IPC_INFO = range(4)
READ, WRITE = 0o444, 0o222
SEM_UNDO = 0x1000
MOST_SEGMENTS, MOST_SETS, MOST_QUEUES = 4096, 32_000, 32_000  # SHMMNI, SEMMNI, MSGMNI
LARGEST_VALUE = 32_767  # SEMVMX
QUEUE_BYTES = 16_384  # MSGMNB
_INDEX_BITS = 15
_CYCLE = 64  # indices that are used before the first one is used again
_OBJECT_BYTES, _VALUE_BYTES, _MESSAGE_BYTES = 512, 64, 64  # what a store is charged with
_MODE = 0o777
_REMOVED_LATER, _LOCKED = 0o1000, 0o2000  # SHM_DEST, SHM_LOCKED
_PERMISSIONS = struct.Struct("<iIIIIIHxxxxxxQQ")  # struct ipc64_perm


class IpcObject(msgspec.Struct, eq=False):
    """What all three kinds have. `owner` and `group` can be changed, those of the maker cannot."""

    key: int
    mode: int
    owner: int
    group: int
    maker: tuple[int, int]
    identifier: int = 0
    changed: int = 0  # seconds since 1970
    removed: bool = False

    def allows(self, task: Task, wanted: int) -> bool:
        """Whether somebody may do what these bits of a mode ask for (ipcperms)."""
        bits = wanted >> 6 | wanted >> 3 | wanted
        granted = self.mode
        if task.user in (self.owner, self.maker[0]):
            granted >>= 6
        elif task.group in (self.group, self.maker[1]):
            granted >>= 3
        return task.user == 0 or not bits & ~granted & 7

    def check(self, task: Task, wanted: int) -> None:
        """Raises EACCES."""
        if not self.allows(task, wanted):
            raise LinuxError(Errno.EACCES)

    def check_owner(self, task: Task) -> None:
        """Raises EPERM where somebody may neither change nor remove it."""
        if task.user not in (0, self.owner, self.maker[0]):
            raise LinuxError(Errno.EPERM)

    def permissions(self) -> bytes:
        """A struct ipc64_perm, 48 bytes."""
        sequence = self.identifier >> _INDEX_BITS
        return _PERMISSIONS.pack(self.key, self.owner, self.group, *self.maker, self.mode, sequence, 0, 0)

    def set_permissions(self, data: bytes, now: int) -> None:
        """IPC_SET: owner, group and the bits of the mode."""
        _, self.owner, self.group, _, _, mode, *_ = _PERMISSIONS.unpack(data)
        self.mode = self.mode & ~_MODE | mode & _MODE
        self.changed = now


class Segment(IpcObject, eq=False):
    """Shared memory of `size` bytes."""

    size: int = 0
    memory: SharedMemory | None = None
    attached: int = 0  # when, as the next one
    detached: int = 0
    maker_id: int = 0
    last_id: int = 0

    @property
    def is_removed_later(self) -> bool:
        """Whether it goes with the last one who has it attached."""
        return bool(self.mode & _REMOVED_LATER)

    def remove_later(self) -> None:
        """Nobody finds it by its key any more."""
        self.mode |= _REMOVED_LATER
        self.key = IPC_PRIVATE

    def lock(self, wanted: bool) -> None:
        """Nothing is ever paged out; it is told."""
        self.mode = self.mode & ~_LOCKED | _LOCKED * wanted

    def users(self, spaces: Iterable[UserSpace]) -> int:
        """How often it is attached."""
        return sum(area.backing is self.memory for space in spaces for area in space.memory.areas)


class SemaphoreWaiter(msgspec.Struct, eq=False):
    """A thread whose operations cannot be done yet; `result` is what its call comes to."""

    task: Task
    operations: list[tuple[int, int, int]]
    blocked_at: tuple[int, int, int]
    result: int | None = None


class SemaphoreSet(IpcObject, eq=False):
    """Semaphores: values, and who has changed each last."""

    values: list[int] = msgspec.field(default_factory=list)
    changers: list[int] = msgspec.field(default_factory=list)
    operated: int = 0
    waiters: list[SemaphoreWaiter] = msgspec.field(default_factory=list)
    undo: dict[ThreadGroup, list[int]] = msgspec.field(default_factory=dict)


class MessageQueue(IpcObject, eq=False):
    """Messages: type and bytes."""

    messages: list[tuple[int, bytes]] = msgspec.field(default_factory=list)
    most_bytes: int = QUEUE_BYTES
    sent: int = 0
    received: int = 0
    last_sender: int = 0
    last_receiver: int = 0

    @property
    def bytes(self) -> int:
        """In all messages."""
        return sum(len(data) for _, data in self.messages)


Kind = TypeVar("Kind", bound=IpcObject)


class Objects(Generic[Kind]):
    """The objects of one kind by id, at most `most`; each is charged to `store`."""

    def __init__(self, store: Store, most: int) -> None:
        self._store, self._most = store, most
        self._rows: dict[int, Kind] = {}  # by index
        self._next = self._round = 0

    def __iter__(self) -> Iterator[Kind]:
        return iter(tuple(self._rows.values()))

    def get(
        self, task: Task, key: int, flags: int, check: Callable[[Kind], None], make: Callable[[IpcObject], Kind]
    ) -> int:
        """The id of a key, whose object is checked or made: shmget and its kin."""
        found = None if key == IPC_PRIVATE else next((row for row in self._rows.values() if row.key == key), None)
        if found is None:
            if key != IPC_PRIVATE and not flags & IPC_CREAT:
                raise LinuxError(Errno.ENOENT)
            owner = (task.user, task.group)
            return self._add(make(IpcObject(key, flags & _MODE, *owner, owner, changed=task.now // 10**9)))
        if flags & IPC_CREAT and flags & IPC_EXCL:
            raise LinuxError(Errno.EEXIST)
        check(found)
        found.check(task, flags)
        return found.identifier

    def _add(self, made: Kind) -> int:
        if len(self._rows) >= self._most:
            raise LinuxError(Errno.ENOSPC)
        self._store.take(_OBJECT_BYTES)
        end = max(len(self._rows) * 3 // 2, _CYCLE)
        index = self._next if self._next < end else 0
        if index < self._next:
            self._round += 1
        while index in self._rows:
            index += 1
        self._next = index + 1
        self._rows[index] = made
        made.identifier = self._round << _INDEX_BITS | index
        return made.identifier

    def find(self, identifier: int) -> Kind:
        """Raises EINVAL."""
        found = self._rows.get(identifier & (1 << _INDEX_BITS) - 1) if identifier >= 0 else None
        if found is None or found.identifier != identifier:
            raise LinuxError(Errno.EINVAL)
        return found

    def at(self, index: int) -> Kind:
        """The object at an index of the table (SHM_STAT and its kin). Raises EINVAL."""
        found = self._rows.get(index)
        if found is None:
            raise LinuxError(Errno.EINVAL)
        return found

    def remove(self, row: Kind) -> None:
        """It is there no more; who waits at it is told."""
        row.removed = True
        del self._rows[row.identifier & (1 << _INDEX_BITS) - 1]
        self._store.give_back(_OBJECT_BYTES)

    @property
    def highest(self) -> int:
        """The highest index in use; 0 where there is none."""
        return max(self._rows, default=0)

    def __len__(self) -> int:
        return len(self._rows)


class SystemV:
    """The objects of a machine."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.segments = Objects[Segment](store, MOST_SEGMENTS)
        self.sets = Objects[SemaphoreSet](store, MOST_SETS)
        self.queues = Objects[MessageQueue](store, MOST_QUEUES)

    # --- segments

    def reap(self, spaces: list[UserSpace]) -> None:
        """Segments that were removed go when nobody has them attached any more."""
        for segment in tuple(self.segments):
            if segment.is_removed_later and not segment.users(spaces):
                self.segments.remove(segment)

    # --- semaphores

    def charge_values(self, count: int) -> None:
        """So many semaphores are made, or removed. Raises ENOSPC."""
        if count > 0:
            self.store.take(count * _VALUE_BYTES)
        else:
            self.store.give_back(-count * _VALUE_BYTES)

    def ended(self, group: ThreadGroup) -> None:
        """A process has ended: what it has said with SEM_UNDO is undone, and it waits for nothing."""
        for row in tuple(self.sets):
            row.waiters = [waiter for waiter in row.waiters if waiter.task.threads is not group]
            adjustments = row.undo.pop(group, None)
            if adjustments is None:
                continue
            for number, change in enumerate(adjustments):
                if change:
                    row.values[number] = min(max(row.values[number] + change, 0), LARGEST_VALUE)
                    row.changers[number] = group.pid
            row.operated = self.store.now() // 10**9
            serve(row)


def attempt(row: SemaphoreSet, task: Task, operations: list[tuple[int, int, int]]) -> tuple[int, int, int] | None:
    """Do operations - number, change, flags - all or none of them: the one that has to wait (perform_atomic_semop).

    Raises EAGAIN and ERANGE.
    """
    values, undo = dict[int, int](), dict[int, int]()
    present = row.undo.get(task.threads, ())
    for operation in operations:
        number, change, flags = operation
        value = values.get(number, row.values[number])
        if (not change and value) or value + change < 0:
            if flags & IPC_NOWAIT:
                raise LinuxError(Errno.EAGAIN)
            return operation
        if value + change > LARGEST_VALUE:
            raise LinuxError(Errno.ERANGE)
        if flags & SEM_UNDO:
            before = undo.get(number, present[number] if present else 0)
            if not -LARGEST_VALUE - 1 <= before - change <= LARGEST_VALUE:
                raise LinuxError(Errno.ERANGE)
            undo[number] = before - change
        values[number] = value + change
    for number, value in values.items():
        row.values[number], row.changers[number] = value, task.process.pid
    if undo:
        kept = row.undo.setdefault(task.threads, [0] * len(row.values))
        for number, change in undo.items():
            kept[number] = change
    row.operated = task.now // 10**9
    return None


def serve(row: SemaphoreSet) -> None:
    """Values have changed: let those who wait longest go on, as often as that lets others (do_smart_update)."""
    again = True
    while again:
        again = False
        for waiter in tuple(row.waiters):
            try:
                blocked = attempt(row, waiter.task, waiter.operations)
            except LinuxError as error:
                waiter.result = -error.number
            else:
                if blocked is not None:
                    waiter.blocked_at = blocked
                    continue
                waiter.result, again = 0, True
            row.waiters.remove(waiter)


def charged_bytes(data: bytes) -> int:
    """What a store is charged with for a message."""
    return len(data) + _MESSAGE_BYTES
