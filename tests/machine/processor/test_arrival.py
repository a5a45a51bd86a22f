"""The bookkeeping of instructions that are begun anew; tests/machine/processor/test_cpu.py has it at work."""

from __future__ import annotations

import ctypes

from machine.processor.arrival import Arrival

PLACE, ELSEWHERE = 0x40_0000, 0x40_0005


def cell(arrival: Arrival) -> int:
    return ctypes.c_uint64.from_address(arrival.cell_address).value


def test_an_arrival_that_is_not_begun_anew_calls_every_hook() -> None:
    arrival = Arrival()
    assert (arrival.was_called(PLACE, 1, 10), cell(arrival)) == (False, 0)


def test_hooks_up_to_the_one_that_asked_are_passed_over_and_the_others_are_called() -> None:
    arrival = Arrival()
    arrival.begin_anew(PLACE, 2, tick=10)
    assert cell(arrival) == 1
    assert [arrival.was_called(PLACE, number, 10) for number in (1, 2, 3)] == [True, True, False]


def test_the_next_arrival_calls_them_again() -> None:
    arrival = Arrival()
    arrival.begin_anew(PLACE, 2, tick=10)
    assert arrival.was_called(PLACE, 1, 10)
    assert (arrival.was_called(PLACE, 1, 15), cell(arrival)) == (False, 0)


def test_another_address_is_another_arrival() -> None:
    arrival = Arrival()
    arrival.begin_anew(PLACE, 1, tick=10)
    assert not arrival.was_called(ELSEWHERE, 1, 11)
    assert not arrival.was_called(PLACE, 1, 12)


def test_a_run_that_starts_elsewhere_forgets() -> None:
    arrival = Arrival()
    arrival.begin_anew(PLACE, 1, tick=10)
    arrival.start_at(PLACE, 10)
    assert cell(arrival) == 1
    arrival.start_at(ELSEWHERE, 10)
    assert cell(arrival) == 0


def test_the_arrival_of_a_thread_that_comes_back_has_the_tick_of_its_turn() -> None:
    arrival = Arrival()
    arrival.begin_anew(PLACE, 2, tick=10)
    kept = arrival.exchange(None)
    assert not arrival.was_called(PLACE, 1, 11)
    arrival.exchange(kept)
    assert not arrival.start_at(PLACE, 25)
    assert [arrival.was_called(PLACE, number, 25) for number in (1, 2, 3)] == [True, True, False]
