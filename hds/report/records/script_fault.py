"""A script that stopped early: the record is `machine.records.ScriptFault`."""

from typing import Annotated, Literal, TypedDict

from hds.report.faults import fault_message, fault_span, fault_title, render_fault
from hds.report.records.shown import Repeated
from hds.report.records.texts import values
from machine import ScriptFault
from vm import FaultKind


class ScriptFaultObject(TypedDict):
    """A script that stopped early, and where; outside events `event` is null."""

    type: Literal["script_error"]
    event: int | None
    kind: Annotated[str, values(FaultKind)]
    text: str
    file: str | None
    line: int | None
    column: int | None


def as_object(record: ScriptFault) -> ScriptFaultObject:
    """The record of JSON mode."""
    span = fault_span(record.program.program, record.fault)
    return {
        "type": "script_error",
        "event": record.event_id,
        "kind": record.fault.kind.value,
        "text": fault_message(record.fault),
        "file": None if span is None else span.file.name,
        "line": None if span is None else span.line,
        "column": None if span is None else span.column,
    }


def shown(record: ScriptFault) -> Repeated:
    """The error with its place in the source; of one sort are those of one kind at one place of one event."""
    code, fault = record.program.program, record.fault
    where = "" if record.event_id is None else f"event {record.event_id:x}: "

    def describe() -> tuple[str, str]:
        return where + fault_title(code, fault), where + render_fault(code, fault)

    return Repeated((record.event_id, id(code), fault.pc, fault.kind), code, describe)
