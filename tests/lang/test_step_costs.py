"""No piece of source is charged more than HyperDbg v0.23 charges for it (language.md 20.2)."""

from __future__ import annotations

import pytest

from lang.compiler import Compiler
from lang.source import SourceFile
from vm.host import MemoryHost
from vm.interpreter import Interpreter
from vm.script_memory import GlobalStore

BEFORE = "x = 1; y = 2; int v = 3; char c_v = 1; .g = 1; int w = 2; z = 1; p = &z;"

# A piece of source, and the operators that v0.23 executes for it.
COSTS = (
    ("x = y;", 1), ("@rax = 1;", 1), ("x = 1;", 2), ("x = x + y;", 2), ("x = -y;", 2), ("x = @rax & @rcx;", 2),
    ("v = w;", 1), ("v = x;", 2), ("c_v = x;", 2), ("x = c_v;", 2), (".g = @rax;", 2), (".g = .g + 1;", 3),
    ("x += y;", 2), (".g += x;", 2), ("x++;", 1), ("v++;", 1), ("c_v++;", 1), (".g++;", 1), ("z++;", 1), ("@rax++;", 1),
    ("print(x + y);", 2), ("print(poi(10000000));", 2), ("eq(10000000, 5);", 1), ('printf("%d %d\\n", x, y);', 1),
    ("if (x == 1) { }", 3), ("if (x == 2) { }", 2), ("if (x == 1 && y == 2) { }", 11),
    ("for (i = 0; i < 5; i++) { }", 2 + 6 + 5 * 5), ("while (x < 5) { x++; }", 2 + 4 * 4),
    ("int fn(int n, int m) { return n; } fn(1, 2);", 14), ("int few_v[3] = {1, 2, 3};", 9),
    ("struct P { int mx; int my; }; struct P s_v; s_v.my = 5;", 5),
)  # fmt: skip


def steps(text: str) -> int:
    """The fuel of one run."""
    made = Compiler().compile(SourceFile("test", text))
    assert made.program is not None, text
    engine = Interpreter()
    result = engine.run(engine.load(made.program, GlobalStore()), MemoryHost.with_memory({}, [(0x10000000, 4096, b"")]))
    assert result.ok
    return result.steps


@pytest.mark.parametrize(("text", "theirs"), COSTS)
def test_a_piece_of_source_costs_no_more_than_in_hyperdbg(text: str, theirs: int) -> None:
    assert steps(BEFORE + text) - steps(BEFORE) <= theirs
