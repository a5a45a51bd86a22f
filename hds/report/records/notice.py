"""What HyperDbg would say beside the results: the record is `machine.records.Notice`."""

from __future__ import annotations

from typing import Literal, TypedDict

from hds.report.records.shown import Line
from machine.records import Notice


class NoticeObject(TypedDict):
    """What HyperDbg would say beside the results: one line."""

    type: Literal["notice"]
    text: str


def as_object(notice: Notice) -> NoticeObject:
    """The record of JSON mode."""
    return {"type": "notice", "text": notice.text}


def shown(notice: Notice) -> Line:
    """The line."""
    return Line(notice.text)
