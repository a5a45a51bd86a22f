"""The syntax tree: one frozen dataclass per construct, each with its span. Nodes are compared by identity.

`height` of an expression bounds the recursion of every pass over it; a left-leaning chain of binary operators counts
once, because the passes walk it in a loop. `children` and `walk` know every node by its fields: a pass that looks at a
whole tree is a loop over `walk`, and has only rules.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, get_args, get_type_hints

import msgspec

from lang.lexer import StringValue
from lang.source import Span


class Node(msgspec.Struct, frozen=True, eq=False):
    """Anything in the tree."""

    span: Span


# --- types


class WordType(Node, frozen=True, eq=False):
    """Type words in the order written."""

    words: tuple[str, ...]


class NamedType(Node, frozen=True, eq=False):
    """A typedef name."""

    name: str


class Declarator(Node, frozen=True, eq=False):
    """Stars, a name (local or `.global`), array sizes (None for `[]`), more targets, an optional initialiser."""

    name: str
    is_global: bool
    name_span: Span
    stars: int
    sizes: tuple[Expression | None, ...] = ()
    chain: tuple[Expression, ...] = ()
    initialiser: Expression | InitialiserList | None = None


class MemberLine(Node, frozen=True, eq=False):
    """A line of a struct: a type and its declarators."""

    type: TypeSyntax
    declarators: tuple[Declarator, ...]


class StructType(Node, frozen=True, eq=False):
    """`struct Tag`, `struct Tag { ... }` or `struct { ... }`."""

    tag: str
    tag_span: Span | None
    members: tuple[MemberLine, ...] | None


TypeSyntax = WordType | NamedType | StructType


class TypeName(Node, frozen=True, eq=False):
    """A type with stars, in a cast or sizeof."""

    type: TypeSyntax
    stars: int


# --- expressions


class Expression(Node, frozen=True, eq=False, kw_only=True):
    """Any expression."""

    height: int = 1
    type_found: object = None  # of `lang.node_types` alone


class Number(Expression, frozen=True, eq=False):
    """An integer literal: its 64 bits and its text."""

    value: int
    text: str


class FloatNumber(Expression, frozen=True, eq=False):
    """A floating-point literal."""

    value: float
    text: str


class String(Expression, frozen=True, eq=False):
    """A string literal."""

    value: StringValue
    text: str


class SymbolName(Expression, frozen=True, eq=False):
    """`module!name`."""

    name: str


class RegisterName(Expression, frozen=True, eq=False):
    """A register; `bare` without its `@`."""

    index: int
    name: str
    bare: bool


class PseudoName(Expression, frozen=True, eq=False):
    """`$name`."""

    index: int
    name: str


class Name(Expression, frozen=True, eq=False):
    """A local variable, parameter or function."""

    name: str


class GlobalName(Expression, frozen=True, eq=False):
    """`.name`."""

    name: str


class Paren(Expression, frozen=True, eq=False):
    """A parenthesised expression."""

    inner: Expression


class Unary(Expression, frozen=True, eq=False):
    """`- + ~ ! * &` in front of an operand."""

    operator: str
    operand: Expression


class Cast(Expression, frozen=True, eq=False):
    """`(type)operand`."""

    type: TypeName
    operand: Expression


class Sizeof(Expression, frozen=True, eq=False):
    """`sizeof(type)`, or `sizeof operand`."""

    operand: Expression | TypeName


class Binary(Expression, frozen=True, eq=False):
    """Any binary operator."""

    operator: str
    operator_span: Span
    left: Expression
    right: Expression


class Call(Expression, frozen=True, eq=False):
    """A call of a user function or a built-in; `builtin` tells which of the two the word is."""

    name: str
    name_span: Span
    arguments: tuple[Expression, ...]
    builtin: bool


class Index(Expression, frozen=True, eq=False):
    """`base[index]`."""

    base: Expression
    index: Expression


class Member(Expression, frozen=True, eq=False):
    """`base.name` or `base->name`."""

    base: Expression
    name: str
    name_span: Span
    arrow: bool


class Assign(Expression, frozen=True, eq=False):
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


class Step(Expression, frozen=True, eq=False):
    """`++` or `--`, in front of a place or behind it; a value only by mistake (E038)."""

    operator: str
    target: Expression
    prefix: bool


class InitialiserList(Node, frozen=True, eq=False):
    """`{ ... }`."""

    items: tuple[Expression | InitialiserList, ...]


# --- statements


class Statement(Node, frozen=True, eq=False):
    """Any statement."""


class Empty(Statement, frozen=True, eq=False):
    """`;`."""


class Simple(Statement, frozen=True, eq=False):
    """An expression as a statement: Assign, Step or Call; anything else is E042."""

    expression: Expression


class Declaration(Statement, frozen=True, eq=False):
    """`type declarator, ...;`, or a bare `struct ...;` without declarators."""

    type: TypeSyntax
    declarators: tuple[Declarator, ...]


class Typedef(Statement, frozen=True, eq=False):
    """`typedef type declarator, ...;`."""

    type: TypeSyntax
    declarators: tuple[Declarator, ...]


class Block(Statement, frozen=True, eq=False):
    """`{ ... }`; at the top level it may hold functions and includes."""

    statements: tuple[Statement, ...]


class Branch(Node, frozen=True, eq=False):
    """A condition (None when it is missing) and its body; `word` is if, elsif or else if."""

    word: str
    condition: Expression | None
    body: Block


class If(Statement, frozen=True, eq=False):
    """if, elsif ..., else."""

    branches: tuple[Branch, ...]
    otherwise: Block | None


class While(Statement, frozen=True, eq=False):
    """`while (condition) { }`."""

    condition: Expression | None
    body: Block


class DoWhile(Statement, frozen=True, eq=False):
    """`do { } while (condition);`."""

    body: Block
    condition: Expression | None


class For(Statement, frozen=True, eq=False):
    """`for (init; condition; step) { }`."""

    init: tuple[Expression, ...] | Declaration
    condition: Expression | None
    step: tuple[Expression, ...]
    body: Block


class Break(Statement, frozen=True, eq=False):
    """`break;`."""


class Continue(Statement, frozen=True, eq=False):
    """`continue;`."""


class Return(Statement, frozen=True, eq=False):
    """`return;` or `return value;`."""

    value: Expression | None


class Parameter(Node, frozen=True, eq=False):
    """A parameter; without a type it is U64 (P098)."""

    type: TypeSyntax | None
    declarator: Declarator


class FunctionDefinition(Statement, frozen=True, eq=False):
    """A function; `header` is the span of everything before the body. `explicit_void`: `(void)`."""

    type: TypeSyntax
    stars: int
    name: str
    name_span: Span
    parameters: tuple[Parameter, ...]
    explicit_void: bool
    body: Block


class Include(Statement, frozen=True, eq=False):
    """`#include "path"`; `program` is what the file holds, None when it was included before or not at all."""

    path: str
    semicolon: bool
    program: Program | None


class Program(Node, frozen=True, eq=False):
    """A whole script; `question` tells whether it starts with `?`."""

    question: bool
    items: tuple[Statement, ...]


# --- walks


def children(node: Node) -> list[Node]:
    """The nodes directly below this one, in source order; of a chain of assignments all its places and its value."""
    if not _WITH_NODES[type(node)]:
        return []
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
        self[kind] = found = tuple(
            name
            for name in kind.__struct_fields__
            if any(issubclass(part, self.wanted) for part in _classes(hints[name]))
        )
        return found


_WITH_NODES = _Fields(Node)
_WITH_STATEMENTS = _Fields(Statement, Branch, Program)


def _parts(node: Node, wanted: _Fields) -> list[Node]:
    """What the fields hold that may hold wanted nodes."""
    found: list[Node] = []
    for name in wanted[type(node)]:
        part = getattr(node, name)
        if type(part) is tuple:
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
