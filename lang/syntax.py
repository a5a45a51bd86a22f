"""The syntax tree: one frozen dataclass per construct, each with its span. Nodes are compared by identity.

`height` of an expression bounds the recursion of every pass over it; a left-leaning chain of binary operators counts
once, because the passes walk it in a loop. `children` and `walk` know every node by its fields: a pass that looks at a
whole tree is a loop over `walk`, and has only rules.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, get_args, get_type_hints

from lang.lexer import StringValue
from lang.source import Span


@dataclass(frozen=True, eq=False, slots=True)
class Node:
    """Anything in the tree."""

    span: Span


# --- types


@dataclass(frozen=True, eq=False, slots=True)
class WordType(Node):
    """Type words in the order written."""

    words: tuple[str, ...]


@dataclass(frozen=True, eq=False, slots=True)
class NamedType(Node):
    """A typedef name."""

    name: str


@dataclass(frozen=True, eq=False, slots=True)
class Declarator(Node):
    """Stars, a name (local or `.global`), array sizes (None for `[]`), more targets, an optional initialiser."""

    name: str
    is_global: bool
    name_span: Span
    stars: int
    sizes: tuple[Expression | None, ...] = ()
    chain: tuple[Expression, ...] = ()
    initialiser: Expression | InitialiserList | None = None


@dataclass(frozen=True, eq=False, slots=True)
class MemberLine(Node):
    """A line of a struct: a type and its declarators."""

    type: TypeSyntax
    declarators: tuple[Declarator, ...]


@dataclass(frozen=True, eq=False, slots=True)
class StructType(Node):
    """`struct Tag`, `struct Tag { ... }` or `struct { ... }`."""

    tag: str
    tag_span: Span | None
    members: tuple[MemberLine, ...] | None


TypeSyntax = WordType | NamedType | StructType


@dataclass(frozen=True, eq=False, slots=True)
class TypeName(Node):
    """A type with stars, in a cast or sizeof."""

    type: TypeSyntax
    stars: int


# --- expressions


@dataclass(frozen=True, eq=False, slots=True)
class Expression(Node):
    """Any expression."""

    height: int = field(default=1, kw_only=True)
    type_found: object = field(default=None, kw_only=True, repr=False)  # of `lang.node_types` alone


@dataclass(frozen=True, eq=False, slots=True)
class Number(Expression):
    """An integer literal: its 64 bits and its text."""

    value: int
    text: str


@dataclass(frozen=True, eq=False, slots=True)
class FloatNumber(Expression):
    """A floating-point literal."""

    value: float
    text: str


@dataclass(frozen=True, eq=False, slots=True)
class String(Expression):
    """A string literal."""

    value: StringValue
    text: str


@dataclass(frozen=True, eq=False, slots=True)
class SymbolName(Expression):
    """`module!name`."""

    name: str


@dataclass(frozen=True, eq=False, slots=True)
class RegisterName(Expression):
    """A register; `bare` without its `@`."""

    index: int
    name: str
    bare: bool


@dataclass(frozen=True, eq=False, slots=True)
class PseudoName(Expression):
    """`$name`."""

    index: int
    name: str


@dataclass(frozen=True, eq=False, slots=True)
class Name(Expression):
    """A local variable, parameter or function."""

    name: str


@dataclass(frozen=True, eq=False, slots=True)
class GlobalName(Expression):
    """`.name`."""

    name: str


@dataclass(frozen=True, eq=False, slots=True)
class Paren(Expression):
    """A parenthesised expression."""

    inner: Expression


@dataclass(frozen=True, eq=False, slots=True)
class Unary(Expression):
    """`- + ~ ! * &` in front of an operand."""

    operator: str
    operand: Expression


@dataclass(frozen=True, eq=False, slots=True)
class Cast(Expression):
    """`(type)operand`."""

    type: TypeName
    operand: Expression


@dataclass(frozen=True, eq=False, slots=True)
class Sizeof(Expression):
    """`sizeof(type)`, or `sizeof operand`."""

    operand: Expression | TypeName


@dataclass(frozen=True, eq=False, slots=True)
class Binary(Expression):
    """Any binary operator."""

    operator: str
    operator_span: Span
    left: Expression
    right: Expression


@dataclass(frozen=True, eq=False, slots=True)
class Call(Expression):
    """A call of a user function or a built-in; `builtin` tells which of the two the word is."""

    name: str
    name_span: Span
    arguments: tuple[Expression, ...]
    builtin: bool


@dataclass(frozen=True, eq=False, slots=True)
class Index(Expression):
    """`base[index]`."""

    base: Expression
    index: Expression


@dataclass(frozen=True, eq=False, slots=True)
class Member(Expression):
    """`base.name` or `base->name`."""

    base: Expression
    name: str
    name_span: Span
    arrow: bool


@dataclass(frozen=True, eq=False, slots=True)
class Assign(Expression):
    """`target = right` or `target op= right`; a value only by mistake (E038).

    In a chain, `x = y = 5`, the right side of `x =` is the assignment `y = 5`; a chain is no nesting.
    """

    target: Expression
    operator: str
    right: Expression

    def _last(self) -> Assign:
        last = self
        while last.operator == "=" and isinstance(last.right, Assign) and last.right.operator == "=":
            last = last.right
        return last

    @property
    def value(self) -> Expression:
        """What is assigned to all places of the chain."""
        return self._last().right

    @property
    def targets(self) -> tuple[Expression, ...]:
        """The places of the chain, from left to right."""
        found, part, last = [self.target], self, self._last()
        while part is not last:
            assert isinstance(part.right, Assign)
            part = part.right
            found.append(part.target)
        return tuple(found)


@dataclass(frozen=True, eq=False, slots=True)
class Step(Expression):
    """`++` or `--`, in front of a place or behind it; a value only by mistake (E038)."""

    operator: str
    target: Expression
    prefix: bool


@dataclass(frozen=True, eq=False, slots=True)
class InitialiserList(Node):
    """`{ ... }`."""

    items: tuple[Expression | InitialiserList, ...]


# --- statements


@dataclass(frozen=True, eq=False, slots=True)
class Statement(Node):
    """Any statement."""


@dataclass(frozen=True, eq=False, slots=True)
class Empty(Statement):
    """`;`."""


@dataclass(frozen=True, eq=False, slots=True)
class Simple(Statement):
    """An expression as a statement: Assign, Step or Call; anything else is E042."""

    expression: Expression


@dataclass(frozen=True, eq=False, slots=True)
class Declaration(Statement):
    """`type declarator, ...;`, or a bare `struct ...;` without declarators."""

    type: TypeSyntax
    declarators: tuple[Declarator, ...]


@dataclass(frozen=True, eq=False, slots=True)
class Typedef(Statement):
    """`typedef type declarator, ...;`."""

    type: TypeSyntax
    declarators: tuple[Declarator, ...]


@dataclass(frozen=True, eq=False, slots=True)
class Block(Statement):
    """`{ ... }`; at the top level it may hold functions and includes."""

    statements: tuple[Statement, ...]


@dataclass(frozen=True, eq=False, slots=True)
class Branch(Node):
    """A condition (None when it is missing) and its body; `word` is if, elsif or else if."""

    word: str
    condition: Expression | None
    body: Block


@dataclass(frozen=True, eq=False, slots=True)
class If(Statement):
    """if, elsif ..., else."""

    branches: tuple[Branch, ...]
    otherwise: Block | None


@dataclass(frozen=True, eq=False, slots=True)
class While(Statement):
    """`while (condition) { }`."""

    condition: Expression | None
    body: Block


@dataclass(frozen=True, eq=False, slots=True)
class DoWhile(Statement):
    """`do { } while (condition);`."""

    body: Block
    condition: Expression | None


@dataclass(frozen=True, eq=False, slots=True)
class For(Statement):
    """`for (init; condition; step) { }`."""

    init: tuple[Expression, ...] | Declaration
    condition: Expression | None
    step: tuple[Expression, ...]
    body: Block


@dataclass(frozen=True, eq=False, slots=True)
class Break(Statement):
    """`break;`."""


@dataclass(frozen=True, eq=False, slots=True)
class Continue(Statement):
    """`continue;`."""


@dataclass(frozen=True, eq=False, slots=True)
class Return(Statement):
    """`return;` or `return value;`."""

    value: Expression | None


@dataclass(frozen=True, eq=False, slots=True)
class Parameter(Node):
    """A parameter; without a type it is U64 (P098)."""

    type: TypeSyntax | None
    declarator: Declarator


@dataclass(frozen=True, eq=False, slots=True)
class FunctionDefinition(Statement):
    """A function; `header` is the span of everything before the body. `explicit_void`: `(void)`."""

    type: TypeSyntax
    stars: int
    name: str
    name_span: Span
    parameters: tuple[Parameter, ...]
    explicit_void: bool
    body: Block


@dataclass(frozen=True, eq=False, slots=True)
class Include(Statement):
    """`#include "path"`; `program` is what the file holds, None when it was included before or not at all."""

    path: str
    semicolon: bool
    program: Program | None


@dataclass(frozen=True, eq=False, slots=True)
class Program(Node):
    """A whole script; `question` tells whether it starts with `?`."""

    question: bool
    items: tuple[Statement, ...]


# --- walks


def children(node: Node) -> list[Node]:
    """The nodes directly below this one, in source order; of a chain of assignments all its places and its value."""
    if isinstance(node, Assign):
        return [*node.targets, node.value]
    return _parts(node, _WITH_NODES)


def operands(node: Expression) -> list[Expression]:
    """The expressions directly below an expression, in source order."""
    return [part for part in children(node) if isinstance(part, Expression)]


def walk(*roots: Node, below: Callable[[Node], Sequence[Node]] = children) -> Iterator[Node]:
    """Every node of these trees, each in front of what is below it, in source order, without recursion.

    `below` says which nodes to go on to, and is asked after the node was given out: with less than `children` parts of
    a tree are passed over.
    """
    stack = list(reversed(roots))
    while stack:
        node = stack.pop()
        yield node
        if parts := below(node):
            stack += parts[::-1]


def statements(*roots: Statement | Program) -> Iterator[Statement]:
    """All statements of these trees in textual order; those of function bodies and included files, too."""
    nodes = walk(*roots, below=lambda node: _parts(node, _WITH_STATEMENTS))
    return (node for node in nodes if isinstance(node, Statement))


def expressions(*roots: Node) -> Iterator[Expression]:
    """All expressions of these trees in textual order, those inside other expressions, too."""
    return (node for node in walk(*roots) if isinstance(node, Expression))


def values(initialiser: Expression | InitialiserList | None) -> Iterator[Expression]:
    """The values of an initialiser, without the braces around them."""
    roots = () if initialiser is None else (initialiser,)
    nodes = walk(*roots, below=lambda node: node.items if isinstance(node, InitialiserList) else ())
    return (node for node in nodes if isinstance(node, Expression))


def strip(node: Expression) -> Expression:
    """The expression without its parentheses."""
    while isinstance(node, Paren):
        node = node.inner
    return node


class _Fields(dict[type[Any], tuple[str, ...]]):
    """By class of node: the fields whose types say that they may hold wanted nodes, alone or in a tuple."""

    def __init__(self, *wanted: type[Node]) -> None:
        self.wanted = wanted

    def __missing__(self, kind: type[Any]) -> tuple[str, ...]:
        hints = get_type_hints(kind)
        names = (row.name for row in fields(kind))
        self[kind] = found = tuple(
            name for name in names if any(issubclass(part, self.wanted) for part in _classes(hints[name]))
        )
        return found


_WITH_NODES = _Fields(Node)
_WITH_STATEMENTS = _Fields(Statement, Branch, Program)


def _parts(node: Node, wanted: _Fields) -> list[Node]:
    """What the fields hold that may hold wanted nodes."""
    found: list[Node] = []
    for name in wanted[type(node)]:
        part = getattr(node, name)
        if isinstance(part, tuple):
            found += part if None not in part else [each for each in part if each is not None]
        elif isinstance(part, Node):
            found.append(part)
    return found


def _classes(hint: object) -> Iterator[type]:
    """The classes that a type is made of: those of a union, and of the elements of a tuple."""
    parts = get_args(hint)
    for part in parts:
        yield from _classes(part)
    if not parts and isinstance(hint, type):
        yield hint
