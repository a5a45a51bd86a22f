"""Expressions: each one becomes an Operand, that is its type and how to compute its value (sections 6, 9, 11)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from lang import syntax as s
from vm.facts.registers import STORAGE_INDEX

from . import arithmetic as a
from .arithmetic import Value
from .builtins import ALIASES, KINDS, WITHOUT_RESULT, call as call_builtin
from .declarations import Declarations, Scope
from .errors import Rejected, Stopped
from .memory import Memory
from .output import Specifier, message, split
from .registers import REGISTERS
from .types import F64, I8, I32, I64, U16, U64, Array, Float, Pointer, Struct, Type, Void, common, promoted

MASK = (1 << 64) - 1
COMPARISONS = ("==", "!=", "<", "<=", ">", ">=")
Frame = list[int]  # the addresses of a scope's variables
Compute = Callable[[Frame], Value]
Operation = Callable[[Value, Value], Value]


@dataclass(frozen=True)
class Located:
    """Where a place is. An array that was reached by its name or as a member has bounds (9.1)."""

    address: int
    start: int = 0
    size: int | None = None


@dataclass(frozen=True)
class Place:
    """Something that can be written: memory of a type (`slot`: a scalar variable's), or a register."""

    kind: Type
    locate: Callable[[Frame], Located]
    slot: bool = False
    register: str | None = None


@dataclass(frozen=True)
class Operand:
    """An expression. The value of a struct is its address."""

    kind: Type
    compute: Compute
    place: Place | None = None
    literal: str | None = None  # "narrow" or "wide"
    constant: bool = False


class Expressions:
    """Translates the expressions of one script. `call_function` runs a user function by name."""

    def __init__(self, memory: Memory, symbols: dict[str, int]) -> None:
        self.memory = memory
        self.symbols = symbols
        self.declarations: Declarations
        self.globals: dict[str, tuple[Type, int]] = {}
        self.call_function: Callable[[str, list[Value]], Value]

    # --- places

    def load(self, place: Place, where: Located) -> Value:
        if place.register is not None:
            storage, shift, bits = REGISTERS[place.register]
            whole = self.memory.host.read_register(STORAGE_INDEX[storage])
            return I64.wrap(whole >> shift & ((1 << bits) - 1))
        if isinstance(place.kind, Array | Struct):
            return where.address
        return self.memory.load(where.address, place.kind)

    def store(self, place: Place, where: Located, value: Value) -> None:
        """Store a value of the place's own type; of a struct its address."""
        if place.register is not None:
            storage, shift, bits = REGISTERS[place.register]
            mask = ((1 << bits) - 1) << shift
            whole = self.memory.host.read_register(STORAGE_INDEX[storage])
            new = whole & ~mask | int(value) << shift & mask
            self.memory.host.write_register(STORAGE_INDEX[storage], new & MASK)
        elif isinstance(place.kind, Struct):
            self.memory.store_bytes(where.address, self.memory.load_bytes(int(value), place.kind.size))
        else:
            self.memory.store(where.address, value, place.kind, place.slot)

    def at(self, place: Place) -> Operand:
        """The operand that reads a place."""
        return Operand(a.as_value(place.kind), lambda frame: self.load(place, place.locate(frame)), place)

    def variable(self, kind: Type, locate: Callable[[Frame], int]) -> Place:
        if isinstance(kind, Array):
            return Place(kind, lambda frame: Located(locate(frame), locate(frame), kind.size))
        return Place(kind, lambda frame: Located(locate(frame)), slot=not isinstance(kind, Struct))

    def global_place(self, name: str) -> Place:
        if name not in self.globals:
            kind = self.declarations.globals.get(name, U64)
            size = kind.size if isinstance(kind, Array | Struct) else 8
            self.globals[name] = kind, self.memory.allocate(size)
            if len(self.globals) > 512:
                raise Rejected("E120")
        kind, address = self.globals[name]
        return self.variable(kind, lambda frame: address)

    def local_place(self, name: str, scope: Scope) -> Place:
        if name in self.declarations.functions and name not in scope.names:
            raise Rejected("E069")
        variable = scope.lookup(name)
        return self.variable(variable.kind, lambda frame: frame[variable.index])

    def place(self, node: s.Expression, scope: Scope) -> Place:
        """The place that an assignment writes. Raises Rejected(E039, E031: a word that is a number)."""
        if isinstance(node, s.Number) and node.text[0].isalpha():
            raise Rejected("E031")
        place = self.translate(node, scope).place
        if place is None or isinstance(place.kind, Array):
            raise Rejected("E039")
        return place

    # --- expressions

    def scalar(self, node: s.Expression, scope: Scope) -> Operand:
        """An expression with a value that is a number."""
        operand = self.translate(node, scope)
        promoted(operand.kind)
        return operand

    @staticmethod
    def conversion(source: Type, target: Type) -> Callable[[Value], Value]:
        """The conversion of an assignment (4.4)."""
        if isinstance(source, Struct) or isinstance(target, Struct):
            if source is not target:
                raise Rejected("E096")
            return lambda value: value
        a.check_conversion(source, target, "E091")
        return lambda value: a.convert(value, source, target)

    def converted(self, operand: Operand, target: Type) -> Compute:
        """An operand, converted as by an assignment."""
        convert = self.conversion(operand.kind, target)
        return lambda frame: convert(operand.compute(frame))

    def translate(self, node: s.Expression, scope: Scope) -> Operand:
        match node:
            case s.Paren():
                return self.translate(node.inner, scope)
            case s.Number():
                number = I64.wrap(node.value)
                return Operand(I64, lambda frame: number, constant=True)
            case s.FloatNumber():
                value = node.value
                return Operand(F64, lambda frame: value, constant=True)
            case s.String():
                return self.string(node)
            case s.SymbolName():
                address = self.symbols.get(node.name.lower())
                if address is None:
                    raise Rejected("E011")
                return Operand(I64, lambda frame: I64.wrap(address), constant=True)
            case s.RegisterName():
                name = node.name.lstrip("@")
                return self.at(Place(I64, lambda frame: Located(0), register=name))
            case s.PseudoName():
                index = node.index
                return Operand(I64, lambda frame: I64.wrap(self.memory.host.pseudo_register(index)))
            case s.Name():
                return self.at(self.local_place(node.name, scope))
            case s.GlobalName():
                return self.at(self.global_place(node.name))
            case s.Unary():
                return self.unary(node.operator, node.operand, scope)
            case s.Cast():
                return self.cast(node, scope)
            case s.Sizeof():
                return self.sizeof(node, scope)
            case s.Binary():
                return self.binary(node, scope)
            case s.Call():
                return self.call(node, scope)
            case s.Index():
                return self.index(node, scope)
            case s.Member():
                return self.member(node, scope)
        raise Rejected("E038")

    def string(self, node: s.String) -> Operand:
        address = self.memory.allocate(len(node.value.data), node.value.data, writable=False)
        kind = Pointer(U16 if node.value.wide else I8)
        return Operand(kind, lambda frame: address, literal="wide" if node.value.wide else "narrow")

    def unary(self, operator: str, node: s.Expression, scope: Scope) -> Operand:
        operand = self.translate(node, scope)
        if operator == "&":
            return self.address_of(operand)
        if operator == "*":
            return self.at(self.target(operand))
        kind = promoted(operand.kind)
        if operator == "!":
            return Operand(I32, lambda frame: int(not a.is_true(operand.compute(frame))), constant=operand.constant)
        if operator == "~" and isinstance(kind, Float):
            raise Rejected("E091")

        def compute(frame: Frame) -> Value:
            return a.unary(operator, a.convert(operand.compute(frame), operand.kind, kind), kind)

        return Operand(kind, compute, constant=operand.constant)

    def address_of(self, operand: Operand) -> Operand:
        place = operand.place
        if place is None or place.register is not None:
            raise Rejected("E093")
        return Operand(Pointer(place.kind), lambda frame: place.locate(frame).address)

    def target(self, operand: Operand) -> Place:
        """What `*operand` designates."""
        if isinstance(operand.kind, Float):
            raise Rejected("E094")
        promoted(operand.kind)
        kind: Type = U64
        if isinstance(operand.kind, Pointer) and not isinstance(operand.kind.target, Void):
            kind = operand.kind.target
        return Place(kind, lambda frame: Located(int(operand.compute(frame)) & MASK))

    def cast(self, node: s.Cast, scope: Scope) -> Operand:
        target = self.declarations.type_name(node.type)
        operand = self.translate(node.operand, scope)
        if isinstance(target, Void):
            raise Rejected("E092")
        if isinstance(operand.kind, Struct) or isinstance(target, Struct):
            raise Rejected("E095")
        a.check_conversion(operand.kind, target, "E092")

        def compute(frame: Frame) -> Value:
            return a.convert(operand.compute(frame), operand.kind, target)

        return Operand(target, compute, constant=operand.constant)

    def sizeof(self, node: s.Sizeof, scope: Scope) -> Operand:
        if isinstance(node.operand, s.TypeName):
            kind = self.declarations.type_name(node.operand)
        else:
            operand = self.translate(node.operand, scope)
            kind = operand.place.kind if operand.place is not None else operand.kind
        if isinstance(kind, Void) or (isinstance(kind, Struct) and kind.members is None):
            raise Rejected("E097")
        return Operand(U64, lambda frame: kind.size, constant=True)

    # --- binary operators

    def binary(self, node: s.Binary, scope: Scope) -> Operand:
        left = self.scalar(node.left, scope)
        right = self.scalar(node.right, scope)
        constant = left.constant and right.constant
        if node.operator in ("&&", "||"):
            decided = node.operator == "||"

            def short_circuit(frame: Frame) -> Value:
                if a.is_true(left.compute(frame)) == decided:
                    return int(decided)
                return int(a.is_true(right.compute(frame)))

            return Operand(I32, short_circuit, constant=constant)
        kind, operation = self.operation(node.operator, left.kind, right.kind)
        return Operand(kind, lambda frame: operation(left.compute(frame), right.compute(frame)), constant=constant)

    def operation(self, operator: str, left: Type, right: Type) -> tuple[Type, Operation]:
        """The type of a result, and how it comes from the two values."""
        pointers = isinstance(left, Pointer), isinstance(right, Pointer)
        if any(pointers) and (isinstance(left, Float) or isinstance(right, Float)):
            raise Rejected("E091")
        if operator in ("+", "-") and any(pointers):
            return self.pointer_arithmetic(operator, left, right)
        kind = common(left, right)
        if isinstance(kind, Float) and operator in ("%", "<<", ">>", "&", "|", "^"):
            raise Rejected("E091")

        def run(x: Value, y: Value) -> Value:
            return a.binary(operator, a.convert(x, left, kind), a.convert(y, right, kind), kind)

        return I32 if operator in COMPARISONS else kind, run

    def pointer_arithmetic(self, operator: str, left: Type, right: Type) -> tuple[Type, Operation]:
        if isinstance(left, Pointer) and isinstance(right, Pointer):
            if operator == "+" or left != right:
                raise Rejected("E091")
            size = self.step_of(left)
            return I64, lambda x, y: distance(int(x), int(y), size)
        if isinstance(left, Pointer):
            sign, size = -1 if operator == "-" else 1, self.step_of(left)
            return left, lambda x, y: int(x) + sign * int(y) * size & MASK
        if operator == "-":
            raise Rejected("E091")
        assert isinstance(right, Pointer)
        size = self.step_of(right)
        return right, lambda x, y: int(x) * size + int(y) & MASK

    @staticmethod
    def step_of(kind: Pointer) -> int:
        """Bytes that a pointer moves by 1; `void *`: bytes."""
        if isinstance(kind.target, Struct) and kind.target.members is None:
            raise Rejected("E087")
        return 1 if isinstance(kind.target, Void) else kind.target.size

    # --- elements and members

    def index(self, node: s.Index, scope: Scope) -> Operand:
        base = self.translate(node.base, scope)
        array = base.place is not None and isinstance(base.place.kind, Array)
        if not array and (not isinstance(base.kind, Pointer) or isinstance(base.kind.target, Void)):
            raise Rejected("E090")
        number = self.scalar(node.index, scope)
        if isinstance(number.kind, Float):
            raise Rejected("E091")
        if base.place is not None and isinstance(base.place.kind, Array):
            return self.at(self.element(base.place, base.place.kind, number))
        assert isinstance(base.kind, Pointer)
        size = self.step_of(base.kind)

        def locate(frame: Frame) -> Located:
            start = int(base.compute(frame))
            return Located(start + int(number.compute(frame)) * size & MASK)

        return self.at(Place(base.kind.target, locate))

    @staticmethod
    def element(array: Place, kind: Array, number: Operand) -> Place:
        def locate(frame: Frame) -> Located:
            whole = array.locate(frame)
            address = whole.address + int(number.compute(frame)) * kind.element.size & MASK
            if isinstance(kind.element, Array):
                return Located(address, whole.start, whole.size)
            if whole.size is not None and (address - whole.start) & MASK >= whole.size:
                raise Stopped("index_out_of_range")
            return Located(address)

        return Place(kind.element, locate)

    def member(self, node: s.Member, scope: Scope) -> Operand:
        base = self.translate(node.base, scope)
        if node.arrow:
            if not isinstance(base.kind, Pointer) or not isinstance(base.kind.target, Struct):
                raise Rejected("E085")
            whole = self.target(base)
        else:
            if base.place is None or not isinstance(base.place.kind, Struct):
                raise Rejected("E085")
            whole = base.place
        struct = whole.kind
        assert isinstance(struct, Struct)
        if struct.members is None:
            raise Rejected("E087")
        if node.name not in struct.members:
            raise Rejected("E084")
        kind, offset = struct.members[node.name]

        def locate(frame: Frame) -> Located:
            address = whole.locate(frame).address + offset & MASK
            return Located(address, address, kind.size) if isinstance(kind, Array) else Located(address)

        return self.at(Place(kind, locate))

    # --- calls

    def call(self, node: s.Call, scope: Scope) -> Operand:
        if not node.builtin and node.name in self.declarations.functions:
            return self.user_call(node, scope)
        name = ALIASES.get(node.name, node.name)
        if not node.builtin and name == node.name:
            raise Rejected("E060")
        if name == "printf":
            return self.printf(node, scope)
        if name in ("neg", "not", "reference", "print", "formats", "test_statement"):
            if len(node.arguments) != 1:
                raise Rejected("E061")
            argument = node.arguments[0]
            if name in ("neg", "not", "reference"):
                return self.unary({"neg": "-", "not": "~", "reference": "&"}[name], argument, scope)
            return self.printed(name, self.scalar(argument, scope))
        return self.builtin_call(name, node.arguments, scope)

    def user_call(self, node: s.Call, scope: Scope) -> Operand:
        signature = self.declarations.functions[node.name]
        if len(node.arguments) != len(signature.parameters):
            raise Rejected("E061")
        arguments = [
            self.converted(self.translate(argument, scope), kind)
            for argument, (_, kind) in zip(node.arguments, signature.parameters, strict=True)
        ]
        return Operand(
            signature.result,
            lambda frame: self.call_function(node.name, [argument(frame) for argument in arguments]),
        )

    def printed(self, name: str, operand: Operand) -> Operand:
        def compute(frame: Frame) -> Value:
            value = a.pattern(operand.compute(frame), operand.kind)
            if name != "test_statement":
                self.memory.host.message(b"%x\n" % value)
            return 0

        return Operand(Void(), compute)

    def builtin_call(self, name: str, nodes: tuple[s.Expression, ...], scope: Scope) -> Operand:
        kinds = KINDS[name]
        if len(nodes) != len(kinds):
            raise Rejected("E061")
        operands = [self.scalar(node, scope) for node in nodes]
        for kind, operand in zip(kinds, operands, strict=True):
            if (kind, operand.literal) in (("s", "wide"), ("w", "narrow")):
                raise Rejected("E067")

        def compute(frame: Frame) -> Value:
            patterns = [a.pattern(operand.compute(frame), operand.kind) for operand in operands]
            return call_builtin(self.memory, name, patterns)

        return Operand(Void() if name in WITHOUT_RESULT else U64, compute)

    def printf(self, node: s.Call, scope: Scope) -> Operand:
        form = node.arguments[0] if node.arguments else None
        if not isinstance(form, s.String) or form.value.wide:
            raise Rejected("E110")
        parts = split(form.value.data[:-1])
        specifiers = [part for part in parts if isinstance(part, Specifier)]
        if len(specifiers) != len(node.arguments) - 1:
            raise Rejected("E111")
        operands = [self.scalar(argument, scope) for argument in node.arguments[1:]]
        for specifier, operand in zip(specifiers, operands, strict=True):
            if isinstance(operand.kind, Float) != (specifier.argument == "float"):
                raise Rejected("E112")
            if operand.literal is not None and specifier.argument not in ("integer", operand.literal):
                raise Rejected("E067")

        def compute(frame: Frame) -> Value:
            values = [operand.compute(frame) for operand in operands]
            shown = [
                value if isinstance(operand.kind, Float) else a.pattern(value, operand.kind)
                for value, operand in zip(values, operands, strict=True)
            ]
            self.memory.host.message(message(parts, shown, self.memory))
            return 0

        return Operand(Void(), compute)


def distance(x: int, y: int, size: int) -> int:
    """Elements between two pointers."""
    between = I64.wrap(x - y)
    if between % size:
        raise Stopped("pointer_difference")
    return between // size
