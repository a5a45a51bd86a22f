"""Lines of output against what is expected of them: whether they are the same, and where they differ."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence as Row
from enum import Enum

import msgspec

from hds.alignment import steps
from hds.script_tests.cases import Item
from hds.script_tests.texts import GAP, written

MOST_SHOWN = 60  # lines of one difference
WIDEST = 240  # characters of a shown line
_CONTEXT = 3  # lines before and behind what differs


class Part(Enum):
    """What stands at a line of a comparison."""

    SAME = "  "
    MISSING = "- "
    ADDED = "+ "


class Compared(msgspec.Struct, frozen=True):
    """An expected item, a line that was written, or both, one for the other; a gap stands for any lines."""

    part: Part
    item: int | None
    line: int | None


def matches(items: Row[Item], lines: Row[str]) -> bool:
    """Whether the lines are those that are expected, in order, with gaps where they are allowed."""
    runs: list[list[Item]] = [[]]
    for item in items:
        if item.gap:
            runs.append([])
        else:
            runs[-1].append(item)
    first, *others = runs
    if not others:
        return len(first) == len(lines) and _stands_at(first, lines, 0)
    *inner, last = others
    if len(first) + len(last) > len(lines) or not _stands_at(first, lines, 0):
        return False
    if not _stands_at(last, lines, len(lines) - len(last)):
        return False
    at, end = len(first), len(lines) - len(last)
    for run in inner:
        while not (at + len(run) <= end and _stands_at(run, lines, at)):
            at += 1
            if at + len(run) > end:
                return False
        at += len(run)
    return True


def _stands_at(run: Row[Item], lines: Row[str], at: int) -> bool:
    return all(item.matches(lines[at + offset]) for offset, item in enumerate(run))


def compare(items: Row[Item], lines: Row[str]) -> list[Compared]:
    """Every item and every line, in order: as many of them as possible stand for each other.

    A gap stands for itself, and for the lines that are written where it is and not expected.
    """
    wanted = [number for number, item in enumerate(items) if not item.gap]
    keys = _keys([items[number] for number in wanted], lines)
    found: list[Compared] = []
    for step in steps(keys, lines):
        if step.same:
            pairs = zip(range(step.a_start, step.a_end), range(step.b_start, step.b_end), strict=True)
            for a, b in pairs:
                _add_gaps(found, items, wanted[a])
                found.append(Compared(Part.SAME, wanted[a], b))
            continue
        for a in range(step.a_start, step.a_end):
            _add_gaps(found, items, wanted[a])
            found.append(Compared(Part.MISSING, wanted[a], None))
        following = wanted[step.a_end] if step.a_end < len(wanted) else len(items)
        _add_gaps(found, items, following)
        if not (following > 0 and items[following - 1].gap):
            found += [Compared(Part.ADDED, None, b) for b in range(step.b_start, step.b_end)]
    _add_gaps(found, items, len(items))
    return found


def _keys(items: Row[Item], lines: Row[str]) -> list[Hashable]:
    """What each item is equal to: its text; of a pattern the first line that it matches behind the one before."""
    keys: list[Hashable] = []
    at = 0
    for number, item in enumerate(items):
        if item.pattern is None:
            keys.append(item.text)
            continue
        found = next((place for place in range(at, len(lines)) if item.matches(lines[place])), None)
        keys.append((number,) if found is None else lines[found])
        at = at if found is None else found + 1
    return keys


def _add_gaps(found: list[Compared], items: Row[Item], before: int) -> None:
    """The gaps in front of an item that are not there yet."""
    at = before
    while at > 0 and items[at - 1].gap:
        at -= 1
    if at < before and not any(each.item == at for each in found[-(before - at) - 1 :]):
        found += [Compared(Part.SAME, number, None) for number in range(at, before)]


def shown(items: Row[Item], lines: Row[str]) -> Iterator[str]:
    """The difference for people: what is missing behind `-`, what is there behind `+`, and some lines around."""
    compared = compare(items, lines)
    near: set[int] = set()
    for number, each in enumerate(compared):
        if each.part is not Part.SAME:
            near.update(range(number - _CONTEXT, number + _CONTEXT + 1))
    count, before = 0, -1
    for number, each in enumerate(compared):
        if number not in near:
            continue
        if count == MOST_SHOWN:
            yield "... and more"
            return
        if number != before + 1:
            yield "..."
        count, before = count + 1, number
        yield each.part.value + cut(_text(each, items, lines))
    if not near:
        yield "the lines are there, but not in one way that fits all regular expressions and gaps"


def _text(each: Compared, items: Row[Item], lines: Row[str]) -> str:
    if each.line is not None:
        return written(lines[each.line])
    assert each.item is not None
    item = items[each.item]
    if item.gap:
        return GAP
    return written(item.text) if item.pattern is None else f"/{item.text}/"


def cut(text: str) -> str:
    """A text that is not wider than what is shown."""
    return text if len(text) <= WIDEST else text[:WIDEST] + "..."
