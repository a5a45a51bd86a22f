"""Collected messages (`imm no`): packets, and the ring in which HyperDbg loses them."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from machine.messages import Kept, Losses, Message, MessageChannel, PacketRing

PACKET = 4  # bytes of a packet in these tests: three of text


def channel(ring: PacketRing | None = None) -> tuple[MessageChannel, list[bytes]]:
    """A channel and what it delivers."""
    delivered: list[bytes] = []

    def deliver(message: Message) -> None:
        delivered.append(message.text)

    def deliver_kept(messages: Kept) -> None:
        delivered.extend(messages.texts())

    return MessageChannel(deliver, deliver_kept, packet_bytes=PACKET, ring=ring), delivered


def held(*texts: bytes, ring: PacketRing | None = None) -> tuple[MessageChannel, list[bytes]]:
    """A channel that was given these messages to collect."""
    made, delivered = channel(ring)
    made.hold_all(list(texts))
    return made, delivered


def test_a_packet_is_delivered_when_the_next_message_does_not_fit() -> None:
    _, delivered = held(b"ab", b"c", b"d")
    assert delivered == [b"abc"]


def test_a_message_that_is_longer_than_a_packet_is_delivered_alone() -> None:
    _, delivered = held(b"a", b"bcdef", b"g")
    assert delivered == [b"a", b"bcdef"]


def test_the_end_of_a_run_delivers_the_rest() -> None:
    made, delivered = held(b"ab", b"cd")
    made.drain()
    assert delivered == [b"ab", b"cd"]


def test_a_message_that_is_sent_at_once_overtakes_collected_ones() -> None:
    made, delivered = held(b"ab")
    made.send(Message(b"now"))
    made.drain()
    assert delivered == [b"now", b"ab"]


def test_a_flush_forgets_what_was_collected() -> None:
    made, delivered = held(b"a", b"b")
    assert made.drop() == 2
    made.drain()
    assert (delivered, made.losses) == ([], Losses(flushed=2))


def test_where_delivery_raises_the_messages_behind_come_with_the_next() -> None:
    made, delivered = channel()

    def fail(message: Message) -> None:
        raise ValueError("the reader has left")

    made.deliver, deliver = fail, made.deliver
    with pytest.raises(ValueError, match="left"):
        made.hold_all([b"abc", b"def", b"ghi", b"jkl"])
    made.deliver = deliver
    made.drain()
    assert delivered == [b"def", b"ghi", b"jkl"]


# --- with a ring


def test_a_ring_keeps_full_packets_until_a_message_is_sent_at_once() -> None:
    made, delivered = held(b"abc", b"def", b"g", ring=PacketRing(8))
    assert delivered == []
    made.send(Message(b"now"))
    assert delivered == [b"abc", b"def", b"now"]


def test_a_full_ring_loses_the_oldest_packet() -> None:
    made, delivered = held(b"ab", b"c", b"def", b"ghi", b"jkl", ring=PacketRing(2))
    made.drain()
    assert delivered == [b"def", b"ghi"]
    assert made.losses == Losses(overwritten=2, overwritten_packets=1, unsent=1)


def test_a_packet_that_is_not_full_goes_on_filling_in_the_next_run() -> None:
    made, delivered = held(b"a", ring=PacketRing(8))
    made.drain()
    made.hold_all([b"bc", b"d"])
    made.drain()
    assert (delivered, made.losses.unsent) == ([b"abc"], 1)


def test_a_flush_empties_the_ring_too() -> None:
    made, _ = held(b"abc", b"def", b"g", ring=PacketRing(8))
    assert made.drop() == 3
    assert made.losses == Losses(flushed=3)


# --- laws

TEXTS = st.lists(st.binary(max_size=6))


@given(TEXTS, st.sampled_from([None, 1, 3]))
def test_collecting_many_is_collecting_each(texts: list[bytes], capacity: int | None) -> None:
    one, seen_one = channel(None if capacity is None else PacketRing(capacity))
    for text in texts:
        one.hold(text)
    many, seen_many = held(*texts, ring=None if capacity is None else PacketRing(capacity))
    one.drain()
    many.drain()
    assert (seen_one, one.losses) == (seen_many, many.losses)


@given(TEXTS)
def test_without_a_ring_nothing_is_lost(texts: list[bytes]) -> None:
    made, delivered = held(*texts)
    made.drain()
    assert (b"".join(delivered), made.losses.messages) == (b"".join(texts), 0)


@pytest.mark.parametrize("moment", ["drop", "read", "drain"])
def test_what_the_source_has_is_taken_before(moment: str) -> None:
    waiting = [b"abc", b"def"]
    made, delivered = channel(PacketRing(8))

    def source() -> None:
        made.hold_all(waiting)
        waiting.clear()

    made.source = source
    getattr(made, moment)()
    assert (delivered, waiting) == ([] if moment == "drop" else [b"abc"], [])
