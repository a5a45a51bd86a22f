"""What the parts of the portability pass share: the checked script, the function that is walked, and the remarks.

`lang.portability` walks statements and declarations; it holds the rules on expressions (`lang.portability_rules`) and
those on the locals of functions (`lang.portability_locals`). What all of them read is here.
"""

from __future__ import annotations

import msgspec
from msgspec.structs import replace

from lang import syntax as s
from lang.checker import Checked
from lang.code import Code
from lang.diagnostics import Diagnostics
from lang.source import Span
from lang.typed import FunctionEntity
from lang.types import I32, U64, Integer, Type
from vm import MASK


class Where(msgspec.Struct, frozen=True):
    """What surrounds a statement or expression."""

    top: bool = True
    function: bool = False
    loop: str = ""  # the innermost loop: "for" or "while"
    direct: bool = False  # directly in the body of a for
    step: bool = False  # the step of a for
    condition: bool = False

    def inside(self, loop: str | None = None, direct: bool = False, step: bool = False) -> Where:
        """One level deeper."""
        return replace(self, top=False, loop=self.loop if loop is None else loop, direct=direct, step=step)

    def in_condition(self) -> Where:
        """Inside the parentheses of a condition."""
        return replace(self, condition=True)


def letter_literal(node: s.Expression) -> bool:
    """A hexadecimal literal that starts with a letter: it has no type in v0.23."""
    node = s.strip(node)
    return isinstance(node, s.Number) and node.text[0].isalpha()


def is_float_literal(node: s.Expression) -> bool:
    """A plain floating-point literal, perhaps with a sign."""
    node = s.strip(node)
    if isinstance(node, s.Unary) and node.operator in "+-":
        node = s.strip(node.operand)
    return isinstance(node, s.FloatNumber)


def is_plain_int(kind: Type) -> bool:
    """`int`: the everyday type, reported only where the source shows a difference."""
    return kind == I32


def fits(node: s.Expression, kind: Type) -> bool:
    """Whether a literal (perhaps with a minus) is a value of an integer type."""
    node = s.strip(node)
    sign = 1
    while isinstance(node, s.Unary) and node.operator in "+-":
        sign = -sign if node.operator == "-" else sign
        node = s.strip(node.operand)
    if not isinstance(node, s.Number) or not isinstance(kind, Integer) or kind.size == 8:
        return True
    value = sign * (node.value if node.value <= MASK >> 1 else node.value - (1 << 64))
    low = -(1 << (kind.bits - 1)) if kind.signed else 0
    high = (1 << (kind.bits - 1)) - 1 if kind.signed else (1 << kind.bits) - 1
    return low <= value <= (1 if kind.name == "bool" else high)


class Context:
    """The types of a checked script, the function that is walked with its parameters, and where remarks go."""

    def __init__(self, checked: Checked, diagnostics: Diagnostics) -> None:
        self.checked = checked
        self.functions = checked.names.functions
        self.diagnostics = diagnostics
        self.parameters: dict[str, Type] = {}
        self.inside: FunctionEntity | None = None  # the function that is walked
        self.defined: set[str] = set()  # the functions that are defined up to here

    @property
    def result(self) -> Type | None:
        """What the function that is walked returns."""
        return self.inside.result if self.inside is not None else None

    def remark(self, code: Code, what: str, span: Span, hint: str | None = None) -> None:
        """Record that HyperDbg v0.23 does `what`."""
        self.diagnostics.add(code, f"HyperDbg v0.23 {what}", span, hint)

    def type(self, node: s.Expression) -> Type:
        """The type that the checker found."""
        return self.checked.types.get(node) or self.checked.types.get(s.strip(node)) or U64

    def parameter(self, node: s.Expression) -> bool:
        """Whether it is a parameter of the function that is walked."""
        node = s.strip(node)
        return isinstance(node, s.Name) and node.name in self.parameters

    def untyped(self, node: s.Expression) -> bool:
        """A literal or parameter that v0.23 gives no type."""
        return letter_literal(node) or self.parameter(node)
