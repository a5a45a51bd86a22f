"""What HyperDbg would say beside the results: the record is `machine.records.Notice`."""

from typing import Literal, TypedDict

from hds.report.records.shown import Line, Repeated
from machine import Notice


class NoticeObject(TypedDict):
    """What HyperDbg would say beside the results: one line."""

    type: Literal["notice"]
    text: str


def as_object(notice: Notice) -> NoticeObject:
    """The record of JSON mode."""
    return {"type": "notice", "text": notice.text}


def shown(notice: Notice) -> Line | Repeated:
    """The line; those that an event repeats are of one sort."""
    if notice.event_id is None:
        return Line(notice.text)
    line = f"event {notice.event_id:x}: {notice.text}"
    return Repeated(line, None, lambda: (line, notice.text), logged=True)
