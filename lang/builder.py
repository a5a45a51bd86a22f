"""Reductions of script.lark -> nodes of `lang.syntax`: one method per alias of the grammar.

A method gets the children of its production in order, punctuation included, so that every node knows its whole span.
"""

from __future__ import annotations

from typing import Any

from lang import syntax as s
from lang.lexer import Token
from lang.source import Span

Child = Any  # a Token, a node, or what another method returned


def _around(children: list[Child]) -> Span:
    """From the first to the last child that has a span."""
    placed = [child.span for child in children if getattr(child, "span", None) is not None]
    first: Span = placed[0]
    return first.to(placed[-1])


def _nodes(children: list[Child]) -> tuple[Any, ...]:
    return tuple(child for child in children if not isinstance(child, Token))


class _Sizes(list[s.Expression | None]):
    """The bracketed sizes of a declarator, with the span that they cover."""

    span: Span | None = None


class Builder:
    """The callbacks of the parse tables. `deepest` is the highest expression so far, `prototypes` what to report."""

    def __init__(self) -> None:
        self.deepest: s.Expression | None = None
        self.prototypes: list[Span] = []
        self.missing_names: list[Span] = []

    def _made(self, node: s.Expression) -> s.Expression:
        if self.deepest is None or node.height > self.deepest.height:
            self.deepest = node
        return node

    # --- program and statements

    def start(self, c: list[Child]) -> list[Child]:
        return c

    def empty(self, c: list[Child]) -> s.Statement:
        return s.Empty(c[0].span)

    def error(self, c: list[Child]) -> s.Statement:
        return s.Empty(c[0].span)

    def simple(self, c: list[Child]) -> s.Statement:
        return s.Simple(_around(c), c[0])

    def declaration_statement(self, c: list[Child]) -> s.Statement:
        declaration: s.Declaration = c[0]
        return s.Declaration(_around(c), declaration.type, declaration.declarators)

    def typedef(self, c: list[Child]) -> s.Statement:
        return s.Typedef(_around(c), c[1], c[2])

    def block(self, c: list[Child]) -> s.Statement:
        return s.Block(_around(c), _nodes(c))

    def first_branch(self, c: list[Child]) -> list[s.Branch]:
        return [s.Branch(_around(c), "if", c[1], c[2])]

    def more_branches(self, c: list[Child]) -> list[s.Branch]:
        word = "elsif" if len(c) == 4 else "else if"
        c[0].append(s.Branch(c[1].span.to(c[-1].span), word, c[-2], c[-1]))
        branches: list[s.Branch] = c[0]
        return branches

    def if_only(self, c: list[Child]) -> s.Statement:
        return s.If(c[0][0].span.to(c[0][-1].span), tuple(c[0]), None)

    def if_else(self, c: list[Child]) -> s.Statement:
        return s.If(c[0][0].span.to(c[2].span), tuple(c[0]), c[2])

    def while_loop(self, c: list[Child]) -> s.Statement:
        return s.While(_around(c), c[1], c[2])

    def do_loop(self, c: list[Child]) -> s.Statement:
        return s.DoWhile(_around(c), c[1], c[3])

    def for_loop(self, c: list[Child]) -> s.Statement:
        return s.For(_around(c), c[2], c[4], c[6], c[8])

    def break_statement(self, c: list[Child]) -> s.Statement:
        return s.Break(_around(c))

    def continue_statement(self, c: list[Child]) -> s.Statement:
        return s.Continue(_around(c))

    def return_statement(self, c: list[Child]) -> s.Statement:
        return s.Return(_around(c), c[1])

    def include(self, c: list[Child]) -> s.Statement:
        return s.Include(_around(c), c[0].text, len(c) > 1, c[0].value if isinstance(c[0].value, s.Program) else None)

    def condition(self, c: list[Child]) -> s.Expression | None:
        inner: s.Expression | None = c[1]
        return inner

    def optional(self, c: list[Child]) -> s.Expression | None:
        return c[0] if c else None

    def expression_list(self, c: list[Child]) -> tuple[s.Expression, ...]:
        return _nodes(c)

    # --- functions

    def function(self, c: list[Child]) -> s.Statement:
        parameters: tuple[s.Parameter, ...] = c[4]
        void = len(parameters) == 1 and _is_void(parameters[0])
        for parameter in () if void else parameters:
            if not parameter.declarator.name:
                self.missing_names.append(parameter.span)
        name = c[2]
        return s.FunctionDefinition(
            _around(c), c[0], len(c[1]), name.text, name.span, () if void else parameters, void, c[6]
        )

    def prototype(self, c: list[Child]) -> s.Statement:
        self.prototypes.append(_around(c))
        return s.Empty(_around(c))

    def parameters(self, c: list[Child]) -> tuple[s.Parameter, ...]:
        return _nodes(c)

    def typed_parameter(self, c: list[Child]) -> s.Parameter:
        return s.Parameter(_around(c), c[0], c[1])

    def unnamed_parameter(self, c: list[Child]) -> s.Parameter:
        span = c[0].span
        return s.Parameter(span, c[0], s.Declarator(span, "", False, span, len(c[1])))

    def bare_parameter(self, c: list[Child]) -> s.Parameter:
        name = c[0]
        return s.Parameter(name.span, None, s.Declarator(name.span, name.text, False, name.span, 0))

    # --- declarations and types

    def declaration(self, c: list[Child]) -> s.Declaration:
        declarators = c[1] if len(c) > 1 else ()
        if not declarators and not isinstance(c[0], s.StructType):
            self.missing_names.append(c[0].span)
        span = c[0].span.to(declarators[-1].span) if declarators else c[0].span
        return s.Declaration(span, c[0], declarators)

    def declarator_list(self, c: list[Child]) -> tuple[s.Declarator, ...]:
        return _nodes(c)

    def declarator(self, c: list[Child]) -> s.Declarator:
        stars, target, sizes = c[0], c[1], c[2]
        initialiser = c[4] if len(c) > 3 else None
        chain: tuple[s.Expression, ...] = ()
        if isinstance(initialiser, s.Assign) and initialiser.operator == "=":
            chain, initialiser = initialiser.targets, initialiser.value
        span = (stars[0] if stars else target).span.to((c[4] if len(c) > 3 else sizes if sizes else target).span)
        is_global = target.type == "DOTTED"
        return s.Declarator(span, target.text, is_global, target.span, len(stars), tuple(sizes), chain, initialiser)

    def stars(self, c: list[Child]) -> list[Child]:
        return c

    def target(self, c: list[Child]) -> Child:
        return c[0]

    def sizes(self, c: list[Child]) -> _Sizes:
        sizes = _Sizes(c[i + 1] for i in range(0, len(c), 3))
        if c:
            sizes.span = c[0].span.to(c[-1].span)
        return sizes

    def initialiser_list(self, c: list[Child]) -> s.InitialiserList:
        return s.InitialiserList(_around(c), _nodes(c))

    def type(self, c: list[Child]) -> s.TypeSyntax:
        if len(c) == 1 and isinstance(c[0], s.StructType):
            return c[0]
        if len(c) == 1 and c[0].type == "TYPE_NAME":
            return s.NamedType(c[0].span, c[0].text)
        words = tuple(part.text if isinstance(part, Token) else "struct" for part in c)
        return s.WordType(_around(c), words)

    def struct(self, c: list[Child]) -> s.StructType:
        tag = next((part for part in c[1:] if isinstance(part, Token)), None)
        members = next((part for part in c[1:] if not isinstance(part, Token)), None)
        end = tag.span if tag else c[0].span
        if members is not None:
            end = self._members_end
        return s.StructType(c[0].span.to(end), tag.text if tag else "", tag.span if tag else None, members)

    def members(self, c: list[Child]) -> tuple[s.MemberLine, ...]:
        self._members_end = c[-1].span
        return _nodes(c)

    def member_line(self, c: list[Child]) -> s.MemberLine:
        return s.MemberLine(_around([c[0], c[2]]), c[0], c[1])

    def type_name(self, c: list[Child]) -> s.TypeName:
        return s.TypeName(c[0].span.to(c[1][-1].span if c[1] else c[0].span), c[0], len(c[1]))

    # --- expressions

    def assign(self, c: list[Child]) -> s.Expression:
        target, operator, right = c
        chained = operator.text == "=" and isinstance(right, s.Assign) and right.operator == "="
        height = max(target.height + 1, right.height if chained else right.height + 1)
        return s.Assign(target.span.to(right.span), target, operator.text, right, height=height)

    def binary(self, c: list[Child]) -> s.Expression:
        left, operator, right = c
        height = max(left.height, right.height + 1)
        node = s.Binary(left.span.to(right.span), operator.text, operator.span, left, right, height=height)
        return self._made(node)

    def unary(self, c: list[Child]) -> s.Expression:
        node = s.Unary(_around(c), c[0].text, c[1], height=c[1].height + 1)
        return self._made(node)

    def prefix_step(self, c: list[Child]) -> s.Expression:
        return self._made(s.Step(_around(c), c[0].text, c[1], True, height=c[1].height + 1))

    def postfix_step(self, c: list[Child]) -> s.Expression:
        return self._made(s.Step(_around(c), c[1].text, c[0], False, height=c[0].height + 1))

    def cast(self, c: list[Child]) -> s.Expression:
        return self._made(s.Cast(_around(c), c[1], c[3], height=c[3].height + 1))

    def sizeof_type(self, c: list[Child]) -> s.Expression:
        return s.Sizeof(_around(c), c[2])

    def sizeof(self, c: list[Child]) -> s.Expression:
        return self._made(s.Sizeof(_around(c), c[1], height=c[1].height + 1))

    def index(self, c: list[Child]) -> s.Expression:
        height = max(c[0].height, c[2].height) + 1
        return self._made(s.Index(_around(c), c[0], c[2], height=height))

    def member(self, c: list[Child]) -> s.Expression:
        name = c[2]
        node = s.Member(_around(c), c[0], name.text, name.span, c[1].type == "ARROW", height=c[0].height + 1)
        return self._made(node)

    def dotted_member(self, c: list[Child]) -> s.Expression:
        dotted = c[1]
        name_span = Span(dotted.span.file, dotted.span.start + 1, dotted.span.end)
        node = s.Member(_around(c), c[0], dotted.text, name_span, False, height=c[0].height + 1)
        return self._made(node)

    def call(self, c: list[Child]) -> s.Expression:
        name, arguments = c[0], c[2]
        height = max((argument.height for argument in arguments), default=0) + 1
        node = s.Call(_around(c), name.text, name.span, arguments, name.type == "BUILTIN", height=height)
        return self._made(node)

    def paren(self, c: list[Child]) -> s.Expression:
        return self._made(s.Paren(_around(c), c[1], height=c[1].height + 1))

    def number(self, c: list[Child]) -> s.Expression:
        return s.Number(c[0].span, c[0].value, c[0].text)

    def float_number(self, c: list[Child]) -> s.Expression:
        return s.FloatNumber(c[0].span, c[0].value, c[0].text)

    def string(self, c: list[Child]) -> s.Expression:
        return s.String(c[0].span, c[0].value, c[0].text)

    def symbol(self, c: list[Child]) -> s.Expression:
        return s.SymbolName(c[0].span, c[0].text)

    def register(self, c: list[Child]) -> s.Expression:
        return s.RegisterName(c[0].span, c[0].value, c[0].text, not c[0].span.text.startswith("@"))

    def pseudo(self, c: list[Child]) -> s.Expression:
        return s.PseudoName(c[0].span, c[0].value, c[0].text)

    def name(self, c: list[Child]) -> s.Expression:
        return s.Name(c[0].span, c[0].text)

    def global_name(self, c: list[Child]) -> s.Expression:
        return s.GlobalName(c[0].span, c[0].text)


def _is_void(parameter: s.Parameter) -> bool:
    kind = parameter.type
    return (
        not parameter.declarator.name
        and parameter.declarator.stars == 0
        and isinstance(kind, s.WordType)
        and kind.words == ("void",)
    )
