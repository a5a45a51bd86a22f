"""What a command shows."""

from typing import Literal, TypedDict

import msgspec

from hds.report.records.shown import Control, Output

CLEAR_SCREEN = "\x1b[H\x1b[2J"  # the result of `.cls`, which a terminal obeys


class Result(msgspec.Struct, frozen=True):
    """What a command shows, with its line feeds."""

    text: str


class ResultObject(TypedDict):
    """What a command shows, with its line feeds."""

    type: Literal["result"]
    text: str


def as_object(result: Result) -> ResultObject:
    """The record of JSON mode."""
    return {"type": "result", "text": result.text}


def shown(result: Result) -> Output | Control:
    """Its text."""
    return Control(result.text) if result.text == CLEAR_SCREEN else Output(result.text)
