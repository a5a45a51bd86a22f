"""A system call of a guest, decoded (`hds trace`)."""

from typing import Annotated, Literal, NotRequired, TypedDict

import msgspec

from hds.report.records.shown import Output
from hds.report.records.texts import Tick, Word


class DecodedCall(msgspec.Struct, frozen=True):
    """A call that is over, or that its thread does not come back from: `result` is None then.

    `shown` are its arguments as people read them, `outcome` the result likewise; `error` is the name of an error.
    """

    process_id: int
    thread_id: int
    time: int
    duration: int | None
    number: int
    name: str
    words: tuple[int, ...]
    shown: tuple[str, ...]
    result: int | None
    error: str | None
    outcome: str


class DecodedCallObject(TypedDict):
    """A system call of a guest, decoded; only of `hds trace`. Ids are those by which the program knows itself."""

    type: Literal["call"]
    pid: int
    tid: int
    tick: Tick
    ticks: Annotated[int | None, "of the virtual clock that it took"]
    number: Word
    name: str
    words: Annotated[list[int], "the words of its arguments"]
    words_hex: NotRequired[Annotated[list[str], "hexadecimal, beside numbers from 2^53 on"]]
    arguments: Annotated[list[str], "as the text has them"]
    result: Annotated[int | None, "signed; null where the thread does not come back"]
    error: Annotated[str | None, "the name of the error with which it failed"]
    text: Annotated[str, "the whole, as the text has it"]


def _text(record: DecodedCall) -> str:
    return f"{record.name}({', '.join(record.shown)}) = {record.outcome}"


def as_object(record: DecodedCall) -> DecodedCallObject:
    """The record of JSON mode."""
    return {
        "type": "call",
        "pid": record.process_id,
        "tid": record.thread_id,
        "tick": record.time,
        "ticks": record.duration,
        "number": record.number,
        "name": record.name,
        "words": list(record.words),
        "arguments": list(record.shown),
        "result": record.result,
        "error": record.error,
        "text": _text(record),
    }


def shown(record: DecodedCall) -> Output:
    """A line."""
    return Output(_text(record) + "\n")
