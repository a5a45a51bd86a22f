"""The vDSO: its image, and that libraries find it and get what the calls give."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from linux_guests import build
from machine_guests import PT_LOAD, elf, program_header

from hds.session import Session
from machine.kernel.linux import World, vdso
from machine.loaders import MAPPINGS_TOP, elf_symbols
from machine.root.assembler import assemble

CLOCKS = r"""
#define _GNU_SOURCE
#include <sched.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>
static long nanoseconds(struct timespec t) { return t.tv_sec * 1000000000 + t.tv_nsec; }
int main(void) {
    struct timespec called, read, resolution;
    for (int clock = 0; clock < 12; clock++) {
        if (clock == 10 || clock == 8 || clock == 9) continue;
        syscall(SYS_clock_gettime, clock, &called);
        if (clock_gettime(clock, &read)) return 1;
        if (nanoseconds(read) < nanoseconds(called) || nanoseconds(read) - nanoseconds(called) > 100000) return 2;
        if (clock_getres(clock, &resolution) || nanoseconds(resolution) != 1) return 3;
    }
    if (clock_gettime(99, &read) != -1) return 4;
    struct timeval day;
    syscall(SYS_clock_gettime, 0, &called);
    if (gettimeofday(&day, 0) || day.tv_sec * 1000000 + day.tv_usec - nanoseconds(called) / 1000 > 100) return 5;
    if (time(0) != called.tv_sec || sched_getcpu() != 0) return 6;
    clock_gettime(CLOCK_MONOTONIC, &called);
    do clock_gettime(CLOCK_MONOTONIC, &read); while (nanoseconds(read) < nanoseconds(called) + 1000000);
    return 42;
}
"""


def test_its_code_is_what_its_listings_say() -> None:
    for function in vdso.FUNCTIONS:
        assert function.code.hex() == assemble(function.listing, address=0).code.hex()


def test_its_image_is_an_elf_file_of_one_page_with_its_symbols() -> None:
    image = vdso.image(7)
    assert len(image) == vdso.SIZE
    kinds = [struct.unpack_from("<I", image, 64 + 56 * index)[0] for index in range(2)]
    assert kinds == [1, 2]  # PT_LOAD, PT_DYNAMIC
    assert elf_symbols(image, 0) == ()  # it has no sections: what there is stands in PT_DYNAMIC
    rows = dict(_dynamic(image))
    names = image[rows[5] : rows[5] + rows[10]].split(b"\0")
    assert {b"__vdso_clock_gettime", b"__vdso_gettimeofday", b"__vdso_time", b"__vdso_getcpu", b"LINUX_2.6"} <= {*names}
    assert vdso.elf_hash("LINUX_2.6") == 61765110  # as glibc has it


def _dynamic(image: bytes) -> list[tuple[int, int]]:
    offset, size = struct.unpack_from("<8xQ16xQ", image, 64 + 56)
    return list(struct.iter_unpack("<QQ", image[offset : offset + size]))


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["dynamic", "glibc", "musl"])
def test_libraries_read_the_clock_there_and_get_what_the_calls_give(kind: str, tmp_path: Path) -> None:
    session = Session(build(CLOCKS, kind, tmp_path), world=World(Path("/")))
    session.execute('!syscall script { if ($context == 0n96 || $context == 0n309) { printf("called\\n"); } }')
    assert session.run(timeout=60).exit_code == 42
    assert session.messages == []


def test_scripts_see_it_read_the_time_stamp_counter(tmp_path: Path) -> None:
    session = Session(build(CLOCKS, "glibc", tmp_path))
    session.execute(f"!tsc script {{ if (@rip >= {MAPPINGS_TOP:x}) {{ print(1); pause(); }} }}")
    session.run(timeout=60)
    assert session.totals.breaks == 1


def test_a_program_that_lies_there_itself_has_none() -> None:
    own = program_header(PT_LOAD, 0, MAPPINGS_TOP, 8, 0x1000)
    session = Session(elf("mov eax, 60; mov edi, 7; syscall", extra_headers=(own,)))
    assert session.run().exit_code == 7
