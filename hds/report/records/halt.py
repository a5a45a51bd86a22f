"""The guest was halted: by a break action, pause(), a breakpoint or an INT3 of its own."""

from typing import Literal, TypedDict

import msgspec

from hds.report.records.shown import Line
from hds.report.records.texts import Address, Stage, Symbol, Tick, stage_of


class Halt(msgspec.Struct, frozen=True):
    """Where the guest was halted, in the two lines that HyperDbg prints, and as values.

    `event_id` and `stage` (0 before, 1 after the operation) are those of an event, `breakpoint_id` is that of a
    breakpoint; all are None for an INT3 of the guest's own.
    """

    headline: str
    instruction: str
    process_id: int
    thread_id: int
    core: int
    instruction_pointer: int
    time: int
    event_id: int | None = None
    stage: int | None = None
    breakpoint_id: int | None = None
    symbol: str | None = None


class HaltObject(TypedDict):
    """A break action, pause() or a breakpoint; an INT3 of the guest's own has neither event nor breakpoint."""

    type: Literal["break"]
    event: int | None
    stage: Stage | None
    breakpoint: int | None
    core: int
    tick: Tick
    pid: int
    tid: int
    pc: Address
    symbol: Symbol
    text: str
    instruction: str


def as_object(halt: Halt) -> HaltObject:
    """The record of JSON mode."""
    return {
        "type": "break",
        "event": halt.event_id,
        "stage": stage_of(halt.stage),
        "breakpoint": halt.breakpoint_id,
        "core": halt.core,
        "tick": halt.time,
        "pid": halt.process_id,
        "tid": halt.thread_id,
        "pc": halt.instruction_pointer,
        "symbol": halt.symbol,
        "text": halt.headline,
        "instruction": halt.instruction,
    }


def shown(halt: Halt) -> Line:
    """HyperDbg's two lines."""
    return Line(f"{halt.headline}\n{halt.instruction}")
