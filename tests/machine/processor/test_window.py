"""Where an engine keeps its registers: what is found is right, and what is not right is not used."""

from __future__ import annotations

import ctypes
import sys
from pathlib import Path
from unittest import mock

import pytest
from msgspec.structs import replace
from unicorn import x86_const as x86

from machine.processor import msr, window
from machine.processor.binding import Engine
from machine.processor.cpu_model import new_engine
from machine.processor.registers import GENERAL_IDS
from machine.processor.window import Window, window_of

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="the search needs /proc/self/maps")


def word(address: int) -> int:
    return ctypes.c_uint64.from_address(address).value


def half_word(address: int) -> int:
    return ctypes.c_uint32.from_address(address).value


def found(engine: Engine) -> Window:
    result = window_of(engine)
    assert result is not None
    return result


@linux_only
def test_general_registers_are_where_the_window_says_both_ways() -> None:
    engine = new_engine()
    general = found(engine).general
    for index, number in enumerate(GENERAL_IDS):
        engine.set_register(number, 0x1111 * (index + 1))
    assert [word(general + 8 * index) for index in range(16)] == [0x1111 * (index + 1) for index in range(16)]
    ctypes.c_uint64.from_address(general + 8 * 9).value = 0x1234_5678_9ABC_DEF0
    assert engine.read_register(x86.UC_X86_REG_R9) == 0x1234_5678_9ABC_DEF0


@linux_only
def test_the_other_registers_are_where_the_window_says() -> None:
    engine = new_engine()
    places = found(engine)
    engine.set_register(x86.UC_X86_REG_RIP, 0x40_1234)
    engine.set_register(x86.UC_X86_REG_CS, 0x33)
    engine.set_register(x86.UC_X86_REG_SS, 0x2B)
    for number, value in ((msr.STAR, 0x23_0010_0000_0000), (msr.LSTAR, 0xFFFF_F800_0000_1000), (msr.FMASK, 0x4700)):
        engine.write_msr(number, value)
    assert (word(places.rip), half_word(places.cs), half_word(places.ss)) == (0x40_1234, 0x33, 0x2B)
    assert [word(place) for place in (places.star, places.lstar, places.fmask)] == [
        0x23_0010_0000_0000, 0xFFFF_F800_0000_1000, 0x4700,
    ]  # fmt: skip


@linux_only
def test_looking_for_the_window_leaves_the_registers_alone() -> None:
    engine = new_engine()
    engine.set_register(x86.UC_X86_REG_R15, 0x77)
    found(engine)
    assert engine.read_register(x86.UC_X86_REG_R15) == 0x77


@linux_only
def test_engines_have_windows_of_their_own() -> None:
    engines = [new_engine(), new_engine()]
    places = [found(engine) for engine in engines]
    engines[0].set_register(x86.UC_X86_REG_RAX, 1)
    engines[1].set_register(x86.UC_X86_REG_RAX, 2)
    assert [word(place.general) for place in places] == [1, 2]


def test_a_place_that_does_not_follow_the_register_is_refused() -> None:
    engine = new_engine()
    engine.set_register(x86.UC_X86_REG_R15, 0x77)
    elsewhere = (ctypes.c_uint64 * 16)()
    assert not window._answers(engine, ctypes.addressof(elsewhere))
    assert engine.read_register(x86.UC_X86_REG_R15) == 0x77
    assert list(elsewhere) == [0] * 16


@linux_only
def test_a_layout_that_is_wrong_for_an_engine_makes_no_window() -> None:
    layout = window._layout()
    assert layout is not None
    with mock.patch.object(window, "_layout", return_value=replace(layout, general=layout.general + 8)):
        assert window_of(new_engine()) is None


@linux_only
@pytest.mark.parametrize("name", ["rip", "fmask"])
def test_a_register_that_is_not_found_makes_no_layout(name: str) -> None:
    number, size, _ = window._OTHERS[name]
    never = {**window._OTHERS, name: (number, size, (0, 0))}  # stands everywhere
    with mock.patch.object(window, "_OTHERS", never):
        assert window._find_layout() is None


def test_without_proc_self_maps_there_is_no_layout() -> None:
    with mock.patch.object(Path, "read_text", side_effect=FileNotFoundError("/proc/self/maps")):
        assert window._find_layout() is None


def test_without_a_layout_there_is_no_window() -> None:
    with mock.patch.object(window, "_layout", return_value=None):
        assert window_of(new_engine()) is None


@linux_only
def test_a_structure_that_lies_in_front_of_the_processor_s_is_not_taken_for_it() -> None:
    every = window._pointers

    def with_a_neighbour(engine: Engine, areas: tuple[range, ...]) -> list[tuple[int, int]]:
        return [(0, cpu - 0x40) for _, cpu in every(engine, areas)] + list(every(engine, areas))

    expected = window._layout()
    assert expected is not None
    with mock.patch.object(window, "_pointers", with_a_neighbour):
        found_again = window._find_layout()
    assert found_again == expected
