"""The atomic functions and locks (language.md 11.4) as support functions.

Where a cell is at hand and aligned to its size, an operation is one atomic instruction, sequentially consistent, so
that cores which run in threads of their own cannot disturb it. Other cells (a misaligned address, memory that only the
host knows) are read and then written, which is the same for a script that runs alone.
"""

from __future__ import annotations

import platform
from collections.abc import Callable

from vm.native.access import READABLE, WRITABLE
from vm.native.emitter import I1, I32, I64, POINTER, VOID, YES, Module, Signature, Value, number
from vm.native.linkage import Linked
from vm.native.spans import host_address

TAKEN, HELD, INVALID = range(3)  # what comes of taking a lock

_TRY = Signature(I64, (POINTER, I64))

# What tells the processor that the code waits, by machine: LLVM's name and an argument.
_PAUSE, _YIELD = ("llvm.x86.sse2.pause", ()), ("llvm.aarch64.hint", (Value(I32, "1"),))
_WAITING: dict[str, tuple[str, tuple[Value, ...]]] = {
    "x86_64": _PAUSE, "amd64": _PAUSE, "aarch64": _YIELD, "arm64": _YIELD,
}  # fmt: skip


def define_atomics(module: Module) -> None:
    """Define what the functions below call in a module."""
    e = Linked(module, "try_lock", _TRY, internal=True)
    _try_lock(e, *e.parameters[1:])


def _atomic_cell(e: Linked, address: Value, size: int) -> tuple[Value, Value]:
    """The host address of a cell, and whether atomic instructions may work on it."""
    host, at_hand = host_address(e, address, number(size), READABLE | WRITABLE)
    misaligned = e.op("and", e.convert("ptrtoint", host, I64), number(size - 1))
    return host, e.op("and", at_hand, e.compare("eq", misaligned, number(0)))


def _changing(atomic: str, change: Callable[[Linked, Value, Value], Value]) -> Callable[..., None]:
    """Replace the 64 bits at an address by `change(e, old, value)`; the old value."""

    def body(e: Linked, address: Value, value: Value) -> None:
        cell, is_atomic = _atomic_cell(e, address, 8)
        with e.when(is_atomic):
            e.give(e.atomic(atomic, cell, value), YES)
        _read_then_write(e, address, lambda old: change(e, old, value))

    return body


def _compare_exchange(e: Linked, address: Value, value: Value, expected: Value) -> None:
    """Store a value where the 64 bits at an address are the expected ones; the old value."""
    cell, is_atomic = _atomic_cell(e, address, 8)
    with e.when(is_atomic):
        e.give(e.part(e.exchange_if_equal(cell, expected, value), 0), YES)
    _read_then_write(e, address, lambda old: e.select(e.compare("eq", old, expected), value, old))


def _read_then_write(e: Linked, address: Value, change: Callable[[Value], Value]) -> None:
    pair = e.support("load64", address)
    old = e.part(pair, 0)
    with e.when(e.opposite(e.part(pair, 1, I1))):
        e.give(pair)
    e.give(old, e.support("store64", address, change(old)))


def _try_lock(e: Linked, address: Value) -> None:
    """Take a lock, or say why not."""
    cell, is_atomic = _atomic_cell(e, address, 4)
    with e.when(is_atomic):
        taken = e.part(e.exchange_if_equal(cell, Value(I32, "0"), Value(I32, "1")), 1, I1)
        e.give(e.select(taken, number(TAKEN), number(HELD)))
    pair = e.support("load32", address)
    with e.when(e.opposite(e.part(pair, 1, I1))):
        e.give(number(INVALID))
    with e.when(e.compare("ne", e.part(pair, 0), number(0))):
        e.give(number(HELD))
    e.give(e.select(e.support("store32", address, number(1)), number(TAKEN), number(INVALID)))


def _lock(e: Linked, address: Value) -> None:
    """Take a lock, in as many tries as the context allows, and as many again as long as Python says so."""
    tries, left, rounds = e.setting("lock_tries"), e.cell("left"), e.cell("rounds")
    e.store(tries, left)
    e.store(number(0), rounds)
    with e.repeat():
        outcome = e.call("try_lock", _TRY, [e.context, address])
        with e.when(e.compare("ne", outcome, number(HELD))):
            e.give(outcome)
        with e.when(e.compare("ule", e.load(left), number(1))):
            _ask_whether_to_wait(e, tries, rounds)
            e.store(tries, left)
        e.store(e.op("sub", e.load(left), number(1)), left)
        _wait(e)


def _ask_whether_to_wait(e: Linked, tries: Value, rounds: Value) -> None:
    with e.when(e.compare("ule", tries, number(1))):
        e.give(number(HELD))
    before = e.load(rounds)
    with e.when(e.opposite(e.callback("wait", before))):
        e.give(number(HELD))
    e.store(e.op("add", before, number(1)), rounds)


def _wait(e: Linked) -> None:
    machine = platform.machine().lower()
    if machine in _WAITING:
        name, arguments = _WAITING[machine]
        e.call_external(name, Signature(VOID, tuple(argument.type for argument in arguments)), arguments)


def _unlock(e: Linked, address: Value) -> None:
    """Release a lock; whether it can be written."""
    cell, is_atomic = _atomic_cell(e, address, 4)
    with e.when(is_atomic):
        e.release(Value(I32, "0"), cell)
        e.give(YES)
    e.give(e.support("store32", address, number(0)))


ATOMICS: dict[str, Callable[..., None]] = {
    "exchange": _changing("xchg", lambda e, old, value: value),
    "add": _changing("add", lambda e, old, value: e.op("add", old, value)),
    "compare_exchange": _compare_exchange,
    "lock": _lock,
    "unlock": _unlock,
}
