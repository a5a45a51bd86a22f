"""W020: a bound of a loop that looks decimal, such as the 10 of `i < 10`, which makes sixteen rounds."""

from __future__ import annotations

import re

from lang import syntax as s
from lang.diagnostics import Diagnostics
from lang.names import walk

_LOOKS_DECIMAL = re.compile(r"[1-9][0-9]+")


def report_decimal_looking(program: s.Program, diagnostics: Diagnostics) -> None:
    """Look at the comparisons that are a loop's condition, or joined to one by `&&` and `||`."""
    for item in walk(program.items):
        if isinstance(item, s.For | s.While | s.DoWhile):
            stack = [item.condition]
            while stack:
                node = stack.pop()
                if isinstance(node, s.Paren):
                    stack.append(node.inner)
                elif isinstance(node, s.Binary) and node.operator in ("&&", "||"):
                    stack += [node.left, node.right]
                elif isinstance(node, s.Binary) and node.operator in ("<", ">", "<=", ">=", "!="):
                    for side in (node.left, node.right):
                        if isinstance(side, s.Number) and _LOOKS_DECIMAL.fullmatch(side.text):
                            message = f"`{side.text}` is hexadecimal: {side.value} in decimal"
                            hint = f"write 0n{side.text} for a decimal number, 0x{side.text} if this is meant"
                            diagnostics.add("W020", message, side.span, hint)
