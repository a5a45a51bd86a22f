"""What a text consists of: its commands, and what its scripts define."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from hds.editor.descriptions import declaration
from hds.editor.document import Document
from lang import Definition, DefinitionKind, PartKind
from lang.commands import row_of

LONGEST = 60  # characters of a command that are shown


class Entry(msgspec.Struct):
    """Something in the characters [start, end) of a text, whose name is [name_start, name_end)."""

    name: str
    kind: PartKind | DefinitionKind
    detail: str
    start: int
    end: int
    name_start: int
    name_end: int
    children: list[Entry] = msgspec.field(default_factory=list)


_SHOWN = (DefinitionKind.FUNCTION, DefinitionKind.STRUCT, DefinitionKind.TYPEDEF, DefinitionKind.GLOBAL)


def outline(document: Document) -> list[Entry]:
    """The entries of a text, in order; what a command's script defines is below it."""
    commands = list(_commands(document))
    top: list[Entry] = [*commands]
    for entry in _definitions(document):
        parent = next((each for each in commands if each.start <= entry.start < each.end), None)
        (top if parent is None else parent.children).append(entry)
    return sorted(top, key=lambda entry: entry.start)


def _commands(document: Document) -> Iterator[Entry]:
    for line in document.lines:
        row = row_of(line)
        if row is None:
            continue
        name = line.tokens[0].span
        last = line.tokens[-1]
        shown = " ".join(document.text[name.start : line.span.end].partition("{")[0].split())[:LONGEST]
        kind = PartKind.EVENT if row.is_event else PartKind.COMMAND
        yield Entry(shown, kind, row.doc, name.start, max(line.span.end, last.span.end), name.start, name.end)


def _definitions(document: Document) -> Iterator[Entry]:
    seen: set[tuple[object, ...]] = set()
    members = [item for item in document.definitions if item.kind is DefinitionKind.MEMBER]
    for item in document.definitions:
        span = item.span
        if item.kind not in _SHOWN or span.file.name != document.source.name or (item.kind, item.name) in seen:
            continue
        seen.add((item.kind, item.name))
        entry = _entry(item)
        if item.kind is DefinitionKind.STRUCT:
            entry.children = [_entry(each) for each in members if _inside(each, item, document)]
        yield entry


def _entry(item: Definition) -> Entry:
    dot = "." if item.kind is DefinitionKind.GLOBAL else ""
    start = item.span.start if item.header is None else item.header.start
    return Entry(dot + item.name, item.kind, declaration(item), start, item.span.end, item.span.start, item.span.end)


def _inside(member: Definition, struct: Definition, document: Document) -> bool:
    if member.span.file.name != document.source.name or member.span.start < struct.span.end:
        return False
    close = document.text.find("}", struct.span.end)
    return member.span.start < close
