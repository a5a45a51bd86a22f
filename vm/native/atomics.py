"""The atomic functions and locks (language.md 11.4) as support functions.

Where a cell is at hand and aligned to its size, an operation is one atomic instruction, sequentially consistent, so
that cores which run in threads of their own cannot disturb it. Where it is not at hand, the operation is one step of
Python, in which there is one core at a time. Misaligned cells are read and then written, which is the same for a script
that runs alone.
"""

from __future__ import annotations

import platform
from collections.abc import Callable

from vm.native.access import READABLE, WRITABLE
from vm.native.emitter import I1, I32, I64, POINTER, VOID, YES, Module, Signature, Value, number
from vm.native.linkage import Linked
from vm.native.spans import host_address

TAKEN, HELD, FAILED, ELSEWHERE = range(4)  # what comes of taking a lock: it may be in memory that is not at hand

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


def _cell(e: Linked, address: Value, size: int) -> tuple[Value, Value, Value]:
    """The host address of a cell, whether it is at hand, and whether atomic instructions may work on it."""
    host, at_hand = host_address(e, address, number(size), READABLE | WRITABLE)
    misaligned = e.op("and", e.convert("ptrtoint", host, I64), number(size - 1))
    return host, at_hand, e.op("and", at_hand, e.compare("eq", misaligned, number(0)))


def _changing(name: str, atomic: Callable[..., Value], change: Callable[..., Value]) -> Callable[..., None]:
    """What the built-in function of this name does with the 64 bits at an address; the old value.

    That is one `atomic` instruction, or to store what `change` makes of the old value and the arguments.
    """

    def body(e: Linked, address: Value, *arguments: Value) -> None:
        cell, at_hand, is_atomic = _cell(e, address, 8)
        with e.when(is_atomic):
            e.give(atomic(e, cell, *arguments), YES)
        with e.when(at_hand):
            old = e.load(cell, align=1)
            e.store(change(e, old, *arguments), cell, align=1)
            e.give(old, YES)
        e.give(e.in_python(name, address, *arguments))

    return body


def _try_lock(e: Linked, address: Value) -> None:
    """Take a lock, or say why not."""
    cell, at_hand, is_atomic = _cell(e, address, 4)
    free, taken = Value(I32, "0"), Value(I32, "1")
    with e.when(is_atomic):
        done = e.part(e.exchange_if_equal(cell, free, taken), 1, I1)
        e.give(e.select(done, number(TAKEN), number(HELD)))
    with e.when(e.opposite(at_hand)):
        e.give(number(ELSEWHERE))
    with e.when(e.compare("ne", e.load(cell, I32, align=1), free)):
        e.give(number(HELD))
    e.store(taken, cell, align=1)
    e.give(number(TAKEN))


def _lock(e: Linked, address: Value) -> None:
    """Take a lock, in as many tries as the context allows, and as many again as long as Python says so."""
    tries, left, rounds = e.setting("lock_tries"), e.cell("left"), e.cell("rounds")
    e.store(tries, left)
    e.store(number(0), rounds)
    with e.repeat():
        outcome = e.call("try_lock", _TRY, [e.context, address])
        with e.when(e.compare("eq", outcome, number(ELSEWHERE))):
            done = e.part(e.in_python("spinlock_lock", address), 1, I1)
            e.give(e.select(done, number(TAKEN), number(FAILED)))
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
    cell, at_hand, is_atomic = _cell(e, address, 4)
    with e.when(is_atomic):
        e.release(Value(I32, "0"), cell)
        e.give(YES)
    with e.when(at_hand):
        e.store(Value(I32, "0"), cell, align=1)
        e.give(YES)
    e.give(e.part(e.in_python("spinlock_unlock", address), 1, I1))


ATOMICS: dict[str, Callable[..., None]] = {
    "exchange": _changing(
        "interlocked_exchange", lambda e, cell, value: e.atomic("xchg", cell, value), lambda e, old, value: value
    ),
    "add": _changing(
        "interlocked_exchange_add",
        lambda e, cell, value: e.atomic("add", cell, value),
        lambda e, old, value: e.op("add", old, value),
    ),
    "compare_exchange": _changing(
        "interlocked_compare_exchange",
        lambda e, cell, value, expected: e.part(e.exchange_if_equal(cell, expected, value), 0),
        lambda e, old, value, expected: e.select(e.compare("eq", old, expected), value, old),
    ),
    "lock": _lock,
    "unlock": _unlock,
}
