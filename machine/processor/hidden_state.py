"""What an engine has no register for: the privilege level, the error code, whether INT came, the exception in flight.

Unicorn shows none of them; a saved context (`uc_context_save`) has them all. Where, is found out once (`kept_places`):
a scratch engine is brought to each level and into faults, and its contexts are compared. Where an engine has a window
the same cells are read and written in place, elsewhere by saving and restoring a context.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache
from typing import Any

import msgspec
from unicorn import unicorn_const as uc, x86_const as x86

from machine.processor import descriptors
from machine.processor.binding import INTERRUPT_HOOK, EmulatorError, Engine
from machine.processor.kept_places import kept_or_found
from machine.processor.registers import GENERAL_IDS
from machine.processor.window import Window

_WORD, _CELL = 8, 4
LEVEL_MASK = 3
_SHADOW = 1 << 3
_NO_EXCEPTION = 0xFFFF_FFFF
_GENERAL_PROTECTION = 13
_SELECTORS = (0x1238, 0x2458)  # that no table has
_INT = b"\xcd\x7f"
_SCRATCH_BYTES = 8 << 20  # of translations
_TABLE, _CODE, _STACK, _MAPPED = 0x0, 0x1000, 0x2000, 0x3000


class _Places(msgspec.Struct, frozen=True):
    """Distances in bytes from the general registers to cells of 32 bits."""

    general: int  # in a context
    flags: int  # QEMU's "hidden flags", whose lowest two bits are the level
    error: int
    is_software: int
    in_flight: int


class HiddenState:
    """The hidden state of one stopped engine."""

    def __init__(self, engine: Engine, window: Window | None) -> None:
        """Raises EmulatorError where this Unicorn keeps it otherwise."""
        self._engine = engine
        self._places = _places()
        self._general = None if window is None else window.general
        self._copy = ctypes.c_uint32()

    @property
    def level(self) -> int:
        """The privilege level, 0 to 3. Setting it changes no selector."""
        self._copy.value = self._read(self._places.flags) & LEVEL_MASK
        return self._copy.value

    @level.setter
    def level(self, level: int) -> None:
        self._change(self._places.flags, lambda flags: flags & ~LEVEL_MASK | level)
        self._copy.value = level

    @property
    def level_address(self) -> int:
        """Of the cell of 32 bits whose lowest two are the level; without a window, of one for `take_level`."""
        return ctypes.addressof(self._copy) if self._general is None else self._general + self._places.flags

    def take_level(self) -> None:
        """Machine code has written what is at `level_address`."""
        if self._general is None:
            self.level = self._copy.value & LEVEL_MASK

    @property
    def is_shadowed(self) -> bool:
        """Whether interrupts are held back for one instruction, behind STI and MOV to SS."""
        return bool(self._read(self._places.flags) & _SHADOW)

    @property
    def error_code(self) -> int:
        """What the last exception that has one was raised with."""
        return self._read(self._places.error)

    @property
    def was_software(self) -> bool:
        """Whether the last exception was an INT."""
        return bool(self._read(self._places.is_software))

    def forget_exception(self) -> None:
        """Let the next exception be a first one.

        QEMU remembers a delivered contributory exception until its handler is entered, which never happens here: the
        next one would arrive as a double fault (test_a_second_fault_is_reported_like_the_first).
        """
        self._change(self._places.in_flight, lambda _: _NO_EXCEPTION)

    def _read(self, place: int) -> int:
        if self._general is not None:
            return ctypes.c_uint32.from_address(self._general + place).value
        return _cells(self._engine)[(self._places.general + place) // _CELL]

    def _change(self, place: int, to: Callable[[int], int]) -> None:
        if self._general is not None:
            cell = ctypes.c_uint32.from_address(self._general + place)
            cell.value = to(cell.value)
            return
        context = self._engine.uc.context_save()
        cell = ctypes.c_uint32.from_address((context.context.value or 0) + self._places.general + place)
        cell.value = to(cell.value)
        self._engine.uc.context_restore(context)


# --- the search


@cache
def _places() -> _Places:
    found = kept_or_found("hidden state", _Places, _find_places)
    if found is None:
        raise EmulatorError("this version of Unicorn keeps the privilege level elsewhere")
    return found


def _find_places() -> _Places | None:
    kernel, user = (_Scratch(level) for level in (descriptors.KERNEL_LEVEL, descriptors.USER_LEVEL))
    for number, register in enumerate(GENERAL_IDS):
        for scratch in (kernel, user):
            scratch.engine.set_register(register, _mark(number))
    marks = b"".join(_mark(number).to_bytes(_WORD, "little") for number in range(len(GENERAL_IDS)))
    before, after = _cells(kernel.engine), _cells(user.engine)
    general = before.tobytes().find(marks)
    first, second = (user.cells_behind(_load_of(selector)) for selector in _SELECTORS)
    interrupted = user.cells_behind(_INT)
    flags = [
        at for at, (old, new) in enumerate(zip(before, after, strict=True)) if old and new == old | LEVEL_MASK != old
    ]
    errors = [at for at, values in enumerate(zip(first, second, strict=True)) if values == _SELECTORS]
    software = [at + 1 for at in errors if (first[at + 1], interrupted[at + 1]) == (0, 1)]
    in_flight = [
        at for at, values in enumerate(zip(after, first, strict=True)) if values == (_NO_EXCEPTION, _GENERAL_PROTECTION)
    ]
    if general < 0 or [len(each) for each in (flags, errors, software, in_flight)] != [1, 1, 1, 1]:
        return None
    return _Places(general, *(at * _CELL - general for (at,) in (flags, errors, software, in_flight)))


def _mark(number: int) -> int:
    return 0x5A5A_1234_8765_0000 + 0x0101_0101 * number


def _load_of(selector: int) -> bytes:
    """mov ax, SELECTOR; mov ds, ax -- with an RPL, which is not in the error code."""
    return b"\x66\xb8" + (selector | descriptors.USER_LEVEL).to_bytes(2, "little") + b"\x8e\xd8"


def _cells(engine: Engine) -> memoryview:
    """What a context of this moment consists of, in cells of 32 bits."""
    return memoryview(bytes(engine.uc.context_save())).cast("I")


class _Scratch:
    """An engine on one privilege level, with nothing else in it."""

    def __init__(self, level: int) -> None:
        self.engine = Engine(x86.UC_CPU_X86_SANDYBRIDGE, _SCRATCH_BYTES)
        memory: Any = self.engine.uc
        memory.mem_map(0, _MAPPED)
        memory.mem_write(_TABLE, descriptors.table())
        memory.mem_write(_CODE, descriptors.IRETQ)
        memory.mem_write(_STACK, descriptors.frame(level, _CODE + len(descriptors.IRETQ), 0, 0x2))
        load_table(self.engine, _TABLE)
        self.engine.set_register(x86.UC_X86_REG_RSP, _STACK)
        self.engine.start(_CODE, _CODE + len(descriptors.IRETQ))
        self.engine.add_hook(uc.UC_HOOK_INTR, INTERRUPT_HOOK(lambda *_: self.engine.stop()))

    def cells_behind(self, code: bytes) -> memoryview:
        """The cells behind some code that raises an exception, as a first one."""
        clean = self.engine.uc.context_save()
        self.engine.uc.mem_write(_CODE, code)
        self.engine.forget_all_code()
        self.engine.start(_CODE, _MAPPED)
        cells = _cells(self.engine)
        self.engine.uc.context_restore(clean)
        return cells


def load_table(engine: Engine, address: int) -> None:
    """Let an engine have the descriptor table at an address."""
    engine.uc.reg_write(x86.UC_X86_REG_GDTR, (0, address, descriptors.TABLE_BYTES - 1, 0))
