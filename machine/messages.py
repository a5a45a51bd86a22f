"""Messages of scripts on their way to the user: at once with `imm yes`, in larger pieces with `imm no` (B.10).

Unlike HyperDbg's ring nothing is overwritten, and `drain` at the end of a run delivers what was held back.
"""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field

PACKET_BYTES = 4095  # of text in one delivery


@dataclass(frozen=True, slots=True)
class Message:
    """One delivery: the text of one print or printf, or several held-back ones joined (then without an event).

    `event_id` is None outside events. `stage` is 0 before and 1 after the operation, `time` the virtual clock's ticks.
    """

    text: bytes
    event_id: int | None = None
    core: int = 0
    stage: int = 0
    process_id: int = 0
    thread_id: int = 0
    instruction_pointer: int = 0
    time: int = 0
    outputs: tuple[str, ...] = ()


@dataclass
class MessageChannel:
    """Where scripts put their messages; `deliver` is the user's end.

    `source` hands over, with `hold`, what was said before and has not come here yet.
    """

    deliver: Callable[[Message], None]
    source: Callable[[], None] = lambda: None
    dropped: int = 0  # messages that `flush` forgot, in all
    _held: list[bytes] = field(default_factory=list)
    _held_bytes: int = 0

    def catch_up(self) -> None:
        """Take what the source has. Whoever shows the user something else calls this before, to keep the order."""
        self.source()

    def send(self, message: Message) -> None:
        """Deliver at once."""
        self.source()
        self.deliver(message)

    def hold(self, text: bytes) -> None:
        """Deliver together with others, when the next one would not fit in the packet."""
        if self._held and self._held_bytes + len(text) > PACKET_BYTES:
            self._deliver_held()
        self._held.append(text)
        self._held_bytes += len(text)

    def hold_all(self, texts: list[bytes]) -> None:
        """As `hold` for each."""
        totals = [0, *itertools.accumulate(map(len, texts))]
        start = 0
        while start < len(texts):
            fitting = bisect.bisect_right(totals, totals[start] + PACKET_BYTES - self._held_bytes) - 1
            if fitting <= start and self._held:
                self._deliver_held()
                continue
            end = max(fitting, start + 1)
            self._held += texts[start:end]
            self._held_bytes += totals[end] - totals[start]
            start = end

    def drop(self) -> int:
        """Forget what was not delivered yet; how many messages that were."""
        self.source()
        count = len(self._held)
        self._held.clear()
        self._held_bytes = 0
        self.dropped += count
        return count

    def drain(self) -> None:
        """Deliver what is held."""
        self.source()
        self._deliver_held()

    def _deliver_held(self) -> None:
        if self._held:
            text = b"".join(self._held)
            self._held.clear()
            self._held_bytes = 0
            self.deliver(Message(text))
