"""An event that triggered, where that is recorded (`--record`, `Session(record=...)`)."""

from collections.abc import Mapping
from typing import Annotated, Literal, NotRequired, TypedDict

import msgspec

from hds.report.records.shown import Line
from hds.report.records.texts import Address, Stage, Symbol, Tick, Word, stage_of

_HEX = "hexadecimal, beside numbers from 2^53 on"


class Triggered(msgspec.Struct, frozen=True):
    """What was the case when an event's actions were about to run; `stage` is 0 before and 1 after the operation.

    `name` is that of a system call, where the kernel knows it. `registers` and `arguments` are None where not wanted.
    """

    event_id: int
    stage: int
    core: int
    time: int
    process_id: int
    thread_id: int
    process: str
    thread: str
    instruction_pointer: int
    symbol: str | None
    context: int
    name: str | None = None
    registers: Mapping[str, int] | None = None
    arguments: tuple[int, ...] | None = None
    kind: str = ""


class TriggerObject(TypedDict):
    """An event's condition was true, and its actions are about to run; only with --record."""

    type: Literal["trigger"]
    event: int
    kind: NotRequired[Annotated[str, "of the event"]]
    stage: Stage
    core: int
    tick: Tick
    pid: int
    tid: int
    process: Annotated[str, "the name of the process"]
    thread: Annotated[str, "the name of the thread"]
    pc: Address
    symbol: Symbol
    context: Word
    name: Annotated[str | None, "of the system call"]
    registers: NotRequired[Annotated[dict[str, int], "general registers, rip and rflags, before the actions"]]
    registers_hex: NotRequired[Annotated[dict[str, str], _HEX]]
    arguments: NotRequired[Annotated[list[int], "of the system call, or of a function that begins here: six words"]]
    arguments_hex: NotRequired[Annotated[list[str], _HEX]]


def as_object(record: Triggered) -> TriggerObject:
    """The record of JSON mode."""
    made: TriggerObject = {
        "type": "trigger",
        "event": record.event_id,
        "kind": record.kind,
        "stage": stage_of(record.stage) or "pre",
        "core": record.core,
        "tick": record.time,
        "pid": record.process_id,
        "tid": record.thread_id,
        "process": record.process,
        "thread": record.thread,
        "pc": record.instruction_pointer,
        "symbol": record.symbol,
        "context": record.context,
        "name": record.name,
    }
    if record.registers is not None:
        made["registers"] = dict(record.registers)
    if record.arguments is not None:
        made["arguments"] = list(record.arguments)
    return made


def shown(record: Triggered) -> Line:
    """A line, and one with registers below it where they are recorded."""
    where = record.symbol or f"0x{record.instruction_pointer:x}"
    stage = "post" if record.stage else "pre"
    said = [f"event 0x{record.event_id:x} ({stage}) at {where}, tick {record.time}, pid {record.process_id:x}"]
    said[0] += f", tid {record.thread_id:x}, context 0x{record.context:x}"
    if record.name is not None:
        said[0] += f" ({record.name})"
    if record.arguments is not None:
        said[0] += ", arguments " + " ".join(f"0x{value:x}" for value in record.arguments)
    if record.registers is not None:
        said.append("  " + " ".join(f"{name}=0x{value:x}" for name, value in record.registers.items()))
    return Line("\n".join(said))
