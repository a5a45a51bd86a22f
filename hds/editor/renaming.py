"""A new name for what a script defines, where that leaves the meaning of everything as it is."""

from __future__ import annotations

from collections.abc import Mapping

from hds.editor.document import Analyser, Document, same
from lang import Definition, DefinitionKind, Diagnostics, Reference, SourceFile, tokenize


class CannotRename(Exception):  # noqa: N818 - it says what happened
    """The text says why."""


def nameable(document: Document, offset: int) -> Reference:
    """The mention of something that can get another name. Raises CannotRename."""
    found = document.reference_at(offset)
    if found is None:
        raise CannotRename("there is no name here, or errors of syntax hide what it means")
    if found.definition is None:
        raise CannotRename(f"{found.span.text} is not defined by a script")
    return found


def rename(analyser: Analyser, document: Document, offset: int, name: str) -> Mapping[str, list[tuple[int, int, str]]]:
    """The changes by file: the characters [start, end) and what stands in their place then. Raises CannotRename."""
    definition = nameable(document, offset).definition
    assert definition is not None
    written = name if definition.kind is not DefinitionKind.GLOBAL or name.startswith(".") else f".{name}"
    _check_name(definition, written)
    changes: dict[str, list[tuple[int, int, str]]] = {}
    for mention in document.mentions(definition):
        changes.setdefault(mention.span.file.name, []).append((mention.span.start, mention.span.end, written))
    here = changes.get(document.source.name, [])
    if len(changes) == 1:
        text = document.text
        for start, end, new in sorted(here, reverse=True):
            text = text[:start] + new + text[end:]
        after = analyser.analyse(document.source.name, text)
        if _shape(document, {}) != _shape(after, {written: document.text[here[0][0] : here[0][1]]} if here else {}):
            raise CannotRename(f"{written} means something else here: other names would change their meaning")
    elif any(same_name(item, written) for item in document.definitions):
        raise CannotRename(f"{written} is defined already")
    return changes


def same_name(definition: Definition, written: str) -> bool:
    """Whether something has this name."""
    return definition.name == written.lstrip(".") and (definition.kind is DefinitionKind.GLOBAL) == (written[0] == ".")


def _check_name(definition: Definition, written: str) -> None:
    wanted = "DOTTED" if definition.kind is DefinitionKind.GLOBAL else "NAME"
    found = Diagnostics()
    tokens = tokenize(SourceFile("<name>", written), found)
    if [token.type for token in tokens] != [wanted] or tokens[0].span.text != written or found.items:
        raise CannotRename(f"{written[:40]!r} is no name: letters, digits and _, and no keyword, register or number")


def _shape(document: Document, old: Mapping[str, str]) -> list[object]:
    """What a change of a name leaves alone: which mentions mean the same, and what the checker says where."""
    numbers: dict[object, int] = {}
    mentions: list[object] = []
    for item in sorted(document.references, key=lambda item: (item.span.file.name, item.span.start)):
        definition = item.definition
        key = None if definition is None else numbers.setdefault(same(definition), len(numbers))
        mentions.append((key, None if definition is None else definition.kind))
    return [mentions, sorted(item.code for item in document.checked.diagnostics)]
