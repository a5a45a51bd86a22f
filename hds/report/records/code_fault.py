"""A condition or a code block that stopped early: the record is `machine.records.CodeFault`."""

from typing import Literal, TypedDict

from hds.report.records.shown import Repeated
from machine import CodeFault


class CodeFaultObject(TypedDict):
    """A condition or a code block that stopped early, and why."""

    type: Literal["code_error"]
    event: int
    text: str


def as_object(fault: CodeFault) -> CodeFaultObject:
    """The record of JSON mode."""
    return {"type": "code_error", "event": fault.event_id, "text": fault.text}


def shown(fault: CodeFault) -> Repeated:
    """One line; those with the same text are of one sort."""
    line = f"event {fault.event_id:x}: {fault.text}"
    return Repeated(line, None, lambda: (line, line))
