"""Messages that scripts send at once and machine code keeps for a while: of which trigger each is.

`imm yes` promises the order, not the moment: a message is delivered at the latest when somebody could notice that it
was not, which is where `MessageChannel.catch_up` is called. Until then it waits in the ring, and a `Mark` behind it has
what its delivery says of the trigger.
"""

from __future__ import annotations

import ctypes
from collections import deque
from collections.abc import Callable, Iterator

from machine.native.tables import Mark, Marks
from vm.native import MessageRing, table

_MOST = 2048  # marks
_FIELDS = tuple(table(Mark))

Row = tuple[int, ...]  # the fields of a Mark


class MarkedRing(MessageRing):
    """The ring of messages that are sent at once. Without `defers` there is no room for marks: Python gets them then.

    `deliver` takes messages from the left of a queue, each with what its mark says. Those that it leaves there, since
    it raises, are the next delivery's.
    """

    def __init__(self, defers: bool) -> None:
        super().__init__()
        self._rows = (Mark * (_MOST if defers else 1))()
        self._words = (ctypes.c_uint64 * (len(self._rows) * len(_FIELDS))).from_buffer(
            self._rows
        )  # to read many at once
        self.marks = Marks(capacity=_MOST if defers else 0, rows=ctypes.addressof(self._rows), ring=self.address)
        self.marks_address = ctypes.addressof(self.marks)
        self.unmarked = Marks(ring=self.address)  # for scripts whose messages are not to wait
        self.deliver: Callable[[deque[tuple[Row, bytes]]], None] = lambda messages: None
        self._handed: deque[tuple[Row, bytes]] = deque()

    def drain(self, deliver: Callable[[bytes], None]) -> None:
        """As in MessageRing, behind those that have marks."""
        self.hand_over()
        super().drain(deliver)

    def hand_over(self) -> None:
        """Deliver the messages that have marks; those of a script that is under way stay."""
        marks = self.marks
        if marks.used:
            words = self._words[: marks.used * len(_FIELDS)]
            marks.used = marks.end = 0
            rows = list(zip(*(words[place :: len(_FIELDS)] for place in range(len(_FIELDS))), strict=True))
            texts, ends = self._read_with_ends()
            marked = [*_of_marks(rows, texts, ends)]
            self._handed.extend(marked)
            self._undelivered.extend(texts[len(marked) :])
        if self._handed:
            self.deliver(self._handed)


def _of_marks(rows: list[Row], texts: list[bytes], ends: list[int]) -> Iterator[tuple[Row, bytes]]:
    """Each text that has a mark, with it."""
    at = 0
    for row in rows:
        while at < len(ends) and ends[at] <= row[0]:
            yield row, texts[at]
            at += 1
