"""W018: can an argument have more than 32 bits that mean something? Types alone say yes too often.

Literals have 64 bits, so `n - 1` has 64 bits for an `int n`, too; a warning for every recursive call would be noise.
"""

from __future__ import annotations

from lang import syntax as s
from lang.node_types import NodeTypes

_KEEPS = frozenset(("+", "-", "*", "/", "%", "&", "|", "^", ">>"))
_NARROW_LITERAL = 1 << 32


def is_narrow(node: s.Expression, types: NodeTypes) -> bool:
    """Whether an expression is made of values of 32 bits or less and of small literals only."""
    stack = [node]
    while stack:
        part = stack.pop()
        if isinstance(part, s.Paren):
            stack.append(part.inner)
        elif isinstance(part, s.Unary) and part.operator in "+-~":
            stack.append(part.operand)
        elif isinstance(part, s.Binary) and part.operator in _KEEPS:
            stack += [part.left, part.right]
        elif isinstance(part, s.Number):
            if part.value >= _NARROW_LITERAL:
                return False
        else:
            kind = types.get(part)
            if kind is None or kind.size > 4:
                return False
    return True
