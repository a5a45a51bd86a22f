"""W020 and R001: numbers that look decimal and are not, such as the 10 of `i < 10`, which makes sixteen rounds.

A number looks decimal if all its characters are digits and its value in base 16 is another than in base 10: a prefix
(0x, 0n), a letter, a back-tick or a single digit shows, or does not matter, what it is.
"""

from __future__ import annotations

from collections.abc import Iterator

from lang import syntax as s
from lang.diagnostics import Diagnostics
from lang.names import walk
from lang.placement import expressions

COMPARISONS = ("<", ">", "<=", ">=", "==", "!=")


def looks_decimal(number: s.Number) -> bool:
    """Whether a reader may take the number for a decimal one, and be wrong."""
    return number.text.isdigit() and number.value >= 10


def in_decimal(number: s.Number) -> str:
    """What to say of a number that looks decimal."""
    return f"`{number.text}` is hexadecimal: {number.value} in decimal"


def way_out(number: s.Number) -> str:
    """How to write what is meant."""
    return f"write 0n{number.text} for a decimal number, 0x{number.text} if this is meant"


def report_bounds(program: s.Program, diagnostics: Diagnostics) -> None:
    """W020: the sides of comparisons that are a loop's condition or joined to one, and where a `for` starts."""
    for item in walk(program.items):
        if isinstance(item, s.For | s.While | s.DoWhile):
            for number in _bounds(item):
                diagnostics.add("W020", in_decimal(number), number.span, way_out(number))


def report_comparisons(program: s.Program, diagnostics: Diagnostics, told: set[str]) -> None:
    """R001: the first comparison of each file that has such a side, loops apart; `told` are the files that had one."""
    bounds = {
        id(n) for item in walk(program.items) if isinstance(item, s.For | s.While | s.DoWhile) for n in _bounds(item)
    }
    found = [n for node in expressions(program.items) for n in _compared(node) if id(n) not in bounds]
    for number in sorted(found, key=lambda number: number.span.start):
        if number.span.file.name not in told:
            told.add(number.span.file.name)
            diagnostics.add("R001", in_decimal(number), number.span, f"{way_out(number)}; this is said once a file")


def _bounds(loop: s.For | s.While | s.DoWhile) -> Iterator[s.Number]:
    stack = [loop.condition]
    while stack:
        node = stack.pop()
        if isinstance(node, s.Paren):
            stack.append(node.inner)
        elif isinstance(node, s.Unary) and node.operator == "!":
            stack.append(node.operand)
        elif isinstance(node, s.Binary) and node.operator in ("&&", "||"):
            stack += [node.right, node.left]
        elif node is not None:
            yield from _compared(node)
    if isinstance(loop, s.For):
        init = loop.init.declarators if isinstance(loop.init, s.Declaration) else loop.init
        for part in init:
            value = (
                part.initialiser
                if isinstance(part, s.Declarator)
                else part.value
                if isinstance(part, s.Assign)
                else None
            )
            yield from _number(value)


def _compared(node: s.Expression) -> Iterator[s.Number]:
    if isinstance(node, s.Binary) and node.operator in COMPARISONS:
        yield from _number(node.left)
        yield from _number(node.right)


def _number(node: s.Node | None) -> Iterator[s.Number]:
    """The number that looks decimal, if this is one, perhaps with a sign, a cast or parentheses."""
    while isinstance(node, s.Paren | s.Cast | s.Unary):
        if isinstance(node, s.Unary) and node.operator not in ("-", "+"):
            return
        node = node.inner if isinstance(node, s.Paren) else node.operand
    if isinstance(node, s.Number) and looks_decimal(node):
        yield node
