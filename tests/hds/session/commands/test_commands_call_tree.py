"""`!track` (events-and-commands E.8)."""

from __future__ import annotations

import pytest
from hds_guests import CALLS, lines, refused, session, shown

from lang import Compiler, SymbolTable

NESTED = """
start:
    call outer
    hlt
outer:
    call inner
    ret
inner:
    nop
    ret
"""


def test_calls_and_returns_make_a_tree() -> None:
    assert shown("!track", NESTED) == lines(
        "┌── 00000000`00400006",
        "│  ┌── 00000000`0040000c",
        "│  └── 00000000`0040000b",
        "└── 00000000`00400005",
    )


def test_names_are_shown_where_they_are_known() -> None:
    compiler = Compiler(symbols=SymbolTable({"guest!outer": 0x40_0006}))
    text = shown("!track tree 1", NESTED, compiler=compiler)
    assert text.splitlines()[0] == "┌── guest!outer (00000000`00400006)"


def test_a_count_ends_it_with_the_next_instruction() -> None:
    text = shown("!track 2", NESTED)
    assert text.splitlines()[:2] == ["┌── 00000000`00400006", "│  ┌── 00000000`0040000c"]
    assert text.splitlines()[2].endswith("nop")


def test_reg_shows_the_registers_behind_each_call() -> None:
    text = shown("!track reg 1", NESTED)
    assert text.splitlines()[1].startswith("RAX=")
    assert text.count("RAX=") == 1


def test_a_return_without_a_call_stays_at_the_edge() -> None:
    listing = "lea rax, [rip+one]; push rax; lea rax, [rip+two]; push rax; ret; two: ret; one: hlt"
    assert [line[:3] for line in shown("!track", listing).splitlines()] == ["└──", "└──"]


def test_what_is_very_deep_is_drawn_with_its_number() -> None:
    deep = "mov ecx, 0x60; again: dec ecx; jz done; call again; ret; done: hlt"
    rows = shown("!track", deep).splitlines()
    assert rows[64].startswith("│  " * 64 + "┌──")
    assert rows[65].startswith("│  " * 64 + "(41) ┌──")


def test_events_and_breakpoints_halt_it() -> None:
    made, said = session(CALLS)
    made.execute("!epthook 400014\n!track\ndb 400000 l 1")
    assert [halt.headline for halt in said.halts] == ["event 0x0 triggered (pre)"]


@pytest.mark.parametrize("words", ["tree 1 2", "reg zz", "both", "1 tree"])
def test_what_is_wrong_is_said(words: str) -> None:
    assert refused(f"!track {words}", NESTED) == "incorrect use of the '!track': !track [tree|reg] [COUNT]"
