"""Parts that several records have in JSON."""

from __future__ import annotations

from enum import Enum
from typing import Annotated, Literal, NotRequired, TypedDict

Stage = Literal["pre", "post"]
_STAGES: tuple[Stage, Stage] = ("pre", "post")

Address = Annotated[int, "an address, a 64-bit number"]
Tick = Annotated[int, "of the virtual clock: guest instructions that were completed, and in a trigger the one at hand"]


class Text(TypedDict):
    """Bytes as text: U+FFFD for what is none, and then the bytes themselves in hexadecimal."""

    text: str
    bytes: NotRequired[Annotated[str, "hexadecimal; where the text does not say them all"]]


def text_of(data: bytes) -> Text:
    """These bytes."""
    try:
        return {"text": data.decode("utf-8")}
    except UnicodeDecodeError:
        return {"text": data.decode("utf-8", "replace"), "bytes": data.hex()}


def stage_of(stage: int | None) -> Stage | None:
    """0 is before the operation, 1 behind it."""
    return None if stage is None else _STAGES[stage]


def values(kinds: type[Enum]) -> tuple[str, ...]:
    """The values of an enum of texts."""
    return tuple(str(kind.value) for kind in kinds)
