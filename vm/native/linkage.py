"""What connects generated functions with the rest: the run context, the support functions, and Python's callbacks."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence

from vm.facts.builtins import BUILTIN_INDEX
from vm.native.access import DirectAccess
from vm.native.context import Context, RingHeader
from vm.native.emitter import (
    I1,
    I32,
    I64,
    INVARIANT,
    NO,
    POINTER,
    VOID,
    WIDTHS,
    Emitter,
    Module,
    Signature,
    Value,
    number,
)
from vm.native.layout import CELL, table

MAYBE = "{ i64, i1 }"  # a value, and whether there is one

_COLD = "cold noinline nounwind"

# What the modules of programs may call: the functions that vm.native.support defines and explains. All of them take
# the context first.
SUPPORT: dict[str, Signature] = {
    name: Signature(result, (POINTER, *parameters), attributes)
    for name, result, parameters, attributes in (
        ("stop", VOID, (I64, I64, I64, I64), _COLD),
        *((f"load{bits}", MAYBE, (I64,), "nounwind") for bits in WIDTHS),
        *((f"store{bits}", I1, (I64, I64), "nounwind") for bits in WIDTHS),
        ("exchange", MAYBE, (I64, I64), "nounwind"),
        ("add", MAYBE, (I64, I64), "nounwind"),
        ("compare_exchange", MAYBE, (I64, I64, I64), "nounwind"),
        ("lock", I64, (I64,), "nounwind"),
        ("unlock", I1, (I64,), "nounwind"),
        ("copy", I1, (I64, I64, I64), "nounwind"),
        ("zero", I1, (I64, I64), "nounwind"),
        ("read_register", MAYBE, (I64,), _COLD),
        ("write_register", I1, (I64, I64), _COLD),
        ("pseudo_register", MAYBE, (I64,), _COLD),
        ("builtin", MAYBE, (I64, POINTER), "nounwind"),
        ("printf", I1, (I64, POINTER), "nounwind"),
        ("record", POINTER, (I64,), "nounwind"),
        ("reserve", POINTER, (I64,), "nounwind"),
        ("commit", VOID, (POINTER,), "nounwind"),
        *((f"copy_text{unit}", MAYBE, (I64, I64, POINTER, I64), "nounwind") for unit in (1, 2)),
        *((name, MAYBE, (I64,), "nounwind") for name in ("strlen", "wcslen")),
        *((name, MAYBE, (I64, I64), "nounwind") for name in ("strcmp", "wcscmp")),
        *((name, MAYBE, (I64, I64, I64), "nounwind") for name in ("memcpy", "memcmp", "strncmp", "wcsncmp")),
    )
}
_FILL = Signature(VOID, (POINTER, "i8", I64, I1))
_MOVE = Signature(VOID, (POINTER, POINTER, I64, I1))


def symbol(name: str) -> str:
    """The linker's name of a support function."""
    return f"hds.{name}"


_ADDRESSES: dict[type[ctypes.Structure], dict[str, bool]] = {
    structure: {name: kind == "address" for name, kind in table(structure).items()}
    for structure in (Context, DirectAccess, RingHeader)
}


class Linked(Emitter):
    """A function whose first parameter is the run context."""

    def __init__(self, module: Module, name: str, signature: Signature, internal: bool = False) -> None:
        super().__init__(module, name, signature, internal)
        self.context = self.parameters[0] = Value(POINTER, "%context")

    def field(self, structure: type[ctypes.Structure], name: str, base: Value, index: int = 0, hint: str = "") -> Value:
        """A field of a structure at a host address."""
        kind = POINTER if _ADDRESSES[structure].get(name) else I64
        return self.load(self.field_at(structure, name, base, index), kind, hint=hint)

    def field_at(self, structure: type[ctypes.Structure], name: str, base: Value, index: int = 0) -> Value:
        """The host address of a field, or of a cell of an array."""
        offset: int = getattr(structure, name).offset
        return self.at(base, offset + CELL * index)

    def state(self, name: str) -> Value:
        """A field of the context that runs change."""
        return self.field(Context, name, self.context)

    def set_state(self, name: str, value: Value, index: int = 0) -> None:
        """Set such a field."""
        self.store(value, self.field_at(Context, name, self.context, index))

    def setting(self, name: str) -> Value:
        """A field of the context that no run changes: LLVM may load it once."""
        return self.field(Context, name, self.context, hint=INVARIANT)

    def support(self, name: str, *arguments: Value) -> Value:
        """Call a support function."""
        return self.call_external(symbol(name), SUPPORT[name], [self.context, *arguments])

    def call_external(self, name: str, signature: Signature, arguments: Sequence[Value]) -> Value:
        """Call a function that another module, LLVM or the C library defines."""
        return self.call(name, self.module.declared.setdefault(name, signature), arguments)

    def callback(self, name: str, *arguments: Value) -> Value:
        """Call a function of vm.native.callbacks; true unless it raised or refused."""
        target = self.field(Context, name, self.context, hint=INVARIANT)
        every = [self.setting("handle"), *arguments]
        answer = self.call(target.text, Signature(I32, tuple(argument.type for argument in every)), every)
        return self.compare("ne", answer, Value(I32, "0"))

    def in_python(self, name: str, *arguments: Value) -> Value:
        """Have Python carry out a built-in function, in one step; its result, or none where it raised."""
        given = self.cell("given", len(arguments))
        for place, argument in enumerate(arguments):
            self.store(argument, self.at(given, CELL * place))
        return self.support("builtin", number(BUILTIN_INDEX[name]), given)

    def fill_zero(self, start: Value, size: Value) -> None:
        """Set host memory to 0."""
        self.call_external("llvm.memset.p0.i64", _FILL, [start, Value("i8", "0"), size, NO])

    def move(self, to: Value, start: Value, size: Value) -> None:
        """Copy host memory; the ranges may overlap."""
        self.call_external("llvm.memmove.p0.p0.i64", _MOVE, [to, start, size, NO])

    def widened(self, flag: Value) -> Value:
        """A truth value as 0 or 1."""
        return self.convert("zext", flag, I64)

    def answer_cell(self) -> Value:
        """A cell on the native stack, 0 at first, where a callback puts its result."""
        cell = self.cell("answer")
        self.store(number(0), cell)
        return cell
