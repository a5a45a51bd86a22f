"""How often the lines of scripts were executed, as records."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from hds.report.records import LineHits
from lang import SourceFile
from vm import Loaded, Source, entries_of_instructions

if TYPE_CHECKING:
    from hds.session.session import Session


def line_hits_of(session: Session) -> Iterator[LineHits]:
    """A record for each text that has scripts, in the order in which they were loaded; none where nobody counts.

    The hits of a place are the largest count of the basic blocks that have an instruction of it, summed where several
    scripts have it, as those that include one file; the hits of a line are those of the place in it that has most.
    """
    counted = session.scripts.counted
    if counted is None:
        return
    found: dict[Source, Counter[int]] = {}
    for loaded in counted.loaded:
        for (source, start), count in _hits(loaded).items():
            found.setdefault(source, Counter())[start] += count
    for source, hits in found.items():
        yield LineHits(source.name, tuple(_lines(source, hits)), counted.is_complete)


def _hits(loaded: Loaded) -> dict[tuple[Source, int], int]:
    """Of one script, by the place: where it starts in a source."""
    program = loaded.program
    found: dict[tuple[Source, int], int] = {}
    for pc, count in enumerate(entries_of_instructions(program, loaded.entries or ())):
        position = program.position(pc)
        if position is not None:
            place = program.sources[position.source], position.start
            found[place] = max(count, found.get(place, 0))
    return found


def _lines(source: Source, hits: Counter[int]) -> Iterator[tuple[int | None, str]]:
    text = SourceFile(source.name, source.text)
    largest: dict[int, int] = {}
    for start, count in hits.items():
        line, _ = text.position(start)
        largest[line] = max(count, largest.get(line, 0))
    for number in range(1, text.position(len(source.text))[0] + 1):
        start, end = text.line_range(number)
        if start < len(source.text):  # behind the last line end there is no line
            yield largest.get(number), source.text[start:end]
