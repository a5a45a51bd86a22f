"""The built-in functions on texts and blocks of memory, and the texts of messages, where all bytes are at hand.

They do what `vm.library` and `vm.memory` do, and charge the same to `max_bulk_bytes`: sequences are read in pieces that
end with a page, or by the unit where script memory ends before that. Whatever is not at hand, or would stop the run or
fail, leaves no trace here: Python does it again from the start, and answers as the reference does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial

from vm.host import PAGE
from vm.native.access import READABLE, WRITABLE
from vm.native.emitter import I1, I32, I64, NO, NULL, POINTER, YES, Module, Signature, Value, number
from vm.native.linkage import MAYBE, Linked
from vm.native.spans import NOWHERE, host_address, span
from vm.semantics import MASK

UNITS = (1, 2)  # bytes of a unit of narrow and wide text
_MOST_UNITS = 1 << 62  # no run reads as many
_NOTHING = (number(0), NO)

_TEXT = Signature(MAYBE, (POINTER, I64, I64, POINTER, I64))
_COMPARE = Signature(MAYBE, (POINTER, I64, I64, I64))
_MOVE = Signature(I1, (POINTER, I64, I64, I64))
_FIND_BYTE = Signature(POINTER, (POINTER, I32, I64))
_COMPARE_BYTES = Signature(I32, (POINTER, POINTER, I64))


def define_texts(module: Module) -> None:
    """Define what the functions below call in a module."""
    rows: tuple[tuple[str, Signature, Callable[..., None]], ...] = (
        *((f"text{unit}", _TEXT, partial(_text, unit)) for unit in UNITS),
        *((f"order{unit}", _COMPARE, partial(_order, unit, _scan_texts)) for unit in UNITS),
        ("order_bytes", _COMPARE, partial(_order, 1, _scan_bytes)),
        ("move", _MOVE, _move),
    )
    for name, kind, body in rows:
        e = Linked(module, name, kind, internal=True)
        body(e, *e.parameters[1:])


# --- pieces -----------------------------------------------------------------------------------------------------------


def _all(e: Linked, flags: Iterable[Value]) -> Value:
    whole = YES
    for flag in flags:
        whole = e.op("and", whole, flag)
    return whole


def _least(e: Linked, x: Value, y: Value) -> Value:
    return e.select(e.compare("ult", x, y), x, y)


def _piece(
    e: Linked, addresses: Iterable[Value], unit: int, most: Value, give_up: Callable[[], None]
) -> tuple[Value, list[Value]]:
    """The bytes of the next piece of sequences that are read alike, charged, and where they lie; gives up if nowhere.

    A piece ends with the page of each sequence and has at most `most` bytes; it is one unit where that leaves none, and
    where script memory ends earlier (`vm.memory.Memory.chunks`, `vm.library._step`).
    """
    addresses, size = tuple(addresses), most
    for address in addresses:
        size = _least(e, size, e.op("sub", number(PAGE), e.op("and", address, number(PAGE - 1))))
    size = e.op("and", size, number(-unit))
    size = e.select(e.compare("eq", size, number(0)), number(unit), size)
    spans = [span(e, address, size, READABLE) for address in addresses]
    size = e.select(_all(e, (e.compare("ule", size, room) for _, room in spans)), size, number(unit))
    left = e.state("bulk_left")
    at_hand = _all(e, (e.compare("ule", size, room) for room in (*(room for _, room in spans), left)))
    with e.when(e.opposite(at_hand)):
        give_up()
    e.set_state("bulk_left", e.op("sub", left, size))
    return size, [host for host, _ in spans]


def _undo(e: Linked, *answer: Value) -> Callable[[], None]:
    """What gives up: it takes back what was charged since now."""
    left = e.state("bulk_left")

    def give_up() -> None:
        e.set_state("bulk_left", left)
        e.give(*answer)

    return give_up


# --- the length of a text ---------------------------------------------------------------------------------------------


def _text(unit: int, e: Linked, address: Value, most: Value, to: Value, limit: Value) -> None:
    """The bytes of a text, as `vm.memory.Memory.text` finds it: at most `most` (1 or more) units.

    They are copied to the host address `to` if it is not null; more than `limit` are not, which is giving up.
    """
    give_up, end, cell = _undo(e, *_NOTHING), e.op("mul", most, number(unit)), e.cell("offset")
    e.store(number(0), cell)
    with e.repeat():
        offset = e.load(cell)
        size, (host,) = _piece(e, [e.op("add", address, offset)], unit, number(PAGE), give_up)
        length = _find_zero(e, unit, host, _least(e, size, e.op("sub", end, offset)))
        found = e.op("add", offset, length)
        with e.when(e.compare("ne", to, NULL)):
            with e.when(e.compare("ugt", found, limit)):
                give_up()
            e.move(e.at(to, offset), host, length)
        with e.when(e.op("or", e.compare("ult", length, size), e.compare("eq", found, end))):
            e.give(found, YES)
        e.store(found, cell)


def _find_zero(e: Linked, unit: int, start: Value, size: Value) -> Value:
    """The offset of the first zero unit in host memory, or `size`."""
    if unit == 1:
        zero = e.call_external("memchr", _FIND_BYTE, [start, Value(I32, "0"), size])
        distance = e.op("sub", e.convert("ptrtoint", zero, I64), e.convert("ptrtoint", start, I64))
        return e.select(e.compare("eq", zero, NULL), size, distance)
    cell = e.cell("searched")
    e.store(number(0), cell)
    with e.repeat() as done:
        offset = e.load(cell)
        done(e.compare("uge", offset, size))
        done(e.compare("eq", _unit(e, unit, start, offset), number(0)))
        e.store(e.op("add", offset, number(unit)), cell)
    return e.load(cell)


def _unit(e: Linked, unit: int, start: Value, offset: Value) -> Value:
    return e.convert("zext", e.load(e.at(start, offset), f"i{8 * unit}", align=1), I64)


def _length(unit: int, e: Linked, address: Value) -> tuple[Value, Value]:
    """strlen, wcslen."""
    pair = _call_text(e, unit, address, e.setting("max_bulk_bytes"), *NOWHERE)
    return e.op("udiv", e.part(pair, 0), number(unit)), e.part(pair, 1, I1)


def _call_text(e: Linked, unit: int, *arguments: Value) -> Value:
    return e.call(f"text{unit}", _TEXT, [e.context, *arguments])


def copy_text(unit: int, e: Linked, address: Value, most: Value, to: Value, limit: Value) -> None:
    """Copy at most `most` units of a text to a host address; its bytes, unless they are not at hand or over `limit`."""
    e.give(_call_text(e, unit, address, most, to, limit))


# --- the order of two sequences ---------------------------------------------------------------------------------------


def _order(
    unit: int, scan: Callable[[Linked, int, Value, Value, Value], None], e: Linked, p: Value, q: Value, most: Value
) -> None:
    """The order of two sequences of at most `most` units, as `vm.library._compare` finds it."""
    give_up, left, cell = _undo(e, *_NOTHING), e.cell("left"), e.cell("offset")
    e.store(e.op("mul", _least(e, most, number(_MOST_UNITS)), number(unit)), left)
    e.store(number(0), cell)
    with e.repeat():
        rest, offset = e.load(left), e.load(cell)
        with e.when(e.compare("eq", rest, number(0))):
            e.give(number(0), YES)
        size, (x, y) = _piece(e, (e.op("add", start, offset) for start in (p, q)), unit, rest, give_up)
        scan(e, unit, x, y, size)
        e.store(e.op("sub", rest, size), left)
        e.store(e.op("add", offset, size), cell)


def _scan_texts(e: Linked, unit: int, p: Value, q: Value, size: Value) -> None:
    """Return the order of two pieces if they differ, or 0 at the end of equal texts."""
    cell = e.cell("compared")
    e.store(number(0), cell)
    with e.repeat() as done:
        offset = e.load(cell)
        done(e.compare("eq", offset, size))
        a, b = _unit(e, unit, p, offset), _unit(e, unit, q, offset)
        with e.when(e.compare("ne", a, b)):
            _give_order(e, e.compare("ugt", a, b))
        with e.when(e.compare("eq", a, number(0))):
            e.give(number(0), YES)
        e.store(e.op("add", offset, number(unit)), cell)


def _scan_bytes(e: Linked, unit: int, p: Value, q: Value, size: Value) -> None:
    """Return the order of two pieces if they differ."""
    order = e.call_external("memcmp", _COMPARE_BYTES, [p, q, size])
    with e.when(e.compare("ne", order, Value(I32, "0"))):
        _give_order(e, e.compare("sgt", order, Value(I32, "0")))


def _give_order(e: Linked, greater: Value) -> None:
    e.give(e.select(greater, number(1), number(MASK)), YES)


def _compared(name: str, e: Linked, p: Value, q: Value, most: Value | None = None) -> tuple[Value, Value]:
    answer = e.call(name, _COMPARE, [e.context, p, q, most or number(_MOST_UNITS)])
    return e.part(answer, 0), e.part(answer, 1, I1)


# --- copies -----------------------------------------------------------------------------------------------------------


def _move(e: Linked, target: Value, source: Value, size: Value) -> None:
    """Copy 1 or more bytes as if through a buffer; whether that could be done."""
    with e.when(bulk_allowed(e, size)):
        start, readable = host_address(e, source, size, READABLE)
        to, writable = host_address(e, target, size, WRITABLE)
        with e.when(e.op("and", readable, writable)):
            charge(e, size)
            e.move(to, start, size)
            e.give(YES)
    e.give(NO)


def moved(e: Linked, target: Value, source: Value, size: Value) -> Value:
    """Call it."""
    return e.call("move", _MOVE, [e.context, target, source, size])


def bulk_allowed(e: Linked, size: Value) -> Value:
    """Whether 1 or more bytes may be charged to `max_bulk_bytes`."""
    return e.op("and", e.compare("ule", size, e.state("bulk_left")), e.compare("ne", size, number(0)))


def charge(e: Linked, size: Value) -> None:
    """Charge bytes to `max_bulk_bytes`."""
    e.set_state("bulk_left", e.op("sub", e.state("bulk_left"), size))


# --- the table --------------------------------------------------------------------------------------------------------

# Functions of `vm.library`: the result, and whether there is one without Python.
TEXT_FUNCTIONS: dict[str, Callable[..., tuple[Value, Value]]] = {
    "memcpy": lambda e, target, source, size: (number(0), moved(e, target, source, size)),
    "memcmp": partial(_compared, "order_bytes"),
    "strlen": partial(_length, 1),
    "wcslen": partial(_length, 2),
    "strcmp": partial(_compared, "order1"),
    "wcscmp": partial(_compared, "order2"),
    "strncmp": partial(_compared, "order1"),
    "wcsncmp": partial(_compared, "order2"),
}


def or_python(name: str) -> Callable[..., None]:
    """The body of one of these functions, which calls back where it has no result."""

    def body(e: Linked, *arguments: Value) -> None:
        value, known = TEXT_FUNCTIONS[name](e, *arguments)
        with e.when(known):
            e.give(value, YES)
        e.give(e.in_python(name, *arguments))

    return body
