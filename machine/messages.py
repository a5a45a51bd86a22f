"""Messages of scripts on their way to the user: at once with `imm yes`, in packets with `imm no` (B.10).

A packet is passed on when the next collected message does not fit in it. By default it is delivered then, and `drain`
at the end of a run delivers the one that is not full, so that nothing is lost. With a `PacketRing` it is as in
HyperDbg: a full packet waits in the ring for the reader, who reads when a message is sent at once and when the guest
pauses; a packet that does not become full is never passed on.
"""

from __future__ import annotations

import bisect
import itertools
from collections import deque
from collections.abc import Callable, Iterator

import msgspec

from vm.facts.limits import DEFAULT_LIMITS


class Message(msgspec.Struct, frozen=True):
    """One delivery: the text of one print or printf, or a packet of collected ones (then without an event).

    `event_id` is None outside events. `stage` is 0 before and 1 after the operation, `time` the virtual clock's ticks.
    `symbol` is what the instruction pointer is called, filled in by those who know symbols.
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
    symbol: str | None = None


class Kept:
    """Messages that were sent at once and are delivered together: their texts, or one by one. Each is taken once."""

    def __init__(self, texts: list[bytes], message: Callable[[int], Message]) -> None:
        """`message` makes that of the text at a place."""
        self._texts = texts
        self._message = message
        self._taken = 0

    def __len__(self) -> int:
        return len(self._texts) - self._taken

    def texts(self) -> list[bytes]:
        """Those of all that are left, for who needs no more of them."""
        taken, self._taken = self._taken, len(self._texts)
        return self._texts[taken:]

    def change(self, change: Callable[[Message], Message]) -> None:
        """Have those that are taken one by one from now on changed so."""
        made = self._message
        self._message = lambda at: change(made(at))

    def __iter__(self) -> Iterator[Message]:
        while self._taken < len(self._texts):
            self._taken += 1
            yield self._message(self._taken - 1)


class Packet(msgspec.Struct):
    """Collected messages; `size` is that of their text in bytes."""

    texts: list[bytes] = msgspec.field(default_factory=list)
    size: int = 0


class PacketRing(msgspec.Struct):
    """Full packets that the reader has not read. When there are `capacity`, the next one overwrites the oldest."""

    capacity: int
    overwritten_packets: int = 0
    overwritten_messages: int = 0
    _unread: deque[Packet] = msgspec.field(default_factory=deque)

    def put(self, packet: Packet) -> None:
        """Add a packet."""
        if len(self._unread) == self.capacity:
            self.overwritten_packets += 1
            self.overwritten_messages += len(self._unread.popleft().texts)
        self._unread.append(packet)

    def take(self) -> list[Packet]:
        """What is in the ring, oldest first; it is empty afterwards."""
        unread = list(self._unread)
        self._unread.clear()
        return unread


class Losses(msgspec.Struct, frozen=True):
    """Messages that the user did not get, by what became of them."""

    flushed: int = 0
    overwritten: int = 0
    overwritten_packets: int = 0
    unsent: int = 0  # in a packet that did not become full

    @property
    def messages(self) -> int:
        """All of them."""
        return self.flushed + self.overwritten + self.unsent


class MessageChannel(msgspec.Struct):
    """Where scripts put their messages; `deliver` is the user's end, and `deliver_kept` that of many at a time.

    `source` hands over, with `hold`, what was said before and has not come here yet. `packet_bytes` is the room for
    text and a zero in a packet. Without a `ring` nothing is lost but what `drop` forgets.
    """

    deliver: Callable[[Message], None]
    deliver_kept: Callable[[Kept], None]
    source: Callable[[], None] = lambda: None
    packet_bytes: int = DEFAULT_LIMITS.max_packet_bytes
    ring: PacketRing | None = None
    _flushed: int = 0
    _packet: Packet = msgspec.field(default_factory=Packet)
    _passed: deque[Packet] = msgspec.field(default_factory=deque)  # on their way to the user or into the ring

    @property
    def losses(self) -> Losses:
        """What was lost up to now; with a ring, what waits in the packet that is not full counts."""
        self.source()
        if self.ring is None:
            return Losses(self._flushed)
        ring = self.ring
        unsent = len(self._packet.texts)
        return Losses(self._flushed, ring.overwritten_messages, ring.overwritten_packets, unsent)

    def catch_up(self) -> None:
        """Take what the source has. Whoever shows the user something else calls this before, to keep the order."""
        self.source()

    def send(self, message: Message) -> None:
        """Deliver at once."""
        self.read()
        self.deliver(message)

    def send_kept(self, messages: Kept) -> None:
        """Deliver what was sent at once and is handed over by the source."""
        for packet in self._in_ring():
            self._deliver_packet(packet)
        self.deliver_kept(messages)

    def hold(self, text: bytes) -> None:
        """Collect a message."""
        if self._packet.texts and self._packet.size + len(text) > self._room:
            self._pass_on()
        self._packet.texts.append(text)
        self._packet.size += len(text)

    def hold_all(self, texts: list[bytes]) -> None:
        """As `hold` for each; where delivery raises, the messages behind are the next one's."""
        if not texts:
            self._deliver_passed()
            return
        totals = [0, *itertools.accumulate(map(len, texts))]
        start = 0
        while start < len(texts):
            packet = self._packet
            fitting = bisect.bisect_right(totals, totals[start] + self._room - packet.size) - 1
            if fitting <= start and packet.texts:
                self._passed.append(self._take_packet())
                continue
            end = max(fitting, start + 1)
            packet.texts += texts[start:end]
            packet.size += totals[end] - totals[start]
            start = end
        self._deliver_passed()

    def drop(self) -> int:
        """Forget what was not delivered yet; how many messages that were."""
        self.source()
        packets = [*self._in_ring(), *self._passed, self._take_packet()]
        self._passed.clear()
        count = sum(len(packet.texts) for packet in packets)
        self._flushed += count
        return count

    def read(self) -> None:
        """The reader reads: deliver the packets that were passed on."""
        self.source()
        for packet in self._in_ring():
            self._deliver_packet(packet)

    def drain(self) -> None:
        """The end of a run: the reader reads, and without a ring gets the packet that is not full, too."""
        self.read()
        if self.ring is None:
            self._pass_on()

    @property
    def _room(self) -> int:
        return self.packet_bytes - 1

    def _in_ring(self) -> list[Packet]:
        return [] if self.ring is None else self.ring.take()

    def _take_packet(self) -> Packet:
        packet, self._packet = self._packet, Packet()
        return packet

    def _pass_on(self) -> None:
        self._passed.append(self._take_packet())
        self._deliver_passed()

    def _deliver_passed(self) -> None:
        while self._passed:
            packet = self._passed.popleft()
            if self.ring is None:
                self._deliver_packet(packet)
            else:
                self.ring.put(packet)

    def _deliver_packet(self, packet: Packet) -> None:
        if packet.texts:
            self.deliver(Message(b"".join(packet.texts)))
