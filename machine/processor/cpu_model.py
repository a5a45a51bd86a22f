"""Which processor guests have: Broadwell, as far as the emulator executes it, with random numbers of our own.

What CPUID says and what is decoded follow from words in the emulator's CPU. RDRAND and RDSEED would read the host's
entropy: without its bit there, both are undefined, and `random_numbers` carries them out. AVX and TSX do not exist in
this Unicorn, which tells so by itself. Where the words are not found (hosts without /proc/self/maps), the CPU is a
Sandy Bridge, which has no RDRAND.
"""

from __future__ import annotations

import ctypes
import struct
from functools import cache

from unicorn import x86_const as x86

from machine.processor.binding import TRANSLATION_BYTES, Engine, address_of
from machine.processor.kept_places import kept_or_found
from machine.processor.window import place_in_cpu

RDRAND, RDSEED = 1 << 30, 1 << 18  # of ecx of leaf 1, and of ebx of leaf 7
FEATURES_1_EDX, _FEATURES_1_ECX, _FEATURES_7_EBX = 0x078B_FBFD, 0xC6D8_2203, 0x0018_0389  # as the emulator has them
FEATURES_1_ECX, FEATURES_7_EBX = _FEATURES_1_ECX, _FEATURES_7_EBX | RDSEED  # as guests see them, without OSXSAVE

_SMALL_ENGINE = 8 << 20
_MODEL, _NARROW_MODEL = x86.UC_CPU_X86_BROADWELL, x86.UC_CPU_X86_SANDYBRIDGE
_WORDS = struct.pack("<3Q", FEATURES_1_EDX, _FEATURES_1_ECX, _FEATURES_7_EBX)


def new_engine(translation_bytes: int = TRANSLATION_BYTES) -> Engine:
    """An emulator of this processor, in which RDRAND and RDSEED are undefined. Raises HostMemoryError."""
    place = _place()
    engine = Engine(_NARROW_MODEL if place is None else _MODEL, translation_bytes)
    if place is not None:
        pointer, distance = place
        cpu = ctypes.c_uint64.from_address(address_of(engine.handle) + pointer).value
        words = (ctypes.c_uint64 * 3).from_address(cpu + distance)
        words[1] &= ~RDRAND
        words[2] |= RDSEED
    return engine


def has_random_numbers() -> bool:
    """Whether guests have RDRAND and RDSEED."""
    return _place() is not None


@cache
def _place() -> tuple[int, int] | None:
    """Where an engine has its feature words, three of 64 bits."""
    return kept_or_found("features", tuple[int, int], _find_place)


def _find_place() -> tuple[int, int] | None:
    return place_in_cpu(Engine(_MODEL, _SMALL_ENGINE), _WORDS)
