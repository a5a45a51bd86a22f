"""Where an engine keeps the registers of its CPU, so that machine code reads them without calling Unicorn.

Unicorn has no call that tells. Its calls cost 5 to 10 ns for each register, several times what a short script takes; so
the places are searched for, once (`kept_places`): marks are written through Unicorn's calls into a scratch engine, and
looked for in the memory that the engine's handle points to. What is found must then answer in both directions. Where
nothing is found - another operating system, another version of Unicorn - there is no window, and the registers are
copied by calls: the same answers, more slowly.
"""

from __future__ import annotations

import ctypes
import struct
from bisect import bisect_right
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import msgspec
from unicorn import x86_const as x86

from machine.processor import msr
from machine.processor.binding import Engine, address_of, function_address
from machine.processor.kept_places import kept_or_found
from machine.processor.registers import GENERAL_IDS
from vm.facts.registers import GENERAL

_WORD = 8
_HANDLE_BYTES = 0x1000  # of the engine's structure in which the pointer to its CPU is looked for
_CPU_BYTES = 0x1_0000  # of the CPU's structure in which the registers are looked for
_STATE_BYTES = 0x8000  # behind the general registers, in which the others are looked for
_ALIGNMENT = 16
_CHECKED = x86.UC_X86_REG_R15

# Registers besides the general ones, the bytes of their cells, and two marks that differ in every byte but the sign.
_OTHERS: dict[str, tuple[int, int, tuple[int, int]]] = {
    "cr2": (x86.UC_X86_REG_CR2, 8, (0x2F1D_11E7_2B4D_6053, 0x1C2B_22F8_4C5E_7164)),
    "rip": (x86.UC_X86_REG_RIP, 8, (0x3A5C_11E7_2B4D_6F01, 0x1B2D_22F8_4C5E_7012)),
    "cs": (x86.UC_X86_REG_CS, 4, (0x7A58, 0x5B68)),
    "ss": (x86.UC_X86_REG_SS, 4, (0x6C78, 0x4D88)),
    "eflags": (x86.UC_X86_REG_EFLAGS, 8, (0x25_7302, 0x20_4202)),
    "star": (msr.STAR, 8, (0x4B6D_33A9_5D6F_7123, 0x2C3E_44BA_6E70_7234)),
    "lstar": (msr.LSTAR, 8, (0x5C7E_55CB_7F01_7345, 0x3D4F_66DC_0112_7456)),
    "fmask": (msr.FMASK, 8, (0x7567_0000, 0x1678_0000)),
}
_MSRS = ("star", "lstar", "fmask")
_READ_FLAGS = "helper_read_eflags_x86_64"  # of the CPU, whose structure begins with the general registers
UNREAD_FLAGS = 1 << 16 | 1 << 17  # RF, VM: what that leaves out
_TRIED_FLAGS = (0x2, 0xCD7, 0x20_4602, 0x24_08D6, 0x1_7393)


class Window(msgspec.Struct, frozen=True):
    """Host addresses in one engine, valid as long as it lives: sixteen words of general registers, and single cells.

    `rip`, `cr2`, `eflags` and the MSRs have 64 bits, the selectors 32; CR0 to CR4 stand side by side. All but the
    general registers are for reading. RFLAGS is what the function `read_flags` of `general` returns, with those
    UNREAD_FLAGS that `eflags` has; 0 where there is no such function.
    """

    read_flags: int
    general: int
    cr2: int
    rip: int
    cs: int
    ss: int
    star: int
    lstar: int
    fmask: int
    eflags: int


class _Layout(msgspec.Struct, frozen=True):
    """The same for every engine: where its handle points to the CPU, and distances from there."""

    pointer: int
    general: int
    reads_flags: bool
    others: dict[str, int]

    def apply(self, engine: Engine) -> Window:
        cpu = ctypes.c_uint64.from_address(address_of(engine.handle) + self.pointer).value
        read_flags = function_address(_READ_FLAGS) if self.reads_flags else 0
        others = {name: cpu + distance for name, distance in self.others.items()}
        return Window(read_flags, cpu + self.general, **others)


def window_of(engine: Engine) -> Window | None:
    """The window of an engine; None where there is none."""
    layout = _layout()
    if layout is None:
        return None
    engine.read_register(_CHECKED)  # an engine has no CPU before the first call that needs one
    window = layout.apply(engine)
    return window if _answers(engine, window.general) else None


def _answers(engine: Engine, general: int) -> bool:
    """Whether the last general register lies there: what is written at one end is read at the other."""
    cell = ctypes.c_uint64.from_address(general + _WORD * (len(GENERAL) - 1))
    kept = engine.read_register(_CHECKED)
    mark = kept ^ 0x5A69_7887_96A5_B4C3
    engine.set_register(_CHECKED, mark)
    if cell.value != mark:
        engine.set_register(_CHECKED, kept)
        return False
    cell.value = kept
    return engine.read_register(_CHECKED) == kept


@cache
def _layout() -> _Layout | None:
    return kept_or_found("window", _Layout, _find_layout)


def _find_layout() -> _Layout | None:
    engine = Engine(x86.UC_CPU_X86_SANDYBRIDGE)
    marks = [0x5A5A_1234_8765_0000 + 0x0101_0101 * number for number in range(len(GENERAL))]
    for number, mark in zip(GENERAL_IDS, marks, strict=True):
        engine.set_register(number, mark)
    try:
        areas = tuple(_writable_areas())
    except OSError:
        return None
    needle = b"".join(mark.to_bytes(_WORD, "little") for mark in marks)
    found = ((_bytes(cpu, _CPU_BYTES, areas).find(needle), pointer, cpu) for pointer, cpu in _pointers(engine, areas))
    # Another structure may happen to lie in front of the CPU's, at a distance that the next engine will not have: the
    # shortest distance is one within the CPU's own.
    for general, pointer, cpu in sorted(row for row in found if row[0] >= 0):
        others = _places(engine, cpu + general, areas) if _answers(engine, cpu + general) else None
        if others is not None:
            reads_flags = _reads_flags(engine, cpu + general, cpu + general + others["eflags"])
            return _Layout(pointer, general, reads_flags, {name: general + at for name, at in others.items()})
    return None


def _reads_flags(engine: Engine, general: int, eflags: int) -> bool:
    """Whether the emulator's own function says what its call says."""
    try:
        function = ctypes.CFUNCTYPE(ctypes.c_uint64, ctypes.c_uint64)(function_address(_READ_FLAGS))
    except AttributeError:
        return False
    kept = ctypes.c_uint64.from_address(eflags)
    for flags in _TRIED_FLAGS:
        engine.set_register(x86.UC_X86_REG_EFLAGS, flags)
        if function(general) | kept.value & UNREAD_FLAGS != engine.read_register(x86.UC_X86_REG_EFLAGS):
            return False
    return True


def place_in_cpu(engine: Engine, needle: bytes) -> tuple[int, int] | None:
    """Where some bytes stand in the memory that an engine has its CPU in, if there is exactly one such place.

    The distance in the engine's structure of a pointer, and the distance from where that points to; the same in all
    engines. None, too, where a process cannot see its own memory.
    """
    try:
        areas = tuple(_writable_areas())
    except OSError:
        return None
    found: list[tuple[int, int]] = []
    for pointer, cpu in _pointers(engine, areas):
        places = list(_occurrences(_bytes(cpu, _CPU_BYTES, areas), needle))
        found += [(places[0], pointer)] if len(places) == 1 else []
    if not found:
        return None
    distance, pointer = min(found)  # the shortest distance is one within the CPU's own structure
    return pointer, distance


def _pointers(engine: Engine, areas: tuple[range, ...]) -> Iterator[tuple[int, int]]:
    """The pointers in the engine's structure: where they stand in it, and what they point to."""
    data = _bytes(address_of(engine.handle), _HANDLE_BYTES, areas)
    starts = [area.start for area in areas]
    for index, target in enumerate(struct.unpack_from(f"<{len(data) // _WORD}Q", data)):
        if target and target % _ALIGNMENT == 0 and target in areas[bisect_right(starts, target) - 1]:
            yield index * _WORD, target


def _places(engine: Engine, general: int, areas: tuple[range, ...]) -> dict[str, int] | None:
    """The distances of the other registers from the general ones; None unless each has exactly one.

    What was read may lie behind the registers itself: only a place that follows the second mark counts.
    """
    found = {}
    for name, (number, size, (first, second)) in _OTHERS.items():
        write: Callable[[int, int], None] = engine.write_msr if name in _MSRS else engine.set_register
        write(number, first)
        candidates = list(_occurrences(_bytes(general, _STATE_BYTES, areas), first.to_bytes(size, "little")))
        write(number, second)
        mark = second.to_bytes(size, "little")
        places = [place for place in candidates if ctypes.string_at(general + place, size) == mark]
        if len(places) != 1:
            return None
        (found[name],) = places
    return found


def _occurrences(data: bytes, needle: bytes) -> Iterator[int]:
    at = data.find(needle)
    while at >= 0:
        yield at
        at = data.find(needle, at + 1)


def _bytes(start: int, size: int, areas: tuple[range, ...]) -> bytes:
    """What stands at a host address, as far as it may be read."""
    room = next((area.stop - start for area in areas if start in area), 0)
    return ctypes.string_at(start, min(size, room))


def _writable_areas() -> Iterator[range]:
    """The areas of this process's memory that can be read and written, by address. Raises OSError."""
    rows = (line.split() for line in Path("/proc/self/maps").read_text(encoding="utf-8").splitlines())
    for row in rows:
        if row[1].startswith("rw"):
            first, end = (int(address, 16) for address in row[0].split("-"))
            yield range(first, end)
