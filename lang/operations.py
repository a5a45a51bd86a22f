"""Conversions and operators on typed values: which instruction they are, with constants folded.

Pure functions. Folding uses `vm.semantics`, the meaning that the engine has; what would stop the run is not folded, so
that it stops where it is executed.
"""

from __future__ import annotations

from msgspec.structs import replace

from lang.source import Span
from lang.typed import AddressOfGlobal, AddressOfVariable, Constant, Operation, Value
from lang.types import BOOL, F32, F64, I32, I64, U8, U64, Float, Integer, Pointer, Type, common, promote
from vm import BINARY, INTEGER_KINDS, MASK, UNARY, Stop, double_to_integer, from_double

_KINDS = {(bits, is_signed): number for number, (_, bits, is_signed) in enumerate(INTEGER_KINDS)}
_ARITHMETIC = {"+": "ADD", "-": "SUB", "*": "MUL", "/": "DIV", "%": "MOD"}
_COMPARISONS = {"<": ("LT", False), ">": ("LT", True), "<=": ("LE", False), ">=": ("LE", True)}


def integer(value: int, kind: Type, span: Span) -> Constant:
    """A constant with the canonical bits of a Python integer."""
    return Constant(kind, span, value & MASK)


def double(value: float, span: Span) -> Constant:
    """A constant of type double."""
    return Constant(F64, span, from_double(value))


def operation(mnemonic: str, kind: Type, span: Span, *operands: Value) -> Value:
    """The instruction on these operands, folded where all are constants and nothing stops."""
    bits = [operand.bits for operand in operands if isinstance(operand, Constant)]
    if len(bits) == len(operands):
        try:
            result = BINARY[mnemonic](*bits) if mnemonic in BINARY else UNARY[mnemonic](*bits)
            return Constant(kind, span, result)
        except Stop:
            pass
    return Operation(kind, span, mnemonic, operands)


def is_signed(kind: Type) -> bool:
    """Whether the canonical form of a scalar's value is sign-extended; pointers are unsigned."""
    return isinstance(kind, Integer) and kind.signed


def convert(value: Value, kind: Type) -> Value:
    """The value as another scalar type (language.md 4.4); combinations that are errors were reported before."""
    origin = value.type
    if origin == kind:
        return value
    if isinstance(kind, Float):
        return _to_float(value, kind)
    if isinstance(origin, Float):
        return _float_to_integer(value, kind)
    if kind == BOOL:
        return operation("BOOL", BOOL, value.span, value)
    return _to_integer(value, kind)


def _to_integer(value: Value, kind: Type) -> Value:
    """Integer or pointer to integer or pointer: an extension of the low bits, or nothing at all."""
    origin = value.type
    wider = origin.size < kind.size and (not is_signed(origin) or is_signed(kind))
    if kind.size == 8 or wider or (origin.size == kind.size and is_signed(origin) == is_signed(kind)):
        return replace(value, type=kind)
    return operation(("SX" if is_signed(kind) else "ZX") + str(8 * kind.size), kind, value.span, value)


def _to_float(value: Value, kind: Float) -> Value:
    if isinstance(value.type, Float):
        return operation("F2D" if kind == F64 else "D2F", kind, value.span, value)
    return operation(("I2" if is_signed(value.type) else "U2") + ("D" if kind == F64 else "F"), kind, value.span, value)


def _float_to_integer(value: Value, kind: Type) -> Value:
    value = convert(value, F64)
    if kind == BOOL:
        return operation("BOOL", BOOL, value.span, _float_to_integer(value, U8))
    number = _KINDS[8 * kind.size, is_signed(kind)]
    if isinstance(value, Constant):
        try:
            return Constant(kind, value.span, double_to_integer(value.bits, number))
        except Stop:
            pass
    return Operation(kind, value.span, "D2I", (value,), number)


def _suffix(kind: Type) -> str:
    """The suffix of an arithmetic instruction in a promoted type."""
    if isinstance(kind, Float):
        return "D" if kind == F64 else "F"
    assert isinstance(kind, Integer)
    return "" if kind.size == 8 else "W" if kind.signed else "UW"


def arithmetic(operator: str, left: Value, right: Value, span: Span) -> Value:
    """`+ - * / % << >> & | ^` in the common type of two scalar operands (language.md 4.3, 6.4, 6.5)."""
    kind = common(left.type, right.type)
    left, right = convert(left, kind), convert(right, kind)
    suffix = _suffix(kind)
    if operator in "&|^":
        return operation({"&": "AND", "|": "OR", "^": "XOR"}[operator], kind, span, left, right)
    if operator == "<<":
        mnemonic = "SHL" + suffix
    elif operator == ">>":
        mnemonic = ("SAR" if is_signed(kind) else "SHR") + suffix
    elif operator in "/%" and not isinstance(kind, Float):
        mnemonic = _ARITHMETIC[operator] + ("S" + suffix if is_signed(kind) else "U")
    else:
        mnemonic = _ARITHMETIC[operator] + suffix
    return operation(mnemonic, kind, span, left, right)


def compare(operator: str, left: Value, right: Value, span: Span) -> Value:
    """A comparison in the common type; the result is 0 or 1 of type I32."""
    kind = common(left.type, right.type)
    left, right = convert(left, kind), convert(right, kind)
    floating = _suffix(kind) if isinstance(kind, Float) else ""
    if operator in ("==", "!="):
        return operation(("EQ" if operator == "==" else "NE") + floating, I32, span, left, right)
    name, swap = _COMPARISONS[operator]
    mnemonic = name + (floating or ("S" if is_signed(kind) else "U"))
    if swap and isinstance(left, Constant) and isinstance(right, Constant):
        return operation(mnemonic, I32, span, right, left)
    if swap:
        return Operation(I32, span, mnemonic, (left, right), swapped=True)
    return operation(mnemonic, I32, span, left, right)


def truth(value: Value) -> Value:
    """A value that is not 0 exactly when the scalar is true; -0.0 is false (language.md 6.3)."""
    if isinstance(value.type, Float):
        return operation("BOOLF" if value.type == F32 else "BOOLD", I32, value.span, value)
    return value


def negate(operator: str, value: Value, span: Span) -> Value:
    """`- + ~` on a scalar, in its promoted type."""
    kind = promote(value.type)
    value = convert(value, kind)
    if operator == "+":
        return replace(value, span=span)
    if operator == "~":
        return operation("NOTUW" if _suffix(kind) == "UW" else "NOT", kind, span, value)
    return operation("NEG" + _suffix(kind), kind, span, value)


def add_offset(address: Value, offset: int) -> Value:
    """An address plus a constant number of bytes."""
    if offset == 0:
        return address
    if isinstance(address, AddressOfVariable | AddressOfGlobal):
        return replace(address, offset=address.offset + offset)
    return operation("ADD", U64, address.span, address, integer(offset, U64, address.span))


def scaled(index: Value, size: int) -> Value:
    """An index times the size of an element, modulo 2**64."""
    index = convert(index, I64) if not isinstance(index.type, Pointer) else index
    return operation("MUL", U64, index.span, index, integer(size, U64, index.span)) if size != 1 else index
