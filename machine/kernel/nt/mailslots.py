"""Mailslots: messages from anybody who has a slot's name to the one who has made it (Microsoft, "Mailslots")."""

from __future__ import annotations

from collections import deque

import msgspec

from machine.kernel.nt.files import File
from machine.kernel.nt.queues import PER_MESSAGE, Queues
from machine.kernel.nt.status import (
    STATUS_BUFFER_TOO_SMALL,
    STATUS_INVALID_PARAMETER,
    STATUS_OBJECT_NAME_COLLISION,
    NtError,
)

_MAILSLOT = 0xC  # FILE_DEVICE_MAILSLOT
FOR_EVER = -1


class Mailslot(File, eq=False, kw_only=True):
    """The end that reads; `longest` is that of a message, 0 for any, `timeout` in ms or FOR_EVER."""

    device: int = _MAILSLOT
    slots: Mailslots
    longest: int
    timeout: int
    spelling: str
    queue: deque[bytes] = msgspec.field(default_factory=deque)

    def receive(self, size: int) -> bytes:
        """The first message, which has to fit. Raises NtError."""
        if len(self.queue[0]) > size:
            raise NtError(STATUS_BUFFER_TOO_SMALL)
        data = self.queue.popleft()
        self.slots.waiting -= len(data) + PER_MESSAGE
        return data

    def closed(self) -> None:
        """As `KernelObject`: its name is free, and what waits is lost."""
        self.slots.remove(self)
        self.slots.waiting -= sum(len(data) + PER_MESSAGE for data in self.queue)
        self.queue.clear()


class MailslotClient(File, eq=False, kw_only=True):
    """An end that writes; what is written to a slot that is gone is lost."""

    device: int = _MAILSLOT
    slot: Mailslot

    def write(self, offset: int | None, data: bytes) -> int:
        """As `File`."""
        slot = self.slot
        if slot.longest and len(data) > slot.longest:
            raise NtError(STATUS_INVALID_PARAMETER)
        if slot.handles:
            slot.slots.charge(len(data) + PER_MESSAGE)
            slot.queue.append(data)
        return len(data)


class Mailslots(Queues):
    """All mailslots of a process, by name in small letters."""

    def __init__(self, most: int) -> None:
        super().__init__(most)
        self._named: dict[str, Mailslot] = {}

    def find(self, name: str) -> Mailslot | None:
        """The slot of this name."""
        return self._named.get(name.lower())

    def create(self, name: str, longest: int, timeout: int) -> Mailslot:
        """A new one. Raises NtError."""
        if self.find(name) is not None:
            raise NtError(STATUS_OBJECT_NAME_COLLISION)
        made = Mailslot(slots=self, longest=longest, timeout=timeout, spelling=name)
        self._named[name.lower()] = made
        return made

    def remove(self, slot: Mailslot) -> None:
        """A slot is gone."""
        self._named.pop(slot.spelling.lower(), None)
