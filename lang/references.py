"""What the names of a script mean: each mention with the place of its definition, for editors.

With them a tool answers where something is defined (`reference_at`), where it is used, and what a new name must be
written over (`references_to`).
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum

import msgspec

from lang.source import SourceFile, Span
from lang.types import Type


class DefinitionKind(Enum):
    """What a name can be defined as."""

    VARIABLE = "variable"
    PARAMETER = "parameter"
    GLOBAL = "global"
    FUNCTION = "function"
    STRUCT = "struct"
    MEMBER = "member"
    TYPEDEF = "typedef"


class Definition(msgspec.Struct, frozen=True):
    """Where a name gets its meaning: the span of the name in its declaration, or, without one, of its first mention.

    The span of a global has its dot, the name has not. `type` is what the checker found out, None for a struct and for
    what is defined nowhere; `header` is the declaration of a function in front of its body.
    """

    kind: DefinitionKind
    name: str
    span: Span
    type: Type | None = None
    header: Span | None = None


class Reference(msgspec.Struct, frozen=True):
    """One mention of a name; the definition mentions it, too. None: a register, a built-in function, a symbol."""

    span: Span
    definition: Definition | None


class References:
    """Collects the mentions of one script. A name is told from equal ones by its `owner`: a variable or struct type."""

    def __init__(self) -> None:
        self._mentions: dict[Span, tuple[DefinitionKind, str, object, Type | None] | None] = {}
        self._definitions: dict[tuple[object, str], Definition] = {}

    def define(
        self,
        span: Span,
        kind: DefinitionKind,
        name: str,
        owner: object = None,
        type: Type | None = None,
        header: Span | None = None,
    ) -> None:
        """The name is declared here; a second declaration of the same thing is another mention."""
        self._definitions.setdefault((owner or kind, name), Definition(kind, name, span, type, header))
        self.mention(span, kind, name, owner)

    def mention(
        self, span: Span, kind: DefinitionKind, name: str, owner: object = None, type: Type | None = None
    ) -> None:
        """The name is used here, perhaps in front of its definition; its type, where a first use declares it."""
        self._mentions.setdefault(span, (kind, name, owner, type))

    def mention_built_in(self, span: Span) -> None:
        """Something is used here that no script defines."""
        self._mentions.setdefault(span, None)

    def found(self) -> tuple[Reference, ...]:
        """All mentions, file by file, by place."""
        made: list[Reference] = []
        for span, mentioned in self._mentions.items():
            definition = None
            if mentioned is not None:
                kind, name, owner, type = mentioned
                definition = self._definitions.setdefault((owner or kind, name), Definition(kind, name, span, type))
            made.append(Reference(span, definition))
        return tuple(sorted(made, key=lambda item: (item.span.file.name, item.span.start)))


class NoReferences(References):
    """Collects nothing: for those who do not ask, and for a walk whose mentions another one makes again."""

    def define(
        self,
        span: Span,
        kind: DefinitionKind,
        name: str,
        owner: object = None,
        type: Type | None = None,
        header: Span | None = None,
    ) -> None:
        """Nothing."""

    def mention(
        self, span: Span, kind: DefinitionKind, name: str, owner: object = None, type: Type | None = None
    ) -> None:
        """Nothing."""

    def mention_built_in(self, span: Span) -> None:
        """Nothing."""


def reference_at(references: Iterable[Reference], file: SourceFile, offset: int) -> Reference | None:
    """The mention that the character at `offset` is part of, or that ends there."""
    here = (item for item in references if item.span.file is file and item.span.start <= offset <= item.span.end)
    return min(here, key=lambda item: offset == item.span.end, default=None)


def references_to(references: Iterable[Reference], definition: Definition) -> list[Reference]:
    """Every mention of what is defined there, the definition too."""
    return [item for item in references if item.definition == definition]
