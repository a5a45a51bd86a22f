"""What a script says: the record is `machine.messages.Message`; `Forwarded` is one that goes to output sources."""

from __future__ import annotations

from typing import Annotated, Literal, NotRequired

import msgspec

from hds.report.records.shown import Bytes
from hds.report.records.texts import Address, Stage, Symbol, Text, Tick, stage_of, text_of
from machine import Message


class Forwarded(msgspec.Struct, frozen=True):
    """A message to output sources, which people are not shown."""

    message: Message


class MessageObject(Text):
    """A message of a script. Collected ones (`imm no`) and those outside events have no event."""

    type: Literal["message"]
    event: int | None
    stage: Stage | None
    core: int
    tick: Tick
    pid: int
    tid: int
    pc: Address
    symbol: Symbol
    outputs: list[str]
    fields: NotRequired[Annotated[list[dict[str, int | str]], "name=value pairs, of each line with any (--fields)"]]


def as_object(message: Message) -> MessageObject:
    """The record of JSON mode."""
    text = text_of(message.text)
    made: MessageObject = {
        "type": "message",
        "event": message.event_id,
        "stage": None if message.event_id is None else stage_of(message.stage),
        "core": message.core,
        "tick": message.time,
        "pid": message.process_id,
        "tid": message.thread_id,
        "pc": message.instruction_pointer,
        "symbol": message.symbol,
        "text": text["text"],
        "outputs": list(message.outputs),
    }
    if "bytes" in text:
        made["bytes"] = text["bytes"]
    return made


def shown(message: Message) -> Bytes:
    """Its text."""
    return Bytes(message.text)
