"""Calls of INT 0x80 by themselves: what has no room in their structures, and any words as their arguments."""

from __future__ import annotations

import random
import struct

import pytest
from linux_world import SCRATCH, Guest

from machine.kernel.abi import narrowed
from machine.kernel.linux.calls import INTERRUPT_CALLS
from machine.kernel.linux.errors import LinuxError
from machine.kernel.linux.names import NUMBERS_386
from machine.kernel.linux.structures import packed
from machine.kernel.outcomes import Result

_WORDS = (0, 1, 3, 8, 16, 84, 4096, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_F000, 0xFFFF_FFFF, SCRATCH, SCRATCH + 0xFFE)


def call(guest: Guest, number: int, *words: int) -> Result:
    """What a call comes to; the errors that it may raise are results, too."""
    task, called = guest.kernel.task(guest.process.thread), INTERRUPT_CALLS[number]
    try:
        values = [
            word if (decode := narrowed(argument).decode) is None else decode(task, word)
            for argument, word in zip(called.arguments, (*words, *(0,) * 6), strict=False)
        ]
        return called.answer(task, *values)
    except LinuxError as error:
        return -error.number


def test_numbers_that_have_no_room_lose_their_highest_bits() -> None:
    assert packed("hxxiqI", 1 << 20 | 5, -1 << 40, 1 << 64 | 7, -1) == struct.pack("<HxxIQI", 5, 0, 7, 0xFFFF_FFFF)


@pytest.mark.parametrize("name", ["clock_gettime", "gettimeofday", "time", "times", "getrusage", "sysinfo", "stat64"])
def test_a_clock_that_has_gone_far_is_told_in_32_bits(name: str) -> None:
    guest = Guest()
    guest.ticks = (1 << 36) * 1_000_000_000
    path = SCRATCH + 0x100
    assert guest.cpu.memory.write(path, b"/proc\0")
    first = {"clock_gettime": 0, "getrusage": 0, "stat64": path}.get(name, SCRATCH)
    assert isinstance(call(guest, NUMBERS_386[name], first, SCRATCH, 0), int)


@pytest.mark.lasting
def test_no_words_make_a_call_fail_otherwise_than_by_an_error() -> None:
    draw = random.Random(0)
    for number in INTERRUPT_CALLS:
        guest = Guest()
        for _ in range(8):
            if guest.kernel.thread_name(guest.process.thread) is not None:  # it has not ended itself
                call(guest, number, *draw.choices(_WORDS, k=6))
