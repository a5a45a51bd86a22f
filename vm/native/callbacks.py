"""What compiled code asks Python for: whatever has no native form, on the activation that a handle names.

A callback never raises through compiled code: it keeps the exception in the activation and answers 0, which ends the
run; `Activation.outcome` raises it again or makes a fault of it. The activation counts every call by name.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

from vm import formatting, library
from vm.facts.builtins import BUILTINS, Effect
from vm.semantics import MASK

if TYPE_CHECKING:
    from vm.native.activation import Activation

ACTIVATIONS: WeakValueDictionary[int, Activation] = WeakValueDictionary()

Cell = Any  # a pointer to 64-bit cells; ctypes' generic pointer type exists for type checkers only


def _read_register(run: Activation, storage: int, answer: Cell) -> None:
    answer[0] = run.host.read_register(storage) & MASK


def _write_register(run: Activation, storage: int, value: int) -> None:
    run.host.write_register(storage, value)


def _pseudo_register(run: Activation, index: int, answer: Cell) -> None:
    answer[0] = run.host.pseudo_register(index) & MASK


def _read_memory(run: Activation, address: int, size: int, answer: Cell) -> bool:
    data = run.memory.read(address, size)
    if data is None:
        return False
    answer[0] = int.from_bytes(data, "little")
    return True


def _write_memory(run: Activation, address: int, size: int, value: int) -> bool:
    return run.memory.write(address, (value & ((1 << (8 * size)) - 1)).to_bytes(size, "little"))


def _copy(run: Activation, target: int, source: int, size: int) -> None:
    run.memory.copy(target, source, size)


def _zero(run: Activation, target: int, size: int) -> None:
    run.memory.zero(target, size)


def _builtin(run: Activation, index: int, arguments: Cell, answer: Cell) -> None:
    row = BUILTINS[index]
    if row.effect is Effect.HOST:
        run.drain()  # the host sees messages and requests in the order of the script
    answer[0] = library.call(run.memory, row, arguments[: len(row.parameters)])


def _printf(run: Activation, index: int, arguments: Cell) -> None:
    run.drain()
    form = run.prepared.formats[index]
    values = arguments[: len(form.conversions)]
    run.host.message(formatting.render(form, values, run.memory.message_text, run.limits.max_message))


def _drain(run: Activation) -> None:
    run.drain()


def _wait(run: Activation, rounds: int) -> bool:
    return run.sharing.waits(rounds)


def _guarded(name: str, body: Callable[..., bool | None]) -> Callable[..., int]:
    """The C function's side of a callback: 1, or 0 when it refused (False) or raised."""

    def callback(handle: int, *arguments: Any) -> int:
        run = ACTIVATIONS[handle]
        try:
            with run.sharing.entered:
                run.calls[BUILTINS[arguments[0]].name if name == "builtin" else name] += 1
                run.enter_python()
                done = body(run, *arguments) is not False
                run.leave_python()
            return int(done)
        except BaseException as error:  # carried through compiled code
            run.pending = error
            return 0

    return callback


_U64, _CELLS = ctypes.c_uint64, ctypes.POINTER(ctypes.c_uint64)

# Field of the context, the function and the types of its arguments after the handle.
_TABLE: tuple[tuple[str, Callable[..., bool | None], tuple[Any, ...]], ...] = (
    ("read_register", _read_register, (_U64, _CELLS)),
    ("write_register", _write_register, (_U64, _U64)),
    ("pseudo_register", _pseudo_register, (_U64, _CELLS)),
    ("read_memory", _read_memory, (_U64, _U64, _CELLS)),
    ("write_memory", _write_memory, (_U64, _U64, _U64)),
    ("copy", _copy, (_U64, _U64, _U64)),
    ("zero", _zero, (_U64, _U64)),
    ("builtin", _builtin, (_U64, _CELLS, _CELLS)),
    ("printf", _printf, (_U64, _CELLS)),
    ("drain", _drain, ()),
    ("wait", _wait, (_U64,)),
)
_FUNCTIONS = {
    name: ctypes.CFUNCTYPE(ctypes.c_int32, _U64, *kinds)(_guarded(name, body)) for name, body, kinds in _TABLE
}

# The addresses for the fields of a context; the functions live as long as this module.
CALLBACKS: dict[str, int] = {
    name: ctypes.cast(function, ctypes.c_void_p).value or 0 for name, function in _FUNCTIONS.items()
}
