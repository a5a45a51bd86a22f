"""`--update`: the expected lines of a test become those that were written; all else of a file stays, byte for byte."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence as Row

import msgspec

from hds.script_tests.cases import Case, Item, Sequence
from hds.script_tests.outcome import Outcome
from hds.script_tests.output import Part, compare, matches
from hds.script_tests.texts import lines_of, written

_MARGIN = re.compile(r"[ \t]*//[ \t]*")


class Edit(msgspec.Struct, frozen=True):
    """Characters [start, end) of a text become others."""

    start: int
    end: int
    text: str


def edits(case: Case, outcome: Outcome) -> list[Edit]:
    """What a test's directives become; nothing where they hold. Marks beside statements stay as they are."""
    found: list[Edit] = []
    for key, sequence, data in (("out", case.output, outcome.output), ("guest", case.guest, outcome.guest)):
        if sequence is None or sequence.file is not None or not sequence.lines:
            continue
        lines = lines_of(data)
        if not matches(sequence.items, lines):
            found += _rewritten(key, sequence, lines)
    return found


def files(case: Case, outcome: Outcome) -> Mapping[str, bytes]:
    """What the companion files of a test are to have, by their names."""
    both = ((case.output, outcome.output), (case.guest, outcome.guest))
    return {sequence.file: data for sequence, data in both if sequence is not None and sequence.file is not None}


def apply(text: str, changes: Iterable[Edit]) -> str:
    """The text with all of them."""
    parts, at = [], 0
    for edit in sorted(changes, key=lambda edit: edit.start):
        parts += [text[at : edit.start], edit.text]
        at = edit.end
    return "".join((*parts, text[at:]))


def _rewritten(key: str, sequence: Sequence, lines: Row[str]) -> list[Edit]:
    """The lines of a sequence: those that hold stay, the others are replaced where the first one stands."""
    if not lines and key != "out":
        return []  # there is no directive that says it
    first, *others = sequence.lines
    text, margin = first.file.text, _MARGIN.match(first.text)
    assert margin is not None
    made = [
        sequence.lines[each].text if isinstance(each, int) else f"{margin[0]}{key}: {written(each)}".rstrip(" ")
        for each in _kept(sequence, lines)
    ]
    between = _end_of_line(text, first.end) or "\n"
    found = [Edit(first.start, first.end, between.join(made or [f"{margin[0]}silent:"]))]
    return found + [Edit(line.start, line.end + len(_end_of_line(text, line.end)), "") for line in others]


def _kept(sequence: Sequence, lines: Row[str]) -> list[int | str]:
    """The new sequence: numbers of items that stay, and lines; lines alone where patterns would fit in several ways."""
    new: list[int | str] = []
    for each in compare(sequence.items, lines):
        if each.part is Part.SAME and each.item is not None:
            new.append(each.item)
        elif each.part is Part.ADDED and each.line is not None:
            new.append(lines[each.line])
    items = [sequence.items[each] if isinstance(each, int) else Item(each, sequence.span) for each in new]
    return new if matches(items, lines) else list(lines)


def _end_of_line(text: str, at: int) -> str:
    if text.startswith("\r\n", at):
        return "\r\n"
    return text[at] if at < len(text) and text[at] in "\r\n" else ""
