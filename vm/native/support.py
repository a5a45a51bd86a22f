"""The support functions: what the code of programs calls, compiled when it is first called for, once per process.

They do what can be done without Python, and call back for the rest: memory that is not at hand, and everything that
stops a run. So they need not know how an operation fails; Python does it again and raises what the reference raises.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable
from functools import partial

from vm.native.access import READABLE, WRITABLE
from vm.native.atomics import ATOMICS, define_atomics
from vm.native.context import RingHeader
from vm.native.emitter import I64, NULL, WIDTHS, YES, Module, Value, number
from vm.native.layout import CELL
from vm.native.linkage import SUPPORT, Linked, symbol
from vm.native.spans import define_spans, host_address
from vm.native.texts import (
    TEXT_FUNCTIONS,
    UNITS,
    bulk_allowed,
    charge,
    copy_text,
    define_texts,
    moved,
    or_python,
)


def support_module(names: Iterable[str], linked: Container[str]) -> tuple[Module, list[str]]:
    """A module that defines these functions of `linkage.SUPPORT`, and those that they call and that are not `linked`.

    Returns the names of all that it defines as well.
    """
    module, defined = Module(), list(names)
    for define in (define_spans, define_texts, define_atomics):
        define(module)
    for name in defined:
        e = Linked(module, symbol(name), SUPPORT[name])
        _BODIES[name](e, *e.parameters[1:])
        defined += [other for other in called(module) if other not in defined and other not in linked]
    for name in defined:
        module.declared.pop(symbol(name), None)
    return module, defined


def called(module: Module) -> list[str]:
    """The functions of `linkage.SUPPORT` that a module calls, in the order of that table."""
    return [name for name in SUPPORT if symbol(name) in module.declared]


# --- memory -----------------------------------------------------------------------------------------------------------


def _load(bits: int) -> Callable[..., None]:
    """The little-endian number at an address, zero-extended."""

    def body(e: Linked, address: Value) -> None:
        answer, size = e.answer_cell(), number(bits // 8)
        host, at_hand = host_address(e, address, size, READABLE)
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
        host, at_hand = host_address(e, address, size, WRITABLE)
        with e.when(at_hand):
            e.store(value if bits == 64 else e.convert("trunc", value, f"i{bits}"), host, align=1)
            e.give(YES)
        e.give(e.callback("write_memory", address, size, value))

    return body


def _copy(e: Linked, target: Value, source: Value, size: Value) -> None:
    """COPY of bytes that lie at hand, and otherwise in Python."""
    with e.when(moved(e, target, source, size)):
        e.give(YES)
    e.give(e.callback("copy", target, source, size))


def _zero(e: Linked, target: Value, size: Value) -> None:
    """ZERO of bytes that lie at hand, and otherwise in Python."""
    with e.when(bulk_allowed(e, size)):
        to, writable = host_address(e, target, size, WRITABLE)
        with e.when(writable):
            charge(e, size)
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


def _free_cells(e: Linked, size: Value) -> Value:
    """Where there is room for `size` cells in the ring; a full ring is drained first. Returns null when that raised."""
    ring = e.setting("ring")
    capacity = e.field(RingHeader, "capacity", ring)
    with e.when(e.compare("ugt", e.op("add", e.field(RingHeader, "used", ring), size), capacity)):
        drained = e.callback("drain")
        with e.when(e.opposite(drained)):
            e.give(NULL)
    used = e.field(RingHeader, "used", ring)
    return e.at(e.field(RingHeader, "records", ring), e.op("mul", used, number(CELL)))


def _reserve(e: Linked, size: Value) -> None:
    """Where a message record of at most `size` cells may be put; it is one once `commit` says where it ends."""
    e.give(_free_cells(e, size))


def _commit(e: Linked, end: Value) -> None:
    """The cells before this host address are records."""
    ring = e.setting("ring")
    places = [e.convert("ptrtoint", place, I64) for place in (end, e.field(RingHeader, "records", ring))]
    used = e.op("udiv", e.op("sub", *places), number(CELL))
    e.store(used, e.field_at(RingHeader, "used", ring))
    e.give()


def _record(e: Linked, size: Value) -> None:
    """Where a message record of `size` cells goes. Null when the ring was full and draining it raised."""
    place, used = _free_cells(e, size), e.field_at(RingHeader, "used", e.setting("ring"))
    e.store(e.op("add", e.load(used), size), used)
    e.give(place)


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
    **ATOMICS,
    "copy": _copy,
    "zero": _zero,
    "read_register": _ask("read_register"),
    "write_register": _tell("write_register"),
    "pseudo_register": _ask("pseudo_register"),
    "builtin": _ask("builtin"),
    "printf": _tell("printf"),
    "record": _record,
    "reserve": _reserve,
    "commit": _commit,
    **{f"copy_text{unit}": partial(copy_text, unit) for unit in UNITS},
    **{name: or_python(name) for name in TEXT_FUNCTIONS},
}
