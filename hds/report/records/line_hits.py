"""How often the lines of a script were executed, where that is recorded (`--record lines`)."""

from typing import Annotated, Literal, TypedDict

import msgspec

from hds.report.records.shown import Line
from hds.report.records.texts import Word


class LineHits(msgspec.Struct, frozen=True):
    """The lines of a text with scripts, in order: the hits of each, None where it has no code, and its text."""

    file: str
    lines: tuple[tuple[int | None, str], ...]
    is_complete: bool


class LineObject(TypedDict):
    """A line; the largest count of the basic blocks that have an instruction of it, null where there is none."""

    hits: Word | None
    text: str


class LineHitsObject(TypedDict):
    """A text with scripts, and how often its lines were executed; only with --record lines."""

    type: Literal["lines"]
    file: Annotated[str, "the name of the script file, or what stands for it"]
    lines: Annotated[list[LineObject], "all lines, from 1"]
    complete: Annotated[bool, "false where the scripts of the session have more than max_counted_instructions"]


def as_object(record: LineHits) -> LineHitsObject:
    """The record of JSON mode."""
    return {
        "type": "lines",
        "file": record.file,
        "lines": [{"hits": hits, "text": text} for hits, text in record.lines],
        "complete": record.is_complete,
    }


def shown(record: LineHits) -> Line:
    """The text with the hits before each line."""
    hits = [count for count, _ in record.lines if count is not None]
    said = [f"{record.file}: {sum(map(bool, hits))} of {len(hits)} lines with code were executed"]
    said += (f"{'' if count is None else count:>10}  {text}".rstrip() for count, text in record.lines)
    return Line("\n".join(said))
