"""What parses but stands where it must not: the errors E022 and E031-E042 that are no matter of names and types.

Runs on a whole tree before anything is typed, so that these errors come with the syntax errors (language.md 17.1).
"""

from __future__ import annotations

import msgspec
from msgspec.structs import replace

from lang import mistakes, syntax as s
from lang.code import Code
from lang.diagnostics import Diagnostics
from lang.lexer import Token
from lang.source import Span


class _Where(msgspec.Struct, frozen=True):
    """What surrounds a statement."""

    top: bool = True  # functions and includes may stand here
    loop: bool = False
    function: bool = False


def check_placement(program: s.Program, diagnostics: Diagnostics) -> None:
    """Report every construct of the program that stands at a wrong place.

    Before: a tree of the parser, perhaps with errors of syntax. After: without errors, each construct stands where
    `lang.checker` expects it: places where something is written, conditions that are not empty, jumps inside loops.
    """
    _Placement(diagnostics).below(program, _Where())


class _Placement:
    """The rules. The walk is recursive down to the expressions of a statement, so that it knows what surrounds it."""

    def __init__(self, diagnostics: Diagnostics) -> None:
        self.report = diagnostics.add

    def below(self, node: s.Node, where: _Where) -> None:
        """What stands below a node that is no expression."""
        for part in s.children(node):
            if isinstance(part, s.Expression):
                self.value(part)
            elif not isinstance(part, s.TypeName | s.WordType | s.NamedType):
                self.node(part, where)

    def node(self, node: s.Node, where: _Where) -> None:
        """A node that is no expression, and everything below it."""
        inner = where
        match node:
            case s.Simple():
                self.simple(node.expression, node.span)
                return
            case s.Include() if not where.top:
                self.report(Code.MISPLACED_INCLUDE, "`#include` stands at the top level only", node.span)
                return
            case s.FunctionDefinition():
                self.function(node, where)
                inner = _Where(top=False, function=True)
            case s.If():
                inner = replace(where, top=False)
            case s.Branch():
                self.condition(node.condition, node.span, node.word)
            case s.While() | s.DoWhile():
                self.condition(node.condition, node.span, "while")
                inner = replace(where, top=False, loop=True)
            case s.For():
                self.for_loop(node, replace(where, top=False, loop=True))
                return
            case s.Declarator():
                for target in node.chain:
                    self.target(target)
            case s.Break() if not where.loop:
                self.report(
                    Code.V023_OUTSIDE_LOOP,
                    "the compiler of HyperDbg v0.23 crashes on `break` outside a loop",
                    node.span,
                )
                self.report(Code.MISPLACED_BREAK, "`break` outside a loop", node.span)
            case s.Continue() if not where.loop:
                self.report(
                    Code.V023_OUTSIDE_LOOP,
                    "the compiler of HyperDbg v0.23 crashes on `continue` outside a loop",
                    node.span,
                )
                self.report(Code.MISPLACED_CONTINUE, "`continue` outside a loop", node.span)
        self.below(node, inner)

    def function(self, item: s.FunctionDefinition, where: _Where) -> None:
        if not where.top:
            place = "inside another function" if where.function else "inside a loop or `if`"
            self.report(
                Code.MISPLACED_FUNCTION,
                f"a function cannot be defined {place}",
                item.name_span,
                "define it at the top level",
            )

    def for_loop(self, item: s.For, inner: _Where) -> None:
        if isinstance(item.init, s.Declaration):
            self.node(item.init, inner)
        for part in (*(item.init if isinstance(item.init, tuple) else ()), *item.step):
            self.simple(part, part.span)
        if item.condition is not None:
            self.value(item.condition)
        self.node(item.body, inner)

    def condition(self, condition: s.Expression | None, span: Span, word: str) -> None:
        if condition is None:
            self.report(Code.EMPTY_CONDITION, f"the condition of `{word}` is empty", span)

    def simple(self, expression: s.Expression, span: Span) -> None:
        """An expression as a statement."""
        match expression:
            case s.Assign():
                for target in expression.targets:
                    self.target(target)
                    self.value(target)
                self.value(expression.value, chained=expression.operator != "=")
            case s.Step():
                self.target(expression.target)
                self.value(expression.target)
            case s.Call():
                self.value(expression)
            case _:
                self.value(expression)
                hint = "to print it: print(...)" if not isinstance(expression, s.Name) else None
                self.report(Code.NO_STATEMENT, "this expression is not a statement: its value is not used", span, hint)

    def target(self, target: s.Expression) -> None:
        """A place is needed: E031 for words that are numbers, E039 for anything else."""
        inner = s.strip(target)
        if isinstance(inner, s.Number) and not inner.text[0].isdigit():
            found = mistakes.number_as_name(Token("NUMBER", inner.text, inner.span), "v")
            self.report(Code.NUMBER_AS_NAME, found.message, inner.span, found.hint)
        elif isinstance(inner, s.PseudoName):
            self.report(Code.NO_PLACE, f"`${inner.name}` can only be read", target.span)
        elif not is_place(inner):
            self.report(
                Code.NO_PLACE, "this cannot be assigned to: it is no variable, element, member or register", target.span
            )

    def value(self, expression: s.Expression, chained: bool = False) -> None:
        """An expression whose value is needed: E038 for what has none."""
        for node in s.expressions(expression):
            if isinstance(node, s.Assign):
                what = "compound assignments cannot be chained" if chained else "an assignment has no value"
                hint = "`==` compares" if node.operator == "=" and not chained else "write two statements"
                self.report(Code.ASSIGNMENT_AS_VALUE, what, node.span, hint)
            elif isinstance(node, s.Step):
                self.report(
                    Code.ASSIGNMENT_AS_VALUE,
                    f"`{node.operator}` has no value",
                    node.span,
                    "write a statement of its own",
                )


def is_place(node: s.Expression) -> bool:
    """Whether an expression has the form of something that can be written."""
    node = s.strip(node)
    if isinstance(node, s.Unary):
        return node.operator == "*"
    return isinstance(node, s.Name | s.GlobalName | s.RegisterName | s.Index | s.Member)
