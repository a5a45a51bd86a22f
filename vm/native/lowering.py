"""THE table of the native engine: each mnemonic of `vm.isa` with the LLVM IR that carries it out.

Read it next to `vm.isa` (what an instruction means) and `vm.semantics` (the same rows in Python). A row works on any
64-bit values, canonical or not, and never runs into undefined behaviour of LLVM: shift counts, divisors and ranges are
checked before the operation.
"""

from __future__ import annotations

from collections.abc import Callable

from vm.facts.builtins import BUILTINS
from vm.facts.registers import REGISTERS
from vm.isa import INTEGER_KINDS
from vm.native import faults
from vm.native.body import Body, signature
from vm.native.builtins import NATIVE
from vm.native.emitter import F32, F64, I1, I64, INVARIANT, YES, Value, double, number
from vm.native.layout import CELL
from vm.native.printing import lower_print, lower_printf
from vm.script_memory import GLOBALS_BASE, SLOT, STACK_BASE
from vm.semantics import MASK

_EXPONENT = 0x7FF << 52  # of a binary64; all ones in infinities and NaNs

# --- integers ---------------------------------------------------------------------------------------------------------


def _division(bits: int, remainder: bool) -> Callable[[Body, Value, Value], Value]:
    """Signed division of this width. -2**63 / -1 wraps where the width lets it through."""

    def lower(f: Body, x: Value, y: Value) -> Value:
        f.stop_if(f.compare("eq", y, number(0)), "division_by_zero", x)
        by_minus_one = f.compare("eq", y, number(MASK))
        divisor = f.select(by_minus_one, number(1), y)
        quotient = f.select(by_minus_one, f.op("sub", number(0), x), f.op("sdiv", x, divisor))
        overflow = f.compare("eq", quotient, number(1 << (bits - 1)))
        if bits == 64:  # a quotient of -2**63 has the same bits as 2**63
            overflow = f.op("and", overflow, by_minus_one)
        f.stop_if(overflow, "division_overflow", x, y)
        return f.select(by_minus_one, number(0), f.op("srem", x, divisor)) if remainder else quotient

    return lower


def _unsigned_division(operation: str) -> Callable[[Body, Value, Value], Value]:
    def lower(f: Body, x: Value, y: Value) -> Value:
        f.stop_if(f.compare("eq", y, number(0)), "division_by_zero", x)
        return f.op(operation, x, y)

    return lower


def _exact_quotient(f: Body, x: Value, y: Value) -> Value:
    is_zero = f.compare("eq", y, number(0))
    by_minus_one = f.compare("eq", y, number(MASK))
    divisor = f.select(f.op("or", is_zero, by_minus_one), number(1), y)
    inexact = f.compare("ne", f.op("srem", x, divisor), number(0))
    f.stop_if(f.op("or", is_zero, inexact), "pointer_difference", x, y)
    return f.select(by_minus_one, f.op("sub", number(0), x), f.op("sdiv", x, divisor))


def _shift(operation: str, width: int, result: Callable[[Body, Value], Value]) -> Callable[[Body, Value, Value], Value]:
    def lower(f: Body, x: Value, count: Value) -> Value:
        bad = f.compare("uge", count, number(width))
        f.stop_if(bad, "shift_out_of_range", count, number(width))
        return result(f, f.op(operation, x, count))

    return lower


def _compare(condition: str) -> Callable[[Body, Value, Value], Value]:
    return lambda f, x, y: f.widened(f.compare(condition, x, y))


def _whole(f: Body, value: Value) -> Value:
    return value


def _w(f: Body, value: Value) -> Value:
    return f.sign_extend(value, 32)


def _uw(f: Body, value: Value) -> Value:
    return f.zero_extend(value, 32)


# --- floating point ---------------------------------------------------------------------------------------------------


def _is_infinite(f: Body, value: Value) -> Value:
    return f.compare("eq", f.op("and", f.bits_of(value), number(MASK >> 1)), number(_EXPONENT))


def _stop_unless_finite(f: Body, value: Value) -> None:
    """An infinity or a NaN stops an operation."""
    exponent = f.op("and", f.bits_of(value), number(_EXPONENT))
    not_finite = f.compare("eq", exponent, number(_EXPONENT))
    f.stop_if(not_finite, "float_invalid")


def _round_single(f: Body, value: Value) -> Value:
    """A finite binary64 as the bits of the nearest binary32."""
    rounded = f.bits_of(f.convert("fptrunc", value, F32))
    overflow = f.compare("eq", f.zero_extend(rounded, 31), number(0xFF << 23))
    f.stop_if(overflow, "float_overflow_single", f.bits_of(value))
    return rounded


def _wide(f: Body, bits: Value) -> Value:
    """A binary32 as binary64, exactly."""
    return f.convert("fpext", f.single(bits), F64)


def _arithmetic(operation: str, single: bool) -> Callable[[Body, Value, Value], Value]:
    """binary32 works in binary64 and rounds again, which is correctly rounded: 53 >= 2 * 24 + 2."""

    def lower(f: Body, x: Value, y: Value) -> Value:
        a, b = (_wide(f, x), _wide(f, y)) if single else (f.double(x), f.double(y))
        _stop_unless_finite(f, a)
        _stop_unless_finite(f, b)
        if operation == "fdiv":
            f.stop_if(f.compare("oeq", b, double(0.0)), "division_by_zero", x)
        result = f.op(operation, a, b)
        if single:
            return _round_single(f, result)
        f.stop_if(_is_infinite(f, result), "float_overflow")
        return f.bits_of(result)

    return lower


def _compare_floats(condition: str, single: bool) -> Callable[[Body, Value, Value], Value]:
    """A NaN is unequal to everything and in no order."""

    def lower(f: Body, x: Value, y: Value) -> Value:
        a, b = (f.single(x), f.single(y)) if single else (f.double(x), f.double(y))
        return f.widened(f.compare(condition, a, b))

    return lower


def _not_zero(f: Body, value: Value) -> Value:
    return f.widened(f.compare("une", value, Value(value.type, "0.0")))


def _double_to_single(f: Body, x: Value) -> Value:
    _stop_unless_finite(f, f.double(x))
    return _round_single(f, f.double(x))


def _double_to_integer(f: Body, a: int, b: int, kind: int) -> None:
    """In range when the truncated value is; the bounds are exact doubles, and a NaN is on no side of them."""
    _, bits, is_signed = INTEGER_KINDS[kind]
    x = f.get(b)
    value = f.double(x)
    low, high = (-float(1 << (bits - 1)), float(1 << (bits - 1))) if is_signed else (0.0, float(1 << bits))
    above = f.compare("ogt", value, double(low - 1.0))
    if low - 1.0 == low:
        above = f.compare("oge", value, double(low))
    below = f.compare("olt", value, double(high))
    f.stop_unless(f.op("and", above, below), "float_to_int_range", x)
    f.set(a, f.convert("fptosi", value, I64) if is_signed else f.convert("fptoui", value, I64))


# --- scalar instructions, in the order of vm.semantics ----------------------------------------------------------------

BINARY: dict[str, Callable[[Body, Value, Value], Value]] = {
    "PDIV": _exact_quotient,
    "ADD": lambda f, x, y: f.op("add", x, y),
    "ADDW": lambda f, x, y: _w(f, f.op("add", x, y)),
    "ADDUW": lambda f, x, y: _uw(f, f.op("add", x, y)),
    "SUB": lambda f, x, y: f.op("sub", x, y),
    "SUBW": lambda f, x, y: _w(f, f.op("sub", x, y)),
    "SUBUW": lambda f, x, y: _uw(f, f.op("sub", x, y)),
    "MUL": lambda f, x, y: f.op("mul", x, y),
    "MULW": lambda f, x, y: _w(f, f.op("mul", x, y)),
    "MULUW": lambda f, x, y: _uw(f, f.op("mul", x, y)),
    "DIVS": _division(64, remainder=False),
    "DIVSW": _division(32, remainder=False),
    "DIVU": _unsigned_division("udiv"),
    "MODS": _division(64, remainder=True),
    "MODSW": _division(32, remainder=True),
    "MODU": _unsigned_division("urem"),
    "AND": lambda f, x, y: f.op("and", x, y),
    "OR": lambda f, x, y: f.op("or", x, y),
    "XOR": lambda f, x, y: f.op("xor", x, y),
    "SHL": _shift("shl", 64, _whole),
    "SHLW": _shift("shl", 32, _w),
    "SHLUW": _shift("shl", 32, _uw),
    "SAR": _shift("ashr", 64, _whole),
    "SARW": _shift("ashr", 32, _whole),
    "SHR": _shift("lshr", 64, _whole),
    "SHRUW": _shift("lshr", 32, _whole),
    "EQ": _compare("eq"),
    "NE": _compare("ne"),
    "LTS": _compare("slt"),
    "LES": _compare("sle"),
    "LTU": _compare("ult"),
    "LEU": _compare("ule"),
    "ADDD": _arithmetic("fadd", single=False),
    "SUBD": _arithmetic("fsub", single=False),
    "MULD": _arithmetic("fmul", single=False),
    "DIVD": _arithmetic("fdiv", single=False),
    "EQD": _compare_floats("oeq", single=False),
    "NED": _compare_floats("une", single=False),
    "LTD": _compare_floats("olt", single=False),
    "LED": _compare_floats("ole", single=False),
    "ADDF": _arithmetic("fadd", single=True),
    "SUBF": _arithmetic("fsub", single=True),
    "MULF": _arithmetic("fmul", single=True),
    "DIVF": _arithmetic("fdiv", single=True),
    "EQF": _compare_floats("oeq", single=True),
    "NEF": _compare_floats("une", single=True),
    "LTF": _compare_floats("olt", single=True),
    "LEF": _compare_floats("ole", single=True),
}

UNARY: dict[str, Callable[[Body, Value], Value]] = {
    "MOV": lambda f, x: x,
    "NEG": lambda f, x: f.op("sub", number(0), x),
    "NEGW": lambda f, x: _w(f, f.op("sub", number(0), x)),
    "NEGUW": lambda f, x: _uw(f, f.op("sub", number(0), x)),
    "NOT": lambda f, x: f.op("xor", x, number(MASK)),
    "NOTUW": lambda f, x: _uw(f, f.op("xor", x, number(MASK))),
    "ISZ": lambda f, x: f.widened(f.compare("eq", x, number(0))),
    "BOOL": lambda f, x: f.widened(f.compare("ne", x, number(0))),
    "NEGD": lambda f, x: f.op("xor", x, number(1 << 63)),
    "BOOLD": lambda f, x: _not_zero(f, f.double(x)),
    "NEGF": lambda f, x: _uw(f, f.op("xor", x, number(1 << 31))),
    "BOOLF": lambda f, x: _not_zero(f, f.single(x)),
    "SX8": lambda f, x: f.sign_extend(x, 8),
    "ZX8": lambda f, x: f.zero_extend(x, 8),
    "SX16": lambda f, x: f.sign_extend(x, 16),
    "ZX16": lambda f, x: f.zero_extend(x, 16),
    "SX32": lambda f, x: f.sign_extend(x, 32),
    "ZX32": lambda f, x: f.zero_extend(x, 32),
    "I2D": lambda f, x: f.bits_of(f.convert("sitofp", x, F64)),
    "U2D": lambda f, x: f.bits_of(f.convert("uitofp", x, F64)),
    "I2F": lambda f, x: f.bits_of(f.convert("sitofp", x, F32)),
    "U2F": lambda f, x: f.bits_of(f.convert("uitofp", x, F32)),
    "F2D": lambda f, x: f.bits_of(_wide(f, x)),
    "D2F": _double_to_single,
}

# --- memory -----------------------------------------------------------------------------------------------------------


def _load(bits: int, is_signed: bool) -> Callable[[Body, Value], Value]:
    def lower(f: Body, address: Value) -> Value:
        pair = f.support(f"load{bits}", address)
        value = f.got(pair, "invalid_address", address, number(bits // 8))
        return f.sign_extend(value, bits) if is_signed else value

    return lower


def _store(bits: int) -> Callable[[Body, int, int], None]:
    def lower(f: Body, a: int, b: int) -> None:
        address = f.get(a)
        stored = f.support(f"store{bits}", address, f.get(b))
        f.stop_unless(stored, "invalid_address", address, number(bits // 8))

    return lower


UNARY |= {f"LD{bits}": _load(bits, is_signed=False) for bits in (8, 16, 32, 64)}
UNARY |= {f"LD{bits}S": _load(bits, is_signed=True) for bits in (8, 16, 32)}


def _global(f: Body, index: int) -> Value:
    """The offset of a global in the globals' memory."""
    return f.load(f.at(f.setting("slots"), CELL * index), hint=INVARIANT)


def _global_cell(f: Body, index: int) -> Value:
    return f.at(f.setting("globals"), _global(f, index))


def _slot(f: Body, slot: int) -> Value:
    """The offset of a slot of the frame in the stack: the frame ends at the top."""
    assert f.frame_base is not None  # the verifier: a slot is inside the frame
    return f.op("add", f.frame_base, number(slot * SLOT))


def _slot_cell(f: Body, slot: int) -> Value:
    return f.at(f.setting("stack"), _slot(f, slot))


def _bound(f: Body, a: int, b: int) -> None:
    bad = f.compare("uge", f.get(a), f.get(b))
    f.stop_if(bad, "index_out_of_range", f.get(a), f.get(b))


# --- the machine ------------------------------------------------------------------------------------------------------


def _direct_or_asked(f: Body, mask: str, place: Callable[[int], Value], index: int, name: str) -> Value:
    """A cell of the host where its mask allows that, else the host's answer."""
    direct, asked, known = map(f.new_block, ("direct", "asked", "known"))
    f.branch(f.bit_set(mask, index), direct, asked)
    f.block = direct
    cell = f.load(place(index))
    f.jump(known)
    f.block = asked
    answer = f.support(name, number(index))
    from_host, ok = f.part(answer, 0), f.part(answer, 1, I1)
    f.jump(known)
    f.block = known
    value, good = f.phi(I64), f.phi(I1)
    for block, found, is_good in ((direct, cell, YES), (asked, from_host, ok)):
        value.add(found, block)
        good.add(is_good, block)
    f.stop_unless(good.value, "raised")
    return value.value


def _storage(f: Body, storage: int) -> Value:
    return _direct_or_asked(f, "readable", f.register_cell, storage, "read_register")


def _pseudo_register(f: Body, index: int) -> Value:
    return _direct_or_asked(f, "pseudo_ready", lambda at: f.direct_cell("pseudo", at), index, "pseudo_register")


def _read_register(f: Body, a: int, index: int) -> None:
    register = REGISTERS[index]
    shifted = f.op("lshr", _storage(f, register.storage), number(register.shift))
    f.set(a, f.op("and", shifted, number(register.mask)))


def _write_register(f: Body, a: int, index: int) -> None:
    register = REGISTERS[index]
    value = f.get(a)
    if register.bits < 64:
        mask = register.mask << register.shift
        kept = f.op("and", _storage(f, register.storage), number(~mask & MASK))
        value = f.op("or", kept, f.op("and", f.op("shl", value, number(register.shift)), number(mask)))
    direct, asked, written = map(f.new_block, ("direct", "asked", "written"))
    f.branch(f.bit_set("writable", register.storage), direct, asked)
    f.block = direct
    f.store(value, f.register_cell(register.storage))
    dirty = f.direct_cell("dirty")
    f.store(f.op("or", f.load(dirty), number(1 << register.storage)), dirty)
    f.jump(written)
    f.block = asked
    f.stop_unless(f.support("write_register", number(register.storage), value), "raised")
    f.jump(written)
    f.block = written


# --- control ----------------------------------------------------------------------------------------------------------


def _branch(taken_when: str) -> Callable[[Body, int, int], None]:
    def lower(f: Body, a: int, target: int) -> None:
        taken = f.compare(taken_when, f.get(a), number(0))
        f.end_block()
        f.branch(taken, f.code_blocks[target], f.code_blocks[f.pc + 1])

    return lower


def _jump(f: Body, target: int) -> None:
    f.end_block()
    f.jump(f.code_blocks[target])


def _argument(f: Body, a: int, index: int) -> None:
    f.arguments.append(f.get(a))


def _call(f: Body, a: int, index: int) -> None:
    f.set_state("call_site", number(faults.site(f.pc)))
    depth = f.op("add", f.depth, number(1))
    callee = signature(f.program.functions[index])
    result = f.call(f.symbols[index], callee, [f.context, depth, f.steps, *f.take_arguments()])
    f.unwind_if(f.part(result, 2, I1))
    f.steps = f.part(result, 1)
    f.set(a, f.part(result, 0))


def _builtin(f: Body, a: int, index: int) -> None:
    name, arguments = BUILTINS[index].name, f.take_arguments()
    if name in NATIVE:
        f.set(a, NATIVE[name](f, *arguments))
    else:
        f.set(a, f.got(f.support("builtin", number(index), f.array(arguments))))


def _return(f: Body, value: Value) -> None:
    if f.frame_base is not None:
        f.set_state("top", f.frame_base)
    f.finish(value)


# --- the table --------------------------------------------------------------------------------------------------------


def _binary(operation: Callable[[Body, Value, Value], Value]) -> Callable[[Body, int, int, int], None]:
    return lambda f, a, b, c: f.set(a, operation(f, f.get(b), f.get(c)))


def _unary(operation: Callable[[Body, Value], Value]) -> Callable[[Body, int, int], None]:
    return lambda f, a, b: f.set(a, operation(f, f.get(b)))


# What each instruction's operands do; a jump's last operand is the pc of its target.
LOWERING: dict[str, Callable[..., None]] = {
    "LDI": lambda f, a, value: f.set(a, number(value & MASK)),
    "LDH": lambda f, a, low: f.set(a, f.op("or", f.op("shl", f.get(a), number(16)), number(low))),
    "LDK": lambda f, a, index: f.set(a, number(f.program.constants[index])),
    "STR": lambda f, a, index: f.set(a, number(f.literals[index])),
    "LEA": lambda f, a, slot: f.set(a, f.op("or", _slot(f, slot), number(STACK_BASE))),
    "ADG": lambda f, a, index: f.set(a, f.op("or", _global(f, index), number(GLOBALS_BASE))),
    "LDF": lambda f, a, slot: f.set(a, f.load(_slot_cell(f, slot))),
    "STF": lambda f, a, slot: f.store(f.get(a), _slot_cell(f, slot)),
    "LDG": lambda f, a, index: f.set(a, f.load(_global_cell(f, index))),
    "STG": lambda f, a, index: f.store(f.get(a), _global_cell(f, index)),
    "LDM": _read_register,
    "STM": _write_register,
    "LDP": lambda f, a, index: f.set(a, _pseudo_register(f, index)),
    "PAR": lambda f, a, index: f.set(a, f.given[index]),
    **{name: _unary(operation) for name, operation in UNARY.items()},
    **{f"ST{bits}": _store(bits) for bits in (8, 16, 32, 64)},
    "COPY": lambda f, a, b, c: f.stop_unless(f.support("copy", f.get(a), f.get(b), f.get(c)), "raised"),
    "ZERO": lambda f, a, b: f.stop_unless(f.support("zero", f.get(a), f.get(b)), "raised"),
    "BOUND": _bound,
    **{name: _binary(operation) for name, operation in BINARY.items()},
    "D2I": _double_to_integer,
    "JMP": _jump,
    "JZ": _branch("eq"),
    "JNZ": _branch("ne"),
    "ARG": _argument,
    "CALL": _call,
    "SYS": _builtin,
    "PRINT": lower_print,
    "PRINTF": lower_printf,
    "RET": lambda f, a: _return(f, f.get(a)),
    "RETV": lambda f: _return(f, number(0)),
}
