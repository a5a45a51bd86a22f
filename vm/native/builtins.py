"""The built-in functions that have a native form: the rows of `vm.library.LIBRARY` that are cheap and frequent.

All others call back into Python. A row must do what its namesake does there, faults included.
"""

from __future__ import annotations

from collections.abc import Callable

from vm.facts.builtins import BUILTIN_INDEX
from vm.native.atomics import FAILED, HELD
from vm.native.body import Body
from vm.native.emitter import I1, Value, number
from vm.native.texts import TEXT_FUNCTIONS


def _part(shift: int) -> Callable[[Body, Value], Value]:
    """16 bits of the 64 at an address."""

    def lower(f: Body, address: Value) -> Value:
        whole = f.got(f.support("load64", address), "invalid_address", address, number(8))
        return f.zero_extend(f.op("lshr", whole, number(shift)), 16)

    return lower


def _edit(bits: int) -> Callable[[Body, Value, Value], Value]:
    return lambda f, address, value: f.widened(f.support(f"store{bits}", address, value))


def _new_value(change: int) -> Callable[[Body, Value], Value]:
    def lower(f: Body, address: Value) -> Value:
        return f.op("add", f.got(f.support("add", address, number(change))), number(change))

    return lower


def _lock(f: Body, address: Value) -> Value:
    outcome = f.support("lock", address)
    f.stop_if(f.compare("eq", outcome, number(HELD)), "deadlock", address)
    f.stop_if(f.compare("eq", outcome, number(FAILED)), "raised")
    return number(0)


def _unlock(f: Body, address: Value) -> Value:
    f.stop_unless(f.support("unlock", address), "raised")
    return number(0)


def _supported(name: str) -> Callable[..., Value]:
    """One that a support function of the same name carries out; it calls back where that must be."""
    return lambda f, *arguments: f.got(f.support(name, *arguments))


def _short_circuit(f: Body, state: Value) -> Value:
    """`event_sc`: the flag of the trigger, where the host has one."""
    direct, asked, done = map(f.new_block, ("direct", "asked", "done"))
    f.branch(f.compare("ne", f.load(f.direct_cell("short_ready")), number(0)), direct, asked)
    f.block = direct
    f.store(f.widened(f.compare("ne", state, number(0))), f.direct_cell("short"))
    f.jump(done)
    f.block = asked
    f.got(f.support("builtin", number(BUILTIN_INDEX["event_sc"]), f.array([state])))
    f.jump(done)
    f.block = done
    return number(0)


NATIVE: dict[str, Callable[..., Value]] = {
    "hi": _part(16),
    "low": _part(0),
    "eq": _edit(64),
    "ed": _edit(32),
    "eb": _edit(8),
    "check_address": lambda f, address: f.widened(f.part(f.support("load8", address), 1, I1)),
    "event_sc": _short_circuit,
    "interlocked_increment": _new_value(1),
    "interlocked_decrement": _new_value((1 << 64) - 1),
    "interlocked_exchange": _supported("exchange"),
    "interlocked_exchange_add": _supported("add"),
    "interlocked_compare_exchange": _supported("compare_exchange"),
    "spinlock_lock": _lock,
    "spinlock_lock_custom_wait": lambda f, address, most: _lock(f, address),
    "spinlock_unlock": _unlock,
    **{name: _supported(name) for name in TEXT_FUNCTIONS},
}
