"""THE table of the native engine: each mnemonic of `vm.isa` with the LLVM IR that carries it out.

Read it next to `vm.isa` (what an instruction means) and `vm.semantics` (the same rows in Python). A row works on any
64-bit values, canonical or not, and never runs into undefined behaviour of LLVM: shift counts, divisors and ranges are
checked before the operation.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from vm.builtins import BUILTINS
from vm.isa import INTEGER_KINDS
from vm.native.body import Body
from vm.native.builtins import NATIVE
from vm.native.emitter import CELL, F32, F64, I64, MAYBE, Value
from vm.registers import REGISTERS
from vm.script_memory import GLOBALS_BASE, SLOT, STACK_BASE
from vm.semantics import MASK

MIN_SIGNED = 1 << 63

# --- integers ---------------------------------------------------------------------------------------------------------


def _division(bits: int, remainder: bool) -> Callable[[Body, Value, Value], Value]:
    """Signed division of this width. -2**63 / -1 wraps where the width lets it through."""

    def lower(f: Body, x: Value, y: Value) -> Value:
        f.stop_if(f.ir.icmp_unsigned("==", y, f.number(0)), "division_by_zero", x)
        by_minus_one = f.ir.icmp_unsigned("==", y, f.number(MASK))
        divisor = f.ir.select(by_minus_one, f.number(1), y)
        quotient = f.ir.select(by_minus_one, f.ir.neg(x), f.ir.sdiv(x, divisor))
        wrapped = f.ir.icmp_unsigned("==", x, f.number(MIN_SIGNED))
        overflow = f.ir.icmp_unsigned("==", quotient, f.number(1 << (bits - 1)))
        if bits == 64:
            # A quotient of -2**63 has the same bits as 2**63: only -2**63 / -1 overflows.
            overflow = f.ir.and_(by_minus_one, wrapped)
        f.stop_if(overflow, "division_overflow", x, y)
        return f.ir.select(by_minus_one, f.number(0), f.ir.srem(x, divisor)) if remainder else quotient

    return lower


def _unsigned_division(operation: str) -> Callable[[Body, Value, Value], Value]:
    def lower(f: Body, x: Value, y: Value) -> Value:
        f.stop_if(f.ir.icmp_unsigned("==", y, f.number(0)), "division_by_zero", x)
        return getattr(f.ir, operation)(x, y)

    return lower


def _exact_quotient(f: Body, x: Value, y: Value) -> Value:
    is_zero = f.ir.icmp_unsigned("==", y, f.number(0))
    by_minus_one = f.ir.icmp_unsigned("==", y, f.number(MASK))
    divisor = f.ir.select(f.ir.or_(is_zero, by_minus_one), f.number(1), y)
    inexact = f.ir.icmp_unsigned("!=", f.ir.srem(x, divisor), f.number(0))
    f.stop_if(f.ir.or_(is_zero, inexact), "pointer_difference", x, y)
    return f.ir.select(by_minus_one, f.ir.neg(x), f.ir.sdiv(x, divisor))


def _shift(operation: str, width: int, result: Callable[[Body, Value], Value]) -> Callable[[Body, Value, Value], Value]:
    def lower(f: Body, x: Value, count: Value) -> Value:
        bad = f.ir.icmp_unsigned(">=", count, f.number(width))
        f.stop_if(bad, "shift_out_of_range", count, f.number(width))
        return result(f, getattr(f.ir, operation)(x, count))

    return lower


def _compare(kind: str, operator: str) -> Callable[[Body, Value, Value], Value]:
    return lambda f, x, y: f.extend(getattr(f.ir, "icmp_" + kind)(operator, x, y))


def _whole(f: Body, value: Value) -> Value:
    return value


def _w(f: Body, value: Value) -> Value:
    return f.sign_extend(value, 32)


def _uw(f: Body, value: Value) -> Value:
    return f.zero_extend(value, 32)


# --- floating point ---------------------------------------------------------------------------------------------------


def _is_infinite(f: Body, value: Value) -> Value:
    return f.ir.icmp_unsigned("==", f.ir.and_(f.bits_of(value), f.number(MIN_SIGNED - 1)), f.number(0x7FF << 52))


def _stop_unless_finite(f: Body, value: Value) -> None:
    """An infinity or a NaN stops an operation: its exponent is all ones."""
    exponent = f.number(0x7FF << 52)
    not_finite = f.ir.icmp_unsigned("==", f.ir.and_(f.bits_of(value), exponent), exponent)
    f.stop_if(not_finite, "float_invalid")


def _round_single(f: Body, value: Value) -> Value:
    """A finite binary64 as the bits of the nearest binary32."""
    rounded = f.bits_of(f.ir.fptrunc(value, F32))
    overflow = f.ir.icmp_unsigned("==", f.zero_extend(rounded, 31), f.number(0xFF << 23))
    f.stop_if(overflow, "float_overflow_single", f.bits_of(value))
    return rounded


def _wide(f: Body, bits: Value) -> Value:
    """A binary32 as binary64, exactly."""
    return f.ir.fpext(f.single(bits), F64)


def _arithmetic(operation: str, single: bool) -> Callable[[Body, Value, Value], Value]:
    """binary32 works in binary64 and rounds again, which is correctly rounded: 53 >= 2 * 24 + 2."""

    def lower(f: Body, x: Value, y: Value) -> Value:
        a, b = (_wide(f, x), _wide(f, y)) if single else (f.double(x), f.double(y))
        _stop_unless_finite(f, a)
        _stop_unless_finite(f, b)
        if operation == "fdiv":
            f.stop_if(f.ir.fcmp_ordered("==", b, f.number(0.0, F64)), "division_by_zero", x)
        result = getattr(f.ir, operation)(a, b)
        if single:
            return _round_single(f, result)
        f.stop_if(_is_infinite(f, result), "float_overflow")
        return f.bits_of(result)

    return lower


def _compare_floats(operator: str, single: bool) -> Callable[[Body, Value, Value], Value]:
    """A NaN is unequal to everything and in no order."""

    def lower(f: Body, x: Value, y: Value) -> Value:
        a, b = (f.single(x), f.single(y)) if single else (f.double(x), f.double(y))
        compare = f.ir.fcmp_unordered if operator == "!=" else f.ir.fcmp_ordered
        return f.extend(compare(operator, a, b))

    return lower


def _not_zero(f: Body, value: Value) -> Value:
    return f.extend(f.ir.fcmp_unordered("!=", value, f.number(0.0, value.type)))


def _double_to_single(f: Body, x: Value) -> Value:
    _stop_unless_finite(f, f.double(x))
    return _round_single(f, f.double(x))


def _double_to_integer(f: Body, a: int, b: int, kind: int) -> None:
    """In range when the truncated value is; the bounds are exact doubles, and a NaN is on no side of them."""
    _, bits, is_signed = INTEGER_KINDS[kind]
    x = f.get(b)
    value = f.double(x)
    low, high = (-float(1 << (bits - 1)), float(1 << (bits - 1))) if is_signed else (0.0, float(1 << bits))
    above = f.ir.fcmp_ordered(">", value, f.number(low - 1.0, F64))
    if low - 1.0 == low:
        above = f.ir.fcmp_ordered(">=", value, f.number(low, F64))
    below = f.ir.fcmp_ordered("<", value, f.number(high, F64))
    f.stop_unless(f.ir.and_(above, below), "float_to_int_range", x)
    f.set(a, f.ir.fptosi(value, I64) if is_signed else f.ir.fptoui(value, I64))


# --- scalar instructions, in the order of vm.semantics ----------------------------------------------------------------

BINARY: dict[str, Callable[[Body, Value, Value], Value]] = {
    "PDIV": _exact_quotient,
    "ADD": lambda f, x, y: f.ir.add(x, y),
    "ADDW": lambda f, x, y: _w(f, f.ir.add(x, y)),
    "ADDUW": lambda f, x, y: _uw(f, f.ir.add(x, y)),
    "SUB": lambda f, x, y: f.ir.sub(x, y),
    "SUBW": lambda f, x, y: _w(f, f.ir.sub(x, y)),
    "SUBUW": lambda f, x, y: _uw(f, f.ir.sub(x, y)),
    "MUL": lambda f, x, y: f.ir.mul(x, y),
    "MULW": lambda f, x, y: _w(f, f.ir.mul(x, y)),
    "MULUW": lambda f, x, y: _uw(f, f.ir.mul(x, y)),
    "DIVS": _division(64, remainder=False),
    "DIVSW": _division(32, remainder=False),
    "DIVU": _unsigned_division("udiv"),
    "MODS": _division(64, remainder=True),
    "MODSW": _division(32, remainder=True),
    "MODU": _unsigned_division("urem"),
    "AND": lambda f, x, y: f.ir.and_(x, y),
    "OR": lambda f, x, y: f.ir.or_(x, y),
    "XOR": lambda f, x, y: f.ir.xor(x, y),
    "SHL": _shift("shl", 64, _whole),
    "SHLW": _shift("shl", 32, _w),
    "SHLUW": _shift("shl", 32, _uw),
    "SAR": _shift("ashr", 64, _whole),
    "SARW": _shift("ashr", 32, _whole),
    "SHR": _shift("lshr", 64, _whole),
    "SHRUW": _shift("lshr", 32, _whole),
    "EQ": _compare("unsigned", "=="),
    "NE": _compare("unsigned", "!="),
    "LTS": _compare("signed", "<"),
    "LES": _compare("signed", "<="),
    "LTU": _compare("unsigned", "<"),
    "LEU": _compare("unsigned", "<="),
    "ADDD": _arithmetic("fadd", single=False),
    "SUBD": _arithmetic("fsub", single=False),
    "MULD": _arithmetic("fmul", single=False),
    "DIVD": _arithmetic("fdiv", single=False),
    "EQD": _compare_floats("==", single=False),
    "NED": _compare_floats("!=", single=False),
    "LTD": _compare_floats("<", single=False),
    "LED": _compare_floats("<=", single=False),
    "ADDF": _arithmetic("fadd", single=True),
    "SUBF": _arithmetic("fsub", single=True),
    "MULF": _arithmetic("fmul", single=True),
    "DIVF": _arithmetic("fdiv", single=True),
    "EQF": _compare_floats("==", single=True),
    "NEF": _compare_floats("!=", single=True),
    "LTF": _compare_floats("<", single=True),
    "LEF": _compare_floats("<=", single=True),
}

UNARY: dict[str, Callable[[Body, Value], Value]] = {
    "MOV": lambda f, x: x,
    "NEG": lambda f, x: f.ir.neg(x),
    "NEGW": lambda f, x: _w(f, f.ir.neg(x)),
    "NEGUW": lambda f, x: _uw(f, f.ir.neg(x)),
    "NOT": lambda f, x: f.ir.not_(x),
    "NOTUW": lambda f, x: _uw(f, f.ir.not_(x)),
    "ISZ": lambda f, x: f.extend(f.ir.icmp_unsigned("==", x, f.number(0))),
    "BOOL": lambda f, x: f.extend(f.ir.icmp_unsigned("!=", x, f.number(0))),
    "NEGD": lambda f, x: f.ir.xor(x, f.number(1 << 63)),
    "BOOLD": lambda f, x: _not_zero(f, f.double(x)),
    "NEGF": lambda f, x: _uw(f, f.ir.xor(x, f.number(1 << 31))),
    "BOOLF": lambda f, x: _not_zero(f, f.single(x)),
    "SX8": lambda f, x: f.sign_extend(x, 8),
    "ZX8": lambda f, x: f.zero_extend(x, 8),
    "SX16": lambda f, x: f.sign_extend(x, 16),
    "ZX16": lambda f, x: f.zero_extend(x, 16),
    "SX32": lambda f, x: f.sign_extend(x, 32),
    "ZX32": lambda f, x: f.zero_extend(x, 32),
    "I2D": lambda f, x: f.bits_of(f.ir.sitofp(x, F64)),
    "U2D": lambda f, x: f.bits_of(f.ir.uitofp(x, F64)),
    "I2F": lambda f, x: f.bits_of(f.ir.sitofp(x, F32)),
    "U2F": lambda f, x: f.bits_of(f.ir.uitofp(x, F32)),
    "F2D": lambda f, x: f.bits_of(_wide(f, x)),
    "D2F": _double_to_single,
}

# --- memory -----------------------------------------------------------------------------------------------------------


def _load(bits: int, is_signed: bool) -> Callable[[Body, Value], Value]:
    def lower(f: Body, address: Value) -> Value:
        pair = f.call(f"load{bits}", address)
        value = f.got(pair, "invalid_address", address, f.number(bits // 8))
        return f.sign_extend(value, bits) if is_signed else value

    return lower


def _store(bits: int) -> Callable[[Body, int, int], None]:
    def lower(f: Body, a: int, b: int) -> None:
        address = f.get(a)
        stored = f.call(f"store{bits}", address, f.get(b))
        f.stop_unless(stored, "invalid_address", address, f.number(bits // 8))

    return lower


UNARY |= {f"LD{bits}": _load(bits, is_signed=False) for bits in (8, 16, 32, 64)}
UNARY |= {f"LD{bits}S": _load(bits, is_signed=True) for bits in (8, 16, 32)}


def _global(f: Body, index: int) -> Value:
    """The offset of a global in the globals' memory."""
    return f.fixed(f.setting("slots"), CELL * index)


def _global_cell(f: Body, index: int) -> Value:
    return f.at(f.setting("globals"), _global(f, index))


def _slot(f: Body, slot: int) -> Value:
    """The offset of a slot of the frame in the stack: the frame ends at the top."""
    return f.ir.add(f.frame_base, f.number(slot * SLOT))


def _slot_cell(f: Body, slot: int) -> Value:
    return f.at(f.setting("stack"), _slot(f, slot))


def _bound(f: Body, a: int, b: int) -> None:
    bad = f.ir.icmp_unsigned(">=", f.get(a), f.get(b))
    f.stop_if(bad, "index_out_of_range", f.get(a), f.get(b))


# --- the machine ------------------------------------------------------------------------------------------------------


def _direct_or_asked(f: Body, mask: str, cells: str, index: int, name: str) -> Value:
    """A cell of the host where its mask allows that, else the host's answer."""
    ready = f.bit_set(mask, index)
    with f.ir.if_else(ready, likely=True) as (direct, asked):
        with direct:
            value = f.ir.load(f.direct_cell(cells, index), typ=I64)
            cell = f.maybe(value, f.yes())
            from_cell = f.ir.block
        with asked:
            answer = f.call(name, f.number(index))
            from_host = f.ir.block
    pair = f.ir.phi(MAYBE)
    pair.add_incoming(cell, from_cell)
    pair.add_incoming(answer, from_host)
    return f.got(pair)


def _storage(f: Body, storage: int) -> Value:
    return _direct_or_asked(f, "readable", "registers", storage, "read_register")


def _read_register(f: Body, a: int, index: int) -> None:
    register = REGISTERS[index]
    shifted = f.ir.lshr(_storage(f, register.storage), f.number(register.shift))
    f.set(a, f.ir.and_(shifted, f.number(register.mask)))


def _write_register(f: Body, a: int, index: int) -> None:
    register = REGISTERS[index]
    value = f.get(a)
    if register.bits < 64:
        mask = register.mask << register.shift
        kept = f.ir.and_(_storage(f, register.storage), f.number(~mask & MASK))
        value = f.ir.or_(kept, f.ir.and_(f.ir.shl(value, f.number(register.shift)), f.number(mask)))
    with f.ir.if_else(f.bit_set("writable", register.storage), likely=True) as (direct, asked):
        with direct:
            f.ir.store(value, f.direct_cell("registers", register.storage))
            dirty = f.ir.or_(f.ir.load(f.direct_cell("dirty"), typ=I64), f.number(1 << register.storage))
            f.ir.store(dirty, f.direct_cell("dirty"))
        with asked:
            f.stop_unless(f.call("write_register", f.number(register.storage), value), "raised")


# --- control ----------------------------------------------------------------------------------------------------------


def _branch(taken_when: str) -> Callable[[Body, int, int], None]:
    def lower(f: Body, a: int, target: int) -> None:
        taken = f.ir.icmp_unsigned(taken_when, f.get(a), f.number(0))
        f.end_block()
        f.ir.cbranch(taken, f.blocks[target], f.blocks[f.pc + 1])

    return lower


def _jump(f: Body, target: int) -> None:
    f.end_block()
    f.ir.branch(f.blocks[target])


def _argument(f: Body, a: int, number: int) -> None:
    f.arguments.append(f.get(a))


def _call(f: Body, a: int, index: int) -> None:
    f.set_field("call_pc", f.number(f.pc))
    depth = f.ir.add(f.depth, f.number(1))
    result = f.ir.call(f.siblings[index], [f.context, depth, f.steps, *f.take_arguments()])
    f.unwind_if(f.ir.extract_value(result, 2))
    f.steps = f.ir.extract_value(result, 1)
    f.set(a, f.ir.extract_value(result, 0))


def _builtin(f: Body, a: int, index: int) -> None:
    name, arguments = BUILTINS[index].name, f.take_arguments()
    if name in NATIVE:
        f.set(a, NATIVE[name](f, *arguments))
    else:
        f.set(a, f.got(f.call("builtin", f.number(index), f.cells(arguments))))


def _record(f: Body, form: Value, values: list[Value]) -> None:
    """Leave a message to `vm.native.records`."""
    record = f.call("record", f.number(1 + len(values)))
    f.stop_if(f.ir.icmp_unsigned("==", record, f.null()), "raised")
    for index, value in enumerate((form, *values)):
        f.store(value, record, CELL * index)


def _print(f: Body, a: int) -> None:
    _record(f, f.number(0), [f.get(a)])


def _printf(f: Body, index: int) -> None:
    arguments = f.take_arguments()
    if f.deferred[index]:
        _record(f, f.ir.add(f.setting("format_base"), f.number(index)), arguments)
    else:
        f.stop_unless(f.call("printf", f.number(index), f.cells(arguments)), "raised")


def _return(f: Body, value: Value) -> None:
    if f.bytecode.frame:
        f.set_field("top", f.frame_base)
    f.give(value, f.steps)


# --- the table --------------------------------------------------------------------------------------------------------


def _binary(operation: Callable[[Body, Value, Value], Value]) -> Callable[[Body, int, int, int], None]:
    return lambda f, a, b, c: f.set(a, operation(f, f.get(b), f.get(c)))


def _unary(operation: Callable[[Body, Value], Value]) -> Callable[[Body, int, int], None]:
    return lambda f, a, b: f.set(a, operation(f, f.get(b)))


# What each instruction's operands do; a jump's last operand is the pc of its target.
LOWERING: dict[str, Callable[..., Any]] = {
    "LDI": lambda f, a, number: f.set(a, f.number(number & MASK)),
    "LDH": lambda f, a, number: f.set(a, f.ir.or_(f.ir.shl(f.get(a), f.number(16)), f.number(number))),
    "LDK": lambda f, a, index: f.set(a, f.number(f.program.constants[index])),
    "STR": lambda f, a, index: f.set(a, f.number(f.literals[index])),
    "LEA": lambda f, a, slot: f.set(a, f.ir.or_(_slot(f, slot), f.number(STACK_BASE))),
    "ADG": lambda f, a, index: f.set(a, f.ir.or_(_global(f, index), f.number(GLOBALS_BASE))),
    "LDF": lambda f, a, slot: f.set(a, f.ir.load(_slot_cell(f, slot), typ=I64)),
    "STF": lambda f, a, slot: f.ir.store(f.get(a), _slot_cell(f, slot)),
    "LDG": lambda f, a, index: f.set(a, f.ir.load(_global_cell(f, index), typ=I64)),
    "STG": lambda f, a, index: f.ir.store(f.get(a), _global_cell(f, index)),
    "LDM": _read_register,
    "STM": _write_register,
    "LDP": lambda f, a, index: f.set(a, _direct_or_asked(f, "pseudo_ready", "pseudo", index, "pseudo_register")),
    "PAR": lambda f, a, number: f.set(a, f.parameters[number]),
    **{name: _unary(operation) for name, operation in UNARY.items()},
    **{f"ST{bits}": _store(bits) for bits in (8, 16, 32, 64)},
    "COPY": lambda f, a, b, c: f.stop_unless(f.call("copy", f.get(a), f.get(b), f.get(c)), "raised"),
    "ZERO": lambda f, a, b: f.stop_unless(f.call("zero", f.get(a), f.get(b)), "raised"),
    "BOUND": _bound,
    **{name: _binary(operation) for name, operation in BINARY.items()},
    "D2I": _double_to_integer,
    "JMP": _jump,
    "JZ": _branch("=="),
    "JNZ": _branch("!="),
    "ARG": _argument,
    "CALL": _call,
    "SYS": _builtin,
    "PRINT": _print,
    "PRINTF": _printf,
    "RET": lambda f, a: _return(f, f.get(a)),
    "RETV": lambda f: _return(f, f.number(0)),
}
