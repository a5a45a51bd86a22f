"""The built-in functions that work on memory: rows of `vm.facts.builtins` with effect LIBRARY (language.md 11.2-11.4).

Each function takes the run's memory and 64-bit arguments and gives a 64-bit result, 0 for those without one. It raises
Stop for what stops the run.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

from vm.engine import FaultKind
from vm.facts.builtins import Builtin, Effect
from vm.host import PAGE, WORD_MASK, UnsupportedHere
from vm.memory import Memory, find_unit
from vm.semantics import Stop

MINUS_ONE = WORD_MASK
BAD_ADDRESS = 2  # what the comparing functions answer when memory is not readable


def _invalid(address: int, size: int) -> Stop:
    return Stop(FaultKind.INVALID_ADDRESS, address=address, size=size)


def _load_physical(memory: Memory, address: int, size: int) -> int:
    data = memory.host.read_physical(address, size)
    if data is None:
        raise _invalid(address, size)
    return int.from_bytes(data, "little")


def _reader(size: int, shift: int = 0, mask: int = WORD_MASK) -> Callable[[Memory, int], int]:
    return lambda memory, n: (memory.load(n, size) >> shift) & mask


def _reader_physical(size: int, shift: int = 0, mask: int = WORD_MASK) -> Callable[[Memory, int], int]:
    return lambda memory, n: (_load_physical(memory, n, size) >> shift) & mask


def _writer(size: int) -> Callable[[Memory, int, int], int]:
    keep = (1 << (8 * size)) - 1
    return lambda memory, n, v: int(memory.write(n, (v & keep).to_bytes(size, "little")))


def _writer_physical(size: int) -> Callable[[Memory, int, int], int]:
    keep = (1 << (8 * size)) - 1
    return lambda memory, n, v: int(memory.host.write_physical(n, (v & keep).to_bytes(size, "little")))


def _memcpy(
    memory: Memory,
    target: int,
    source: int,
    size: int,
    read: Callable[[int, int], bytes | None],
    write: Callable[[int, bytes], bool],
) -> int:
    if size == 0:
        raise Stop(FaultKind.INVALID_ARGUMENT, "memcpy of 0 bytes", size=0)
    if size > memory.limits.max_bulk_bytes:
        raise _invalid(source, size)
    memory.charge(size)
    data = read(source, size)
    if data is None:
        raise _invalid(source, size)
    if not write(target, data):
        raise _invalid(target, size)
    return 0


def _order(x: int, y: int) -> int:
    return 0 if x == y else 1 if x > y else MINUS_ONE


def _step(memory: Memory, p: int, q: int, size: int, unit: int) -> tuple[bytes | None, bytes | None]:
    """The next stretch of both sequences: up to `size` bytes that lie in one page each, or one unit at the edges."""
    size = min(size, PAGE - p % PAGE, PAGE - q % PAGE)
    size -= size % unit
    if size > unit:
        a, b = memory.read(p, size), memory.read(q, size)
        if a is not None and b is not None:
            return a, b
    return memory.read(p, unit), memory.read(q, unit)


def _compare(memory: Memory, p: int, q: int, most: int, unit: int, text: bool) -> int:
    """Order of two sequences of at most `most` units; text ends at a zero unit."""
    left = most * unit
    while left:
        a, b = _step(memory, p, q, left, unit)
        if a is None or b is None:
            return BAD_ADDRESS
        memory.charge(len(a))
        end = find_unit(a, bytes(unit)) if text else -1
        if a != b:
            first = next(i for i in range(0, len(a), unit) if a[i : i + unit] != b[i : i + unit])
            if end < 0 or first <= end:
                return _order(
                    int.from_bytes(a[first : first + unit], "little"), int.from_bytes(b[first : first + unit], "little")
                )
        if end >= 0:
            return 0
        p, q, left = (p + len(a)) & WORD_MASK, (q + len(a)) & WORD_MASK, left - len(a)
    return 0


def _length(memory: Memory, address: int, unit: int) -> int:
    text = memory.text(address, unit, memory.limits.max_bulk_bytes)
    return 0 if text is None else len(text) // unit


def _atomic(change: Callable[[int, int], int]) -> Callable[[Memory, int, int], tuple[int, int]]:
    def run(memory: Memory, address: int, value: int) -> tuple[int, int]:
        old = memory.load(address, 8)
        new = change(old, value) & WORD_MASK
        memory.store(address, new, 8)
        return old, new

    return run


_add = _atomic(lambda old, value: old + value)
_exchange = _atomic(lambda _, value: value)


def _compare_exchange(memory: Memory, address: int, value: int, expected: int) -> int:
    old = memory.load(address, 8)
    memory.store(address, value if old == expected else old, 8)
    return old


def _lock(memory: Memory, address: int) -> int:
    """No other run interrupts this one, but for the time that it waits."""
    rounds = itertools.count()
    while memory.load(address, 4):
        if not memory.waits(next(rounds)):
            raise Stop(FaultKind.DEADLOCK, address=address)
    memory.store(address, 1, 4)
    return 0


def _unlock(memory: Memory, address: int) -> int:
    memory.store(address, 0, 4)
    return 0


LIBRARY: dict[str, Callable[..., int]] = {
    "hi": _reader(8, 16, 0xFFFF),
    "low": _reader(8, 0, 0xFFFF),
    "poi_pa": _reader_physical(8),
    "dq_pa": _reader_physical(8),
    "dd_pa": _reader_physical(4),
    "dw_pa": _reader_physical(2),
    "db_pa": _reader_physical(1),
    "hi_pa": _reader_physical(8, 16, 0xFFFF),
    "low_pa": _reader_physical(8, 0, 0xFFFF),
    "eq": _writer(8),
    "ed": _writer(4),
    "eb": _writer(1),
    "eq_pa": _writer_physical(8),
    "ed_pa": _writer_physical(4),
    "eb_pa": _writer_physical(1),
    "check_address": lambda memory, n: int(memory.read(n, 1) is not None),
    "memcpy": lambda memory, d, s, n: _memcpy(memory, d, s, n, memory.read, memory.write),
    "memcpy_pa": lambda memory, d, s, n: _memcpy(
        memory, d, s, n, memory.host.read_physical, memory.host.write_physical
    ),
    "memcmp": lambda memory, p, q, n: _compare(memory, p, q, n, 1, text=False),
    "strlen": lambda memory, s: _length(memory, s, 1),
    "wcslen": lambda memory, s: _length(memory, s, 2),
    "strcmp": lambda memory, p, q: _compare(memory, p, q, WORD_MASK, 1, text=True),
    "wcscmp": lambda memory, p, q: _compare(memory, p, q, WORD_MASK, 2, text=True),
    "strncmp": lambda memory, p, q, n: _compare(memory, p, q, n, 1, text=True),
    "wcsncmp": lambda memory, p, q, n: _compare(memory, p, q, n, 2, text=True),
    "interlocked_increment": lambda memory, n: _add(memory, n, 1)[1],
    "interlocked_decrement": lambda memory, n: _add(memory, n, -1)[1],
    "interlocked_exchange": lambda memory, n, v: _exchange(memory, n, v)[0],
    "interlocked_exchange_add": lambda memory, n, v: _add(memory, n, v)[0],
    "interlocked_compare_exchange": _compare_exchange,
    "spinlock_lock": _lock,
    "spinlock_lock_custom_wait": lambda memory, n, most: _lock(memory, n),
    "spinlock_unlock": _unlock,
}


def call(memory: Memory, builtin: Builtin, arguments: Sequence[int]) -> int:
    """The 64-bit result of a built-in function: one of this library, or a request of the host. Raises Stop."""
    name = builtin.name
    try:
        if builtin.effect is Effect.LIBRARY:
            return LIBRARY[name](memory, *arguments)
        if name in ("event_inject", "event_inject_error_code") and (arguments[0] > 7 or arguments[1] > 0xFF):
            raise Stop(FaultKind.INVALID_ARGUMENT, type=arguments[0], vector=arguments[1])
        return memory.host.request(name, tuple(arguments)) & WORD_MASK
    except UnsupportedHere as reason:
        raise Stop(FaultKind.UNSUPPORTED_HERE, f"{name}: {reason}") from None
