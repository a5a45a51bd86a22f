"""The types of expressions, kept in the nodes of the syntax tree: a table beside it would need more than the nodes."""

from __future__ import annotations

import msgspec

from lang.syntax import Expression
from lang.types import Type


class NodeTypes:
    """What the checker found out about the nodes of one tree. A tree is checked once."""

    def __setitem__(self, node: Expression, kind: Type) -> None:
        msgspec.structs.force_setattr(node, "type_found", kind)

    def get(self, node: Expression, default: Type | None = None) -> Type | None:
        """The type of an expression; `default` for one that was not looked at."""
        found: Type | None = node.type_found  # type: ignore[assignment]  # only __setitem__ writes it
        return default if found is None else found
