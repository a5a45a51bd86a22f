"""Where the bytes of an address lie in the host's memory: the one look-up of compiled code, for every kind of access.

Script memory and the pages that have memory are at hand; everything else is for Python.
"""

from __future__ import annotations

from vm.facts.paging import FRAME_MASK, INDEX_BITS, LEVELS, PAGE_BITS
from vm.host import PAGE
from vm.native.access import READABLE, DirectAccess
from vm.native.emitter import I64, NULL, POINTER, Block, Module, Signature, Value, number
from vm.native.layout import CELL
from vm.native.linkage import Linked
from vm.script_memory import GLOBALS_BASE, LITERALS_BASE, STACK_BASE

SPAN = "{ ptr, i64 }"  # a host address, and how many bytes from there on are at hand; null and 0 when none are
NOWHERE = (NULL, number(0))

_REGION_SHIFT = 60
_OFFSET_MASK = (1 << _REGION_SHIFT) - 1
_SCRIPT_REGIONS = [base >> _REGION_SHIFT for base in (GLOBALS_BASE, LITERALS_BASE, STACK_BASE)]
_TABLE_BYTES = 1 << INDEX_BITS + PAGE_BITS  # that a table of the last level is about
_SIGN_BITS = 64 - LEVELS * INDEX_BITS - PAGE_BITS  # of a canonical address, which say nothing
_SIGNATURE = Signature(SPAN, (POINTER, I64, I64, I64))


def define_spans(module: Module) -> None:
    """Define the look-up in a module."""
    _span(Linked(module, "span", _SIGNATURE, internal=True))


def span(e: Linked, address: Value, wanted: Value, access: int) -> tuple[Value, Value]:
    """The host address of the first byte, and how many bytes allow this access, as far as `wanted` (1 or more) go.

    Only bytes that lie in a row: what follows another region of script memory, or pages that lie elsewhere, does not.
    """
    found = e.call("span", _SIGNATURE, [e.context, address, wanted, number(access)])
    return e.part(found, 0, POINTER), e.part(found, 1)


def host_address(e: Linked, address: Value, size: Value, access: int) -> tuple[Value, Value]:
    """The host address of `size` (1 or more) bytes that allow this access, and whether there is one."""
    host, room = span(e, address, size, access)
    return host, e.compare("ule", size, room)


def _span(e: Linked) -> None:
    address, _, access = e.parameters[1:]
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
    _give_pages(e, address)


def _give_rest(e: Linked, start: Value, offset: Value, size: Value) -> None:
    """Return what lies behind an offset in a region of script memory."""
    inside = e.compare("ult", offset, size)
    host, room = e.at(start, offset), e.op("sub", size, offset)
    e.give(e.select(inside, host, NULL), e.select(inside, room, number(0)))


def _give_pages(e: Linked, address: Value) -> None:
    """Return what lies there in the guest's pages or, where these have nothing, in the debugger's."""
    signs, direct, first, second = number(_SIGN_BITS), e.setting("direct"), e.cell("first"), e.cell("second")
    with e.when(e.compare("ne", e.op("ashr", e.op("shl", address, signs), signs), address)):
        e.give(*NOWHERE)
    e.store(e.field(DirectAccess, "table", direct), first)
    e.store(e.field(DirectAccess, "debugger_table", direct), second)
    with e.repeat():
        missing = e.new_block("missing")
        _give_pages_of(e, e.load(first, POINTER), missing)
        e.block = missing
        other = e.load(second, POINTER)
        with e.when(e.compare("eq", other, NULL)):
            e.give(*NOWHERE)
        e.store(other, first)
        e.store(NULL, second)


def _give_pages_of(e: Linked, table: Value, missing: Block) -> None:
    """Return what lies there in the pages of one table."""
    address, wanted, access = e.parameters[1:]

    def require(flag: Value) -> None:
        found = e.new_block("found")
        e.branch(flag, found, missing)
        e.block = found

    for level in reversed(range(LEVELS)):
        require(e.compare("ne", table, NULL))
        row = _row(e, table, address, level)
        table = e.load(row, POINTER) if level else table
    word = e.load(row)
    require(e.compare("eq", e.op("and", word, access), access))
    place, offset = e.op("and", word, number(FRAME_MASK)), e.op("and", address, number(PAGE - 1))
    host, cell = e.at(e.field(DirectAccess, "memory", e.setting("direct")), e.op("or", place, offset)), e.cell("room")
    e.store(e.op("sub", number(PAGE), offset), cell)
    with e.repeat() as done:  # the pages that follow in this table
        room = e.load(cell)
        done(e.compare("uge", room, wanted))
        behind = e.op("add", address, room)
        done(e.compare("eq", e.op("and", behind, number(_TABLE_BYTES - 1)), number(0)))
        following = e.op("and", e.load(_row(e, table, behind, 0)), e.op("or", access, number(FRAME_MASK)))
        done(e.compare("ne", following, e.op("or", e.op("add", place, e.op("add", offset, room)), access)))
        e.store(e.op("add", room, number(PAGE)), cell)
    e.give(host, e.load(cell))


def _row(e: Linked, table: Value, address: Value, level: int) -> Value:
    """Where the word for an address stands in a table, `level` above the last one."""
    shifted = e.op("lshr", address, number(PAGE_BITS + INDEX_BITS * level))
    return e.at(table, e.op("mul", e.op("and", shifted, number((1 << INDEX_BITS) - 1)), number(CELL)))
