"""W020 and R001: numbers that look decimal and are not, such as the 10 of `i < 10`, which makes sixteen rounds.

A number looks decimal if all its characters are digits and its value in base 16 is another than in base 10: a prefix
(0x, 0n), a letter, a back-tick or a single digit shows, or does not matter, what it is.
"""

from __future__ import annotations

from collections.abc import Iterator

from lang import syntax as s
from lang.code import Code
from lang.diagnostics import Diagnostics

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


def report_bounds(program: s.Program, diagnostics: Diagnostics) -> list[s.Number]:
    """W020: the sides of comparisons that are a loop's condition or joined to one, and where a `for` starts."""
    found = list(_bounds(program))
    for number in found:
        diagnostics.add(Code.HEXADECIMAL_BOUND, in_decimal(number), number.span, way_out(number))
    return found


def report_comparisons(program: s.Program, bounds: list[s.Number], diagnostics: Diagnostics, told: set[str]) -> None:
    """R001: the first comparison of each file that has such a side, but for `bounds`; `told` are files that had one."""
    known = {id(number) for number in bounds}
    found = [n for node in s.expressions(program) for n in _compared(node) if id(n) not in known]
    for number in sorted(found, key=lambda number: number.span.start):
        if number.span.file.name not in told:
            told.add(number.span.file.name)
            diagnostics.add(
                Code.HEXADECIMAL_COMPARISON,
                in_decimal(number),
                number.span,
                f"{way_out(number)}; this is said once a file",
            )


def _bounds(program: s.Program) -> Iterator[s.Number]:
    for item in s.statements(program):
        if isinstance(item, s.For | s.While | s.DoWhile):
            if item.condition is not None:
                for node in s.walk(item.condition, below=_joined):
                    yield from _compared(node)
            if isinstance(item, s.For):
                for part in _starts(item):
                    yield from _number(part)


def _joined(node: s.Node) -> list[s.Node]:
    """What a condition is made of: the sides of `&&` and `||`, what is negated or in parentheses."""
    logical = isinstance(node, s.Binary) and node.operator in ("&&", "||")
    negated = isinstance(node, s.Unary) and node.operator == "!"
    return s.children(node) if logical or negated or isinstance(node, s.Paren) else []


def _starts(loop: s.For) -> list[s.Node | None]:
    """What is assigned in front of the first round."""
    if isinstance(loop.init, s.Declaration):
        return [declarator.initialiser for declarator in loop.init.declarators]
    return [part.value for part in loop.init if isinstance(part, s.Assign)]


def _compared(node: s.Node) -> Iterator[s.Number]:
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
