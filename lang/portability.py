"""The portability remarks P0xx that the syntax tree and the types show (language.md section 18).

`report` walks a checked script and names every construct that HyperDbg v0.23 rejects, crashes on or computes otherwise.
What only tokens show is reported by `lang.lexer`, what goes with an error by the pass that reports the error. Rules
about expressions stand in `lang.portability_rules`, those about locals of functions in `lang.portability_locals`; here
are statements, declarations, functions, and the walk.
"""

from __future__ import annotations

import re

from lang import syntax as s
from lang.checker import Checked
from lang.code import Code
from lang.decimal_looking import looks_decimal
from lang.diagnostics import Diagnostics
from lang.portability_context import Context, Where, fits, is_float_literal, is_plain_int, letter_literal
from lang.portability_locals import Assigned, LocalStarts
from lang.portability_rules import ExpressionRules
from lang.source import Span
from lang.types import F32, I16, U16, Array, Float, Integer, Pointer, Struct, Type
from vm import late_pattern

_COMMENT_OR_STRING = late_pattern(r'//[^\r\n]*|/\*.*?\*/|"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
_ARRAY_SIZE = late_pattern(r"[1-9]|0n[0-9`]+")
MAX_STRUCT_INITIALISERS = 64


def report(program: s.Program, checked: Checked, diagnostics: Diagnostics) -> None:
    """Add the remarks on a program.

    Before: the tree has no errors of syntax and placement, and was checked; it may have errors of names and types.
    After: nothing has changed but the diagnostics, to which this adds no errors.
    """
    _Statements(Context(checked, diagnostics)).program(program)


class _Statements:
    """The walk, with the rules on statements, declarations and functions; it holds those on expressions and locals."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.remark = context.remark
        self.type = context.type
        self.expressions = ExpressionRules(context)
        self.locals = LocalStarts(context)

    # --- programs and statements

    def program(self, program: s.Program) -> None:
        for number, item in enumerate(program.items):
            if isinstance(item, s.Block):
                if not item.statements:
                    self.remark(Code.V023_BLOCK, "rejects an empty block at the top level", item.span)
                if number < len(program.items) - 1:
                    self.remark(
                        Code.V023_BLOCK, "rejects text behind a block at the top level", program.items[number + 1].span
                    )
            if isinstance(item, s.Return) and item.value is None:
                self.remark(Code.V023_TOP_RETURN, "rejects `return;` directly at the top level", item.span)
        self.statements(program.items, Where())

    def statements(self, items: tuple[s.Statement, ...], where: Where) -> None:
        for item in items:
            self.statement(item, where)

    def statement(self, item: s.Statement, where: Where) -> None:
        match item:
            case s.Empty():
                self.remark(Code.V023_EMPTY, "rejects an empty statement", item.span, "leave the `;` out")
            case s.Block():
                self.block(item, where)
            case s.Simple():
                self.expressions.simple(item.expression, where)
            case s.Declaration():
                self.declaration(item, where)
            case s.Typedef():
                self.typedef(item)
            case s.If():
                self.choice(item, where)
            case s.While() | s.DoWhile():
                self.condition(item.condition, item, where)
                self.block(item.body, where.inside(loop="while"))
            case s.For():
                self.for_loop(item, where)
            case s.Continue():
                self.next_round(item, where)
            case s.Return() if item.value is not None:
                self.returned(item.value, where)
            case s.FunctionDefinition():
                self.function(item)
            case s.Include():
                self.include(item, where)

    def block(self, item: s.Block, where: Where) -> None:
        if item.statements and isinstance(item.statements[0], s.Block):
            self.remark(Code.V023_BLOCK, "rejects a block as the first statement of a block", item.statements[0].span)
        self.statements(item.statements, where)

    def condition(self, node: s.Expression | None, owner: s.While | s.DoWhile | s.Branch | s.For, where: Where) -> None:
        """The condition of a statement: what is special inside its parentheses."""
        if node is None:
            return
        # Up to the closing parenthesis: a comment behind the expression counts, too.
        text_end = owner.body.span.start if not isinstance(owner, s.DoWhile) else node.span.end
        text = node.span.file.text[node.span.start : text_end]
        for match in _COMMENT_OR_STRING.finditer(text):
            if "(" in match[0] or ")" in match[0]:
                start = node.span.start + match.start()
                span = Span(node.span.file, start, start + len(match[0]))
                self.remark(Code.V023_PARENTHESES, "counts parentheses in strings and comments of a condition", span)
        if isinstance(self.type(node), Float):
            self.remark(Code.V023_MINUS_ZERO, "takes -0.0 for true here", node.span)
        self.expressions.check_nesting(node)
        self.expressions.expression(node, where.in_condition())

    def choice(self, item: s.If, where: Where) -> None:
        for branch in item.branches:
            if branch.word == "else if":
                self.remark(Code.V023_ELSE_IF, "rejects `else if`", branch.span, "write `elsif`")
            self.condition(branch.condition, branch, where)
            self.block(branch.body, where.inside())
        if item.otherwise is not None:
            self.block(item.otherwise, where.inside())

    def for_loop(self, item: s.For, where: Where) -> None:
        init = item.init.declarators if isinstance(item.init, s.Declaration) else item.init
        if item.condition is None:
            self.remark(Code.V023_FOR, "rejects an empty condition of `for`", item.span)
        if not item.step:
            self.remark(Code.V023_FOR, "rejects an empty step of `for`", item.span)
        for part in (init, item.step):
            if len(part) > 1:
                self.remark(Code.V023_FOR, "rejects lists in `for`", part[1].span)
        if isinstance(item.init, s.Declaration):
            self.declaration(item.init, where)
        else:
            for expression in item.init:
                self.loop_part(expression, where)
        self.condition(item.condition, item, where)
        for expression in item.step:
            self.loop_part(expression, where.inside(step=True))
        self.block(item.body, where.inside(loop="for", direct=True))

    def loop_part(self, node: s.Expression, where: Where) -> None:
        target = node.targets[0] if isinstance(node, s.Assign) else node.target if isinstance(node, s.Step) else node
        if not isinstance(target, s.Name | s.GlobalName | s.RegisterName):
            self.remark(Code.V023_FOR, "wants a variable in the init and step of `for`", node.span)
        self.expressions.simple(node, where)

    def next_round(self, item: s.Continue, where: Where) -> None:
        if where.loop == "while":
            self.remark(Code.V023_CONTINUE, "knows `continue` for `for` loops only", item.span)
        elif where.direct:
            self.remark(Code.V023_CONTINUE, "crashes on `continue` directly in the body of `for`", item.span)

    def include(self, item: s.Include, where: Where) -> None:
        if not item.semicolon:
            self.remark(Code.V023_INCLUDE, "wants a `;` behind `#include`", item.span)
        if "\\" in item.path:
            self.remark(Code.V023_INCLUDE, "reads a backslash in a path as an escape", item.span, "use `/`")
        if not re.match(r"[/\\]|[A-Za-z]:", item.path):
            self.remark(Code.V023_INCLUDE, "looks relative paths up in its own program directory", item.span)
        if item.program is not None:
            if not item.program.question:
                self.remark(Code.V023_INCLUDE, "wants the form `? { }` in an included file", item.span)
            self.statements(item.program.items, where)

    # --- functions

    def function(self, item: s.FunctionDefinition) -> None:
        if item.name == "main":
            self.remark(Code.V023_MAIN, "reserves the name `main`", item.name_span)
        if item.explicit_void:
            self.remark(Code.V023_PARAMETER_TYPE, "rejects `(void)`", item.name_span, "write `()`")
        entity = self.context.functions[item.name]
        if isinstance(entity.result, Pointer):
            self.remark(Code.V023_POINTER, "rejects functions that return pointers", item.name_span)
        for parameter, syntax in zip(entity.parameters, item.parameters, strict=False):
            if isinstance(parameter.type, Pointer):
                self.remark(Code.V023_POINTER, "rejects pointer parameters", syntax.span)
                if isinstance(parameter.type.target, Struct):
                    self.remark(Code.V023_STRUCT, "rejects pointers to structs as parameters", syntax.span)
            if isinstance(parameter.type, Float):
                self.remark(Code.V023_FLOAT_ARGUMENT, "passes the bits of floating-point arguments", syntax.span)
        if entity.result == F32:
            self.remark(Code.V023_FLOAT_ARGUMENT, "gives the bits of a float result", item.name_span)
        self.context.defined.add(item.name)
        context = self.context
        outer = context.parameters, context.inside
        context.parameters, context.inside = {p.name: p.type for p in entity.parameters}, entity
        self.locals.check(item.body.statements, Assigned(context.parameters))
        self.block(item.body, Where(function=True, top=False))
        context.parameters, context.inside = outer

    # --- declarations

    def typedef(self, item: s.Typedef) -> None:
        if isinstance(item.type, s.StructType) and item.type.members is not None:
            self.remark(Code.V023_STRUCT, "rejects a typedef with the body of a struct", item.span)
            self.struct(item.type)
        for declarator in item.declarators:
            if declarator.stars > 1:
                self.remark(Code.V023_POINTER, "rejects pointers to pointers", declarator.span)

    def struct(self, item: s.StructType) -> None:
        for line in item.members or ():
            for declarator in line.declarators:
                self.array_sizes(declarator)

    def array_sizes(self, declarator: s.Declarator) -> None:
        for size in declarator.sizes:
            if size is None or (isinstance(size, s.Number) and _ARRAY_SIZE.fullmatch(size.text)):
                continue
            what, hint = "reads array sizes as decimal digits", "write `0n...`"
            if isinstance(size, s.Number):
                what += f"; `{size.text}` is {size.value} in decimal here"
                hint = f"write 0n{size.value}"
                if looks_decimal(size):
                    hint += f", or 0n{size.text} if a decimal number is meant"
            self.remark(Code.V023_ARRAY_SIZE, what, size.span, hint)

    def declaration(self, item: s.Declaration, where: Where) -> None:
        if isinstance(item.type, s.StructType):
            self.struct(item.type)
        if len(item.declarators) > 1:
            self.remark(
                Code.V023_DECLARATION,
                "rejects several declarators",
                item.declarators[1].span,
                "write one declaration each",
            )
        for declarator in item.declarators:
            self.declarator(item, declarator, where)

    def declarator(self, item: s.Declaration, declarator: s.Declarator, where: Where) -> None:
        kind = self.context.checked.declared.get(declarator)
        if kind is None:
            return
        if declarator.name == "main":
            self.remark(Code.V023_MAIN, "reserves the name `main`", declarator.name_span)
        if declarator.stars > 1:
            self.remark(Code.V023_POINTER, "rejects pointers to pointers", declarator.span)
        self.array_sizes(declarator)
        if isinstance(kind, Array):
            self.array(declarator, kind, where)
        elif isinstance(kind, Struct):
            self.struct_object(item, declarator, where)
        else:
            self.scalar(declarator, kind)
        for part in s.values(declarator.initialiser):
            self.expressions.expression(part, where)
        if declarator.chain:
            places = [kind, *(self.type(target) for target in declarator.chain)]
            self.expressions.chain(places, declarator.initialiser, declarator.span)

    def scalar(self, declarator: s.Declarator, kind: Type) -> None:
        value = declarator.initialiser
        struct_pointer = isinstance(kind, Pointer) and isinstance(kind.target, Struct)
        if value is None:
            if not struct_pointer:
                self.remark(Code.V023_DECLARATION, "rejects a declaration without a value", declarator.span)
            return
        if declarator.is_global and isinstance(kind, Float):
            self.remark(Code.V023_FLOAT_GLOBAL, "rejects floating-point globals", declarator.span)
        if isinstance(value, s.InitialiserList):
            return
        if struct_pointer and isinstance(s.strip(value), s.Unary):
            self.remark(
                Code.V023_STRUCT, "rejects a pointer to a struct that is initialised with an address", value.span
            )
        if kind == F32 and isinstance(value, s.FloatNumber) and 0 < value.value < 1.1754943508222875e-38:
            self.remark(Code.V023_SMALL_FLOAT, "rejects a literal too small for float", value.span)
        self.expressions.stored(kind, value)

    def array(self, declarator: s.Declarator, kind: Array, where: Where) -> None:
        value, base = declarator.initialiser, kind.base
        if not isinstance(value, s.InitialiserList) or not value.items or None in declarator.sizes:
            if not isinstance(base, Struct):
                self.remark(Code.V023_ARRAY, "wants array sizes and a list of initialisers", declarator.span)
        elif where.function or not where.top or declarator.is_global:
            self.remark(Code.V023_ARRAY, "knows arrays at the top level of the main program only", declarator.span)
        if base in (I16, U16):
            self.remark(Code.V023_ARRAY_BASE, "stores arrays of short wrongly", declarator.span)
        for part in s.values(value):
            floating = isinstance(self.type(part), Float)
            literal = base == F32 and is_float_literal(part)
            if literal or (isinstance(base, Float) and not floating) or (isinstance(base, Integer) and floating):
                self.remark(Code.V023_ARRAY_BASE, f"stores this wrongly in an array of {base}", part.span)

    def struct_object(self, item: s.Declaration, declarator: s.Declarator, where: Where) -> None:
        value = declarator.initialiser
        if where.function:
            self.remark(Code.V023_LOCAL_STRUCT, "lets structs in functions overlap with temporaries", declarator.span)
        if declarator.is_global:
            self.remark(Code.V023_STRUCT, "rejects global structs", declarator.span)
        if isinstance(item.type, s.NamedType):
            self.remark(Code.V023_STRUCT, "rejects typedef names of structs", item.type.span)
        if isinstance(value, s.Expression):
            self.remark(Code.V023_STRUCT, "rejects a struct initialised from a struct", value.span)
        elif value is not None:
            if any(isinstance(part, s.InitialiserList) for part in value.items):
                self.remark(Code.V023_STRUCT, "rejects nested initialisers of structs", value.span)
            if len(value.items) > MAX_STRUCT_INITIALISERS:
                self.remark(Code.V023_LIMITS, "takes at most 64 initialisers of a struct", value.span)

    def returned(self, value: s.Expression, where: Where) -> None:
        if self.context.result is not None and not isinstance(self.context.result, Float):
            origin = self.type(value)
            narrow = isinstance(self.context.result, Integer) and self.context.result.size < 8
            constant = isinstance(s.strip(value), s.Number) or (isinstance(value, s.Unary) and value.operator == "-")
            wide = not constant and origin.size > self.context.result.size and not is_plain_int(self.context.result)
            if narrow and (wide or (constant and not fits(value, self.context.result))):
                self.remark(Code.V023_RESULT, "does not convert results", value.span)
        if letter_literal(value) and isinstance(self.context.result, Float):
            self.remark(Code.V023_UNTYPED_FLOAT, "rejects this literal together with floating point", value.span)
        self.expressions.expression(value, where)
