"""POSIX message queues (mq_overview(7)): what has a name until it is unlinked, and its open descriptions.

They belong to the machine. Who asks, and how arguments are checked: `calls/posix_queues.py`.
"""

from __future__ import annotations

import stat
from bisect import insort
from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

import msgspec

from machine.kernel.linux.errors import Errno, LinuxError
from machine.kernel.linux.nodes import Status, granted
from machine.kernel.linux.open_files import DescriptorTable, OpenFile
from machine.kernel.linux.system_v import charged_bytes

if TYPE_CHECKING:
    from machine.kernel.linux.memory_files import Store
    from machine.kernel.linux.task import Task

MOST_QUEUES, MOST_MESSAGES, LARGEST_MESSAGE = 256, 10, 8192  # /proc/sys/fs/mqueue/*_max
_HARD_MESSAGES, _HARD_MESSAGE = 65_536, 16 << 20  # of root
_DEFAULT_MESSAGES, _DEFAULT_MESSAGE = 10, 8192
PRIORITIES = 32_768
_ROW_BYTES = 48  # of struct msg_msg, and of a node of the tree of priorities
_LONGEST_NAME = 255
_READ, _WRITE = 4, 2


class Message(msgspec.Struct, eq=False):
    """One message."""

    priority: int
    data: bytes


class Notification(msgspec.Struct, frozen=True):
    """Who is to be told of a message that comes to an empty queue; `tell` is given the sender.

    `forget` is called instead when nobody is to be told any more.
    """

    table: DescriptorTable  # of the process
    tell: Callable[[Task], None]
    text: str  # what a read of the queue says of it
    forget: Callable[[], None]


class PosixQueue:
    """A queue. `receivers` are the threads that have begun to wait for a message."""

    def __init__(self, store: Store, status: Status, most: int, largest: int) -> None:
        self.status = status
        self.most, self.largest = most, largest
        self.messages: list[Message] = []  # as they are received
        self.notification: Notification | None = None
        self.receivers: set[Task] = set()
        self.names = self.openings = 0
        self._store = store

    @property
    def charge(self) -> int:
        """What it is worth to RLIMIT_MSGQUEUE, in bytes (mqueue_get_inode)."""
        return self.most * (self.largest + 2 * _ROW_BYTES)

    @property
    def is_full(self) -> bool:
        """Whether it takes no message."""
        return len(self.messages) >= self.most

    def put(self, task: Task, message: Message) -> None:
        """Behind those of its priority. Raises ENOMEM."""
        try:
            self._store.take(charged_bytes(message.data))
        except LinuxError:
            raise LinuxError(Errno.ENOMEM) from None
        insort(self.messages, message, key=lambda each: -each.priority)
        waits = any(each.thread.waiting is not None for each in self.receivers)
        if len(self.messages) == 1 and self.notification is not None and not waits:
            notification, self.notification = self.notification, None
            notification.tell(task)

    def forget_notification(self) -> None:
        """Nobody is to be told of a message any more."""
        if self.notification is not None:
            notification, self.notification = self.notification, None
            notification.forget()

    def take(self) -> Message:
        """The first of the highest priority."""
        message = self.messages.pop(0)
        self._store.give_back(charged_bytes(message.data))
        return message

    def let_go(self) -> None:
        """A name or a description is gone: with the last one what it holds is."""
        while not self.names and not self.openings and self.messages:
            self.take()


class QueueFile(OpenFile):
    """An opened queue."""

    def __init__(self, flags: int, queue: PosixQueue) -> None:
        super().__init__(flags)
        self.queue = queue
        queue.openings += 1

    label: ClassVar[str] = "mqueue"

    def status(self) -> Status:
        """As `OpenFile`."""
        return self.queue.status

    def read(self, size: int) -> bytes:
        """As `OpenFile`: what the queue holds, in words, from the beginning."""
        total = sum(len(message.data) for message in self.queue.messages)
        note = self.queue.notification
        text = "NOTIFY:0     SIGNO:0     NOTIFY_PID:0     " if note is None else note.text
        return f"QSIZE:{total:<10} {text}\n".encode()[:size]

    def ready(self) -> tuple[bool, bool, bool]:
        """As `OpenFile`."""
        return bool(self.queue.messages), not self.queue.is_full, False

    def closed(self) -> None:
        """As `OpenFile`."""
        self.queue.openings -= 1
        self.queue.let_go()


class PosixQueues:
    """All queues of a machine."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._names: dict[bytes, PosixQueue] = {}
        self._all: list[PosixQueue] = []

    def find(self, name: bytes) -> PosixQueue | None:
        """The queue of a name. Raises EACCES, ENOENT and ENAMETOOLONG for what can be no name."""
        if not name:
            raise LinuxError(Errno.ENOENT)
        if b"/" in name or name in (b".", b".."):
            raise LinuxError(Errno.EACCES)
        if len(name) > _LONGEST_NAME:
            raise LinuxError(Errno.ENAMETOOLONG)
        return self._names.get(name)

    def make(self, task: Task, name: bytes, mode: int, sizes: tuple[int, int] | None, most_bytes: int) -> PosixQueue:
        """A new one, of a name that is free; `sizes` are how many messages it takes, of how many bytes.

        Raises EINVAL, EMFILE beyond RLIMIT_MSGQUEUE, ENOSPC for too many.
        """
        most, largest = (_DEFAULT_MESSAGES, _DEFAULT_MESSAGE) if sizes is None else sizes
        bounds = (_HARD_MESSAGES, _HARD_MESSAGE) if task.user == 0 else (MOST_MESSAGES, LARGEST_MESSAGE)
        if sizes is not None and not (0 < most <= bounds[0] and 0 < largest <= bounds[1]):
            raise LinuxError(Errno.EINVAL)
        self._all = [each for each in self._all if each.names or each.openings]
        if len(self._names) >= MOST_QUEUES:
            raise LinuxError(Errno.ENOSPC)
        now = task.now
        status = Status(
            mode=stat.S_IFREG | mode, inode=self._store.new_inode(), size=80, user=task.user, group=task.group,
            accessed=now, modified=now, changed=now,
        )  # fmt: skip
        queue = PosixQueue(self._store, status, most, largest)
        used = sum(each.charge for each in self._all if each.status.user == task.user)
        if used + queue.charge > most_bytes:
            raise LinuxError(Errno.EMFILE)
        self._store.take(charged_bytes(name))
        self._names[name], queue.names = queue, 1
        self._all.append(queue)
        return queue

    def unlink(self, task: Task, name: bytes) -> None:
        """Raises ENOENT, and EPERM for a queue of somebody else."""
        queue = self.find(name)
        if queue is None:
            raise LinuxError(Errno.ENOENT)
        if task.user not in (0, queue.status.user):
            raise LinuxError(Errno.EPERM)
        del self._names[name]
        self._store.give_back(charged_bytes(name))
        queue.names = 0
        queue.let_go()

    def closed(self, table: DescriptorTable, file: OpenFile) -> None:
        """A process has closed a descriptor: it is not told any more."""
        note = file.queue.notification if isinstance(file, QueueFile) else None
        if isinstance(file, QueueFile) and note is not None and note.table is table:
            file.queue.forget_notification()


def check_access(task: Task, queue: PosixQueue, flags: int) -> None:
    """Raises EACCES where its mode does not allow to open it so."""
    access = flags & 3
    wanted = (_READ if access != 1 else 0) | (_WRITE if access else 0)
    if wanted & ~granted(queue.status, task.user, task.group):
        raise LinuxError(Errno.EACCES)
