"""The support functions: what the code of every program calls, compiled once per process.

They do what can be done without Python, and call back for the rest: memory that is not at hand, and everything that
stops a run. So they need not know how an operation fails; Python does it again and raises what the reference raises.
"""

from __future__ import annotations

from collections.abc import Callable

from llvmlite import ir

from vm.native.access import READABLE, WRITABLE, DirectAccess, RegionRow
from vm.native.context import RingHeader
from vm.native.emitter import (
    CELL,
    I1,
    I8,
    I64,
    INTEGERS,
    POINTER,
    SUPPORT,
    VOID,
    Emitter,
    Value,
    declare,
    kind_of,
    offset_of,
)
from vm.script_memory import GLOBALS_BASE, LITERALS_BASE, STACK_BASE

_REGION_SHIFT = 60
_OFFSET_MASK = (1 << _REGION_SHIFT) - 1
_ROW = 4 * CELL


def support_module() -> ir.Module:
    """A module that defines every function of `emitter.SUPPORT`."""
    module = ir.Module("hds.support")
    span = ir.Function(module, ir.FunctionType(POINTER, [POINTER, I64, I64, I64]), "span")
    span.linkage = "internal"
    guest = ir.Function(module, span.function_type, "guest_span")
    guest.linkage = "internal"
    _guest_span(Emitter(guest))
    _span(Emitter(span), guest)
    for name in SUPPORT:
        emitter = Emitter(declare(module, name))
        _BODIES[name](emitter, *emitter.function.args[1:])
    return module


# --- memory -----------------------------------------------------------------------------------------------------------


def _span(e: Emitter, guest: Value) -> None:
    """The host address of `size` bytes at `address` that allow this access, or null. `size` is at most 2**62."""
    _, address, size, access = e.function.args
    blocks = {name: e.function.append_basic_block(name) for name in ("globals", "literals", "stack", "guest")}
    offset = e.ir.and_(address, e.number(_OFFSET_MASK))
    end = e.ir.add(offset, size)
    choice = e.ir.switch(e.ir.lshr(address, e.number(_REGION_SHIFT)), blocks["guest"])
    for name, base in (("globals", GLOBALS_BASE), ("literals", LITERALS_BASE), ("stack", STACK_BASE)):
        choice.add_case(e.number(base >> _REGION_SHIFT), blocks[name])

    def answer(base: Value, inside: Value) -> None:
        e.ir.ret(e.ir.select(inside, e.at(base, offset), e.null()))

    e.ir.position_at_end(blocks["globals"])
    answer(e.setting("globals"), e.ir.icmp_unsigned("<=", end, e.load(e.setting("globals_used"), 0)))
    e.ir.position_at_end(blocks["literals"])
    inside = e.ir.icmp_unsigned("<=", end, e.setting("literals_size"))
    answer(e.setting("literals"), e.ir.and_(inside, e.ir.icmp_unsigned("==", access, e.number(READABLE))))
    e.ir.position_at_end(blocks["stack"])
    answer(e.setting("stack"), e.ir.icmp_unsigned("<=", end, e.field("top")))
    e.ir.position_at_end(blocks["guest"])
    e.ir.ret(e.ir.call(guest, e.function.args))


def _guest_span(e: Emitter) -> None:
    """The same in the host's region table: the region of the last access, or a binary search for another one."""
    _, address, size, access = e.function.args
    direct = e.setting("direct")
    count = e.load(direct, offset_of(DirectAccess, "region_count"))
    rows = e.load(direct, offset_of(DirectAccess, "regions"), POINTER)
    guess = e.field("last_region")
    with e.ir.if_then(e.ir.icmp_unsigned("<", guess, count), likely=True):
        _answer_from_row(e, rows, guess)
    entry, search, step, found = (
        e.ir.block,
        *(e.function.append_basic_block(name) for name in ("search", "step", "end")),
    )
    e.ir.branch(search)

    # Rows below `low` start at or below the address, rows from `high` on start above it.
    e.ir.position_at_end(search)
    low, high = e.ir.phi(I64), e.ir.phi(I64)
    low.add_incoming(e.number(0), entry)
    high.add_incoming(count, entry)
    e.ir.cbranch(e.ir.icmp_unsigned("<", low, high), step, found)
    e.ir.position_at_end(step)
    middle = e.ir.lshr(e.ir.add(low, high), e.number(1))
    below = e.ir.icmp_unsigned("<=", e.load(_row(e, rows, middle), offset_of(RegionRow, "first")), address)
    low.add_incoming(e.ir.select(below, e.ir.add(middle, e.number(1)), low), step)
    high.add_incoming(e.ir.select(below, high, middle), step)
    e.ir.branch(search)

    e.ir.position_at_end(found)
    with e.ir.if_then(e.ir.icmp_unsigned("!=", low, e.number(0)), likely=True):
        _answer_from_row(e, rows, e.ir.sub(low, e.number(1)))
    e.ir.ret(e.null())


def _row(e: Emitter, rows: Value, index: Value) -> Value:
    return e.at(rows, e.ir.mul(index, e.number(_ROW)))


def _answer_from_row(e: Emitter, rows: Value, index: Value) -> None:
    """Return the host address if the span lies in this row and the row allows the access."""
    _, address, size, access = e.function.args
    row = _row(e, rows, index)
    first, last = (e.load(row, offset_of(RegionRow, name)) for name in ("first", "last"))
    inside = e.ir.and_(e.ir.icmp_unsigned(">=", address, first), e.ir.icmp_unsigned("<=", address, last))
    room = e.ir.icmp_unsigned(">=", e.ir.sub(last, address), e.ir.sub(size, e.number(1)))
    granted = e.ir.and_(e.load(row, offset_of(RegionRow, "permissions")), access)
    allowed = e.ir.icmp_unsigned("!=", granted, e.number(0))
    with e.ir.if_then(e.ir.and_(e.ir.and_(inside, room), allowed), likely=True):
        e.set_field("last_region", index)
        e.ir.ret(e.at(e.load(row, offset_of(RegionRow, "host"), POINTER), e.ir.sub(address, first)))


def _host_address(e: Emitter, address: Value, size: Value, access: int) -> tuple[Value, Value]:
    """The host address of a span, and whether there is one."""
    host = e.ir.call(e.module.globals["span"], [e.context, address, size, e.number(access)])
    return host, e.ir.icmp_unsigned("!=", host, e.null())


def _answer_cell(e: Emitter) -> Value:
    """A cell on the native stack, 0 at first, where a callback puts its result."""
    with e.ir.goto_entry_block():
        cell = e.ir.alloca(I64)
    e.ir.store(e.number(0), cell)
    return cell


def _load(bits: int) -> Callable[..., None]:
    """The little-endian number at an address, zero-extended."""

    def body(e: Emitter, address: Value) -> None:
        size = e.number(bits // 8)
        host, at_hand = _host_address(e, address, size, READABLE)
        with e.ir.if_then(at_hand, likely=True):
            value = e.ir.load(host, typ=INTEGERS[bits], align=1)
            e.ir.ret(e.maybe(value if bits == 64 else e.ir.zext(value, I64), e.yes()))
        answer = _answer_cell(e)
        ok = e.callback("read_memory", address, size, answer)
        e.ir.ret(e.maybe(e.load(answer, 0), ok))

    return body


def _store(bits: int) -> Callable[..., None]:
    """Write the low bits of a value to an address."""

    def body(e: Emitter, address: Value, value: Value) -> None:
        size = e.number(bits // 8)
        host, at_hand = _host_address(e, address, size, WRITABLE)
        with e.ir.if_then(at_hand, likely=True):
            e.ir.store(value if bits == 64 else e.ir.trunc(value, INTEGERS[bits]), host, align=1)
            e.ir.ret(e.yes())
        e.ir.ret(e.callback("write_memory", address, size, value))

    return body


def _read_modify_write(change: Callable[..., Value]) -> Callable[..., None]:
    """Replace the 64 bits at an address by `change(e, old, arguments)`; the old value. One access after the other."""

    def body(e: Emitter, address: Value, *arguments: Value) -> None:
        pair = e.call("load64", address)
        old, ok = e.ir.extract_value(pair, 0), e.ir.extract_value(pair, 1)
        with e.ir.if_then(e.ir.not_(ok), likely=False):
            e.ir.ret(pair)
        e.ir.ret(e.maybe(old, e.call("store64", address, change(e, old, *arguments))))

    return body


def _bulk_allowed(e: Emitter, size: Value) -> Value:
    return e.ir.icmp_unsigned("<=", size, e.field("bulk_left"))


def _charge(e: Emitter, size: Value) -> None:
    e.set_field("bulk_left", e.ir.sub(e.field("bulk_left"), size))


def _copy(e: Emitter, target: Value, source: Value, size: Value) -> None:
    """COPY of bytes that lie at hand, and otherwise in Python."""
    nothing = e.number(0)
    allowed = e.ir.and_(_bulk_allowed(e, size), e.ir.icmp_unsigned("!=", size, nothing))
    with e.ir.if_then(allowed, likely=True):
        start, readable = _host_address(e, source, size, READABLE)
        to, writable = _host_address(e, target, size, WRITABLE)
        with e.ir.if_then(e.ir.and_(readable, writable), likely=True):
            _charge(e, size)
            kind = ir.FunctionType(VOID, [POINTER, POINTER, I64, I1])
            move = e.module.declare_intrinsic("llvm.memmove", (POINTER, POINTER, I64), kind)
            e.ir.call(move, [to, start, size, e.no()])
            e.ir.ret(e.yes())
    e.ir.ret(e.callback("copy", target, source, size))


def _zero(e: Emitter, target: Value, size: Value) -> None:
    """ZERO of bytes that lie at hand, and otherwise in Python."""
    allowed = e.ir.and_(_bulk_allowed(e, size), e.ir.icmp_unsigned("!=", size, e.number(0)))
    with e.ir.if_then(allowed, likely=True):
        to, writable = _host_address(e, target, size, WRITABLE)
        with e.ir.if_then(writable, likely=True):
            _charge(e, size)
            kind = ir.FunctionType(VOID, [POINTER, I8, I64, I1])
            fill = e.module.declare_intrinsic("llvm.memset", (POINTER, I64), kind)
            e.ir.call(fill, [to, e.number(0, I8), size, e.no()])
            e.ir.ret(e.yes())
    e.ir.ret(e.callback("zero", target, size))


# --- the host ---------------------------------------------------------------------------------------------------------


def _ask(name: str) -> Callable[..., None]:
    """A callback with a result: its last parameter is where it puts it."""

    def body(e: Emitter, *arguments: Value) -> None:
        answer = _answer_cell(e)
        ok = e.callback(name, *arguments, answer)
        e.ir.ret(e.maybe(e.load(answer, 0), ok))

    return body


def _tell(name: str) -> Callable[..., None]:
    """A callback without a result."""
    return lambda e, *arguments: e.ir.ret(e.callback(name, *arguments))


def _record(e: Emitter, size: Value) -> None:
    """Where a message record of `size` cells goes; a full ring is drained first. Null when that raised."""
    ring = e.setting("ring")

    def cell(name: str) -> Value:
        return e.load(ring, offset_of(RingHeader, name), kind_of(RingHeader, name))

    full = e.ir.icmp_unsigned(">", e.ir.add(cell("used"), size), cell("capacity"))
    with e.ir.if_then(full, likely=False):
        drained = e.callback("drain")
        with e.ir.if_then(e.ir.not_(drained), likely=False):
            e.ir.ret(e.null())
    used = cell("used")
    e.store(e.ir.add(used, size), ring, offset_of(RingHeader, "used"))
    e.ir.ret(e.at(cell("records"), e.ir.mul(used, e.number(CELL))))


def _fault(e: Emitter, *arguments: Value) -> None:
    """Write down what stops the run."""
    steps, pc, number, first, second = arguments
    for name, value in (("steps", steps), ("fault_pc", pc), ("fault", number), ("fault_values", first)):
        e.set_field(name, value)
    e.set_field("fault_values", second, index=1)
    e.ir.ret_void()


_BODIES: dict[str, Callable[..., None]] = {
    "fault": _fault,
    **{f"load{bits}": _load(bits) for bits in INTEGERS},
    **{f"store{bits}": _store(bits) for bits in INTEGERS},
    "exchange": _read_modify_write(lambda e, old, value: value),
    "add": _read_modify_write(lambda e, old, value: e.ir.add(old, value)),
    "compare_exchange": _read_modify_write(
        lambda e, old, value, expected: e.ir.select(e.ir.icmp_unsigned("==", old, expected), value, old)
    ),
    "copy": _copy,
    "zero": _zero,
    "read_register": _ask("read_register"),
    "write_register": _tell("write_register"),
    "pseudo_register": _ask("pseudo_register"),
    "builtin": _ask("builtin"),
    "printf": _tell("printf"),
    "record": _record,
}
