"""What happens to a thread of a guest beside its calls (`hds trace`): a signal, its end."""

from typing import Annotated, Literal, TypedDict

import msgspec

from hds.report.records.shown import Output
from hds.report.records.texts import Tick

IncidentKind = Literal["signal", "exit", "kill"]


class Incident(msgspec.Struct, frozen=True):
    """A signal has come to a thread, or it has ended: by itself with `code`, or by the signal `name`."""

    kind: IncidentKind
    process_id: int
    thread_id: int
    time: int
    name: str | None
    code: int | None
    text: str


class IncidentObject(TypedDict):
    """A signal has come to a thread of a guest, or it has ended; only of `hds trace`."""

    type: Literal["incident"]
    kind: IncidentKind
    pid: int
    tid: int
    tick: Tick
    name: Annotated[str | None, "of the signal"]
    code: Annotated[int | None, "with which it exited"]
    text: str


def as_object(record: Incident) -> IncidentObject:
    """The record of JSON mode."""
    return {
        "type": "incident",
        "kind": record.kind,
        "pid": record.process_id,
        "tid": record.thread_id,
        "tick": record.time,
        "name": record.name,
        "code": record.code,
        "text": record.text,
    }


def shown(record: Incident) -> Output:
    """A line."""
    return Output(record.text + "\n")
