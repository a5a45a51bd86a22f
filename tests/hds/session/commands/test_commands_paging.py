"""`!pte` (events-and-commands E.6)."""

from __future__ import annotations

import pytest
from hds_guests import refused, session, shown

from machine.memory import Area, Protection

PTES = [
    "PML4E (PXE) at fffff6fb7dbed000\tcontains ",
    "PDPTE (PPE) at fffff6fb7da00000\tcontains ",
    "PDE at fffff6fb40000010\tcontains ",
    "PTE at fffff68000002000\tcontains ",
]


def entries(text: str) -> list[int]:
    return [int(line.rpartition(" ")[2], 16) for line in text.splitlines()[1:]]


def test_pte_shows_the_entries_of_all_levels() -> None:
    text = shown("!pte 400123")
    assert text.splitlines()[0] == "VA 400123"
    assert [line[:-16] for line in text.splitlines()[1:]] == PTES


def test_pte_agrees_with_va2pa() -> None:
    *shown_entries, place = shown("!pte 400123\n!va2pa 400123").splitlines()
    entry = int(shown_entries[-1].rpartition(" ")[2], 16)
    assert entry & 0xF_FFFF_FFFF_F000 == int(place, 16) & ~0xFFF


def test_the_tables_are_four_different_frames_of_the_machine() -> None:
    made, said = session()
    made.execute("!pte 400000")
    frames = [value >> 12 & 0xFF_FFFF_FFFF for value in entries(said.text)]
    assert len(set(frames)) == 4
    assert set(frames[:3]) <= made.machine.physical.tables


@pytest.mark.parametrize(
    ("rights", "bits"),
    [
        (Protection.READ, 1 << 63 | 0x25),
        (Protection.READ | Protection.WRITE, 1 << 63 | 0x67),
        (Protection.READ | Protection.EXECUTE, 0x25),
        (Protection.ALL, 0x67),
        (Protection.NONE, 1 << 63 | 0x24),
    ],
)
def test_rights_are_those_that_the_area_gives(rights: Protection, bits: int) -> None:
    made, said = session()
    assert made.process is not None
    made.process.cpu.memory.map(Area(0x10_0000, 0x10_1000, rights, "page"))
    made.execute("!pte 100000")
    assert entries(said.text)[-1] & ~0xF_FFFF_FFFF_F000 == bits


def test_kernel_pages_are_not_for_user_mode() -> None:
    assert entries(shown("!pte fffff80300000000"))[-1] & 7 == 3


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("!pte", "incorrect use of the '!pte': !pte ADDRESS [pid P]"),
        ("!pte 400000 1", "incorrect use of the '!pte': !pte ADDRESS [pid P]"),
        ("!pte 10", "err, invalid address (c0000005)"),
        ("!pte 800000000000", "err, invalid address (c0000005)"),
        ("!pte 400000 pid 77", "err, process id is invalid (c000001e)"),
    ],
)
def test_what_is_wrong_is_said(command: str, message: str) -> None:
    assert refused(command) == message
