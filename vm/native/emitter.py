"""Small helpers over llvmlite's IRBuilder, for the support functions and for the lowering of bytecode alike.

Everything is a 64-bit integer, a pointer or a one-bit truth value; the context is the first parameter of every function.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from typing import Any

from llvmlite import ir

from vm.native.access import DirectAccess
from vm.native.context import Context, RingHeader
from vm.native.layout import CELL, table

I1, I8, I32, I64 = (ir.IntType(bits) for bits in (1, 8, 32, 64))
INTEGERS = {bits: ir.IntType(bits) for bits in (8, 16, 32, 64)}
F32, F64, POINTER, VOID = ir.FloatType(), ir.DoubleType(), ir.PointerType(), ir.VoidType()
MAYBE = ir.LiteralStructType([I64, I1])  # a value, and whether there is one

Value = Any  # llvmlite ships no types


@dataclass(frozen=True)
class Signature:
    """What a function of compiled code takes besides the context, and what it gives."""

    result: Any
    parameters: tuple[Any, ...]
    attributes: tuple[str, ...] = ("nounwind",)

    @property
    def type(self) -> Any:
        """The LLVM type."""
        return ir.FunctionType(self.result, [POINTER, *self.parameters])


# What the modules of programs may call: the functions that vm.native.support defines. Each says there what it does.
SUPPORT: dict[str, Signature] = {
    "fault": Signature(VOID, (I64,) * 5, ("cold", "noinline", "nounwind")),
    **{f"load{bits}": Signature(MAYBE, (I64,)) for bits in INTEGERS},
    **{f"store{bits}": Signature(I1, (I64, I64)) for bits in INTEGERS},
    "exchange": Signature(MAYBE, (I64, I64)),
    "add": Signature(MAYBE, (I64, I64)),
    "compare_exchange": Signature(MAYBE, (I64, I64, I64)),
    "copy": Signature(I1, (I64, I64, I64)),
    "zero": Signature(I1, (I64, I64)),
    "read_register": Signature(MAYBE, (I64,), ("cold", "noinline", "nounwind")),
    "write_register": Signature(I1, (I64, I64), ("cold", "noinline", "nounwind")),
    "pseudo_register": Signature(MAYBE, (I64,), ("cold", "noinline", "nounwind")),
    "builtin": Signature(MAYBE, (I64, POINTER)),
    "printf": Signature(I1, (I64, POINTER)),
    "record": Signature(POINTER, (I64,)),
}


def symbol(name: str) -> str:
    """The linker's name of a support function."""
    return f"hds.{name}"


class Emitter:
    """Emits into one function."""

    def __init__(self, function: Any) -> None:
        self.function = function
        self.module = function.module
        self.ir: Any = ir.IRBuilder(function.append_basic_block("entry"))
        self.context = function.args[0]
        self.context.name = "context"

    # --- values

    def number(self, value: float, kind: Any = I64) -> Value:
        """A constant."""
        return ir.Constant(kind, value)

    def no(self) -> Value:
        """The truth value."""
        return ir.Constant(I1, 0)

    def yes(self) -> Value:
        """The other one."""
        return ir.Constant(I1, 1)

    def null(self) -> Value:
        """The null pointer."""
        return ir.Constant(POINTER, None)

    def extend(self, flag: Value) -> Value:
        """A truth value as 0 or 1."""
        return self.ir.zext(flag, I64)

    def maybe(self, value: Value, ok: Value) -> Value:
        """The pair of a value and whether there is one."""
        pair = self.ir.insert_value(ir.Constant(MAYBE, ir.Undefined), value, 0)
        return self.ir.insert_value(pair, ok, 1)

    # --- memory

    def at(self, base: Value, offset: Value | int) -> Value:
        """The host address `offset` bytes behind base."""
        distance = self.number(offset) if isinstance(offset, int) else offset
        return self.ir.gep(base, [distance], source_etype=I8)

    def load(self, base: Value, offset: int, kind: Any = I64) -> Value:
        """The cell at this offset."""
        return self.ir.load(self.at(base, offset), typ=kind)

    def fixed(self, base: Value, offset: int, kind: Any = I64) -> Value:
        """A cell that no run changes: LLVM may load it once."""
        cell = self.load(base, offset, kind)
        cell.set_metadata("invariant.load", self.module.add_metadata([]))
        return cell

    def store(self, value: Value, base: Value, offset: int) -> None:
        """Set the cell at this offset."""
        self.ir.store(value, self.at(base, offset))

    def field(self, name: str) -> Value:
        """A field of the context that the run changes."""
        return self.load(self.context, offset_of(Context, name), kind_of(Context, name))

    def setting(self, name: str) -> Value:
        """A field of the context that stays as it is during a run."""
        return self.fixed(self.context, offset_of(Context, name), kind_of(Context, name))

    def set_field(self, name: str, value: Value, index: int = 0) -> None:
        """Set a field of the context."""
        self.store(value, self.context, offset_of(Context, name) + CELL * index)

    # --- calls

    def call(self, name: str, *arguments: Value) -> Value:
        """Call a support function."""
        return self.ir.call(declare(self.module, name), [self.context, *arguments])

    def callback(self, name: str, *arguments: Value) -> Value:
        """Call a function of vm.native.callbacks; true unless it raised or refused."""
        kind = ir.FunctionType(I32, [I64, *(argument.type for argument in arguments)])
        target = self.ir.bitcast(self.setting(name), kind.as_pointer())
        answer = self.ir.call(target, [self.setting("handle"), *arguments])
        return self.ir.icmp_unsigned("!=", answer, self.number(0, I32))


def declare(module: Any, name: str) -> Any:
    """A support function, declared in the module on first use."""
    full = symbol(name)
    if full in module.globals:
        return module.globals[full]
    signature = SUPPORT[name]
    function = ir.Function(module, signature.type, full)
    for attribute in signature.attributes:
        function.attributes.add(attribute)
    return function


def offset_of(structure: type[ctypes.Structure], name: str) -> int:
    """The offset of a field in bytes."""
    offset: int = getattr(structure, name).offset
    return offset


def kind_of(structure: type[ctypes.Structure], name: str) -> Any:
    """The LLVM type of a field."""
    return POINTER if _ADDRESSES[structure].get(name) else I64


_ADDRESSES = {
    structure: {name: kind == "address" for name, kind in table(structure).items()}
    for structure in (Context, DirectAccess, RingHeader)
}
