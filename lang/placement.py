"""What parses but stands where it must not: the errors E022 and E031-E042 that are no matter of names and types.

Runs on a whole tree before anything is typed, so that these errors come with the syntax errors (language.md 17.1).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from lang import syntax as s
from lang.diagnostics import Diagnostics
from lang.lexer import Token
from lang.mistakes import number_as_name
from lang.names import walk
from lang.source import Span


@dataclass(frozen=True)
class _Where:
    """What surrounds a statement."""

    top: bool = True  # functions and includes may stand here
    loop: bool = False
    function: bool = False


def check_placement(program: s.Program, diagnostics: Diagnostics) -> None:
    """Report every construct of the program that stands at a wrong place."""
    _Placement(diagnostics).statements(program.items, _Where())


class _Placement:
    def __init__(self, diagnostics: Diagnostics) -> None:
        self.diagnostics = diagnostics

    def report(self, code: str, message: str, span: Span, hint: str | None = None) -> None:
        self.diagnostics.add(code, message, span, hint)

    def statements(self, items: tuple[s.Statement, ...], where: _Where) -> None:
        for item in items:
            self.statement(item, where)

    def statement(self, item: s.Statement, where: _Where) -> None:
        inner = replace(where, top=False)
        match item:
            case s.Include():
                self.include(item, where)
            case s.FunctionDefinition():
                self.function(item, where)
            case s.Block():
                self.statements(item.statements, where)
            case s.Simple():
                self.simple(item.expression, item.span)
            case s.Declaration() | s.Typedef():
                self.declaration(item)
            case s.If():
                for branch in item.branches:
                    self.condition(branch.condition, branch.span, branch.word)
                    self.statements(branch.body.statements, inner)
                if item.otherwise is not None:
                    self.statements(item.otherwise.statements, inner)
            case s.While() | s.DoWhile():
                self.condition(item.condition, item.span, "while")
                self.statements(item.body.statements, replace(inner, loop=True))
            case s.For():
                self.loop_header(item)
                self.statements(item.body.statements, replace(inner, loop=True))
            case s.Break() if not where.loop:
                self.report("P027", "the compiler of HyperDbg v0.23 crashes on `break` outside a loop", item.span)
                self.report("E034", "`break` outside a loop", item.span)
            case s.Continue() if not where.loop:
                self.report("P027", "the compiler of HyperDbg v0.23 crashes on `continue` outside a loop", item.span)
                self.report("E035", "`continue` outside a loop", item.span)
            case s.Return() if item.value is not None:
                self.value(item.value)

    def include(self, item: s.Include, where: _Where) -> None:
        if not where.top:
            self.report("E022", "`#include` stands at the top level only", item.span)
        elif item.program is not None:
            self.statements(item.program.items, where)

    def function(self, item: s.FunctionDefinition, where: _Where) -> None:
        if not where.top:
            place = "inside another function" if where.function else "inside a loop or `if`"
            self.report("E036", f"a function cannot be defined {place}", item.name_span, "define it at the top level")
        self.declared_type(item.type)
        for parameter in item.parameters:
            if parameter.type is not None:
                self.declared_type(parameter.type)
        self.statements(item.body.statements, _Where(top=False, function=True))

    def loop_header(self, item: s.For) -> None:
        if isinstance(item.init, s.Declaration):
            self.declaration(item.init)
        else:
            for part in item.init:
                self.simple(part, part.span)
        if item.condition is not None:
            self.value(item.condition)
        for part in item.step:
            self.simple(part, part.span)

    def condition(self, condition: s.Expression | None, span: Span, word: str) -> None:
        if condition is None:
            self.report("E040", f"the condition of `{word}` is empty", span)
        else:
            self.value(condition)

    def simple(self, expression: s.Expression, span: Span) -> None:
        """An expression as a statement."""
        match expression:
            case s.Assign():
                for target in expression.targets:
                    self.target(target)
                self.value(expression.value, chained=expression.operator != "=")
            case s.Step():
                self.target(expression.target)
            case s.Call():
                self.value(expression)
            case _:
                self.value(expression)
                hint = "to print it: print(...)" if not isinstance(expression, s.Name) else None
                self.report("E042", "this expression is not a statement: its value is not used", span, hint)

    def target(self, target: s.Expression) -> None:
        """A place is needed: E031 for words that are numbers, E039 for anything else."""
        inner = target
        while isinstance(inner, s.Paren):
            inner = inner.inner
        if isinstance(inner, s.Number) and not inner.text[0].isdigit():
            found = number_as_name(Token("NUMBER", inner.text, inner.span), "v")
            self.report("E031", found.message, inner.span, found.hint)
        elif isinstance(inner, s.PseudoName):
            self.report("E039", f"`${inner.name}` can only be read", target.span)
        elif not is_place(inner):
            self.report(
                "E039", "this cannot be assigned to: it is no variable, element, member or register", target.span
            )
        self.value(target)

    def declaration(self, item: s.Declaration | s.Typedef) -> None:
        self.declared_type(item.type)
        for declarator in item.declarators:
            for size in declarator.sizes:
                if size is not None:
                    self.value(size)
            for target in declarator.chain:
                self.target(target)
            if declarator.initialiser is not None:
                self.initialiser(declarator.initialiser)

    def declared_type(self, kind: s.TypeSyntax) -> None:
        if isinstance(kind, s.StructType) and kind.members is not None:
            for line in kind.members:
                self.declared_type(line.type)

    def initialiser(self, item: s.Expression | s.InitialiserList) -> None:
        if isinstance(item, s.InitialiserList):
            for part in item.items:
                self.initialiser(part)
        else:
            self.value(item)

    def value(self, expression: s.Expression, chained: bool = False) -> None:
        """An expression whose value is needed: E038 for what has none."""
        stack = [expression]
        while stack:
            node = stack.pop()
            if isinstance(node, s.Assign):
                what = "compound assignments cannot be chained" if chained else "an assignment has no value"
                hint = "`==` compares" if node.operator == "=" and not chained else "write two statements"
                self.report("E038", what, node.span, hint)
            elif isinstance(node, s.Step):
                self.report("E038", f"`{node.operator}` has no value", node.span, "write a statement of its own")
            stack += children(node)


def is_place(node: s.Expression) -> bool:
    """Whether an expression has the form of something that can be written."""
    if isinstance(node, s.Paren):
        return is_place(node.inner)
    if isinstance(node, s.Unary):
        return node.operator == "*"
    return isinstance(node, s.Name | s.GlobalName | s.RegisterName | s.Index | s.Member)


def children(node: s.Expression) -> list[s.Expression]:
    """The operands of an expression, in source order."""
    match node:
        case s.Paren():
            return [node.inner]
        case s.Unary() | s.Cast():
            return [node.operand]
        case s.Sizeof():
            return [node.operand] if isinstance(node.operand, s.Expression) else []
        case s.Binary():
            return [node.left, node.right]
        case s.Call():
            return list(node.arguments)
        case s.Index():
            return [node.base, node.index]
        case s.Member():
            return [node.base]
        case s.Assign():
            return [*node.targets, node.value]
        case s.Step():
            return [node.target]
        case _:
            return []


def expressions(items: tuple[s.Statement, ...]) -> list[s.Expression]:
    """Every expression below these statements, those inside other expressions too."""
    found: list[s.Expression] = []
    for item in walk(items):
        match item:
            case s.Simple():
                found.append(item.expression)
            case s.Return() if item.value is not None:
                found.append(item.value)
            case s.While() | s.DoWhile() if item.condition is not None:
                found.append(item.condition)
            case s.For():
                found += [*item.step, *([item.condition] if item.condition is not None else [])]
                found += item.init if isinstance(item.init, tuple) else _declared(item.init)
            case s.If():
                found += [branch.condition for branch in item.branches if branch.condition is not None]
            case s.Declaration():
                found += _declared(item)
    at = 0
    while at < len(found):
        found += children(found[at])
        at += 1
    return found


def _declared(item: s.Declaration) -> list[s.Expression]:
    return [part for declarator in item.declarators for part in initialisers(declarator.initialiser)]


def initialisers(value: s.Expression | s.InitialiserList | None) -> list[s.Expression]:
    """The expressions of an initialiser, without the braces around them."""
    if value is None:
        return []
    if isinstance(value, s.InitialiserList):
        return [part for item in value.items for part in initialisers(item)]
    return [value]
