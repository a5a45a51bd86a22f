"""Types every expression: syntax tree -> typed values, places and calls (language.md sections 4, 6, 8, 9, 10, 11).

`Expressions` reports what is wrong and always returns something typed, so that one mistake does not hide the next.
`types` records the type of every syntax node for `lang.portability`.
"""

from __future__ import annotations

from itertools import chain

from msgspec.structs import replace

from lang import foreign, syntax as s, typed as t
from lang.argument_width import is_narrow
from lang.builtin_calls import BuiltinCalls
from lang.checking import Context
from lang.code import Code
from lang.diagnostics import Hint
from lang.nearest import nearest_hint
from lang.operations import (
    add_offset,
    arithmetic,
    compare,
    convert,
    double,
    integer,
    negate,
    operation,
    scaled,
    truth,
)
from lang.places import Place
from lang.references import DefinitionKind
from lang.source import Span
from lang.symbols import Place as SymbolPlace, Unresolved
from lang.types import (
    I8,
    I32,
    I64,
    U16,
    U64,
    Array,
    Float,
    Integer,
    Pointer,
    Struct,
    Type,
    Void,
    is_complete,
    is_scalar,
)
from lang.typing import TypeResolver
from vm import signed
from vm.facts.builtins import ALIASES, BUILTIN_INDEX

COMPARISONS = ("<", ">", "<=", ">=", "==", "!=")
EQUALITIES = ("==", "!=")
INTEGER_ONLY = ("%", "<<", ">>", "&", "|", "^")


class Expressions:
    """The typing of expressions in one scope at a time."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.report = context.report
        self.names = context.names
        self.types = context.types
        self.resolver = TypeResolver(context, self.constant_integer)
        self.builtins = BuiltinCalls(context, self)

    # --- values

    def value(self, node: s.Expression) -> t.Value:
        """A scalar value; E063 and E095 for what is none."""
        result = self.any_value(node)
        if isinstance(result.type, Void):
            self.report(Code.NO_VALUE, "this has no value", node.span)
            return integer(0, U64, node.span)
        return result

    def any_value(self, node: s.Expression) -> t.Value:
        """A scalar value, or a call without a value."""
        result = self._binary(node) if isinstance(node, s.Binary) else self._single(node)
        self.types[node] = result.type
        return result

    def _single(self, node: s.Expression) -> t.Value:
        match node:
            case s.Number():
                return integer(node.value, I64, node.span)
            case s.FloatNumber():
                return double(node.value, node.span)
            case s.String():
                kind = Pointer(U16 if node.value.wide else I8)
                return t.Literal(kind, node.span, node.value.data)
            case s.SymbolName():
                return self._symbol(node)
            case s.Name() if (symbol := self._bare_symbol(node)) is not None:
                return symbol
            case s.PseudoName():
                self.context.references.mention_built_in(node.span)
                return t.ReadPseudo(I64, node.span, node.index)
            case s.Paren():
                return self.any_value(node.inner)
            case s.Unary():
                return self._unary(node)
            case s.Cast():
                return self._cast(node)
            case s.Sizeof():
                return self._sizeof(node)
            case s.Call():
                return self.call(node)
            case s.Assign() | s.Step():
                return integer(0, U64, node.span)  # reported by lang.placement
            case _:
                return self._load(self.place(node, reading=True), node)

    def _load(self, place: Place, node: s.Expression) -> t.Value:
        self.types[node] = place.type
        if isinstance(place.type, Struct):
            hint = "take its address with `&`, or name a member"
            self.report(Code.SCALAR_NEEDED, f"`{place.type}` is not a number", node.span, hint)
            return integer(0, U64, node.span)
        if isinstance(place.type, Void):
            self.report(Code.VOID_OBJECT, "void has no value", node.span)
            return integer(0, U64, node.span)
        return place.load()

    def _symbol(self, node: s.SymbolName) -> t.Value:
        self.context.references.mention_built_in(node.span)
        found = self.context.symbols.find(node.name.replace("`", ""))
        if isinstance(found, Unresolved):
            self.report(found.code, found.message, node.span, found.hint)
            return integer(0, I64, node.span)
        return integer(found.address, I64, node.span)

    def _bare_symbol(self, node: s.Name) -> t.Value | None:
        """A name without a module in an expression of a command, which has no variables of its own."""
        if not self.context.in_command or node.name in self.names.functions:
            return None
        found = self.context.symbols.search(node.name)
        return integer(found.address, I64, node.span) if isinstance(found, SymbolPlace) else None

    def constant_integer(self, node: s.Expression) -> int | None:
        """The signed value of a constant integer expression."""
        result = self.value(node)
        if isinstance(result, t.Constant) and isinstance(result.type, Integer):
            return signed(result.bits) if result.type.signed else result.bits
        return None

    # --- places

    def place(self, node: s.Expression, reading: bool = False) -> Place:
        """What an expression designates. `reading` tells that its old value is used (W001, W002)."""
        result = self._place(node, reading)
        self.types[node] = result.type
        return result

    def _place(self, node: s.Expression, reading: bool) -> Place:
        match node:
            case s.Paren():
                return self.place(node.inner, reading)
            case s.Name():
                return self._local(node, reading)
            case s.GlobalName():
                return self._global(node, reading)
            case s.RegisterName():
                self.context.references.mention_built_in(node.span)
                return Place(I64, node.span, register=node.index)
            case s.Unary() if node.operator == "*":
                return self._pointee(node)
            case s.Index():
                return self._index(node)
            case s.Member():
                return self._member(node)
        value = self.value(node)
        return Place(value.type, node.span, address=integer(0, U64, node.span))  # reported by lang.placement

    def _local(self, node: s.Name, reading: bool) -> Place:
        if node.name in self.names.functions and node.name not in self.context.scope.variables:
            self.context.references.mention(node.span, DefinitionKind.FUNCTION, node.name)
            self.report(
                Code.FUNCTION_AS_VARIABLE, f"`{node.name}` is a function", node.span, f"to call it: {node.name}(...)"
            )
            return Place(U64, node.span, variable=t.Variable(node.name, U64))
        variable = self.context.scope.lookup(node.name)
        self.context.references.mention(node.span, DefinitionKind.VARIABLE, node.name, variable, variable.type)
        if reading and node.name not in self.context.scope.assigned and is_scalar(variable.type):
            value = foreign.CONSTANTS.get(node.name)
            hint = f"the language has no `{node.name}`: write {value}" if value else None
            self.report(Code.UNASSIGNED_LOCAL, f"`{node.name}` is read before it is assigned; it is 0", node.span, hint)
            self.report(Code.V023_UNASSIGNED, "HyperDbg v0.23 rejects this, or its compiler crashes", node.span)
        if is_scalar(variable.type):
            return Place(variable.type, node.span, variable=variable, typed=variable.typed)
        variable.in_memory = True
        address = t.AddressOfVariable(U64, node.span, variable)
        return Place(variable.type, node.span, variable=variable, address=address)

    def _global(self, node: s.GlobalName, reading: bool) -> Place:
        variable = self.names.global_variable(node.name)
        self.context.references.mention(node.span, DefinitionKind.GLOBAL, node.name, type=variable.type)
        known = node.name in self.names.written or node.name in self.names.session.assigned
        if reading and not known and is_scalar(variable.type):
            self.report(Code.UNASSIGNED_GLOBAL, f"no script has assigned `.{node.name}`; it is 0", node.span)
        if reading and node.name not in self.names.assigned and node.name not in self.names.session.assigned:
            self.report(Code.V023_UNASSIGNED, "HyperDbg v0.23 rejects a global that was not assigned before", node.span)
        if is_scalar(variable.type):
            return Place(variable.type, node.span, global_variable=variable, typed=variable.typed)
        address = t.AddressOfGlobal(U64, node.span, variable)
        return Place(variable.type, node.span, global_variable=variable, address=address)

    def _pointee(self, node: s.Unary) -> Place:
        pointer = self.value(node.operand)
        if isinstance(pointer.type, Float):
            self.report(Code.FLOAT_AS_ADDRESS, "`*` needs an address, not a floating-point value", node.span)
            return Place(U64, node.span, address=integer(0, U64, node.span))
        address = replace(pointer, type=U64)
        if not isinstance(pointer.type, Pointer) or isinstance(pointer.type.target, Void):
            return Place(U64, node.span, address=address, typed=False)
        target = pointer.type.target
        return Place(target.base if isinstance(target, Array) else target, node.span, address=address)

    def _index(self, node: s.Index) -> Place:
        base_node = s.strip(node.base)
        base = self.place(base_node) if isinstance(base_node, s.Name | s.GlobalName | s.Index | s.Member) else None
        if base is not None and isinstance(base.type, Array):
            self.types[node.base] = base.type
            return base.element(self._subscript(node.index), node.span)
        pointer = self.value(node.base)
        if not isinstance(pointer.type, Pointer) or isinstance(pointer.type.target, Void):
            self.report(
                Code.NO_ARRAY, f"`[ ]` needs an array or a typed pointer, this is `{pointer.type}`", node.base.span
            )
            self._subscript(node.index)
            return Place(U64, node.span, address=integer(0, U64, node.span))
        target: Type = pointer.type.target
        if isinstance(target, Array):
            target = target.base
        offset = scaled(self._subscript(node.index), self._element_size(target, node.base.span))
        if isinstance(offset, t.Constant):
            return Place(target, node.span, address=add_offset(replace(pointer, type=U64), offset.bits))
        address = operation("ADD", U64, node.span, replace(pointer, type=U64), offset)
        return Place(target, node.span, address=address)

    def _subscript(self, node: s.Expression) -> t.Value:
        value = self.value(node)
        if isinstance(value.type, Float):
            self.report(Code.BAD_OPERANDS, "an index is an integer", node.span)
            return integer(0, I64, node.span)
        return value

    def _element_size(self, kind: Type, span: Span) -> int:
        if not is_complete(kind) and not isinstance(kind, Void):
            self.report(Code.INCOMPLETE_TYPE, f"`{kind}` is incomplete: the size of an element is unknown", span)
        return max(1, kind.size)

    def _member(self, node: s.Member) -> Place:
        struct, address = self._struct_of(node)
        if struct is None:
            return Place(U64, node.span, address=address)
        if struct.members is None:
            self.report(Code.INCOMPLETE_TYPE, f"`{struct}` is incomplete", node.base.span)
            return Place(U64, node.span, address=address)
        member = struct.member(node.name)
        if member is None:
            hint = nearest_hint(node.name, (m.name for m in struct.members))
            self.report(Code.UNKNOWN_MEMBER, f"`{struct}` has no member `{node.name}`", node.name_span, hint)
            return Place(U64, node.span, address=address)
        self.context.references.mention(node.name_span, DefinitionKind.MEMBER, node.name, struct)
        return Place(member.type, node.span, address=add_offset(address, member.offset))

    def _struct_of(self, node: s.Member) -> tuple[Struct | None, t.Value]:
        """The struct that `.` or `->` looks into, and its address."""
        zero = integer(0, U64, node.span)
        if not node.arrow:
            inner = s.strip(node.base)
            readable = isinstance(inner, s.Name | s.GlobalName | s.Index | s.Member | s.Unary)
            base = (
                self.place(inner) if readable and not (isinstance(inner, s.Unary) and inner.operator != "*") else None
            )
            if base is not None and isinstance(base.type, Struct):
                self.types[node.base] = base.type
                return base.type, base.location()
            kind = base.type if base is not None else self.value(node.base).type
            arrow = isinstance(kind, Pointer) and isinstance(kind.target, Struct)
            hint = f"it is a pointer: use `->{node.name}`" if arrow else None
            self.report(Code.NO_STRUCT, f"`.` needs a struct, this is `{kind}`", node.base.span, hint)
            return None, zero
        pointer = self.value(node.base) if not self.is_struct(node.base) else None
        if pointer is not None and isinstance(pointer.type, Pointer) and isinstance(pointer.type.target, Struct):
            return pointer.type.target, replace(pointer, type=U64)
        hint = f"it is a struct: use `.{node.name}`" if pointer is None else None
        shown = "a struct" if pointer is None else f"`{pointer.type}`"
        self.report(Code.NO_STRUCT, f"`->` needs a pointer to a struct, this is {shown}", node.base.span, hint)
        return None, zero

    def is_struct(self, node: s.Expression) -> bool:
        """Whether an expression is the name of a struct object."""
        inner = s.strip(node)
        if isinstance(inner, s.Name):
            variable = self.context.scope.variables.get(inner.name)
            return variable is not None and isinstance(variable.type, Struct)
        return isinstance(inner, s.GlobalName) and isinstance(self.names.global_variable(inner.name).type, Struct)

    def address(self, node: s.Expression, span: Span) -> t.Value:
        """`&node`: E093 for what has no address."""
        inner = s.strip(node)
        addressable = isinstance(inner, s.Name | s.GlobalName | s.Index | s.Member) or (
            isinstance(inner, s.Unary) and inner.operator == "*"
        )
        name = inner.name if isinstance(inner, s.Name) else ""
        if not addressable or (name in self.names.functions and name not in self.context.scope.variables):
            if isinstance(inner, s.Number | s.RegisterName | s.PseudoName):
                self.report(Code.V023_ADDRESS, "HyperDbg v0.23 accepts this and gives a useless address", span)
            self.report(Code.NO_ADDRESS, "this has no address", node.span, "assign it to a variable first")
            if not addressable:
                self.value(node)
            return integer(0, U64, span)
        place = self.place(inner)
        self.context.mark_assigned(inner)
        return replace(place.location(), type=Pointer(place.type), span=span)

    # --- operators

    def _unary(self, node: s.Unary) -> t.Value:
        if node.operator == "*":
            place = self.place(node)
            return self._load(place, node)
        if node.operator == "&":
            return self.address(node.operand, node.span)
        value = self.value(node.operand)
        if node.operator == "!":
            return operation("ISZ", I32, node.span, truth(value))
        return self.sign(node.operator, value, node.span)

    def sign(self, operator: str, value: t.Value, span: Span) -> t.Value:
        """`- + ~`; E091 for `~` on floating point."""
        if operator == "~" and isinstance(value.type, Float):
            self.report(Code.BAD_OPERANDS, "`~` needs an integer", span)
            return integer(0, I64, span)
        return negate(operator, value, span)

    def _binary(self, node: s.Binary) -> t.Value:
        """A left-leaning chain of operators, in a loop: it may have thousands."""
        chain: list[s.Binary] = []
        left: s.Expression = node
        while isinstance(left, s.Binary):
            chain.append(left)
            left = left.left
        result = self.value(left)
        for part in reversed(chain):
            result = self._combine(part, result)
            self.types[part] = result.type
        return result

    def _combine(self, node: s.Binary, left: t.Value) -> t.Value:
        if node.operator in ("&&", "||"):
            return self._logical(node, left)
        right = self.value(node.right)
        if not self._operands_fit(node, left, right):
            return integer(0, I32 if node.operator in COMPARISONS else I64, node.span)
        pointers = isinstance(left.type, Pointer), isinstance(right.type, Pointer)
        if any(pointers) and node.operator in "+-":
            return self.pointer_sum(node.operator, left, right, node.span)
        if node.operator in COMPARISONS:
            self._check_comparison(node, left, right)
            return compare(node.operator, left, right, node.span)
        return arithmetic(node.operator, left, right, node.span)

    def _operands_fit(self, node: s.Binary, left: t.Value, right: t.Value) -> bool:
        for one, other in ((left, right), (right, left)):
            if isinstance(one.type, Float) and node.operator in INTEGER_ONLY:
                self.report(Code.BAD_OPERANDS, f"`{node.operator}` needs integers, this is `{one.type}`", one.span)
                return False
            if isinstance(one.type, Float) and isinstance(other.type, Pointer):
                self.report(Code.BAD_OPERANDS, "a pointer and a floating-point value cannot be combined", node.span)
                return False
        if node.operator in ("/", "%", "<<", ">>") and isinstance(right, t.Constant):
            self._check_constant_operand(node, left, right)
        return True

    def _check_constant_operand(self, node: s.Binary, left: t.Value, right: t.Constant) -> None:
        """W010."""
        if node.operator in "/%":
            zero = right.bits == 0 or (isinstance(right.type, Float) and right.bits << 1 & (1 << 64) - 1 == 0)
            if zero:
                self.report(Code.CERTAIN_STOP, "division by zero: the run will stop here", node.right.span)
            return
        wide = isinstance(left.type, Pointer) or max(left.type.size, right.type.size) == 8
        if right.bits >= (64 if wide else 32):
            self.report(Code.CERTAIN_STOP, "impossible shift count: the run will stop here", node.right.span)

    def _check_comparison(self, node: s.Binary, left: t.Value, right: t.Value) -> None:
        """W015: `==` or `!=` beside an ordering; W009: an unsigned value is never below 0."""
        before = node.left.operator if isinstance(node.left, s.Binary) else ""
        if before in COMPARISONS and (before in EQUALITIES) != (node.operator in EQUALITIES):
            message = f"`{before}` and `{node.operator}` have the same priority here, unlike in C"
            self.report(
                Code.COMPARISON_PRIORITY, message, node.operator_span, "say with parentheses which one comes first"
            )
        for value, other, always, never in ((left, right, ">=", "<"), (right, left, "<=", ">")):
            zero = isinstance(other, t.Constant) and other.bits == 0 and isinstance(other.type, Integer)
            plain = value.type == U64 or isinstance(value.type, Pointer)
            if zero and plain and not isinstance(value, t.Constant) and node.operator in (always, never):
                what = "true" if node.operator == always else "false"
                hint = "assign it to an `int` or `long` first" if what == "false" else None
                self.report(Code.CONSTANT_COMPARISON, f"always {what}: the value is unsigned", node.span, hint)

    def _logical(self, node: s.Binary, left: t.Value) -> t.Value:
        is_and = node.operator == "&&"
        left, right = truth(left), truth(self.value(node.right))
        if isinstance(left, t.Constant):
            if bool(left.bits) != is_and:
                return integer(int(not is_and), I32, node.span)
            return operation("BOOL", I32, node.span, right)
        return t.Logical(I32, node.span, is_and, left, right)

    def pointer_sum(self, operator: str, left: t.Value, right: t.Value, span: Span) -> t.Value:
        """`p + n`, `n + p`, `p - n`, `p - q` (language.md 9.3)."""
        if isinstance(left.type, Pointer) and isinstance(right.type, Pointer):
            if operator == "+" or left.type != right.type:
                what = "two pointers cannot be added" if operator == "+" else "these pointers have different types"
                self.report(Code.BAD_OPERANDS, what, span)
                return integer(0, I64, span)
            size = self._element_size(left.type.target, span)
            distance = arithmetic("-", left, right, span)
            if size > 1:
                distance = operation("PDIV", I64, span, distance, integer(size, I64, span))
            return replace(distance, type=I64)
        if isinstance(right.type, Pointer):
            if operator == "-":
                self.report(Code.BAD_OPERANDS, "a pointer cannot be subtracted from a number", span)
                return integer(0, I64, span)
            size = self._element_size(right.type.target, span)
            return operation("ADD", right.type, span, scaled(left, size), right)
        assert isinstance(left.type, Pointer)
        offset = scaled(right, self._element_size(left.type.target, span))
        return operation("ADD" if operator == "+" else "SUB", left.type, span, left, offset)

    def _cast(self, node: s.Cast) -> t.Value:
        kind = self.resolver.type_name(node.type)
        value = self.value(node.operand)
        if not is_scalar(kind):
            self.report(Code.BAD_CAST, f"a value cannot be cast to `{kind}`", node.type.span)
            return integer(0, U64, node.span)
        if {isinstance(kind, Float), isinstance(value.type, Float)} == {True, False} and (
            isinstance(kind, Pointer) or isinstance(value.type, Pointer)
        ):
            self.report(Code.BAD_CAST, f"`{value.type}` cannot be cast to `{kind}`", node.span)
            return integer(0, kind, node.span)
        return replace(convert(value, kind), span=node.span)

    def _sizeof(self, node: s.Sizeof) -> t.Value:
        if isinstance(node.operand, s.TypeName):
            kind = self.resolver.type_name(node.operand)
        else:
            kind = self.unevaluated(node.operand)
        if not is_complete(kind):
            self.report(Code.NO_SIZE, f"`{kind}` has no size", node.span)
        return integer(kind.size, U64, node.span)

    def unevaluated(self, node: s.Expression) -> Type:
        """The type of an operand of sizeof: arrays and structs as a whole, reading is no reading."""
        inner = s.strip(node)
        pointer = isinstance(inner, s.Unary) and inner.operator == "*"
        if pointer or isinstance(inner, s.Name | s.GlobalName | s.Index | s.Member | s.RegisterName):
            return self.place(inner).type
        return self.any_value(inner).type

    # --- conversions that a statement makes

    def assigned(self, value: t.Value, kind: Type, span: Span) -> t.Value:
        """The value as the declared type `kind`, as an assignment, argument or return does it, with what is to say."""
        origin = value.type
        if isinstance(kind, Pointer) != isinstance(origin, Pointer) and (
            isinstance(kind, Float) or isinstance(origin, Float)
        ):
            self.report(Code.BAD_OPERANDS, f"`{origin}` does not convert to `{kind}`", span)
            return integer(0, kind, span)
        if isinstance(kind, Pointer) and isinstance(origin, Integer):
            if not (isinstance(value, t.Constant) and value.bits == 0):
                self.report(
                    Code.INTEGER_TO_POINTER, f"an integer becomes a pointer (`{kind}`)", span, f"cast it: ({kind})..."
                )
                self.report(Code.V023_POINTER_CAST, "HyperDbg v0.23 rejects this without a cast", span)
        elif isinstance(kind, Pointer) and isinstance(origin, Pointer) and kind != origin:
            void = isinstance(kind.target, Void) or isinstance(origin.target, Void)
            if not void:
                self.report(Code.POINTER_TYPES, f"`{origin}` becomes `{kind}`", span, f"cast it: ({kind})...")
                if origin.target != U64:
                    self.report(Code.V023_POINTER_CAST, "HyperDbg v0.23 rejects this without a cast", span)
        if isinstance(origin, Pointer) and isinstance(kind, Integer):
            self.report(
                Code.V023_POINTER_CAST, "HyperDbg v0.23 rejects a pointer for a typed integer without a cast", span
            )
        if isinstance(kind, Integer) and isinstance(origin, Integer | Pointer) and kind.size < 8:
            self._check_range(value, kind, span)
        return convert(value, kind)

    def _check_range(self, value: t.Value, kind: Integer, span: Span) -> None:
        """W014."""
        if isinstance(value, t.Constant):
            number = signed(value.bits)
            low, high = (0, 1) if kind.name == "bool" else (-(1 << (kind.bits - 1)), (1 << kind.bits) - 1)
            if not low <= number <= high and kind.name != "bool":
                self.report(Code.CONSTANT_DOES_NOT_FIT, f"the constant 0x{value.bits:x} does not fit `{kind}`", span)

    # --- calls

    def call(self, node: s.Call) -> t.Value:
        """A call of a user function or of a built-in function that gives a value."""
        function = None if node.builtin else self.names.functions.get(node.name)
        if function is not None:
            self.context.references.mention(node.name_span, DefinitionKind.FUNCTION, node.name)
            return self._user_call(node, function)
        if node.builtin or node.name in ALIASES:
            return self.builtins.value(node)
        for argument in node.arguments:
            self.any_value(argument)
        hint: Hint = nearest_hint(node.name, chain(self.names.functions, BUILTIN_INDEX))
        if node.name in foreign.FUNCTIONS:
            hint = f"write {foreign.FUNCTIONS[node.name]}"
        self.report(Code.UNKNOWN_FUNCTION, f"there is no function `{node.name}`", node.name_span, hint)
        return integer(0, U64, node.span)

    def _user_call(self, node: s.Call, function: t.FunctionEntity) -> t.Value:
        self.check_count(node, len(function.parameters))
        arguments: list[t.Value] = []
        for argument, parameter in zip(node.arguments, function.parameters, strict=False):
            value = self.value(argument)
            self._check_width(argument, value, parameter.type)
            typed = parameter.typed
            arguments.append(
                self.assigned(value, parameter.type, argument.span) if typed else convert(value, parameter.type)
            )
        for argument in node.arguments[len(function.parameters) :]:
            self.value(argument)
        if len(node.arguments) != len(function.parameters):
            kind = U64 if isinstance(function.result, Void) else function.result
            return integer(0, kind, node.span)
        return t.CallFunction(function.result, node.span, function, tuple(arguments))

    def _check_width(self, node: s.Expression, value: t.Value, kind: Type) -> None:
        """W018."""
        wide = value.type.size == 8 and isinstance(value.type, Integer | Pointer) and not isinstance(value, t.Constant)
        if wide and isinstance(kind, Integer) and kind.size < 8 and not is_narrow(node, self.types):
            message = f"a 64-bit value meets a parameter of type `{kind}`: the upper bits are lost"
            self.report(Code.NARROW_PARAMETER, message, node.span, "HyperDbg v0.23 passes all 64 bits; use `long`")

    def check_count(self, node: s.Call, count: int) -> bool:
        """E061."""
        if len(node.arguments) == count:
            return True
        plural = "argument" if count == 1 else "arguments"
        self.report(
            Code.ARGUMENT_COUNT, f"`{node.name}` takes {count} {plural}, here are {len(node.arguments)}", node.span
        )
        return False
