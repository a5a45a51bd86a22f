"""The support functions: what the code of every program calls, compiled once per process.

They do what can be done without Python, and call back for the rest: memory that is not at hand, and everything that
stops a run. So they need not know how an operation fails; Python does it again and raises what the reference raises.
"""

from __future__ import annotations

from collections.abc import Callable

from vm.native.access import READABLE, WRITABLE, DirectAccess, RegionRow
from vm.native.context import RingHeader
from vm.native.emitter import I1, I64, NULL, POINTER, WIDTHS, YES, Module, Signature, Value, number
from vm.native.layout import CELL
from vm.native.linkage import SUPPORT, Linked, symbol
from vm.script_memory import GLOBALS_BASE, LITERALS_BASE, STACK_BASE

_REGION_SHIFT = 60
_OFFSET_MASK = (1 << _REGION_SHIFT) - 1
_ROW = 4 * CELL
_SPAN = Signature(POINTER, (POINTER, I64, I64, I64))


def support_module() -> Module:
    """A module that defines every function of `linkage.SUPPORT`."""
    module = Module()
    for name, body in (("guest_span", _guest_span), ("span", _span)):
        e = Linked(module, name, _SPAN, internal=True)
        body(e, *e.parameters[1:])
    for name, signature in SUPPORT.items():
        e = Linked(module, symbol(name), signature)
        _BODIES[name](e, *e.parameters[1:])
    for name in SUPPORT:
        module.declared.pop(symbol(name), None)
    return module


# --- memory -----------------------------------------------------------------------------------------------------------


def _span(e: Linked, address: Value, size: Value, access: Value) -> None:
    """The host address of `size` bytes at `address` that allow this access, or null. `size` is at most 2**62."""
    globals_, literals, stack, guest = map(e.new_block, ("globals", "literals", "stack", "guest"))
    offset = e.op("and", address, number(_OFFSET_MASK))
    end = e.op("add", offset, size)
    regions = {GLOBALS_BASE: globals_, LITERALS_BASE: literals, STACK_BASE: stack}
    cases = {base >> _REGION_SHIFT: block for base, block in regions.items()}
    e.switch(e.op("lshr", address, number(_REGION_SHIFT)), cases, guest)

    e.block = globals_
    inside = e.compare("ule", end, e.load(e.setting("globals_used")))
    e.give(e.select(inside, e.at(e.setting("globals"), offset), NULL))
    e.block = literals
    inside = e.compare("ule", end, e.setting("literals_size"))
    readable = e.op("and", inside, e.compare("eq", access, number(READABLE)))
    e.give(e.select(readable, e.at(e.setting("literals"), offset), NULL))
    e.block = stack
    inside = e.compare("ule", end, e.state("top"))
    e.give(e.select(inside, e.at(e.setting("stack"), offset), NULL))
    e.block = guest
    e.give(e.call("guest_span", _SPAN, e.parameters))


def _guest_span(e: Linked, address: Value, size: Value, access: Value) -> None:
    """The same in the host's region table: the region of the last access, or a binary search for another one."""
    direct = e.setting("direct")
    count, rows = e.field(DirectAccess, "region_count", direct), e.field(DirectAccess, "regions", direct)
    guess = e.state("last_region")
    with e.when(e.compare("ult", guess, count)):
        _answer_from_row(e, rows, guess)
    entry, search, step, found = e.block, *map(e.new_block, ("search", "step", "found"))
    e.jump(search)

    # Rows below `low` start at or below the address, rows from `high` on start above it.
    e.block = search
    low, high = e.phi(I64), e.phi(I64)
    low.add(number(0), entry)
    high.add(count, entry)
    e.branch(e.compare("ult", low.value, high.value), step, found)
    e.block = step
    middle = e.op("lshr", e.op("add", low.value, high.value), number(1))
    below = e.compare("ule", e.field(RegionRow, "first", _row(e, rows, middle)), address)
    low.add(e.select(below, e.op("add", middle, number(1)), low.value), step)
    high.add(e.select(below, high.value, middle), step)
    e.jump(search)

    e.block = found
    with e.when(e.compare("ne", low.value, number(0))):
        _answer_from_row(e, rows, e.op("sub", low.value, number(1)))
    e.give(NULL)


def _row(e: Linked, rows: Value, index: Value) -> Value:
    return e.at(rows, e.op("mul", index, number(_ROW)))


def _answer_from_row(e: Linked, rows: Value, index: Value) -> None:
    """Return the host address if the span lies in this row and the row allows the access."""
    _, address, size, access = e.parameters
    row = _row(e, rows, index)
    first, last = e.field(RegionRow, "first", row), e.field(RegionRow, "last", row)
    inside = e.op("and", e.compare("uge", address, first), e.compare("ule", address, last))
    room = e.compare("uge", e.op("sub", last, address), e.op("sub", size, number(1)))
    granted = e.op("and", e.field(RegionRow, "permissions", row), access)
    allowed = e.op("and", room, e.compare("ne", granted, number(0)))
    with e.when(e.op("and", inside, allowed)):
        e.set_state("last_region", index)
        e.give(e.at(e.field(RegionRow, "host", row), e.op("sub", address, first)))


def _host_address(e: Linked, address: Value, size: Value, access: int) -> tuple[Value, Value]:
    """The host address of a span, and whether there is one."""
    host = e.call("span", _SPAN, [e.context, address, size, number(access)])
    return host, e.compare("ne", host, NULL)


def _load(bits: int) -> Callable[..., None]:
    """The little-endian number at an address, zero-extended."""

    def body(e: Linked, address: Value) -> None:
        answer, size = e.answer_cell(), number(bits // 8)
        host, at_hand = _host_address(e, address, size, READABLE)
        with e.when(at_hand):
            value = e.load(host, f"i{bits}", align=1)
            e.give(value if bits == 64 else e.convert("zext", value, I64), YES)
        known = e.callback("read_memory", address, size, answer)
        e.give(e.load(answer), known)

    return body


def _store(bits: int) -> Callable[..., None]:
    """Write the low bits of a value to an address."""

    def body(e: Linked, address: Value, value: Value) -> None:
        size = number(bits // 8)
        host, at_hand = _host_address(e, address, size, WRITABLE)
        with e.when(at_hand):
            e.store(value if bits == 64 else e.convert("trunc", value, f"i{bits}"), host, align=1)
            e.give(YES)
        e.give(e.callback("write_memory", address, size, value))

    return body


def _read_modify_write(change: Callable[..., Value]) -> Callable[..., None]:
    """Replace the 64 bits at an address by `change(e, old, arguments)`; the old value. One access after the other."""

    def body(e: Linked, address: Value, *arguments: Value) -> None:
        pair = e.support("load64", address)
        old = e.part(pair, 0)
        with e.when(e.opposite(e.part(pair, 1, I1))):
            e.give(pair)
        e.give(old, e.support("store64", address, change(e, old, *arguments)))

    return body


def _bulk_allowed(e: Linked, size: Value) -> Value:
    return e.op("and", e.compare("ule", size, e.state("bulk_left")), e.compare("ne", size, number(0)))


def _charge(e: Linked, size: Value) -> None:
    e.set_state("bulk_left", e.op("sub", e.state("bulk_left"), size))


def _copy(e: Linked, target: Value, source: Value, size: Value) -> None:
    """COPY of bytes that lie at hand, and otherwise in Python."""
    with e.when(_bulk_allowed(e, size)):
        start, readable = _host_address(e, source, size, READABLE)
        to, writable = _host_address(e, target, size, WRITABLE)
        with e.when(e.op("and", readable, writable)):
            _charge(e, size)
            e.move(to, start, size)
            e.give(YES)
    e.give(e.callback("copy", target, source, size))


def _zero(e: Linked, target: Value, size: Value) -> None:
    """ZERO of bytes that lie at hand, and otherwise in Python."""
    with e.when(_bulk_allowed(e, size)):
        to, writable = _host_address(e, target, size, WRITABLE)
        with e.when(writable):
            _charge(e, size)
            e.fill_zero(to, size)
            e.give(YES)
    e.give(e.callback("zero", target, size))


# --- the host ---------------------------------------------------------------------------------------------------------


def _ask(name: str) -> Callable[..., None]:
    """A callback with a result: its last parameter is where it puts it."""

    def body(e: Linked, *arguments: Value) -> None:
        answer = e.answer_cell()
        known = e.callback(name, *arguments, answer)
        e.give(e.load(answer), known)

    return body


def _tell(name: str) -> Callable[..., None]:
    """A callback without a result."""
    return lambda e, *arguments: e.give(e.callback(name, *arguments))


def _record(e: Linked, size: Value) -> None:
    """Where a message record of `size` cells goes; a full ring is drained first. Null when that raised."""
    ring = e.setting("ring")
    capacity = e.field(RingHeader, "capacity", ring)
    with e.when(e.compare("ugt", e.op("add", e.field(RingHeader, "used", ring), size), capacity)):
        drained = e.callback("drain")
        with e.when(e.opposite(drained)):
            e.give(NULL)
    used = e.field(RingHeader, "used", ring)
    e.store(e.op("add", used, size), e.field_at(RingHeader, "used", ring))
    e.give(e.at(e.field(RingHeader, "records", ring), e.op("mul", used, number(CELL))))


def _stop(e: Linked, steps: Value, site: Value, first: Value, second: Value) -> None:
    """Write down what stops the run."""
    for name, value in (("steps", steps), ("site", site), ("fault_values", first)):
        e.set_state(name, value)
    e.set_state("fault_values", second, index=1)
    e.give()


_BODIES: dict[str, Callable[..., None]] = {
    "stop": _stop,
    **{f"load{bits}": _load(bits) for bits in WIDTHS},
    **{f"store{bits}": _store(bits) for bits in WIDTHS},
    "exchange": _read_modify_write(lambda e, old, value: value),
    "add": _read_modify_write(lambda e, old, value: e.op("add", old, value)),
    "compare_exchange": _read_modify_write(
        lambda e, old, value, expected: e.select(e.compare("eq", old, expected), value, old)
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
