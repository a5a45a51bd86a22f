"""The built-in functions that are no operators (section 11). Arguments and results are 64-bit patterns.

`KINDS` has one letter per parameter: n a number, s a number or narrow literal, w a number or wide literal.
"""

# ruff: noqa: SIM905  (names as they stand in the document, not one string literal each)
from __future__ import annotations

from collections.abc import Callable

from vm.host import UnsupportedHere

from .errors import Stopped, Unspecified
from .memory import Memory

MINUS_ONE = (1 << 64) - 1
KINDS: dict[str, str] = {
    **dict.fromkeys("poi dq dd dw db hi low check_address virtual_to_physical physical_to_virtual".split(), "n"),
    **dict.fromkeys("poi_pa dq_pa dd_pa dw_pa db_pa hi_pa low_pa".split(), "n"),
    **dict.fromkeys("eq ed eb eq_pa ed_pa eb_pa interlocked_exchange interlocked_exchange_add".split(), "nn"),
    **dict.fromkeys("memcpy memcpy_pa interlocked_compare_exchange event_inject_error_code".split(), "nnn"),
    "memcmp": "ssn", "strlen": "s", "wcslen": "w", "strcmp": "ss", "wcscmp": "ww", "strncmp": "ssn", "wcsncmp": "wwn",
    **dict.fromkeys("interlocked_increment interlocked_decrement spinlock_lock spinlock_unlock".split(), "n"),
    "spinlock_lock_custom_wait": "nn", "event_inject": "nn",
    **dict.fromkeys("event_enable event_disable event_clear event_sc microsleep lbr_restore_by_filter".split(), "n"),
    **dict.fromkeys("disassemble_len disassemble_len32 disassemble_len64".split(), "n"),
    **dict.fromkeys("pause flush event_trace_step event_trace_step_in event_trace_step_out rdtsc rdtscp".split(), ""),
    **dict.fromkeys("event_trace_instrumentation_step event_trace_instrumentation_step_in".split(), ""),
    **dict.fromkeys("lbr_save lbr_print lbr_dump lbr_check lbr_restore".split(), ""),
}  # fmt: skip
ALIASES = {"enable_event": "event_enable", "disable_event": "event_disable", "ref": "reference"}
WITHOUT_RESULT = {
    "memcpy", "memcpy_pa", "spinlock_lock", "spinlock_lock_custom_wait", "spinlock_unlock", "pause", "flush",
    "event_enable", "event_disable", "event_clear", "event_sc", "event_inject", "event_inject_error_code",
    "event_trace_step", "event_trace_step_in", "event_trace_step_out", "event_trace_instrumentation_step",
    "event_trace_instrumentation_step_in", "microsleep", "print", "printf", "formats", "test_statement",
}  # fmt: skip
LOADS = {"poi": 8, "dq": 8, "dd": 4, "dw": 2, "db": 1, "hi": 8, "low": 8}
STORES = {"eq": 8, "ed": 4, "eb": 1}


def call(memory: Memory, name: str, arguments: list[int]) -> int:
    """The result, 0 for those without one. Raises Stopped."""
    plain = name.removesuffix("_pa")
    if plain in LOADS:
        number = _load(memory, name.endswith("_pa"), arguments[0], LOADS[plain])
        return {"hi": number >> 16 & 0xFFFF, "low": number & 0xFFFF}.get(plain, number)
    if plain in STORES:
        size = STORES[plain]
        return _store(memory, name.endswith("_pa"), arguments[0], arguments[1] % (1 << (8 * size)), size)
    if name in OWN:
        return OWN[name](memory, *arguments) % (1 << 64)
    if name.startswith("event_inject") and (arguments[0] > 7 or arguments[1] > 0xFF):
        raise Stopped("invalid_argument")
    try:
        return memory.host.request(name, tuple(arguments)) % (1 << 64)
    except UnsupportedHere:
        raise Stopped("unsupported_here") from None


def _load(memory: Memory, physical: bool, address: int, size: int) -> int:
    if not physical:
        return memory.number(address, size)
    try:
        data = memory.host.read_physical(address, size)
    except UnsupportedHere:
        raise Stopped("unsupported_here") from None
    if data is None:
        raise Stopped("invalid_address")
    return int.from_bytes(data, "little")


def _store(memory: Memory, physical: bool, address: int, value: int, size: int) -> int:
    data = value.to_bytes(size, "little")
    try:
        return int((memory.host.write_physical if physical else memory.write)(address, data))
    except UnsupportedHere:
        raise Stopped("unsupported_here") from None


def _check_address(memory: Memory, address: int) -> int:
    return int(memory.read(address, 1) is not None)


def _memcpy(memory: Memory, target: int, source: int, size: int) -> int:
    if size == 0:
        raise Stopped("invalid_argument")
    if size > 1 << 24:
        raise Stopped("invalid_address")
    memory.store_bytes(target, memory.load_bytes(source, size))
    return 0


def _memcpy_pa(memory: Memory, target: int, source: int, size: int) -> int:
    if size == 0:
        raise Stopped("invalid_argument")
    raise Stopped("unsupported_here")


def _order(x: int, y: int) -> int:
    return (x > y) - (x < y)


def _memcmp(memory: Memory, p: int, q: int, size: int) -> int:
    answer = 0
    for number in range(size):
        x, y = memory.read(p + number, 1), memory.read(q + number, 1)
        if x is None or y is None:
            if answer:
                raise Unspecified("a difference in front of a bad address")
            return 2
        answer = answer or _order(x[0], y[0])
    return answer


def _compare(memory: Memory, p: int, q: int, most: int, unit: int) -> int:
    for number in range(most):
        x, y = memory.read(p + number * unit, unit), memory.read(q + number * unit, unit)
        if x is None or y is None:
            return 2
        if x != y or not any(x):
            return _order(int.from_bytes(x, "little"), int.from_bytes(y, "little"))
    return 0


def _length(memory: Memory, address: int, unit: int) -> int:
    text = memory.units(address, unit, 1 << 30)
    return 0 if text is None else len(text) // unit


def _change(memory: Memory, address: int, new: Callable[[int], int]) -> int:
    """Replace the 64 bits at an address; the old ones."""
    old = memory.number(address, 8)
    memory.store_bytes(address, (new(old) % (1 << 64)).to_bytes(8, "little"))
    return old


def _lock(memory: Memory, address: int, pauses: int = 0) -> int:
    if memory.number(address, 4):
        raise Stopped("deadlock")
    memory.store_bytes(address, b"\1\0\0\0")
    return 0


def _unlock(memory: Memory, address: int) -> int:
    memory.store_bytes(address, bytes(4))
    return 0


OWN: dict[str, Callable[..., int]] = {
    "check_address": _check_address,
    "memcpy": _memcpy,
    "memcpy_pa": _memcpy_pa,
    "memcmp": _memcmp,
    "strlen": lambda memory, s: _length(memory, s, 1),
    "wcslen": lambda memory, s: _length(memory, s, 2),
    "strcmp": lambda memory, p, q: _compare(memory, p, q, 1 << 30, 1),
    "wcscmp": lambda memory, p, q: _compare(memory, p, q, 1 << 30, 2),
    "strncmp": lambda memory, p, q, n: _compare(memory, p, q, n, 1),
    "wcsncmp": lambda memory, p, q, n: _compare(memory, p, q, n, 2),
    "interlocked_increment": lambda memory, n: _change(memory, n, lambda old: old + 1) + 1,
    "interlocked_decrement": lambda memory, n: _change(memory, n, lambda old: old - 1) - 1,
    "interlocked_exchange": lambda memory, n, v: _change(memory, n, lambda _: v),
    "interlocked_exchange_add": lambda memory, n, v: _change(memory, n, lambda old: old + v),
    "interlocked_compare_exchange": lambda memory, n, v, c: _change(memory, n, lambda old: v if old == c else old),
    "spinlock_lock": _lock,
    "spinlock_lock_custom_wait": _lock,
    "spinlock_unlock": _unlock,
}
