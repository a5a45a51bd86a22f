"""Portability remarks on expressions: assignments, operators, pointers, calls (language.md 18.3, 18.4, 18.5)."""

from __future__ import annotations

from lang import syntax as s
from lang.code import Code
from lang.portability_context import Context, Where, fits, is_float_literal, is_plain_int, letter_literal
from lang.source import Span
from lang.typed import FunctionEntity
from lang.types import F32, U64, Array, Float, Integer, Pointer, Struct, Type, Void
from vm import formatting
from vm.facts.builtins import ALIASES, BUILTIN_INDEX, BUILTINS

MAX_RIGHT_NESTING = 16
SMALLEST_NORMAL = 2.2250738585072014e-308  # double
ORDERINGS = ("<", ">", "<=", ">=")
COMPARISONS = (*ORDERINGS, "==", "!=")
_WITHOUT_RULES = frozenset((s.Number, s.GlobalName, s.RegisterName, s.PseudoName, s.SymbolName, s.Paren))  # most


class ExpressionRules:
    """The rules; the walk over statements stands in `lang.portability`."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.remark = context.remark
        self.type = context.type
        self.parameter = context.parameter
        self.untyped = context.untyped
        self.expected_strings: set[int] = set()  # literals where v0.23 takes them
        self.expected_rows: set[int] = set()  # rows that are only indexed further

    # --- statements of one expression

    def simple(self, node: s.Expression, where: Where) -> None:
        """An assignment, a step or a call."""
        match node:
            case s.Assign():
                self.assignment(node, where)
            case s.Step():
                self.step(node, where)
            case _:
                self.expression(node, where)

    def assignment(self, node: s.Assign, where: Where) -> None:
        for target in node.targets:
            self.target(target, node, where)
        places = [self.type(target) for target in node.targets]
        if len(places) > 1:
            self.chain(places, node.value, node.span)
        if node.operator == "=":
            self.stored(places[-1], node.value)
            self.stored_again(node.targets[-1], node.value)
        else:
            self.compound(node, places[0])
        self.expression(node.value, where)

    def compound(self, node: s.Assign, kind: Type) -> None:
        """`place op= e`."""
        target = node.targets[0]
        if isinstance(kind, Float) or isinstance(self.type(node.value), Float):
            self.remark(
                Code.V023_FLOAT_UPDATE, "works on the bits in a compound assignment with floating point", node.span
            )
            if isinstance(s.strip(target), s.Member):
                self.remark(
                    Code.V023_FLOAT_MEMBER, "has wrong bits in a compound assignment on a floating member", node.span
                )
        if self.parameter(target):
            self.remark(Code.V023_UNTYPED, f"crashes or rejects `{node.operator}` on a parameter", node.span)
        if isinstance(s.strip(target), s.GlobalName) and self.calls_function(node.value):
            self.remark(Code.V023_ORDER, "reads the variable after the call", target.span)

    def stored(self, kind: Type, value: s.Expression) -> None:
        """A value meets the type of its place."""
        if letter_literal(value):
            if isinstance(kind, Float):
                self.remark(Code.V023_UNTYPED_FLOAT, "rejects this literal together with floating point", value.span)
            elif not fits(value, kind):
                self.remark(
                    Code.V023_LITERAL_SIGN, "stores such a literal without conversion", value.span, "write it with 0x"
                )
        if self.parameter(value) and isinstance(kind, Float):
            self.remark(Code.V023_UNTYPED_FLOAT, "rejects a parameter together with floating point", value.span)

    def stored_again(self, target: s.Expression, value: s.Expression) -> None:
        """A literal stored in an existing float."""
        if self.type(target) == F32 and is_float_literal(value):
            self.remark(Code.V023_FLOAT_LITERAL, "stores the wrong bits of a double literal in a float", value.span)
            if isinstance(s.strip(target), s.Member):
                self.remark(Code.V023_FLOAT_MEMBER, "stores the wrong bits in a float member", value.span)

    def chain(self, places: list[Type], value: object, span: Span) -> None:
        """P032: a multiple assignment that converts."""
        if not isinstance(value, s.Expression):
            return
        wide = all(kind.size == 8 and not isinstance(kind, Float) for kind in [*places, self.type(value)])
        number = s.strip(value.operand) if isinstance(value, s.Unary) else s.strip(value)
        literal = isinstance(number, s.Number) and all(
            isinstance(kind, Integer) and fits(value, kind) for kind in places
        )
        if not wide and not literal:
            self.remark(Code.V023_CHAIN, "stores the unconverted value in every place", span)

    def step(self, node: s.Step, where: Where) -> None:
        """`++` and `--`."""
        target, kind = s.strip(node.target), self.type(node.target)
        if node.prefix:
            self.remark(
                Code.V023_PREFIX_STEP, f"rejects `{node.operator}` in front of a variable", node.span, "write it behind"
            )
        element = isinstance(target, s.Index) and isinstance(self.type(target.base), Array)
        if element:
            self.remark(Code.V023_ELEMENT_STEP, "changes 64 bits of an array", node.span)
        narrow = isinstance(kind, Integer) and kind.size < 8 and not (is_plain_int(kind) and where.step)
        if isinstance(kind, Float) or isinstance(target, s.Member) or (narrow and not element):
            self.remark(Code.V023_STEP, f"does `{node.operator}` on 64 bits, and not at all on members", node.span)
        if self.parameter(target):
            self.remark(Code.V023_UNTYPED, f"crashes on `{node.operator}` on a parameter", node.span)
        self.target(node.target, node, where)

    def target(self, node: s.Expression, owner: s.Expression, where: Where) -> None:
        """What is written."""
        place = s.strip(node)
        match place:
            case s.Name() if place.name == "main":
                self.remark(Code.V023_MAIN, "reserves the name `main`", place.span)
            case s.RegisterName() if place.name == "iopl":
                self.remark(Code.V023_IOPL, "writes bits 0 and 4 of the value to iopl", place.span)
            case s.Index() if isinstance(self.type(place.base), Array):
                if isinstance(owner, s.Assign):
                    self.remark(Code.V023_ELEMENT, "stops at run time when an element is written", place.span)
            case s.Unary() if place.operator == "*":
                self.written_pointee(place)
            case s.Member() if place.arrow and isinstance(s.strip(place.base), s.Member):
                self.remark(Code.V023_ARROWS, "writes elsewhere through two arrows", place.span)
        for part in s.operands(place):
            self.expression(part, where)
        self.indexing(place)

    def written_pointee(self, place: s.Unary) -> None:
        operand = s.strip(place.operand)
        kind = self.type(operand)
        if not isinstance(operand, s.Name | s.GlobalName):
            self.remark(Code.V023_POINTEE, "knows `*name = v` only", place.span)
        elif isinstance(kind, Integer) and kind.size < 8:
            self.remark(Code.V023_POINTEE_SIZE, "writes the size of the variable", place.span)
        elif isinstance(kind, Pointer) and kind.target.size < 8 and not isinstance(kind.target, Void):
            self.remark(Code.V023_POINTEE_SIZE, "writes the size of the variable behind the pointer", place.span)
        if isinstance(operand, s.Name) and self.context.checked.low_addresses.get(operand.name, 1 << 16) < 1 << 16:
            self.remark(Code.V023_BAD_ADDRESS, "ignores a write to a bad address", place.span)

    # --- expressions

    def expression(self, node: s.Expression, where: Where) -> None:
        """All rules on an expression and what is in it; left-leaning chains in a loop."""
        for part in s.expressions(node):
            if type(part) not in _WITHOUT_RULES:
                self.one(part, where)

    def one(self, node: s.Expression, where: Where) -> None:
        match node:
            case s.Name() if node.name == "main":
                self.remark(Code.V023_MAIN, "reserves the name `main`", node.span)
            case s.FloatNumber() if 0 < node.value < SMALLEST_NORMAL:
                self.remark(Code.V023_DENORMAL, "compares denormal doubles wrongly", node.span)
            case s.String() if id(node) not in self.expected_strings:
                self.remark(
                    Code.V023_STRING, "takes string literals as formats and in string functions only", node.span
                )
            case s.Unary():
                self.unary(node, where)
            case s.Cast():
                inner = node.operand
                if isinstance(inner, s.GlobalName) or (isinstance(inner, s.FloatNumber) and inner.text[0] == "."):
                    self.remark(
                        Code.V023_CAST_DOT, "rejects a cast directly in front of a dot", node.span, "use parentheses"
                    )
                if self.untyped(inner):
                    self.remark(Code.V023_UNTYPED, "crashes on or rejects a cast of this", node.span)
                if isinstance(self.type(node), Float) and self.untyped(inner):
                    self.remark(Code.V023_UNTYPED_FLOAT, "rejects this together with floating point", node.span)
            case s.Sizeof() if isinstance(node.operand, s.Expression) and self.untyped(node.operand):
                self.remark(Code.V023_UNTYPED, "crashes on or rejects sizeof of this", node.span)
            case s.Binary():
                self.binary(node, where)
            case s.Call():
                self.call(node, where)
            case s.Index() | s.Member():
                self.indexing(node)
                if where.condition and isinstance(node, s.Index):
                    self.bit_operator(node.index)

    def unary(self, node: s.Unary, where: Where) -> None:
        operand = s.strip(node.operand)
        if where.condition and isinstance(node.operand, s.Unary):
            self.remark(
                Code.V023_UNARY, "rejects two unary operators in a row in a condition", node.span, "use parentheses"
            )
        if node.operator in "-~!&" and self.untyped(operand):
            self.remark(Code.V023_UNTYPED, f"crashes on or rejects `{node.operator}` on this", node.span)
        kind = self.type(operand)
        if node.operator == "*" and isinstance(kind, Pointer):
            target = kind.target
            if target.size < 8 and not isinstance(target, Struct | Void):
                self.remark(Code.V023_POINTEE_SIZE, "reads 64 bits behind every pointer", node.span)
        if node.operator == "&" and isinstance(operand, s.Index) and isinstance(self.type(operand.base), Array):
            self.remark(Code.V023_ELEMENT_ADDRESS, "gives the address of a copy of the element", node.span)
        if node.operator == "!" and isinstance(kind, Float) and where.condition:
            self.remark(Code.V023_MINUS_ZERO, "takes -0.0 for true here", node.span)

    def binary(self, node: s.Binary, where: Where) -> None:
        operator, sides = node.operator, (node.left, node.right)
        logical = operator in ("&&", "||")
        if not where.condition and (logical or operator in COMPARISONS):
            self.remark(Code.V023_COMPARISON, f"knows `{operator}` in conditions only", node.operator_span)
        if logical and any(self.untyped(side) for side in sides):
            self.remark(Code.V023_UNTYPED, f"rejects this as an operand of `{operator}`", node.operator_span)
        if not logical and any(isinstance(self.type(side), Float) for side in sides):
            for side in sides:
                if self.untyped(side):
                    self.remark(Code.V023_UNTYPED_FLOAT, "rejects this together with floating point", side.span)
        self.untyped_operands(node)
        if isinstance(s.strip(node.left), s.GlobalName) and self.calls_function(node.right):
            self.remark(Code.V023_ORDER, "reads the variable after the call", node.left.span)

    def untyped_operands(self, node: s.Binary) -> None:
        """P044 for literals without a type, P046 for parameters."""
        operator = node.operator
        for side, other in ((node.left, node.right), (node.right, node.left)):
            kind, other_kind = self.type(side), self.type(other)
            if not self.untyped(side) or isinstance(other_kind, Float) or isinstance(kind, Float):
                continue
            code = Code.V023_LITERAL_SIGN if letter_literal(side) else Code.V023_PARAMETER
            unsigned = isinstance(kind, Integer) and not kind.signed
            if operator in ("/", "%", ">>") and not unsigned:
                self.remark(code, f"does `{operator}` without sign here", node.span)
            elif operator in ORDERINGS and (unsigned or (other_kind == U64 and not self.untyped(other))):
                self.remark(code, f"does `{operator}` with sign here", node.span)
            elif operator == "<<" and side is node.left and not self.small_count(node.right):
                self.remark(code, "takes the shift count modulo 64 here", node.span)

    @staticmethod
    def small_count(node: s.Expression) -> bool:
        node = s.strip(node)
        return isinstance(node, s.Number) and node.value < 64

    def calls_function(self, node: s.Expression) -> bool:
        """Whether a user function is called in it."""
        functions = self.context.functions
        return any(isinstance(part, s.Call) and part.name in functions for part in s.expressions(node))

    def check_nesting(self, node: s.Expression) -> None:
        """P052: how deep `&&`, `||` and sizeof nest to the right."""
        depth = 0
        part: s.Expression | None = node
        while part is not None:
            part = s.strip(part)
            if isinstance(part, s.Binary) and part.operator in ("&&", "||"):
                depth, part = depth + 1, part.right
            elif isinstance(part, s.Sizeof) and isinstance(part.operand, s.Expression):
                depth, part = depth + 1, part.operand
            else:
                part = None
        if depth > MAX_RIGHT_NESTING:
            self.remark(Code.V023_NESTING, "nests `&&`, `||` and sizeof at most 16 deep to the right", node.span)

    def indexing(self, node: s.Expression) -> None:
        """Elements, rows, members."""
        if isinstance(node, s.Index):
            base = self.type(node.base)
            if isinstance(base, Pointer):
                self.remark(Code.V023_POINTER_INDEX, "rejects an index on a pointer", node.span)
            row = isinstance(base, Array) and isinstance(base.element, Array)
            if row and id(node) not in self.expected_rows:
                self.remark(Code.V023_ROW, "rejects a row of an array as a value", node.span)
            inner = s.strip(node.base)
            if isinstance(inner, s.Index):
                self.expected_rows.add(id(inner))
            index = s.strip(node.index)
            if isinstance(base, Array):
                self.element(node, base, index if isinstance(inner, s.Name | s.GlobalName) else None)
        elif isinstance(node, s.Member) and not node.arrow and isinstance(node.base, s.Paren):
            inner = s.strip(node.base)
            if isinstance(inner, s.Unary) and inner.operator == "*":
                self.remark(Code.V023_STRUCT, "rejects `(*p).m`", node.span, f"write `->{node.name}`")

    def element(self, node: s.Index, base: Array, index: s.Expression | None) -> None:
        """An element; `index` where it is one of the array as a whole."""
        if isinstance(base.base, Struct):
            self.remark(Code.V023_STRUCT, "cannot use elements of an array of structs", node.span)
        if isinstance(index, s.Number) and index.value * base.element.size >= base.size:
            self.remark(Code.V023_INDEX, "reads or changes what is beside the array", node.span)

    def bit_operator(self, node: s.Expression) -> None:
        """P042: `& ^ |` directly in an argument or index inside a condition."""
        if isinstance(node, s.Binary) and node.operator in ("&", "^", "|"):
            self.remark(
                Code.V023_BIT_OPERATOR,
                f"rejects `{node.operator}` directly here in a condition",
                node.span,
                "use parentheses",
            )

    # --- calls

    def call(self, node: s.Call, where: Where) -> None:
        if where.condition:
            for argument in node.arguments:
                self.bit_operator(argument)
        function = None if node.builtin else self.context.functions.get(node.name)
        if function is not None:
            if function is self.context.inside:
                self.remark(Code.V023_LIMITS, "has room for about 40 to 60 nested calls", function.span)
            self.user_call(node, function)
            return
        name = ALIASES.get(node.name, node.name)
        if name not in BUILTIN_INDEX:
            return
        for kind, argument in zip(self.string_places(name, node), node.arguments, strict=False):
            if kind in "sw":
                self.expected_strings.add(id(s.strip(argument)))
        if name in ("neg", "not") and node.arguments and self.untyped(node.arguments[0]):
            self.remark(Code.V023_UNTYPED, f"crashes on or rejects `{name}` of this", node.span)
        if name in ("event_sc", "event_inject_error_code"):
            self.remark(Code.V023_SWALLOWED, f"swallows the operation behind `{name}`", node.span)
        if name == "wcscmp" and where.condition and len(node.arguments) == 2:
            first, second = (s.strip(argument) for argument in node.arguments)
            if isinstance(second, s.String) and not isinstance(first, s.String):
                self.remark(Code.V023_WCSCMP, "rejects this order of arguments in a condition", node.span, "swap them")
        if name == "printf":
            self.printf(node)

    @staticmethod
    def string_places(name: str, node: s.Call) -> str:
        if name == "printf":
            return "s" + "n" * (len(node.arguments) - 1)
        return BUILTINS[BUILTIN_INDEX[name]].parameters

    def user_call(self, node: s.Call, function: FunctionEntity) -> None:
        if node.name not in self.context.defined:
            self.remark(Code.V023_LATER_FUNCTION, "wants a function defined before it is used", node.name_span)
        for argument, parameter in zip(node.arguments, function.parameters, strict=False):
            kind = self.type(argument)
            if isinstance(parameter.type, Integer) and parameter.type.size < 8 and isinstance(kind, Integer | Float):
                literal = isinstance(s.strip(argument), s.Number | s.Unary)
                wide = kind.size > parameter.type.size and not literal and not is_plain_int(parameter.type)
                if wide or not fits(argument, parameter.type):
                    self.remark(Code.V023_PARAMETER, "passes all 64 bits of an argument", argument.span)
        for position, argument in enumerate(node.arguments):
            later = node.arguments[position + 1 :]
            if isinstance(s.strip(argument), s.GlobalName) and any(self.calls_function(part) for part in later):
                self.remark(Code.V023_ORDER, "reads the variable after the call", argument.span)

    def printf(self, node: s.Call) -> None:
        """Messages whose text depends on what is in memory."""
        form = node.arguments[0] if node.arguments else None
        if not isinstance(form, s.String):
            return
        conversions = formatting.parse(form.value.data[:-1]).conversions
        narrow = 0
        for piece, argument in zip(conversions, node.arguments[1:], strict=False):
            value = s.strip(argument)
            if piece.letter == "S" and not isinstance(value, s.String):
                self.remark(
                    Code.V023_WIDE_TEXT,
                    "prints `?` for non-ASCII, and loses 50 units of texts of 50, 100, ...",
                    node.span,
                )
            if piece.letter == "s" and not isinstance(value, s.String):
                narrow += 1
                if isinstance(value, s.Number) and value.value % 0x1000 == 0xFFF:
                    self.remark(Code.V023_TEXT_END, "stops where the zero is the last readable byte", argument.span)
        if narrow > 1:
            self.remark(Code.V023_MESSAGE, "leaves a `%s` out that does not fit the message", node.span)
