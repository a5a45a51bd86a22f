"""What can be done about a finding by a change of its text: what its hint says, where that is one."""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from hds.editor.document import Document
from lang import Code, Diagnostic, PartKind
from vm.facts import numbers

_MEANT = re.compile(r"did you mean `([^`]+)`\?")  # lang.nearest
_LOOKS_DECIMAL = (Code.HEXADECIMAL_BOUND, Code.HEXADECIMAL_COMPARISON)


class Repair(msgspec.Struct, frozen=True):
    """Put `new` in the place of the characters [start, end). `finding` is what it is for; without one it is a wish."""

    title: str
    start: int
    end: int
    new: str
    finding: Diagnostic | None = None


def repairs(document: Document, start: int, end: int) -> Iterator[Repair]:
    """The changes that make sense in the characters [start, end] of a text."""
    for item in document.checked.diagnostics:
        span = item.span
        if span.file.name != document.source.name or span.start > end or span.end < start:
            continue
        for new in _instead(item):
            yield Repair(f"Write {new}", span.start, span.end, new, item)
    part = document.part_at(start)
    if part is not None and part.kind is PartKind.NUMBER:
        word = document.text[part.start : part.end]
        reading = numbers.read(word, numbers.SCRIPT)
        if reading.is_number and reading.value <= numbers.MAX_64:
            new = f"0x{reading.value:x}" if reading.base == 10 else f"0n{reading.value}"
            yield Repair(f"Write {new}, which is the same", part.start, part.end, new)


def _instead(item: Diagnostic) -> tuple[str, ...]:
    if item.code in _LOOKS_DECIMAL:
        return f"0n{item.span.text}", f"0x{item.span.text}"
    meant = _MEANT.fullmatch(item.hint or "")
    return (meant[1],) if meant else ()
