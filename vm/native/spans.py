"""Where the bytes of an address lie in the host's memory: the one look-up of compiled code, for every kind of access.

Script memory and the regions that the host lists are at hand; everything else is for Python.
"""

from __future__ import annotations

from vm.native.access import READABLE, DirectAccess, RegionRow
from vm.native.emitter import I64, NULL, POINTER, Module, Signature, Value, number
from vm.native.layout import CELL
from vm.native.linkage import Linked
from vm.script_memory import GLOBALS_BASE, LITERALS_BASE, STACK_BASE

SPAN = "{ ptr, i64 }"  # a host address, and how many bytes from there on are at hand; null and 0 when none are
NOWHERE = (NULL, number(0))

_REGION_SHIFT = 60
_OFFSET_MASK = (1 << _REGION_SHIFT) - 1
_SCRIPT_REGIONS = [base >> _REGION_SHIFT for base in (GLOBALS_BASE, LITERALS_BASE, STACK_BASE)]
_ROW = 4 * CELL
_SIGNATURE = Signature(SPAN, (POINTER, I64, I64))


def define_spans(module: Module) -> None:
    """Define the look-up in a module."""
    for name, body in (("guest_span", _guest_span), ("span", _span)):
        e = Linked(module, name, _SIGNATURE, internal=True)
        body(e, *e.parameters[1:])


def span(e: Linked, address: Value, access: int) -> tuple[Value, Value]:
    """The host address of the first byte, and how many bytes allow this access: one region's, not what follows it."""
    found = e.call("span", _SIGNATURE, [e.context, address, number(access)])
    return e.part(found, 0, POINTER), e.part(found, 1)


def host_address(e: Linked, address: Value, size: Value, access: int) -> tuple[Value, Value]:
    """The host address of `size` (1 or more) bytes that allow this access, and whether there is one."""
    host, room = span(e, address, access)
    return host, e.compare("ule", size, room)


def is_guest(e: Linked, address: Value) -> Value:
    """Whether an address is not one of script memory."""
    region = e.op("lshr", address, number(_REGION_SHIFT))
    first, last = min(_SCRIPT_REGIONS), max(_SCRIPT_REGIONS)
    return e.compare("ugt", e.op("sub", region, number(first)), number(last - first))


def _span(e: Linked, address: Value, access: Value) -> None:
    globals_, literals, stack, guest = map(e.new_block, ("globals", "literals", "stack", "guest"))
    offset = e.op("and", address, number(_OFFSET_MASK))
    regions = dict(zip(_SCRIPT_REGIONS, (globals_, literals, stack), strict=True))
    e.switch(e.op("lshr", address, number(_REGION_SHIFT)), regions, guest)

    e.block = globals_
    _give_rest(e, e.setting("globals"), offset, e.load(e.setting("globals_used")))
    e.block = literals
    with e.when(e.compare("ne", access, number(READABLE))):
        e.give(*NOWHERE)
    _give_rest(e, e.setting("literals"), offset, e.setting("literals_size"))
    e.block = stack
    _give_rest(e, e.setting("stack"), offset, e.state("top"))
    e.block = guest
    e.give(e.call("guest_span", _SIGNATURE, e.parameters))


def _give_rest(e: Linked, start: Value, offset: Value, size: Value) -> None:
    """Return what lies behind an offset in a region of script memory."""
    inside = e.compare("ult", offset, size)
    host, room = e.at(start, offset), e.op("sub", size, offset)
    e.give(e.select(inside, host, NULL), e.select(inside, room, number(0)))


def _guest_span(e: Linked, address: Value, access: Value) -> None:
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
    e.give(*NOWHERE)


def _row(e: Linked, rows: Value, index: Value) -> Value:
    return e.at(rows, e.op("mul", index, number(_ROW)))


def _answer_from_row(e: Linked, rows: Value, index: Value) -> None:
    """Return the span if it starts in this row and the row allows the access."""
    _, address, access = e.parameters
    row = _row(e, rows, index)
    first, last = e.field(RegionRow, "first", row), e.field(RegionRow, "last", row)
    inside = e.op("and", e.compare("uge", address, first), e.compare("ule", address, last))
    granted = e.op("and", e.field(RegionRow, "permissions", row), access)
    with e.when(e.op("and", inside, e.compare("eq", granted, access))):
        e.set_state("last_region", index)
        host = e.at(e.field(RegionRow, "host", row), e.op("sub", address, first))
        e.give(host, e.op("add", e.op("sub", last, address), number(1)))
