"""Messages that machine code keeps for a while: those that are collected, and, with their triggers, those sent at once.

`imm yes` promises the order, not the moment: a message is delivered at the latest when somebody could notice that it
was not, which is where `MessageChannel.catch_up` is called. Until then it waits in the ring, and a `Mark` behind it has
what its delivery says of the trigger.
"""

from __future__ import annotations

import ctypes
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Sequence
from typing import TypeAlias

from machine.messages import Kept, Message
from machine.native.tables import Mark, Marks
from vm.native import MessageRing, table

_MOST = 2048  # marks
_COLLECTED_CELLS = 1 << 14  # what is rendered at once stays in the caches; one message has at most half of it
_NOWHERE = 1 << 63  # no place in the ring: the script under way is not over before Python has delivered
_WORDS = len(table(Mark))

Maker: TypeAlias = Callable[[bytes, Sequence[int]], Message]  # of a text and the words of its mark


class CollectedRing(MessageRing):
    """The ring of messages that are collected (`imm no`): whoever drains it, `collect` takes all of them at once."""

    def __init__(self) -> None:
        super().__init__(_COLLECTED_CELLS)
        self.collect: Callable[[list[bytes]], None] = lambda texts: None

    def drain(self, deliver: Callable[[bytes], None]) -> None:
        """Hand over all, which is where `deliver` has them one by one."""
        self.collect(self.take())


class MarkedRing(MessageRing):
    """The ring of messages that are sent at once. Without `defers` there is no room for marks: Python gets them then.

    `maker` is asked for at each delivery, and `deliver` takes the messages. Those that it leaves, since it raises, are
    the next delivery's.
    """

    def __init__(self, defers: bool) -> None:
        super().__init__()
        self._rows = (Mark * (_MOST if defers else 1))()
        self._words = (ctypes.c_uint64 * (len(self._rows) * _WORDS)).from_buffer(self._rows)  # to read many at once
        self.marks = Marks(capacity=_MOST if defers else 0, rows=ctypes.addressof(self._rows), ring=self.address)
        self.unmarked = Marks(ring=self.address)  # for scripts whose messages are not to wait
        self.maker: Callable[[], Maker] = lambda: lambda text, mark: Message(text)
        self.deliver: Callable[[Kept], None] = lambda messages: None
        self._handed: deque[Kept] = deque()

    def drain(self, deliver: Callable[[bytes], None]) -> None:
        """As in MessageRing, behind those that have marks."""
        self.hand_over()
        super().drain(deliver)
        self.marks.end = 0

    def hand_over(self) -> None:
        """Deliver the messages that have marks; those of a script that is under way stay."""
        if self.marks.used:
            self._handed.append(self._take())
        while self._handed:
            kept = self._handed[0]
            self.deliver(kept)
            if self._handed and self._handed[0] is kept:  # who takes them may have asked for them himself
                self._handed.popleft()

    def _take(self) -> Kept:
        words = self._words[: self.marks.used * _WORDS]
        self.marks.used = 0
        texts, ends = self._read_with_ends()
        until = words[::_WORDS]  # how many cells of the ring each mark ends
        marked = len(texts) if ends[-1] == until[-1] else bisect_left(ends, until[-1] + 1)
        self._undelivered.extend(texts[marked:])
        self.marks.end = _NOWHERE if self._undelivered else 0
        del texts[marked:]
        make = self.maker()

        def message(at: int) -> Message:
            mark = bisect_left(until, ends[at]) * _WORDS
            return make(texts[at], words[mark : mark + _WORDS])

        return Kept(texts, message)
