"""How often runs enter basic blocks, where that is counted: on both engines the same."""

from __future__ import annotations

import pytest
from language_world import example_host

from lang.compiler import Compiler
from lang.source import SourceFile
from vm.blocks import entries_of_instructions
from vm.engine import Engine, FaultKind, Loaded
from vm.script_memory import GlobalStore


def loaded(engine: Engine, text: str, *, counts_entries: bool = True) -> Loaded:
    program = Compiler().compile(SourceFile("<script>", text)).program
    assert program is not None
    return engine.load(program, GlobalStore(), counts_entries=counts_entries)


def entered(made: Loaded, part: str) -> int:
    """How often the blocks were entered that have instructions of this part of the text, at most."""
    assert made.entries is not None
    start = made.program.sources[0].text.index(part)
    counts = list(entries_of_instructions(made.program, made.entries))
    places = [made.program.position(pc) for pc in range(len(counts))]
    inside = range(start, start + len(part))
    return max(count for count, place in zip(counts, places, strict=True) if place and place.start in inside)


def test_nothing_is_counted_unless_asked(engine: Engine) -> None:
    assert loaded(engine, "print(1);", counts_entries=False).entries is None


def test_entries_of_all_runs_are_counted(engine: Engine) -> None:
    made = loaded(engine, "int fn(int n) { return n; } for (i = 0; i < 3; i++) { fn(i); } if (i == 4) { y = 9; }")
    for runs in (1, 2):
        engine.run(made, example_host())
        assert entered(made, "return n") == 3 * runs
        assert entered(made, "i < 3") == 4 * runs
        assert entered(made, "i == 4") == runs
        assert entered(made, "y = 9") == 0


@pytest.mark.parametrize("value", [1, 4, 9])
def test_a_chain_of_comparisons_is_entered_link_by_link(engine: Engine, value: int) -> None:
    links = " elsif ".join(f"(x == {number}) {{ print({number}); }}" for number in range(1, 7))
    made = loaded(engine, f"x = {value}; if {links}")
    engine.run(made, example_host())
    assert [entered(made, f"x == {number}") for number in range(1, 7)] == [number <= value for number in range(1, 7)]
    assert [entered(made, f"print({number})") for number in range(1, 7)] == [number == value for number in range(1, 7)]


def test_a_block_that_an_error_ends_was_entered(engine: Engine) -> None:
    made = loaded(engine, "x = 3; while (1) { y = 1 / x; x--; } print(x);")
    fault = engine.run(made, example_host()).fault
    assert fault is not None
    assert fault.kind is FaultKind.DIVISION_BY_ZERO
    assert entered(made, "y = 1 / x") == 4
    assert entered(made, "print(x)") == 0
