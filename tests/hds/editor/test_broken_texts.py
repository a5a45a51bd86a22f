"""Whatever a text looks like while somebody types, every question about it has an answer."""

from __future__ import annotations

import random

import pytest
from effort import often
from example_texts import EXAMPLES, ROOT, damaged

from hds.editor.completion import call_at, suggest
from hds.editor.descriptions import describe
from hds.editor.document import Analyser, Document
from hds.editor.outline import outline
from hds.editor.positions import Positions
from hds.editor.renaming import CannotRename, rename
from hds.editor.repairs import repairs
from hds.editor.server import View, semantic_numbers
from lang import Compiler, SymbolTable

ANALYSER = Analyser(Compiler(symbols=SymbolTable({"hello!check": 0x401000})))


def ask(document: Document, offset: int) -> None:
    """Everything that can be asked about a place."""
    length = len(document.text)
    description = describe(document, offset)
    assert description is None or 0 <= description.start < description.end <= length
    suggestions = suggest(document, offset)
    assert suggestions is None or 0 <= suggestions.start <= suggestions.end == offset
    call = call_at(document, offset)
    assert call is None or call.active >= 0
    for repair in repairs(document, offset, offset):
        assert 0 <= repair.start <= repair.end <= length
    document.reference_at(offset)


@pytest.mark.parametrize("name", list(EXAMPLES)[:: often(8, 1)])
def test_broken_texts_are_answered(name: str) -> None:
    chance = random.Random(3)
    for text in damaged(EXAMPLES[name], 4, often(4, 60)):
        document = ANALYSER.analyse(str(ROOT / name), text)
        for item in document.checked.diagnostics:
            assert item.span.start <= item.span.end <= len(item.span.file.text)
        for _ in range(often(5, 40)):
            ask(document, chance.randrange(len(text) + 1))
        outline(document)
        view = View("file:///x", document, Positions(document.source), 1)
        numbers = list(semantic_numbers(view))
        assert len(numbers) % 5 == 0
        assert min(numbers, default=0) >= 0


@pytest.mark.parametrize("name", list(EXAMPLES)[:: often(6, 1)])
def test_another_name_leaves_an_example_as_it_is(name: str) -> None:
    """Every definition of it can be renamed to something new and to nothing that is there."""
    document = ANALYSER.analyse(str(ROOT / name), EXAMPLES[name])
    here = [item for item in document.definitions if item.span.file.name == document.source.name][: often(2, 99)]
    for item in here:
        place = item.span.start + 1
        changes = rename(ANALYSER, document, place, "entirely_new")
        assert len(changes[document.source.name]) == len(document.mentions(item))
        for other in here:
            if other.kind is item.kind and other.name != item.name and len(changes) == 1:
                with pytest.raises(CannotRename):
                    rename(ANALYSER, document, place, other.name)
