"""Calls of built-in functions: arguments by kind, results, and printf's format (language.md 11 and 12).

What each function takes stands in `vm.facts.builtins`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from lang import foreign_formats, syntax as s, typed as t
from lang.checking import Context
from lang.code import Code
from lang.lexer import LiteralPlaces
from lang.operations import convert, integer
from lang.types import F64, U8, U16, U32, U64, VOID, Array, Float, Pointer, Type
from vm import formatting
from vm.facts.builtins import ALIASES, BUILTIN_INDEX, BUILTINS, Builtin

if TYPE_CHECKING:
    from lang.expressions import Expressions

_LOADS: dict[str, Type] = {"poi": U64, "dq": U64, "dd": U32, "dw": U16, "db": U8}
_STATEMENTS = ("print", "printf", "formats", "test_statement")


class BuiltinCalls:
    """The typing of calls of built-in functions."""

    def __init__(self, context: Context, expressions: Expressions) -> None:
        self.context = context
        self.report = context.report
        self.expressions = expressions

    def value(self, node: s.Call) -> t.Value:
        """A built-in as an expression; those that print have no value."""
        builtin = BUILTINS[BUILTIN_INDEX[ALIASES.get(node.name, node.name)]]
        self.context.references.mention_built_in(node.name_span)
        if node.name in ALIASES:
            message = f"HyperDbg v0.23 does not know `{node.name}`"
            self.report(Code.V023_ALIAS, message, node.name_span, f"write `{builtin.name}`")
        if builtin.name in _STATEMENTS:
            for argument in node.arguments:
                self.expressions.any_value(argument)
            return t.CallBuiltin(VOID, node.span, builtin, ())
        if not self.expressions.check_count(node, len(builtin.parameters)):
            for argument in node.arguments:
                self.expressions.any_value(argument)
            return integer(0, U64 if builtin.result else VOID, node.span)
        if builtin.name == "reference":
            return self.expressions.address(node.arguments[0], node.span)
        if builtin.name in ("neg", "not"):
            return self.expressions.sign(
                "-" if builtin.name == "neg" else "~", self.expressions.value(node.arguments[0]), node.span
            )
        arguments = self._arguments(builtin, node)
        if builtin.name in _LOADS:
            return t.Load(U64, node.span, arguments[0], _LOADS[builtin.name])
        return t.CallBuiltin(U64 if builtin.result else VOID, node.span, builtin, arguments)

    def _arguments(self, builtin: Builtin, node: s.Call) -> tuple[t.Value, ...]:
        values = [self._argument(kind, part) for kind, part in zip(builtin.parameters, node.arguments, strict=True)]
        if builtin.family == "atomic":
            self._check_atomic(node.arguments[0], values[0])
        return tuple(values)

    def _argument(self, kind: str, node: s.Expression) -> t.Value:
        """One argument as a 64-bit pattern: E067 for the wrong literal, W007 for floating point."""
        value = self.expressions.value(node)
        if isinstance(value, t.Literal) and kind in "sw":
            wide = value.type == Pointer(U16)
            if wide != (kind == "w"):
                needed = "wide" if kind == "w" else "narrow"
                hint = 'write L"..."' if kind == "w" else 'write "..." without L'
                self.report(Code.STRING_WIDTH, f"a {needed} string is needed here", node.span, hint)
        return self.bits(value)

    def bits(self, value: t.Value) -> t.Value:
        """The 64 bits of a scalar as U64; W007 for floating point."""
        if isinstance(value.type, Float):
            self.report(Code.FLOAT_BITS, "the bits of a floating-point value are used here", value.span)
        return replace(value, type=U64)

    def _check_atomic(self, node: s.Expression, value: t.Value) -> None:
        """W016."""
        node = s.strip(node)
        if isinstance(node, s.Name | s.GlobalName) and isinstance(value, t.ReadVariable | t.ReadGlobal):
            kind = value.variable.type
            if not isinstance(kind, Pointer | Array):
                name = node.name if isinstance(node, s.Name) else f".{node.name}"
                self.report(
                    Code.VALUE_AS_ADDRESS,
                    f"the value of `{name}` is taken as an address",
                    node.span,
                    f"write `&{name}`",
                )

    # --- statements that print

    def statement(self, node: s.Call) -> t.Statement | None:
        """print, formats, test_statement and printf as statements; None for every other call."""
        if not node.builtin or node.name not in _STATEMENTS:
            return None
        self.context.references.mention_built_in(node.name_span)
        if node.name == "printf":
            return self._printf(node)
        if not self.expressions.check_count(node, 1):
            for argument in node.arguments:
                self.expressions.any_value(argument)
            return t.Group(node.span, ())
        value = self.bits(self.expressions.value(node.arguments[0]))
        return t.Evaluate(node.span, value) if node.name == "test_statement" else t.Print(node.span, value)

    def _printf(self, node: s.Call) -> t.Statement:
        form = node.arguments[0] if node.arguments else None
        if not isinstance(form, s.String) or form.value.wide:
            span = form.span if form is not None else node.span
            self.report(Code.BAD_FORMAT, "the format of printf is a narrow string literal", span, 'printf("...", ...)')
            for argument in node.arguments[1:]:
                self.expressions.value(argument)
            return t.Group(node.span, ())
        text = form.value.data[:-1]
        parsed = formatting.parse(text)
        places = LiteralPlaces(form)
        self._check_format(form, parsed, places)
        values = [self.expressions.value(argument) for argument in node.arguments[1:]]
        conversions = parsed.conversions
        if len(values) != len(conversions):
            self._report_count(node, text, places, parsed, len(values))
            return t.Group(node.span, ())
        arguments = [
            self._printf_argument(form, places, piece, value) for piece, value in zip(conversions, values, strict=True)
        ]
        return t.Printf(node.span, text, tuple(arguments))

    def _check_format(self, form: s.String, parsed: formatting.Format, places: LiteralPlaces) -> None:
        for at in parsed.stray:
            foreign = foreign_formats.find(form.value.data, at)
            if foreign is None:
                self.report(Code.STRAY_PERCENT, "this `%` begins no specifier; it is printed", places.span(at, at + 1))
            else:
                message = f"`{foreign.text}` is no specifier; it is printed as it is and takes no argument"
                self.report(Code.STRAY_PERCENT, message, places.span(at, at + foreign.length), foreign.instead)
        for at in parsed.escaped:
            message = "`%%` prints one percent sign; HyperDbg v0.23 prints two"
            self.report(Code.V023_PERCENT, message, places.span(at, at + 2))
        for piece in parsed.conversions:
            if piece.extended:
                span = places.span(piece.start, piece.end)
                shown = form.value.data[piece.start : piece.end].decode("latin-1")
                self.report(Code.V023_FORMAT, f"HyperDbg v0.23 does not know the specifier `{shown}`", span)

    def _report_count(
        self, node: s.Call, text: bytes, places: LiteralPlaces, parsed: formatting.Format, given: int
    ) -> None:
        """E111 at the first specifier without an argument, or the first argument without a specifier."""
        conversions = parsed.conversions
        plural = "argument" if len(conversions) == 1 else "arguments"
        if given < len(conversions):
            piece = conversions[given]
            span, what = places.span(piece.start, piece.end), "this specifier has no argument"
        else:
            span, what = node.arguments[1 + len(conversions)].span, "no specifier is left for this argument"
        foreign = next(filter(None, (foreign_formats.find(text, at) for at in parsed.stray)), None)
        hint = f"`{foreign.text}` counts as text: {foreign.instead}" if foreign is not None else None
        self.report(
            Code.PRINTF_COUNT, f"{what}: the format takes {len(conversions)} {plural}, here are {given}", span, hint
        )

    def _printf_argument(
        self, form: s.String, places: LiteralPlaces, piece: formatting.Conversion, value: t.Value
    ) -> t.Value:
        span = places.span(piece.start, piece.end)
        shown = form.value.data[piece.start : piece.end].decode("latin-1")
        is_float = isinstance(value.type, Float)
        if is_float != piece.is_float:
            needed = "a floating-point value" if piece.is_float else "an integer or an address"
            self.report(Code.V023_ARGUMENT_KIND, "HyperDbg v0.23 stops at run time here", value.span)
            hint = "cast it: (double)..." if piece.is_float else "use %f, or cast it: (long)..."
            message = f"`{shown}` needs {needed}, this is `{value.type}`"
            self.context.report_with_note(Code.PRINTF_KIND, message, value.span, hint, "the specifier", span)
            return integer(0, U64, value.span)
        if isinstance(value, t.Literal) and piece.letter in "sS":
            wide = value.type == Pointer(U16)
            if wide != (piece.letter == "S"):
                needed = "wide" if piece.letter == "S" else "narrow"
                self.context.report_with_note(
                    Code.STRING_WIDTH, f"`{shown}` needs a {needed} string", value.span, None, "the specifier", span
                )
        return convert(value, F64) if is_float else value
